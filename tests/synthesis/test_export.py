"""The export: readable by pycocotools, true to its pixels, and free of test ancestry, or refused."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from pycocotools.coco import COCO

from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.errors import CheckFailed
from anomaly_gan.core.files import sha256_file, write_json
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.synthesis.export import stage as export
from anomaly_gan.synthesis.export.stage import prove_no_leak, verify
from anomaly_gan.synthesis.gate.config import ExportConfig
from anomaly_gan.synthesis.gate.results import CategoryResult, Counts, GateResult
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig


@pytest.fixture(scope="module")
def gated(small_run):
    """Generated photographs standing in for accepted ones: the export reads the same kind of folder."""
    folder = small_run.folder / "gate@copy_paste"
    run_stage(
        "generate",
        generate.run,
        GenerateConfig(method="copy_paste", count=4),
        Context(3, "cpu", small_run.inputs()),
        folder,
    )
    return folder


@pytest.fixture
def exported(small_run, gated, tmp_path):
    return run_export(small_run, tmp_path / "export")


def run_export(run, folder, **config):
    run_stage(
        "export",
        export.run,
        ExportConfig(method="copy_paste", **config),
        Context(3, "cpu", run.inputs("gate@copy_paste")),
        folder,
    )
    return folder


def test_pycocotools_reads_real_and_synthetic_side_by_side(small_run, exported, capsys):
    assert capsys.readouterr().out == ""
    coco = COCO(str(exported / "annotations.json"))
    train = small_run.ingest.split("train")
    assert sorted(coco.imgs) == list(range(1, len(train.images) + 8 + 1))
    assert sorted(coco.anns) == list(range(1, len(coco.anns) + 1))
    sources = [row["file_name"].split("/")[0] for row in coco.imgs.values()]
    assert sources.count("real") == len(train.images) and sources.count("synthetic") == 8
    card = (exported / "README.md").read_text("utf-8")
    assert "| synthetic photographs | 8 |" in card and f"| real photographs | {len(train.images)} |" in card

    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation)
        assert int(mask.sum()) == annotation["area"]
        rows, columns = np.nonzero(mask)
        assert annotation["bbox"] == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
    dataset = load_dataset(exported)
    assert {image.split for image in dataset.images} == {"train"}
    assert all(sha256_file(dataset.path_of(image)) == image.sha256 for image in dataset.images)
    assert len(dataset.normals()) == len(train.normals())


def test_running_again_elsewhere_gives_the_same_bytes(small_run, exported, tmp_path):
    again = run_export(small_run, tmp_path / "again")
    assert (again / "annotations.json").read_bytes() == (exported / "annotations.json").read_bytes()


def test_normals_can_be_left_out(small_run, gated, tmp_path):
    assert load_dataset(run_export(small_run, tmp_path / "bare", normals=False)).normals() == []


def test_no_accepted_photograph_and_an_unused_category_are_a_valid_export(small_run, gated, tmp_path):
    empty = replace(load_dataset(gated), images=[], annotations=[])
    empty.save(tmp_path / "gate")
    write_json(tmp_path / "gate" / "manifest.json", {"key": "x", "files": []})
    inputs = {**small_run.inputs(), "gate@copy_paste": tmp_path / "gate"}
    run_stage("export", export.run, ExportConfig(method="copy_paste"), Context(3, "cpu", inputs), tmp_path / "export")
    metrics = json.loads((tmp_path / "export" / "metrics.json").read_text())
    assert metrics["synthetic"] == 0 and metrics["real"] == len(small_run.ingest.split("train").images)


def test_every_kind_of_test_ancestor_is_caught(small_run, gated, renamed):
    ingest, accepted = small_run.ingest, load_dataset(gated)
    prove_no_leak(ingest, accepted)
    test_image = ingest.split("test").images[0]
    first, *others = accepted.images

    def leaks(image, annotations=None) -> Dataset:
        return replace(accepted, images=[image, *others], annotations=annotations or accepted.annotations)

    donor = {"annotation": 1, "image": test_image.file_name, "group": test_image.group_id}
    parent = replace(
        accepted.annotations[0],
        provenance={"kind": "prior", "parent_image": test_image.file_name, "parent_group": test_image.group_id},
    )
    cases = [
        leaks(renamed(first, base=test_image.file_name)),
        leaks(renamed(first, donors=[donor])),
        leaks(renamed(first, donors=[{**donor, "image": ingest.split("train").images[0].file_name}])),
        leaks(replace(first, group_id=test_image.group_id)),
        leaks(replace(first, sha256=test_image.sha256)),
        leaks(replace(first, split="test")),
        leaks(replace(first, extra={})),
        leaks(first, [parent, *accepted.annotations[1:]]),
    ]
    for case in cases:
        with pytest.raises(CheckFailed, match=r"E4|E1"):
            prove_no_leak(ingest, case)


def test_a_group_in_both_splits_stops_the_export(small_run, gated):
    ingest = small_run.ingest
    moved = [
        replace(image, split="train") if index == 1 and image.split == "test" else image
        for index, image in enumerate(sorted(ingest.images, key=lambda image: image.split))
    ]
    with pytest.raises(CheckFailed, match="E4: group"):
        prove_no_leak(replace(ingest, images=moved), load_dataset(gated))


def spoil_area(content):
    content["annotations"][0]["area"] += 1


def spoil_box(content):
    content["annotations"][0]["bbox"][2] += 1


def spoil_size(content):
    content["annotations"][0]["segmentation"]["size"].reverse()


def spoil_id(content):
    content["annotations"][0]["id"] = 0


def spoil_twice(content):
    content["images"].append(content["images"][0])


def spoil_orphan(content):
    content["annotations"][0]["image_id"] = 9999


def spoil_width(content):
    content["images"][0]["width"] += 1


def spoil_category(content):
    content["annotations"][0]["category_id"] = 7


@pytest.mark.parametrize(
    "spoil",
    [spoil_area, spoil_box, spoil_size, spoil_id, spoil_twice, spoil_orphan, spoil_width, spoil_category],
    ids=lambda spoil: spoil.__name__,
)
def test_what_does_not_agree_with_its_pixels_is_refused(exported, spoil):
    path = exported / "annotations.json"
    content = json.loads(path.read_text())
    spoil(content)
    write_json(path, content)
    with pytest.raises(CheckFailed, match=r"J1|J3|D7"):
        verify(exported)


def test_a_changed_image_file_is_refused(exported):
    image = load_dataset(exported).images[0]
    path = exported / "images" / image.file_name
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(CheckFailed, match="A24"):
        verify(exported)


def gate_metrics(**verdicts):
    """``metrics.json`` of a gate that says so of each category."""
    counts = Counts(4, 4, 0, 4, 4, 0, 0)
    rows = {name: CategoryResult(name, level, f"{name}.", 8, counts) for name, level in verdicts.items()}
    failed = [name for name, level in verdicts.items() if level == "fail"]
    return GateResult("copy_paste", {}, rows, failed).to_json()


@pytest.mark.parametrize(
    ("verdicts", "left"),
    [
        ({"spot": "pass", "scratch": "fail"}, {"spot"}),
        ({"spot": "too_few", "scratch": "warn"}, {"spot", "scratch"}),
        ({"spot": "fail", "scratch": "fail"}, set()),
    ],
)
def test_a_category_that_fails_is_not_exported(small_run, gated, tmp_path, verdicts, left):
    folder = tmp_path / "gate"
    shutil.copytree(gated, folder)
    write_json(folder / "metrics.json", gate_metrics(**verdicts))
    write_json(folder / "manifest.json", {"key": "x", "files": []})  # nothing to hold the other verdict to
    inputs = {**small_run.inputs(), "gate@copy_paste": folder}
    run_stage("export", export.run, ExportConfig(method="copy_paste"), Context(3, "cpu", inputs), tmp_path / "out")
    exported = load_dataset(tmp_path / "out")
    names, sources = exported.category_names(), {image.id: image.source for image in exported.images}
    made = {names[item.category_id] for item in exported.annotations if sources[item.image_id] == "synthetic"}
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert made == left and metrics["real"] == len(small_run.ingest.split("train").images)
    assert metrics.get("nothing_passed", False) == (not left)
    assert metrics.get("dropped_categories", []) == [name for name, level in verdicts.items() if level == "fail"]
