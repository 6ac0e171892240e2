"""Painting from exemplars: a real defect is warped under another mask, and what the generator makes of it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import tiny_training
import torch
from interrupted import interrupted_once
from pydantic import ValidationError
from safetensors.torch import load_file

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.masks import grow
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.synthesis.methods.config import TrainConfig
from anomaly_gan.synthesis.methods.painting.generator import load_brush
from anomaly_gan.synthesis.pairs.exemplar import (
    FILE,
    REACH_PX,
    Exemplar,
    as_bank,
    best_fitting,
    load_exemplars,
    pair_fitting,
    save_exemplars,
    warp,
    warp_both,
)
from anomaly_gan.synthesis.pairs.strip import Strip
from anomaly_gan.synthesis.pairs.substance import Substance
from anomaly_gan.synthesis.pairs.windows import Framing, PairSource
from anomaly_gan.synthesis.training import stage as train
from anomaly_gan.synthesis.training.pretraining import Pretraining

TINY = {**tiny_training.TINY, "batch": 4, "sample_every": 2, "painting": "exemplar"}


def ellipse(side: int, centre: tuple[int, int], axes: tuple[int, int], degrees: float) -> np.ndarray:
    return cv2.ellipse(np.zeros((side, side), np.uint8), centre, axes, degrees, 0, 360, 1, -1)


@pytest.fixture(scope="module")
def grain() -> np.ndarray:
    noise = np.random.default_rng(4).normal(120, 30, (64, 64)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 1.5).clip(0, 255).astype(np.uint8)


def test_a_defect_laid_back_on_its_own_surface_is_what_it_was(grain):
    mask = ellipse(64, (30, 34), (17, 8), 30)
    shown = np.where(mask > 0, grain // 3, grain).astype(np.uint8)
    warped = warp(Exemplar(shown, mask, sound=grain), grain, mask)
    apart = np.abs(warped.astype(int) - shown)
    assert apart[mask > 0].mean() < 2.5 and apart.mean() < 0.5


def test_a_defect_that_fills_a_part_of_its_label_leaves_the_rest_alone(grain):
    """Nothing ends at the outline of a loose label, and the grain of the new surface goes on through it."""
    label, core = ellipse(64, (32, 32), (22, 14), 0), ellipse(64, (32, 32), (18, 3), 0)
    surface = cv2.GaussianBlur(grain, (0, 0), 4)
    defect = np.where(core > 0, 40, surface).astype(np.uint8)
    ground = np.roll(grain, 9, axis=1)
    warped = warp(Exemplar(defect, label), ground, label)
    rest = (label > 0) & (grow(core, 4) == 0)
    assert warped[core > 0].mean() < 60
    assert np.abs(warped[rest].astype(int) - ground[rest]).mean() < 1.5


@pytest.mark.parametrize("kind", ["crack", "washer", "paper", "bolt"])
def test_what_a_defect_is_made_of_is_learned(kind):
    """A crack is darker than its surface under any light, and the surface's structure goes on in it; a washer follows
    the light and hides what it lies on; paper hides it and is as bright on dark steel as on bright. A bolt is lit from
    the side that its surface is lit from, and hides the structure all the same."""
    mask, bank = ellipse(64, (32, 32), (12, 6), 0), []
    light = np.tile(np.linspace(0.6, 1.4, 64), (64, 1))
    edge = np.tile(np.where(np.arange(64) < 32, 0.8, 1.2), (64, 1))
    for surface in (60, 90, 120, 150):
        ground = surface * edge * (light if kind == "bolt" else 1)
        inside = {
            "crack": ground * 0.5,
            "washer": np.full_like(ground, surface * 1.5),
            "paper": np.full_like(ground, 190),
            "bolt": surface * 1.3 * light,
        }
        bank.append(Exemplar(np.where(mask > 0, inside[kind], ground).clip(0, 255).astype(np.uint8), mask))
    learned = as_bank(bank)[0]
    assert learned.substance.follows < 0.3 if kind == "paper" else learned.substance.follows > 0.6
    assert learned.substance.through > 0.8 if kind == "crack" else learned.substance.through < 0.2
    striped = np.full((64, 64), 70, np.uint8)
    striped[:, 24:40] = 130
    warped = warp(learned, striped, mask).astype(float)
    stripes = warped[30:34, 26:38].mean() - warped[30:34, 41:43].mean()
    assert stripes > 15 if kind == "crack" else abs(stripes) < 15 + 15 * (kind == "bolt")


def test_what_an_opaque_defect_surrounds_is_its_own(grain):
    """Where a washer is as bright as its surface, the stripes of another surface do not show in it."""
    disc, hole = ellipse(64, (32, 32), (14, 14), 0), ellipse(64, (32, 32), (7, 7), 0)
    bank = [
        Exemplar(
            np.where(disc - hole > 0, 200, np.tile(np.linspace(0.7, 1.3, 64) * level, (64, 1))).astype(np.uint8), disc
        )
        for level in (80, 100, 120)
    ]
    striped = np.where(np.arange(64)[None] // 4 % 2 > 0, 40, 160).astype(np.uint8) + np.zeros((64, 1), np.uint8)
    middle = warp(as_bank(bank)[1], striped, disc)[30:35, 27:38]
    assert np.ptp(middle.astype(int)) < 40


def test_deep_in_a_wide_label_the_defect_is_what_is_seen_there(grain):
    """What lay under it is not known there: inpainting from two sides leaves a step, and no light of it is painted."""
    mask, defect = np.zeros((96, 96), np.uint8), np.full((96, 96), 60, np.uint8)
    mask[8:88, 8:88] = 1
    defect[:, 48:] = 180
    defect[mask > 0] = np.random.default_rng(3).normal(120, 4, (96, 96)).clip(0, 255).astype(np.uint8)[mask > 0]
    warped = warp(Exemplar(defect, mask), np.full((96, 96), 120, np.uint8), mask).astype(float)
    left, right = warped[32:64, 30:46].mean(), warped[32:64, 50:66].mean()
    assert abs(left - right) < 5 and abs(left - 120) < 10


@pytest.mark.parametrize("upright", [True, False])
def test_brush_lines_stay_upright_under_a_lying_mask(upright):
    """Lines that cross their labels keep their direction; a crack's lines run along its label and turn with it."""
    rng, lying, standing = np.random.default_rng(6), np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    lying[24:40, 8:56] = 1
    standing[8:56, 24:40] = 1
    bank = []
    for number in range(8):
        lines = np.repeat(rng.normal(120, 30, (1, 64)), 64, axis=0).clip(0, 255)
        mask = lying if upright or number % 2 else standing
        if not upright and mask is lying:
            lines = lines.T
        bank.append(Exemplar(np.where(mask > 0, lines, 120).astype(np.uint8), mask))
    learned = as_bank(bank)[0]
    assert learned.substance.upright == upright
    warped = warp(learned, np.full((64, 64), 120, np.uint8), lying if learned.mask_01 is standing else standing)
    inside = warped[28:36, 28:36].astype(float)
    along, across = np.abs(np.diff(inside, axis=0)).mean(), np.abs(np.diff(inside, axis=1)).mean()
    assert along < across / 3 if upright else across < along / 3


