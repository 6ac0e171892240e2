"""The gate as a stage: what is bad is made anew, replaced from the pool, or reported missing; nothing is lost."""

import json
import shutil
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import sha256_bytes, sha256_file
from anomaly_gan.core.images import read_pixels, write_png
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.synthesis.gate import stage as gate
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.looks import Look, note_of
from anomaly_gan.synthesis.gate.results import ORDER, GateResult
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig

COUNT = 7


@pytest.fixture(scope="module")
def generated(small_run):
    """A finished ``generate@copy_paste`` beside the small run's ingest and pool."""
    folder = small_run.folder / "generate@copy_paste"
    run_stage(
        "generate@copy_paste",
        generate.run,
        GenerateConfig(method="copy_paste", count=COUNT),
        Context(3, "cpu", small_run.inputs()),
        folder,
    )
    return folder


@pytest.fixture
def run_gate(small_run, generated, tmp_path):
    """Run the gate on a copy of the generated folder, after ``spoil`` has had its way with it."""

    def run(name="gate", spoil=None, **config):
        copy = tmp_path / f"{name}-generated"
        shutil.copytree(generated, copy)
        if spoil:
            manifest = json.loads((copy / "manifest.json").read_text())  # nothing to hold the spoilt files to
            (copy / "manifest.json").write_text(json.dumps({**manifest, "files": []}))
            spoil(copy)
        inputs = {**small_run.inputs(), "generate@copy_paste": copy}
        run_stage(
            "gate",
            gate.run,
            GateConfig(method="copy_paste", repeats=4, min_n=5, verdict_n=5, **config),
            Context(3, "cpu", inputs),
            tmp_path / name,
        )
        metrics = json.loads((tmp_path / name / "metrics.json").read_text())
        lines = [json.loads(line) for line in (tmp_path / name / "decisions.jsonl").read_text().splitlines()]
        return tmp_path / name, metrics, lines

    return run


def unpaint(small_run, file_names):
    """Put the untouched photograph in place of a generated one, with the records to match."""

    def spoil(folder):
        dataset = load_dataset(folder)
        images = []
        for image in dataset.images:
            if image.file_name in file_names:
                base = small_run.folder / "ingest" / "images" / image.extra["provenance"]["base"]
                shutil.copy(base, dataset.path_of(image))
                image = replace(image, sha256=sha256_file(base))
            images.append(image)
        replace(dataset, images=images).save(folder)

    return spoil


def hashes(folder):
    return {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", "started.json")
    }


def test_good_photographs_pass_byte_for_byte(toy_extractors, run_gate, generated):
    folder, metrics, lines = run_gate()
    assert metrics["counts"] == {"wanted": 14, "accepted": 14, "rejected": 0, "tried": 14, "shortfall": 0}
    accepted = load_dataset(folder)
    assert len(lines) == 14 and [image.id for image in accepted.images] == list(range(1, 15))
    assert all(
        accepted.path_of(image).read_bytes() == (generated / "images" / image.file_name).read_bytes()
        for image in accepted.images
    )
    gate_scores = [image.extra["provenance"]["gate"] for image in accepted.images]
    assert all(score["outside_px"] == 0 and score["contrast"] > 4 for score in gate_scores)


def test_figures_are_named_after_their_backbone_and_state_n(run_gate):
    _, metrics, _ = run_gate()
    assert metrics["figures"] == {"frechet": "FD-EffLite0", "kernel": "KID-EffLite0", "perceptual": "PD-EffLite0"}
    for category in metrics["categories"].values():
        for view in ("image", "crop", "defect"):
            assert category[view]["n"] == COUNT and category[view]["real"] == 16
            assert category[view]["FD-EffLite0"]["ratio"] > 0
            assert "FID" not in category[view]
        assert category["verdict"] in ORDER and category["sentence"].endswith(".")


