"""The crop bank: what is in it, its shams, and that a cut-off run goes on to equal bytes."""

import json

import numpy as np
import pytest

from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.synthesis.bank import stage, writer
from anomaly_gan.synthesis.bank.config import BankConfig
from anomaly_gan.synthesis.bank.crops import cut_crop
from anomaly_gan.synthesis.bank.shams import sham_split

SMALL = {"count": 6, "size": 48, "sham_sets": 2}


def make(small_run, out, **changes):
    run_stage("bank", stage.run, BankConfig(**{**SMALL, **changes}), Context(3, "cpu", small_run.inputs()), out)
    return writer.read_lines(out), *writer.read_shards(out)


@pytest.fixture(scope="module")
def banks(small_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("banks")
    return {method: make(small_run, folder / method, method=method) for method in ("copy_paste", "exemplar")}


@pytest.mark.parametrize("method", ["copy_paste", "exemplar"])
def test_every_painted_crop_has_a_sham_of_the_same_place_that_has_no_label(banks, method):
    lines, pixels, masks = banks[method]
    assert [line["id"] for line in lines] == list(range(24)) and pixels.shape == (24, 48, 48)
    places = {sham: {} for sham in (True, False)}
    for line in lines:
        places[line["sham"]][line["category"], line["pool_item"], line["attempt"]] = line["id"]
    assert places[True].keys() == places[False].keys() and len(places[True]) == 12
    for place, painted in places[False].items():
        sham = places[True][place]
        label = masks[painted] != 0
        assert label.any() and not masks[sham].any()
        # defects of the small run are bright (190 and more), its sound texture is dark (60)
        assert pixels[painted][label].mean() > 150 and pixels[sham][label].mean() < 90
        away = np.ones_like(label)
        rows, columns = np.nonzero(label)
        away[max(0, rows.min() - 8) : rows.max() + 9, max(0, columns.min() - 8) : columns.max() + 9] = False
        near_another = pixels[painted] > 120
        same = pixels[painted][away & ~near_another] == pixels[sham][away & ~near_another]
        assert same.mean() > 0.99  # the same photograph, cut at the same place


@pytest.mark.parametrize("method", ["copy_paste", "exemplar"])
def test_sources_name_training_objects_alone(banks, small_run, method):
    train = {image.group_id for image in small_run.ingest.split("train").images}
    lines = banks[method][0]
    assert all(line["sources"] and set(line["sources"]) <= train for line in lines)
    assert all(line["method"] == method for line in lines)


def test_a_bank_that_was_cut_off_goes_on_to_the_same_bytes(small_run, banks, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "SHARD", 8)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    make(small_run, whole)
    calls = []

    def fail_late(*arguments):
        calls.append(1)
        if len(calls) > 12:
            raise KeyboardInterrupt
        return cut_crop(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(stage, "cut_crop", fail_late)
        make(small_run, cut)
    assert (cut / "bank-000.npz").is_file() and not (cut / "bank.jsonl").exists()
    before = (cut / "bank-000.npz").stat().st_mtime_ns
    make(small_run, cut)
    assert (cut / "bank-000.npz").stat().st_mtime_ns == before
    for path in sorted(whole.glob("bank*")):
        assert path.read_bytes() == (cut / path.name).read_bytes(), path.name
    assert not (cut / "shams").exists()


def test_what_a_detector_misses_is_painted_more_often(small_run, tmp_path):
    items = small_run.pool.annotations
    missed = items[0].provenance["parent"]
    lines, *_ = make(small_run, tmp_path, aim={missed: 1e6}, shams=0.0)
    parents = {
        image.file_name: {item.provenance["parent"] for item in items if item.image_id == image.id}
        for image in small_run.pool.images
    }
    spots = [line for line in lines if line["category"] == "spot"]
    assert spots and all(missed in parents[line["pool_item"]] for line in spots)


def test_methods_that_paint_defects_of_their_own_have_no_shams(small_run, tmp_path):
    with pytest.raises(ConfigError, match="set shams: 0"):
        make(small_run, tmp_path, method="procedural")


def test_sham_photographs_show_sound_texture_under_the_old_names(small_run, tmp_path):
    train = small_run.ingest.split("train")
    shams = sham_split(train, tmp_path, 0, 1)
    assert [image.file_name for image in shams.images] == [image.file_name for image in train.images]
    assert shams.annotations == train.annotations
    for image in shams.images:
        assert read_pixels(shams.path_of(image), True).max() < 120
        assert read_pixels(shams.path_of(image), True).shape == (image.height, image.width)


def test_a_crop_of_a_narrow_photograph_mirrors_defect_and_label_alike():
    pixels = np.zeros((100, 30), np.uint8)
    mask = np.zeros((100, 30), np.uint8)
    pixels[40:50, 20:28], mask[40:50, 20:28] = 200, 1
    crop, label = cut_crop(pixels, mask, 64, np.random.default_rng(0))
    assert crop.shape == label.shape == (64, 64)
    assert ((crop == 200) == (label == 1)).all() and label.sum() > 80


def test_a_line_says_how_far_the_photograph_reaches(banks, small_run, tmp_path):
    lines, _, _ = banks["copy_paste"]
    assert {tuple(line["inside"]) for line in lines} == {(48, 48)}, "photographs of 72 x 90 px"
    wide = make(small_run, tmp_path, size=128)[0]
    assert {tuple(line["inside"]) for line in wide} == {(72, 90)}


def test_the_bank_says_how_visible_its_compositing_is(small_run, tmp_path):
    make(small_run, tmp_path)
    measured = json.loads((tmp_path / "metrics.json").read_text())["artefact_auroc"]
    assert set(measured) == {"spot", "scratch"}
    assert all(value is None or 0 <= value <= 1 for value in measured.values())
