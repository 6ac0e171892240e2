"""The label check: true masks are found, shifted ones are not; seams, copies; who has seen what."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from anomaly_gan.core.config import build
from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.files import sha256_bytes, sha256_file
from anomaly_gan.core.images import read_pixels, write_png
from anomaly_gan.core.masks import windowed
from anomaly_gan.core.stage import Context, run_stage, stage_key
from anomaly_gan.engine import loop
from anomaly_gan.metrics.seam import seam_score
from anomaly_gan.synthesis.gate import stage as gate
from anomaly_gan.synthesis.gate.candidate import Candidate
from anomaly_gan.synthesis.gate.category_metrics import label
from anomaly_gan.synthesis.gate.category_metrics.data import CategoryData
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.inspector import Inspector
from anomaly_gan.synthesis.gate.results import Counts
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig
from anomaly_gan.synthesis.label_check import stage as check_stage
from anomaly_gan.synthesis.label_check.config import LabelCheckConfig
from anomaly_gan.synthesis.label_check.copies import CopyBook
from anomaly_gan.synthesis.label_check.segmenter import LabelChecker
from anomaly_gan.synthesis.label_check.windows import (
    OUTSIDE,
    Stock,
    Window,
    WindowSource,
    assign_folds,
    learned,
    real_defects,
    whole,
)

TINY = LabelCheckConfig(
    folds=2,
    size=32,
    base_width=8,
    depth=2,
    steps=40,
    batch=8,
    learning_rate=1e-2,
    checkpoint_every=15,
    precision="32-true",
)


def run_check(small_run, folder, config=TINY):
    run_stage(
        "label_check", check_stage.run, config, Context(3, "cpu", {"ingest": small_run.folder / "ingest"}), folder
    )
    return folder


@pytest.fixture(scope="module")
def checked(small_run, tmp_path_factory):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield run_check(small_run, tmp_path_factory.mktemp("checked") / "label_check")
    torch.set_num_threads(threads)


def test_the_true_mask_is_found_and_a_shifted_one_is_not(checked, small_run):
    ingest = small_run.ingest
    checker, of_image = LabelChecker(checked), ingest.by_image()
    true, shifted = [], []
    for image in ingest.split("test").images:  # nobody has seen these objects
        for item in of_image.get(image.id, []):
            pixels, mask = read_pixels(ingest.path_of(image), gray=True), item.mask()
            true += checker.look(pixels, [(item.category_id, mask)], [image.group_id])
            shifted += checker.look(pixels, [(item.category_id, np.roll(mask, 14, 1))], [image.group_id])
    assert np.median([look.iou for look in true]) > 0.7
    assert max(look.iou for look in shifted) < 0.3 and np.median([look.iou for look in shifted]) < 0.05
    assert all(look.agrees is not None for look in true)


def test_the_reference_is_out_of_fold_and_its_figures_are_its_lines(checked, small_run):
    card = json.loads((checked / "segmenters.json").read_text())
    lines = [json.loads(line) for line in (checked / "reference.jsonl").read_text().splitlines()]
    assert len(lines) == len(small_run.ingest.split("train").annotations)
    assert all(card["fold_of"][line["group"]] == line["fold"] for line in lines)
    spot = json.loads((checked / "metrics.json").read_text())["categories"]["spot"]
    own = [line["iou"] for line in lines if line["category"] == "spot"]
    assert spot["median"] == pytest.approx(np.median(own), abs=1e-4) and spot["median"] > 0.7
    assert spot["missed"] == 0.0 and spot["objects"] == 8


def test_no_segmenter_sees_an_object_it_judges(small_run):
    train = small_run.ingest.split("train")
    folds = assign_folds(train, 3)
    assert set(folds) == {image.group_id for image in train.images} and set(folds.values()) == {0, 1, 2}
    window = Window(np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8))
    stocks = [Stock(window, group, category) for group in folds for category in (0, 1, None)]
    for fold in range(3):
        source = WindowSource(stocks, folds, fold, 32, 4, 0.5, seed=1)
        assert source.objects == {group for group, own in folds.items() if own != fold}
        assert torch.equal(source.batch(5)[1], source.batch(5)[1])


def test_defects_of_one_object_alone_cannot_be_checked(small_run, tmp_path):
    folder = tmp_path / "ingest"
    shutil.copytree(small_run.folder / "ingest", folder)
    ingest = load_dataset(folder)
    ingest.select(lambda image: image.group_id == "g0" or image.file_name.startswith("normal")).save(folder)
    with pytest.raises(InputError, match="G13"):
        run_stage("label_check", check_stage.run, TINY, Context(3, "cpu", {"ingest": folder}), tmp_path / "label_check")


def products(folder):
    return {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", "started.json")
    }


def test_killed_and_resumed_gives_the_same_bytes(small_run, tmp_path, monkeypatch):
    """Killed in the second segmenter, after its first checkpoint."""
    short = TINY.model_copy(update={"steps": 5, "checkpoint_every": 2, "batch": 4})
    whole = run_check(small_run, tmp_path / "whole", short)
    saved, real = [], loop.save_checkpoint

    def killing(*arguments, **names):
        real(*arguments, **names)
        saved.append(arguments[1])
        if len(saved) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_checkpoint", killing)
    with pytest.raises(KeyboardInterrupt):
        run_check(small_run, tmp_path / "label_check", short)
    assert saved == [2, 4, 2] and not (tmp_path / "label_check" / "manifest.json").exists()
    run_check(small_run, tmp_path / "label_check", short)
    assert saved == [2, 4, 2, 4]
    assert products(tmp_path / "label_check") == products(whole)


def flat(level=90):
    return np.random.default_rng(0).normal(level, 3, (70, 70)).round().astype(np.uint8)


def disc(radius=12.0):
    y, x = np.mgrid[:70, :70]
    return ((y - 35) ** 2 + (x - 35) ** 2 < radius**2).astype(np.uint8)


def test_a_hard_paste_has_a_harder_seam_than_a_feathered_one_and_texture_none():
    import cv2

    base, mask = flat(), disc()
    hard = np.where(mask != 0, base - 40, base).astype(np.uint8)
    soft = (base - 40 * cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2.0)).round().astype(np.uint8)
    scores = [seam_score(pixels, mask) for pixels in (hard, soft, base)]
    assert scores[0] > 1.5 * scores[1] > 1.5 * scores[2]
    assert scores[2] == pytest.approx(1.0, abs=0.15)
    assert seam_score(np.repeat(hard[:, :, None], 3, axis=2), mask) == pytest.approx(scores[0], rel=1e-5)
    assert seam_score(base, np.ones((70, 70), np.uint8)) is None


def test_the_seam_of_another_defect_nearby_does_not_count():
    base, mask, other = flat(), disc(8), np.zeros((70, 70), np.uint8)
    other[30:40, 48:60] = 1
    pixels = np.where(other != 0, 255, base).astype(np.uint8)
    grown = np.zeros_like(other)
    grown[29:41, 47:61] = 1
    assert seam_score(pixels, mask, grown) == pytest.approx(seam_score(base, mask, grown), rel=1e-6)


@pytest.fixture(scope="module")
def blotched(small_run, tmp_path_factory):
    """The small run with defects of a texture of their own."""
    folder = tmp_path_factory.mktemp("blotched")
    shutil.copytree(small_run.folder / "ingest", folder / "ingest")
    train = paint_blotches(load_dataset(folder / "ingest").split("train"))
    return train, CopyBook.build(real_defects(train, True), ["spot", "scratch"])


def paint_blotches(dataset):
    import cv2

    of_image, images = dataset.by_image(), []
    for image in dataset.images:
        pixels = read_pixels(dataset.path_of(image), gray=True)
        for item in of_image.get(image.id, []):
            noise = np.random.default_rng(item.id).normal(0, 1, pixels.shape)
            blotch = 120 + 60 * cv2.GaussianBlur(noise, (0, 0), 2) / 0.14
            pixels[item.mask() != 0] = blotch.clip(0, 255)[item.mask() != 0]
        images.append(replace(image, sha256=sha256_bytes(write_png(dataset.path_of(image), pixels))))
    return replace(dataset, images=images)


def test_a_turned_scaled_darker_copy_is_found_and_an_independent_defect_is_not(blotched):
    import cv2

    train, book = blotched
    names, of_image = train.category_names(), train.by_image()
    fresh = flat()
    for image in [image for image in train.images if image.id in of_image][:8]:
        item = of_image[image.id][0]
        name = names[item.category_id]
        turn = cv2.getRotationMatrix2D((45.0, 36.0), 37.0, 1.2)
        turn[:, 2] += (6, 4)
        moved = cv2.warpAffine(read_pixels(train.path_of(image), gray=True), turn, (110, 100))
        mask = cv2.warpAffine(item.mask(), turn, (110, 100), flags=cv2.INTER_NEAREST)
        distance, file = book.nearest((0.7 * moved).astype(np.uint8), mask, name)
        assert distance < book.thresholds[name] and file == image.file_name
        noise = cv2.GaussianBlur(np.random.default_rng(1000 + item.id).normal(0, 1, fresh.shape), (0, 0), 2)
        own = np.where(disc() != 0, 120 + 60 * noise / 0.14, fresh).clip(0, 255).astype(np.uint8)
        assert book.nearest(own, disc(), "spot")[0] > book.thresholds["spot"]


def test_with_one_object_there_is_no_threshold_and_nothing_is_a_copy(blotched):
    train, _ = blotched
    one = train.select(lambda image: image.group_id == "g1")
    book = CopyBook.build(real_defects(one, True), ["spot", "scratch"])
    assert book.thresholds == {"spot": None, "scratch": None}
    assert book.nearest(flat(), disc(), "nothing") is None


def test_too_few_objects_reject_nothing_as_empty_or_copied(checked, small_run):
    """The nearest pair of two objects is far: nearly everything would be a copy of the one or the other."""
    train = small_run.ingest.split("train")
    few = train.select(lambda image: image.group_id in ("g0", "g1") or image.file_name.startswith("normal"))
    item = next(item for item in few.annotations if few.category_names()[item.category_id] == "spot")
    image = next(image for image in few.images if image.id == item.image_id)
    pixels = read_pixels(few.path_of(image), gray=True)
    same = Candidate(pixels, [(item.category_id, item.mask())], None, 0, [image.group_id])
    elsewhere = Candidate(pixels, [(item.category_id, np.roll(item.mask(), 14, 1))], None, 0, [image.group_id])
    for fewest, codes in ((2, ["H6", "H7"]), (4, [])):
        inspector = Inspector(GateConfig(label_check=True, min_objects=fewest), few, checked)
        found = [finding.code for candidate in (same, elsewhere) for finding in inspector.inspect(candidate)[0]]
        assert sorted(set(found)) == codes
        measures = inspector.inspect(same)[1]
        line = {"measures": measures, "attempt": 0, "spare": False, "accepted": True}
        copies = inspector.figures("spot", [line])["copies"]
        assert (measures["copy_ratio"] is None) == (copies["threshold"] is None) == (fewest == 4)
        assert (copies["share"], copies["accepted"]) == ((1.0, 1) if fewest == 2 else (None, 0))


def test_windows_show_the_whole_defect_and_what_lies_outside_is_no_background():
    labels = np.zeros((40, 200), np.uint8)
    labels[10:14, 20:180] = 2
    pixels, mask = np.full((40, 200), 7, np.uint8), (labels > 0).astype(np.uint8)
    window = whole(pixels, labels, mask, 64)
    assert window.pixels.shape == window.labels.shape == (32, 112)  # squeezed by two
    assert (window.labels == OUTSIDE).sum() >= 12 * 112 and (window.labels == 2).sum() >= 80 * 2
    parts = learned(pixels, labels, mask, 64)
    assert len(parts) == 3 and all(part.pixels.shape == (80, 80) and (part.labels == 2).any() for part in parts)
    small, large, empty = np.eye(3), np.ones((40, 40)), np.zeros((3, 3))
    assert windowed([small, large, empty]) == [1] and windowed([small, small]) == [0, 1]


def test_the_gate_makes_anew_what_the_segmenters_do_not_find(toy_extractors, checked, small_run, tmp_path):
    """Two of the photographs are painted as dark as nothing the segmenters know; the old checks let them pass."""
    inputs = small_run.inputs()
    made = tmp_path / "generate@copy_paste"
    run_stage(
        "generate@copy_paste",
        generate.run,
        GenerateConfig(method="copy_paste", count=5),
        Context(3, "cpu", inputs),
        made,
    )
    dataset, bad = load_dataset(made), {"spot/000002.png", "scratch/000001.png"}
    of_image, images = dataset.by_image(), []
    for image in dataset.images:
        if image.file_name in bad:
            pixels = read_pixels(small_run.folder / "ingest/images" / image.extra["provenance"]["base"], gray=True)
            for item in of_image[image.id]:
                pixels[item.mask() != 0] = np.minimum(pixels[item.mask() != 0], 50)
                pixels[item.mask() != 0] -= 6
            image = replace(image, sha256=sha256_bytes(write_png(dataset.path_of(image), pixels)))
        images.append(image)
    replace(dataset, images=images).save(made)
    manifest = json.loads((made / "manifest.json").read_text())
    (made / "manifest.json").write_text(json.dumps({**manifest, "files": []}))  # nothing to hold the changed files to
    config = GateConfig(method="copy_paste", label_check=True, repeats=2)
    run_stage(
        "gate",
        gate.run,
        config,
        Context(3, "cpu", {**inputs, "generate@copy_paste": made, "label_check": checked}),
        tmp_path / "gate",
    )
    lines = [json.loads(line) for line in (tmp_path / "gate" / "decisions.jsonl").read_text().splitlines()]
    refused = [line for line in lines if not line["accepted"]]
    assert bad <= {line["pool_item"] for line in refused}
    assert all(
        line["findings"][0]["code"] == "H7"
        and "segmenter" in line["findings"][0]["reason"]
        and line["measures"]["label_iou"] < 0.05
        for line in refused
    )
    again = {line["pool_item"] for line in lines if line["accepted"] and line["attempt"] > 0}
    assert bad <= again
    found = json.loads((tmp_path / "gate" / "metrics.json").read_text())["categories"]["spot"]
    assert found["label_check"]["median"] > 0.6 and found["label_check"]["accepted_empty_share"] == 0.0
    assert found["label_check"]["empty_share"] >= 0.2 and found["label_check"]["real_empty_share"] == 0.0
    assert set(found["seam"]) == {"median", "real_median"} and found["copies"]["share"] is not None
    accepted = load_dataset(tmp_path / "gate").images
    assert all(image.extra["provenance"]["gate"]["label_iou"] >= 0.05 for image in accepted)


def test_a_gate_that_asks_for_a_label_check_has_another_key():
    plain = GateConfig(method="copy_paste")
    asked = GateConfig(method="copy_paste", label_check=True)
    assert stage_key("gate", plain, 0, {}) != stage_key("gate", asked, 0, {})


def test_a_window_that_cannot_be_halved_is_refused():
    with pytest.raises(ConfigError, match="size"):
        build(LabelCheckConfig, {"size": 36, "depth": 3}, "label_check")


def card(median=0.6, real=0.62, empty=0.0, copies=0, threshold=0.3):
    difference = None if median is None else median - real
    return {
        "label_check": {
            "median": median,
            "real_median": real,
            "difference": difference,
            "accepted_empty_share": empty,
            "real_empty_share": 0.02,
        },
        "copies": {"accepted": copies, "threshold": threshold},
    }


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (card(), ""),
        ({}, ""),
        (card(median=0.5), "0.50"),
        (card(median=None), "unknown"),
        (card(empty=0.1), "0.10"),
        (card(copies=2), "2 are copies"),
        (card(threshold=None), "with fewer than 4 real objects"),
    ],
)
def test_what_the_label_check_complains_of(figures, words):
    real_defects = SimpleNamespace(of=lambda name: [SimpleNamespace(group=f"g{at}") for at in range(8)])
    counts = Counts(20, 20, 0, 20, 20, 0, 0)
    data = CategoryData("spot", GateConfig(label_check=True), counts, real_defects, figures=figures)
    complaints = [item for row in (label.found, label.empty, label.copies) if (item := row(data)) and item.sentence]
    assert (words in complaints[0].sentence and complaints[0].level == "warn") if words else not complaints