def test_an_unpainted_photograph_is_kept_aside_and_made_anew(toy_extractors, run_gate, small_run):
    bad = {"spot/000002.png", "scratch/000001.png"}
    folder, metrics, lines = run_gate(spoil=unpaint(small_run, bad))
    rejected = [line for line in lines if not line["accepted"]]
    assert {line["pool_item"] for line in rejected} == bad
    assert all(line["findings"][0]["code"] == "H7" and (folder / line["file"]).is_file() for line in rejected)
    kept = load_dataset(folder / "rejected")
    assert [f"rejected/images/{image.file_name}" for image in kept.images] == [line["file"] for line in rejected]
    assert {image.id for image in kept.images} == set(kept.by_image()), "each with its label"
    assert all(sha256_file(kept.path_of(image)) == image.sha256 for image in kept.images)
    assert [image.extra["provenance"]["gate"]["rejected"] for image in kept.images] == [
        line["findings"] for line in rejected
    ]
    again = [line for line in lines if line["accepted"] and line["attempt"] > 0]
    assert {line["pool_item"] for line in again} == bad
    assert metrics["counts"]["shortfall"] == 0
    assert metrics["counts"]["tried"] == metrics["counts"]["accepted"] + metrics["counts"]["rejected"] == len(lines)
    attempts = {image.file_name: image.extra["provenance"]["gate"]["attempt"] for image in load_dataset(folder).images}
    assert all(attempts[name] == 1 for name in bad)


def test_without_retries_a_spare_item_of_the_pool_takes_the_place(toy_extractors, run_gate, small_run):
    folder, metrics, lines = run_gate(spoil=unpaint(small_run, {"spot/000002.png"}), retries=0)
    names = {image.file_name for image in load_dataset(folder).images}
    assert "spot/000002.png" not in names and f"spot/{COUNT + 1:06d}.png" in names
    assert metrics["categories"]["spot"]["accepted_from_spares"] == 1
    assert [line["spare"] for line in lines].count(True) == 1


def test_what_cannot_be_replaced_is_a_shortfall_said_aloud(toy_extractors, run_gate, small_run):
    folder, metrics, _ = run_gate(spoil=unpaint(small_run, {"spot/000002.png"}), retries=0, max_spares=0)
    spot = metrics["categories"]["spot"]
    assert (spot["wanted"], spot["accepted"], spot["shortfall"]) == (COUNT, COUNT - 1, 1)
    assert spot["verdict"] != "pass" and "1 of 7 wanted photographs are missing" in spot["sentence"]
    assert Counter(image.extra["category"] for image in load_dataset(folder).images)["spot"] == COUNT - 1


def test_the_same_photograph_twice_is_accepted_once(toy_extractors, run_gate):
    def spoil(folder):
        dataset = load_dataset(folder)
        first, second = dataset.images[:2]
        shutil.copy(dataset.path_of(first), dataset.path_of(second))
        of_image = dataset.by_image()
        images = [first, replace(second, sha256=first.sha256, extra=first.extra), *dataset.images[2:]]
        masks = [replace(item, image_id=second.id, id=item.id + 1000) for item in of_image[first.id]]
        kept = [item for item in dataset.annotations if item.image_id != second.id]
        replace(dataset, images=images, annotations=kept + masks).save(folder)

    _, _, lines = run_gate(spoil=spoil)
    assert [line["findings"][0]["code"] for line in lines if not line["accepted"]] == ["H6"]


def test_rerun_and_order_change_no_byte(toy_extractors, run_gate, small_run):
    def shuffled(folder):
        unpaint(small_run, {"spot/000002.png"})(folder)
        dataset = load_dataset(folder)
        replace(dataset, images=dataset.images[::-1], annotations=dataset.annotations[::-1]).save(folder)

    first, *_ = run_gate("first", spoil=unpaint(small_run, {"spot/000002.png"}))
    second, *_ = run_gate("second", spoil=unpaint(small_run, {"spot/000002.png"}))
    other, *_ = run_gate("other", spoil=shuffled)
    assert hashes(first) == hashes(second)
    one, two = (load_dataset(folder) for folder in (first, other))
    assert {(image.file_name, image.sha256) for image in one.images} == {
        (image.file_name, image.sha256) for image in two.images
    }
    first_categories = json.loads((first / "metrics.json").read_text())["categories"]
    assert json.loads((other / "metrics.json").read_text())["categories"] == first_categories


