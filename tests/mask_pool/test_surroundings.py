"""Of several places for a mask, the one that looks around it as around the mask where it was cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mask_pool.elements.real import Element
from mask_pool.placement.surroundings import Surroundings
from mask_pool.recombination.recombine import turn, unturned


@pytest.fixture
def stripes() -> np.ndarray:
    """Dark and bright bands, 16 px each, with an edge at every multiple of 16."""
    return np.tile(np.where(np.arange(160) // 16 % 2 > 0, 60, 150).astype(np.uint8), (96, 1))


def between(x: int) -> Element:
    """A mask of 8 × 8 px with its corner at (x, 40)."""
    return Element("prior", "dot", 1, "own.png", "a", (96, 160), (x, 40, 8, 8), np.ones((8, 8), np.uint8))


def test_a_mask_lies_between_bands_as_it_did(stripes):
    """At whatever light: the photograph is half as bright as the one that the mask was cut from."""
    seen = Surroundings({"own.png": stripes, "other.png": stripes // 2}.get)
    turned, drawn = unturned(between(44)), iter([30, 35, 38, 76, 41, 49, 52, 55])
    x, _, _ = seen.best(turned, "other.png", lambda _: (next(drawn), 40, {}))
    assert x == 76, "one period to the right of where it was"


def test_what_hides_its_surface_lies_on_a_flat_place(stripes):
    """Both places look the same around the mask; beneath one of them is a bolt."""
    flat = np.full_like(stripes, 120)
    bolted = flat.copy()
    bolted[42:46, 102:106] = 250
    seen, turned = Surroundings({"own.png": flat, "other.png": bolted}.get), unturned(between(44))
    for flat_wanted, x in ((True, 30), (False, 100)):
        drawn = iter([(100, 40, {}), (30, 40, {}), None])
        assert seen.best(turned, "other.png", lambda _, drawn=drawn: next(drawn), flat=flat_wanted)[0] == x


def test_the_ring_turns_with_the_mask(stripes):
    """Turned by a quarter, it belongs where the bands run across."""
    seen = Surroundings({"own.png": stripes, "lying.png": stripes.T.copy()}.get)
    turned = turn(between(44), 90.0, 1.0, False)
    assert turned is not None
    fits, beside = (seen.misfit(turned, 40, y, "lying.png") for y in (44, 52))
    upright = seen.misfit(unturned(between(44)), 40, 44, "lying.png")
    assert fits < 0.1 < min(beside, upright)


def test_no_place_is_none_and_one_is_taken_as_it_is(stripes):
    seen = Surroundings({"own.png": stripes}.get)
    assert seen.best(unturned(between(44)), "own.png", lambda _: None) is None
    drawn = iter([(3, 4, {}), None])
    assert seen.best(unturned(between(44)), "own.png", lambda _: next(drawn)) == (3, 4, {})
    assert seen.misfit(unturned(between(44)), -60, 40, "own.png") == 0.0
    elsewhere = replace(between(44), parent_image="a photograph that only an expert had")
    assert seen.misfit(unturned(elsewhere), 40, 40, "own.png") == 0.0


def test_an_element_that_is_gone_leaves_nothing_to_one_made_after_it(stripes):
    """The one made after it may lie at the same address."""
    seen = Surroundings({"own.png": stripes}.get)
    for _ in range(50):
        assert seen.misfit(unturned(between(44)), 48, 40, "own.png") > 0.0
        elsewhere = replace(between(44), parent_image="a photograph that only an expert had")
        assert seen.misfit(unturned(elsewhere), 48, 40, "own.png") == 0.0
        del elsewhere
