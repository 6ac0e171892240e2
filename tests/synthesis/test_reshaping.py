"""What hides all it lies on, and what takes the place of the part under its label."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from anomaly_gan.synthesis.methods.copy_paste.donors import Donors
from anomaly_gan.synthesis.pairs.exemplar import Exemplar, as_bank, warp, warp_both
from anomaly_gan.synthesis.pairs.reshaping import off_part, shown_part, without_part
from anomaly_gan.synthesis.pairs.substance import Substance


def test_an_opaque_thing_hides_what_it_lies_on_where_it_is_as_bright_as_its_own_surface_was():
    """A bolt half as bright as the plate it was cut from: no stripe of another place shows in that half."""
    disc, bank = cv2.circle(np.zeros((64, 64), np.uint8), (32, 32), 12, 1, -1), []
    for level in (80, 100, 120, 140):
        plate = np.tile(np.where(np.arange(64) < 32, level - 20, level + 20), (64, 1))
        bolt = np.where(np.arange(64)[:, None] < 32, level, 2 * level)
        bank.append(Exemplar(np.where(disc > 0, bolt, plate).clip(0, 255).astype(np.uint8), disc))
    learned = as_bank(bank)
    assert learned[1].substance.opaque and learned[1].substance.tight
    striped = np.where(np.arange(64)[None] // 4 % 2 > 0, 60, 140).astype(np.uint8) + np.zeros((64, 1), np.uint8)
    upper = warp(learned[1], striped, disc)[24:31, 26:39].astype(int)
    assert np.ptp(upper, axis=1).max() < 12
    both = warp_both((learned[0], learned[3]), striped, disc)
    assert np.array_equal(both, warp(learned[0], striped, disc)), "two bolts show through each other"


def boxes(*places: tuple[slice, slice]) -> np.ndarray:
    mask = np.zeros((64, 64), np.uint8)
    for place in places:
        mask[place] = 1
    return mask


SOUND, STUMP = np.s_[26:38, :50], np.s_[26:38, :32]


def test_a_broken_tip_takes_the_sound_one_away():
    """What changes a part's outline replaces all under its label; the ground behind the part goes on there."""
    ground, label = np.full((64, 64), 180, np.uint8), boxes(np.s_[24:40, 28:54])
    part, stump = boxes(SOUND), boxes(STUMP)
    sound, broken = (np.where(shown > 0, 70, ground).astype(np.uint8) for shown in (part, stump))
    exemplar = Exemplar(broken, label, Substance(1.0, 0.4, reshapes=True), part_01=stump)
    warped = warp(exemplar, sound, label, part)
    assert warped[26:38, 36:50].min() > 170 and warped[28:36, :30].max() < 75
    turned = warp(exemplar, np.fliplr(sound).copy(), np.fliplr(label).copy(), np.fliplr(part).copy())
    assert np.array_equal(np.fliplr(turned), warped), "the part goes on at the wrong end"
    layer = warp(replace(exemplar, part_01=None), sound, label, part)
    assert layer[28:36, 36:48].mean() < 150, "a layer alone leaves the tip as a ghost"


def test_no_piece_of_a_part_hangs_in_the_air():
    """The donor's window shows a chip beside its stump; under the mask nothing joins it to the part there."""
    ground, label = np.full((64, 64), 180, np.uint8), boxes(np.s_[24:40, 28:60])
    part, broken = boxes(SOUND), boxes(STUMP, np.s_[30:34, 44:50])
    sound, chipped = (np.where(shown > 0, 70, ground).astype(np.uint8) for shown in (part, broken))
    exemplar = Exemplar(chipped, label, Substance(1.0, 0.4, reshapes=True), part_01=broken)
    warped = warp(exemplar, sound, label, part)
    assert warped[:, 36:].min() > 170 and warped[28:36, :30].max() < 75
    kept = warp(exemplar, ground, label, np.zeros_like(part))
    pieces, _ = cv2.connectedComponents((kept < 90).astype(np.uint8))
    assert pieces == 1 + 2, "around this mask there is no part that they could join"


def test_what_only_a_crumb_holds_hangs_in_the_air_as_well():
    """The end of a tip that the mask left beside itself is no part that a chip could join."""
    ground, label = np.full((64, 64), 180, np.uint8), boxes(np.s_[24:40, 28:60])
    part, broken = boxes(SOUND, np.s_[28:36, 54:64]), boxes(STUMP, np.s_[30:34, 44:60])
    sound, chipped = (np.where(shown > 0, 70, ground).astype(np.uint8) for shown in (part, broken))
    exemplar = Exemplar(chipped, label, Substance(1.0, 0.4, reshapes=True), part_01=broken)
    warped = warp(exemplar, sound, label, part)
    assert warped[:, 36:57].min() > 170 and warped[28:36, :30].max() < 75


def test_a_scratch_as_bright_as_the_ground_is_part_and_a_missing_tip_is_not():
    rng = np.random.default_rng(5)
    pixels = rng.normal(180, 1.5, (64, 64))
    part, scratch, tip = (np.zeros((64, 64), np.uint8) for _ in range(3))
    part[20:44, :40] = 1
    pixels[part > 0] = rng.normal(70, 6, np.count_nonzero(part))
    scratch[26:38, 8:20] = 1
    pixels[scratch > 0] = rng.normal(180, 12, np.count_nonzero(scratch))
    tip[24:40, 40:54] = 1
    shown = pixels.clip(0, 255).astype(np.uint8)
    stood_out = part & (1 - scratch)  # what a threshold finds
    assert off_part(scratch, shown_part(shown, scratch, stood_out)) == 0
    assert off_part(tip, shown_part(shown, tip, stood_out)) > 0.9


def test_the_ground_goes_on_where_the_part_was():
    """As bright as beside the part there, with the ground's own grain."""
    rng = np.random.default_rng(6)
    ground = (150 + 0.5 * np.arange(96)[:, None] + rng.normal(0, 3, (96, 96))).clip(0, 255).astype(np.uint8)
    part = np.zeros((96, 96), np.uint8)
    part[40:56, :] = 1
    filled = without_part(np.where(part > 0, 40, ground).astype(np.uint8), part)
    rest = filled[40:56].astype(float)
    assert np.abs(rest.mean() - ground[40:56].mean()) < 4 and 2 < rest.std(axis=1).mean() < 4
    assert np.array_equal(filled[:34], ground[:34]) and np.array_equal(without_part(ground, part * 0), ground)


@pytest.mark.parametrize(("off", "reshapes"), [(0.0, False), (0.3, True), (0.9, False)])
def test_labels_that_lie_off_the_part_in_part_change_its_outline(off, reshapes, monkeypatch):
    """Those of a scratch do not, and neither do those of shams, which lie where the part of another photograph was."""
    label = np.ones((10, 10), np.uint8)
    part = np.ones((10, 10), bool)
    part[:, : round(10 * off)] = False
    one = SimpleNamespace(mask=lambda: label)
    donors = Donors.__new__(Donors)
    monkeypatch.setattr(Donors, "_one_each", lambda *_: [one] * 4)
    monkeypatch.setattr(Donors, "_part", lambda *_: part)
    assert donors._reshapes(1) == reshapes