def test_a_gray_photograph_in_three_channels_gets_no_colour():
    mask = ellipse(64, (32, 32), (12, 6), 0)
    defect = np.full((64, 64, 3), 120, np.uint8)
    defect[mask > 0] = (150, 60, 30)
    ground = np.full((64, 64, 3), 100, np.uint8)
    warped = warp(Exemplar(defect, mask), ground, mask)
    assert np.ptp(warped.astype(int), axis=2).max() == 0 and warped[mask > 0].mean() < 95
    ground[:, :, 2] = 60
    assert np.ptp(warp(Exemplar(defect, mask), ground, mask).astype(int), axis=2)[mask > 0].mean() > 50


@pytest.mark.parametrize("colour", [False, True])
def test_beyond_the_reach_of_the_mask_every_pixel_stays(grain, colour):
    defect = np.dstack([grain, grain // 2, 255 - grain]) if colour else grain
    ground = np.full_like(defect, 90)
    mask = ellipse(64, (40, 20), (9, 5), 70)
    warped = warp(Exemplar(defect, ellipse(64, (30, 30), (15, 6), 0)), ground, mask)
    far = grow(mask, REACH_PX) == 0
    assert warped.shape == defect.shape and (warped[far] == 90).all() and (warped[mask > 0] != 90).any()


def test_begin_lies_on_begin_and_side_on_side():
    """A mark at one end, and one on one side, of a bar turn and grow with the bar."""
    bar, turned = ellipse(64, (32, 32), (20, 5), 0), ellipse(64, (30, 36), (24, 8), 60)
    end, side = bar * 0, bar * 0
    end[:, 45:], side[33:] = 1, 1
    for mark in (end, side):
        defect = np.where(mark & bar, 20, 120).astype(np.uint8)
        warped = warp(Exemplar(defect, bar), np.full((64, 64), 120, np.uint8), turned)
        dark = warped < 70
        assert not (dark & (grow(turned, 1) == 0)).any()
        share = dark.sum() / turned.sum()
        assert share == pytest.approx((mark & bar).sum() / bar.sum(), abs=0.08)
        offset = np.argwhere(dark)[:, ::-1].mean(0) - np.argwhere(turned)[:, ::-1].mean(0)
        cosine, sine = np.cos(np.pi / 3), np.sin(np.pi / 3)
        lengthwise, crosswise = np.abs(offset @ np.array([[cosine, -sine], [sine, cosine]]))
        assert lengthwise > 12 and crosswise < 2 if mark is end else lengthwise < 3 and crosswise > 2


def test_a_crack_s_dark_middle_follows_a_bent_mask():
    path = np.array([[20 + int(6 * np.sin(y / 9)), y] for y in range(6, 58)], np.int32)
    straight, bent = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    straight[4:60, 29:36] = 1
    cv2.polylines(bent, [path], False, 1, 7)
    defect = np.full((64, 64), 150, np.uint8)
    defect[4:60, 31:34] = 30
    warped = warp(Exemplar(defect, straight), np.full((64, 64), 150, np.uint8), bent)
    depth = cv2.distanceTransform(bent, cv2.DIST_L2, 5)
    assert warped[depth >= 3.5].mean() < 60 and warped[depth == 1].mean() > 120


def test_a_defect_under_a_jagged_mask_is_no_comb():
    """Half dark, half bright, its border stays a line where the mask's sides go to and fro."""
    small, jagged = ellipse(64, (32, 32), (5, 3), 0), np.zeros((64, 64), np.uint8)
    for column in range(64):
        shift = 6 * (column // 4 % 2)
        jagged[14 + shift : 44 + shift, column] = 1
    defect = np.full((64, 64), 200, np.uint8)
    defect[32:] = 40
    warped = warp(Exemplar(defect, small), np.full((64, 64), 120, np.uint8), jagged)
    border = (warped[:, 8:56] > 120).sum(0)
    step = np.abs(np.diff(border)).mean()
    assert step < 0.8, f"the border goes to and fro by {step:.1f} px from column to column"


def test_a_defect_is_as_dark_against_its_new_surroundings_as_it_was():
    mask = ellipse(64, (32, 32), (10, 10), 0)
    defect = np.where(mask > 0, 60, 120).astype(np.uint8)
    for light in (60, 120, 200):
        warped = warp(Exemplar(defect, mask), np.full((64, 64), light, np.uint8), mask)
        assert (warped[mask > 0].mean() + 64) / (light + 64) == pytest.approx((60 + 64) / (120 + 64), abs=0.01)


def test_an_empty_mask_and_one_without_surroundings_are_no_failure(grain):
    full, empty = np.ones((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    assert warp(Exemplar(grain, empty), grain, full) is grain and warp(Exemplar(grain, full), grain, empty) is grain
    dot = empty.copy()
    dot[5, 5] = 1
    for first, second in ((full, dot), (dot, full), (dot, dot)):
        assert warp(Exemplar(grain, first), grain, second).shape == grain.shape


def test_the_examples_are_those_that_are_stretched_least(grain):
    sizes = [(4, 4), (20, 3), (20, 12)]
    exemplars = [Exemplar(grain, ellipse(64, (32, 32), size, 15)) for size in sizes]
    for number, (length, width) in enumerate(sizes):
        assert best_fitting(ellipse(64, (30, 33), (length, width), 80), exemplars)[0] == number
    half = Strip.of(ellipse(64, (32, 32), (10, 3), 15))
    assert half.stretch(exemplars[1].strip) == pytest.approx(np.log(2), abs=0.25)


def test_of_two_examples_alike_in_size_the_one_from_alike_surroundings_comes_first(grain):
    mask, edge = ellipse(64, (32, 32), (10, 6), 0), np.where(np.arange(64) < 32, 60, 160).astype(np.uint8)
    on_edge, beside = np.tile(edge, (64, 1)), np.tile(np.roll(edge, 40), (64, 1))
    exemplars = [Exemplar(np.where(mask > 0, 110, ground).astype(np.uint8), mask) for ground in (beside, on_edge)]
    assert best_fitting(mask, exemplars, on_edge)[0] == 1 and best_fitting(mask, exemplars, beside)[0] == 0


@pytest.mark.parametrize("opaque", [True, False])
def test_the_other_half_of_an_object_is_of_its_material(grain, opaque):
    """White cloth does not go on as grey cloth, though a grey one would be stretched less; a crack may fade."""
    mask = ellipse(64, (32, 32), (20, 5), 0)
    shapes = [(mask, 200), (ellipse(64, (32, 32), (19, 5), 0), 90), (ellipse(64, (32, 32), (16, 5), 0), 205)]
    made_of = Substance(0.0, 0.0 if opaque else 1.0, tight=opaque)
    bank = [
        Exemplar(np.where(shape > 0, level, grain).astype(np.uint8), shape, made_of, sound=grain)
        for shape, level in shapes
    ]
    assert pair_fitting(mask, bank, grain) == (0, 2 if opaque else 1)
    assert pair_fitting(mask, bank[:1] * 3, grain) == (0, 0)
    far = Exemplar(bank[1].pixels, ellipse(64, (32, 32), (4, 4), 0), made_of, sound=grain)
    assert pair_fitting(mask, [bank[0], far], grain) == (0, 1), "where each other one would be stretched too far"


def test_one_example_fades_into_the_other_along_the_mask(grain):
    bar = ellipse(64, (32, 32), (22, 6), 0)
    dark, bright = (Exemplar(np.where(bar > 0, level, 120).astype(np.uint8), bar) for level in (40, 200))
    ground = np.full((64, 64), 120, np.uint8)
    warped = warp_both((dark, bright), ground, bar)
    middle = warped[32, 12:53].astype(int)
    assert middle[:10].max() < 60 and middle[-10:].min() > 180 and (np.diff(middle) >= -4).all()
    assert (warped[grow(bar, REACH_PX) == 0] == 120).all()
    colours = [Exemplar(np.dstack([one.pixels] * 3), bar) for one in (dark, bright)]
    coloured = warp_both((colours[0], colours[1]), np.dstack([ground] * 3), bar)
    assert np.array_equal(coloured, np.dstack([warped] * 3))
    alone = warp(dark, ground, bar)
    assert np.array_equal(warp_both((dark, dark), ground, bar), alone)


def test_exemplars_come_back_from_their_file_as_they_were(grain, tmp_path):
    """Masks that lie in memory by columns too, as they come from run lengths."""
    mask = np.asfortranarray(ellipse(64, (20, 40), (12, 3), 20))
    save_exemplars({"crack": [Exemplar(grain, mask), Exemplar(grain, mask)]}, tmp_path / FILE)
    read = load_exemplars(tmp_path / FILE, ["crack"])["crack"][0]
    assert np.array_equal(read.mask_01, mask) and np.array_equal(read.pixels, grain)


def test_a_round_mask_is_not_turned(grain):
    """Elongated ones turn with their axis; light keeps its side on round ones."""
    disc, other = ellipse(64, (30, 30), (12, 11), 0), ellipse(64, (34, 36), (11, 12), 0)
    lit = np.where(disc > 0, np.where(np.arange(64)[None] > 30, 200, 60), 120).astype(np.uint8)
    warped = warp(Exemplar(lit, disc), np.full((64, 64), 120, np.uint8), other)
    left, right = other.copy(), other.copy()
    left[:, 33:], right[:, :36] = 0, 0
    assert warped[right > 0].mean() > warped[left > 0].mean() + 60


def test_examples_are_kept_as_they_were(tmp_path, grain):
    kept = {"crack": [Exemplar(grain, grain // 200), Exemplar(grain[::-1].copy(), grain // 150)]}
    save_exemplars(kept, tmp_path / FILE)
    ((name, rows),) = load_exemplars(tmp_path / FILE, ["crack"]).items()
    assert name == "crack" and all(
        np.array_equal(row.pixels, was.pixels) and np.array_equal(row.mask_01, was.mask_01)
        for row, was in zip(rows, kept["crack"], strict=True)
    )


def test_examples_change_nothing_else_in_a_batch(small_run):
    def source(exemplars: bool) -> PairSource:
        return PairSource(
            small_run.ingest.split("train"),
            small_run.pool,
            Framing(32),
            6,
            9,
            gray=True,
            paint_out=True,
            exemplars=exemplars,
        )

    plain, batch = source(False).batch(3), source(True).batch(3)
    assert plain.exemplar_BCHW is None and plain.rows(1, 3).own_exemplar_BCHW is None
    for name in ("normal_BCHW", "abnormal_BCHW", "painted_out_BCHW", "noise_B2HW"):
        assert torch.equal(getattr(plain, name), getattr(batch, name))
    for warped, ground, mask in (
        (batch.exemplar_BCHW, batch.normal_BCHW, batch.normal_mask_B1HW),
        (batch.own_exemplar_BCHW, batch.painted_out_BCHW, batch.abnormal_mask_B1HW),
    ):
        assert warped is not None and warped.shape == ground.shape
        near = torch.nn.functional.max_pool2d(mask, 2 * REACH_PX + 1, 1, REACH_PX)
        changed = (warped != ground).float()
        assert not (changed * (1 - near)).any() and (changed * mask).sum() > 0.5 * mask.sum()
    assert batch.part(1, 2).exemplar_BCHW is not None


def test_a_generator_that_paints_from_examples(small_run, tmp_path, monkeypatch):
    context = Context(5, "cpu", small_run.inputs())

    def weights(out):
        run_stage("train@anomaly_gan", train.run, TrainConfig(**TINY), context, out)
        return load_file(out / "generator.safetensors")

    whole = weights(tmp_path / "whole")
    with interrupted_once(monkeypatch, Pretraining, at=2):
        with pytest.raises(KeyboardInterrupt):
            weights(tmp_path / "cut")
        resumed = weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole), "cut off, it goes on the same"

    out, names = tmp_path / "whole", [category.name for category in small_run.ingest.categories]
    brush, _ = load_brush(out, names, "cpu")
    assert brush.exemplars is not None
    assert {name: len(rows) for name, rows in brush.exemplars.items()} == {
        name: len(rows) for name, rows in brush.severities.items()
    }, "row i of both is the same defect"
    ground, mask = np.full((40, 40), 120, np.uint8), ellipse(40, (20, 20), (7, 4), 20)
    theirs = brush.exemplars[names[0]]
    dark = [replace(row, pixels=np.where(row.mask_01 > 0, 10, 200).astype(np.uint8)) for row in theirs]
    painted = {}
    for kind, rows in (("theirs", theirs), ("dark", dark)):
        brush.exemplars = {names[0]: rows}
        painted[kind], _ = brush.paint(ground, mask, [13, 15, 15, 11], names[0], np.random.default_rng(3))
        again, _ = brush.paint(ground, mask, [13, 15, 15, 11], names[0], np.random.default_rng(3))
        assert np.array_equal(painted[kind], again)
        assert (painted[kind][grow(mask, 2) == 0] == 120).all()
    assert painted["dark"][mask > 0].mean() < painted["theirs"][mask > 0].mean() - 10, "it shows its exemplar"
    levels = [
        brush.paint(ground, mask, [13, 15, 15, 11], names[0], np.random.default_rng(3), [ratio, 0.05])[0]
        for ratio in (-0.6, -0.3, 0.2)
    ]
    assert np.all(np.diff([level[mask > 0].mean() for level in levels]) > 10), "and one as strong as was asked for"

    (out / FILE).unlink()
    with pytest.raises(InputError, match="exemplar"):
        load_brush(out, names, "cpu")


def test_methods_that_cannot_paint_from_examples_say_so():
    for wrong, words in (
        ({"method": "cyclegan"}, "only anomaly_gan paints"),
        ({"preset": "paper"}, "only framing: window"),
    ):
        with pytest.raises(ValidationError, match=words):
            TrainConfig(**wrong, recipe={"painter": {"painting": "exemplar"}})


@pytest.mark.parametrize("place", ["darker", "as bright"])
def test_the_rim_of_a_loose_label_is_no_part_of_the_defect(place):
    """A dark pit whose label holds two pixels of bright rail around it has no bright rim on a dark place."""
    label, pit, bank = ellipse(64, (32, 32), (14, 10), 0), ellipse(64, (32, 32), (12, 8), 0), []
    rng = np.random.default_rng(5)
    for level in (120, 150, 180):
        grain = rng.normal(0, 12, (64, 64))
        streaks = cv2.GaussianBlur(rng.normal(0, 60, (64, 64)).astype(np.float32), (0, 0), 1.5, sigmaY=4)
        bank.append(Exemplar(np.where(pit > 0, 20 + grain / 4, level + streaks).clip(0, 255).astype(np.uint8), label))
    ground = np.full((64, 64), 15 if place == "darker" else 150, np.uint8)
    warped = [warp(one, ground, label).astype(float) for one in as_bank(bank)]
    rim = (label > 0) & (pit == 0)
    assert max(one[rim].max() for one in warped) < int(ground[0, 0]) + 10
    if place == "as bright":
        assert max(one[30:35, 28:37].mean() for one in warped) < 50