def test_a_file_changed_since_generation_stops_the_stage(toy_extractors, run_gate):
    def spoil(folder):
        write_png(folder / "images" / "spot" / "000001.png", np.zeros((72, 90), np.uint8))

    with pytest.raises(InputError, match=r"000001\.png: A24"):
        run_gate(spoil=spoil)


def test_noise_in_place_of_defects_fails_by_the_figures_alone(run_gate, small_run):
    def spoil(folder):
        dataset = load_dataset(folder)
        rng, of_image, images = np.random.default_rng(0), dataset.by_image(), []
        for image in dataset.images:
            pixels = read_pixels(dataset.path_of(image), gray=True)
            for item in of_image[image.id]:
                pixels[item.mask() != 0] = rng.integers(0, 256, item.area)
            images.append(replace(image, sha256=sha256_bytes(write_png(dataset.path_of(image), pixels))))
        replace(dataset, images=images).save(folder)

    _, metrics, _ = run_gate(spoil=spoil)
    assert metrics["counts"]["rejected"] == 0
    assert metrics["verdict"] == "fail", [item["sentence"] for item in metrics["categories"].values()]
    failed = [name for name, item in metrics["categories"].items() if item["verdict"] == "fail"]
    assert metrics["dropped"] == failed
    asked = [item for item in metrics["categories"].values() if "pasted" in item]
    assert asked and all(item["pasted"]["n"] >= 5 for item in asked)
    assert all(item["pasted"]["over_p95"] is not None for item in asked)
    assert GateResult.from_json(metrics).to_json() == metrics
    _, kept, _ = run_gate("kept", spoil=spoil, on_fail="keep")
    assert kept["verdict"] == "fail" and kept["dropped"] == []


def test_the_reference_is_said_and_no_test_photograph_is_opened(run_gate, small_run, toy_extractors):
    """E9: what the figures are held against also taught the method, and stands beside them; the test split is for the
    comparison of detectors alone."""
    test = {str(small_run.ingest.path_of(image)) for image in small_run.ingest.split("test").images}
    opened: set[str] = set()

    def watch(event, arguments):
        if event == "open" and isinstance(arguments[0], str):
            opened.add(arguments[0])

    sys.addaudithook(watch)  # for good, but it only notes names
    _, metrics, _ = run_gate()
    assert metrics["reference"] == "real defects of the training split"
    train = {str(small_run.ingest.path_of(image)) for image in small_run.ingest.split("train").images}
    assert opened & train and not opened & test
    for category in metrics["categories"].values():
        for name in ("FD-Toy", "KID-Toy"):
            figure = category["defect"][name] if "defect" in category else category["figures"]["defect"][name]
            assert {"generated", "real"} <= figure.keys(), "real against real stands beside it"


def test_what_a_job_of_a_cluster_found_is_read_as_it_was_written(tmp_path):
    decision = {"file_name": "a.png", "outcome": "accepted", "findings": [], "measures": {"change": 0.5}}
    for look in (Look([decision], [{"file_name": "b.png"}], {"file_name": "a.png"}, ["k"]), Look([], [], None, [])):
        look.write(tmp_path, "a.png")
        assert Look.read(tmp_path, "a.png") == look
    assert Look.read(tmp_path, "b.png") is None
    note_of(tmp_path, "a.png").write_text('{"decisions": 3}')
    with pytest.raises(InputError, match=r"FORMAT.*decisions"):
        Look.read(tmp_path, "a.png")
