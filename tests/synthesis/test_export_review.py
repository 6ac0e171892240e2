"""What people decided on accepted photographs: what goes out, under whose name, and that the export is made anew."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from rating_run import refuse

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import write_bytes, write_text
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.pipeline.config import RunConfig
from anomaly_gan.pipeline.plan import plan
from anomaly_gan.pipeline.run import said_of
from anomaly_gan.report.sections.exports import review_words
from anomaly_gan.synthesis.export import stage as export
from anomaly_gan.synthesis.export.reviewed import read_decisions, review_key
from anomaly_gan.synthesis.gate.config import ExportConfig
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig


@pytest.fixture(scope="module")
def gate(small_run):
    folder = small_run.folder / "reviewed" / "gate@copy_paste"
    context = Context(3, "cpu", small_run.inputs())
    run_stage("generate", generate.run, GenerateConfig(method="copy_paste", count=3), context, folder)
    refuse(folder)
    return folder


def line(image, decision, **more):
    row = {"gate": "gate@copy_paste", "file_name": image.file_name, "sha256": image.sha256, "right_category": None}
    return {**row, "category": image.extra["category"], "decision": decision, "why": "", "reviewer": "Ann", **more}


def export_with(small_run, gate, lines, tmp_path):
    write_text(gate.parent / "review" / "decisions.jsonl", "".join(json.dumps(row) + "\n" for row in lines))
    context = Context(3, "cpu", {**small_run.inputs(), "gate@copy_paste": gate})
    worked = run_stage(
        "export", export.run, ExportConfig(method="copy_paste"), context, tmp_path / "export", review_key(gate)
    )
    return worked, load_dataset(tmp_path / "export"), json.loads((tmp_path / "export" / "metrics.json").read_text())


def test_rejected_ones_stay_out_and_the_rest_names_its_reviewer(small_run, gate, tmp_path):
    made = sorted(load_dataset(gate).images, key=lambda image: image.file_name)
    scratch, spot = made[0], made[-1]
    assert (scratch.extra["category"], spot.extra["category"]) == ("scratch", "spot")
    lines = [
        line(scratch, "wrong_category", right_category="spot", reviewer="Bob", why="round"),
        line(made[1], "reject", why="its edge shows"),
        line(made[2], "wrong_category"),
        line(made[3], "accept"),
        line(made[4], "reject", sha256="0" * 64),  # of a photograph that has been made anew since
        line(spot, "reject", gate="gate@other"),
    ]
    worked, dataset, metrics = export_with(small_run, gate, lines, tmp_path)
    assert worked
    out = {image.file_name.removeprefix("synthetic/"): image for image in dataset.images if image.source == "synthetic"}
    assert set(out) == {image.file_name for image in (scratch, *made[3:])}
    names, shown = dataset.category_names(), dataset.by_image()
    assert {names[item.category_id] for item in shown[out[scratch.file_name].id]} == {"spot"}
    assert out[scratch.file_name].extra["provenance"]["gate"]["review"] == {
        "decision": "wrong_category",
        "reviewer": "Bob",
        "why": "round",
        "category_before": "scratch",
    }
    assert out[made[3].file_name].extra["provenance"]["gate"]["review"] == {"decision": "accept", "reviewer": "Ann"}
    assert "review" not in out[spot.file_name].extra["provenance"].get("gate", {})
    side = [json.loads(row) for row in (tmp_path / "export" / "review.jsonl").read_text("utf-8").splitlines()]
    assert {(row["reviewer"], row["decision"], row["why"]) for row in side} == {
        ("Bob", "wrong_category", "round"),
        ("Ann", "reject", "its edge shows"),
        ("Ann", "wrong_category", ""),
        ("Ann", "accept", ""),
    }
    counts = {"accept": 1, "reject": 1, "wrong_category": 2, "outdated": 1, "not_reviewed": 2}
    assert metrics["reviewed"] == {**counts, "reviewers": {"Ann": 3, "Bob": 1}} and metrics["synthetic"] == 4
    assert review_words(metrics["reviewed"]) == (
        "1 accepted, 1 rejected, 2 under a wrong category, 2 not looked at, "
        "1 decided on before they were made anew, which counts no more; by Ann (3), Bob (1)"
    )
    assert review_words(None) is None

    refused = load_dataset(gate / "rejected").images[0]
    taken = line(refused, "accept", file_name=f"rejected/{refused.file_name}", why="faint, but there")
    worked, dataset, metrics = export_with(small_run, gate, [*lines, taken], tmp_path)
    image = next(image for image in dataset.images if image.file_name == f"synthetic/rejected/{refused.file_name}")
    assert worked and metrics["reviewed"] == {**counts, "taken_in": 1, "reviewers": {"Ann": 4, "Bob": 1}}
    assert image.sha256 == refused.sha256 and len(dataset.by_image()[image.id]) == 1
    told = image.extra["provenance"]["gate"]
    assert told["review"] == {"decision": "accept", "reviewer": "Ann", "why": "faint, but there"}
    assert told["rejected"] == [{"code": "H7", "reason": "nothing is to be seen"}]
    assert "1 taken in that the gate had rejected or people had painted" in review_words(metrics["reviewed"])

    painted = replace(load_dataset(gate / "rejected"), folder=gate.parent / "painted")
    by_bob = {"provenance": {"method": "copy_paste", "painted_by": "Bob", "base": scratch.extra["provenance"]["base"]}}
    drawn = replace(refused, file_name="p.png", extra={"category": refused.extra["category"], **by_bob})
    write_bytes(painted.folder / "images/p.png", (gate / "rejected/images" / refused.file_name).read_bytes())
    replace(painted, images=[drawn]).save(painted.folder)
    assert export_with(small_run, gate, lines, tmp_path)[2]["synthetic"] == 4, "nobody has accepted it"
    dataset = export_with(small_run, gate, [*lines, taken, line(drawn, "accept", file_name="painted/p.png")], tmp_path)[
        1
    ]
    image = next(image for image in dataset.images if image.file_name == "synthetic/painted/p.png")
    assert image.extra["provenance"]["painted_by"] == "Bob"
    assert image.extra["provenance"]["gate"]["review"] == {"decision": "accept", "reviewer": "Ann"}
    assert len(dataset.by_image()[image.id]) == 1 and sum(one.source == "synthetic" for one in dataset.images) == 6
    for no in ({"decision": "reject"}, {"sha256": "0" * 64}):
        assert export_with(small_run, gate, [*lines, taken | no], tmp_path)[2]["synthetic"] == 4

    export_with(small_run, gate, lines, tmp_path)
    assert not export_with(small_run, gate, lines, tmp_path)[0], "the same decisions: nothing to do"
    assert not export_with(small_run, gate, [*lines[::-1], line(spot, "reject", gate="gate@x")], tmp_path)[0]
    worked, dataset, _ = export_with(small_run, gate, [*lines, line(spot, "reject")], tmp_path)
    assert worked and spot.file_name not in {image.file_name.removeprefix("synthetic/") for image in dataset.images}


def test_without_a_word_the_export_is_as_it_was(small_run, gate, tmp_path):
    _, dataset, metrics = export_with(small_run, gate, [], tmp_path)
    assert review_key(gate) == {} and "reviewed" not in metrics and not (tmp_path / "export" / "review.jsonl").exists()
    assert sum(image.source == "synthetic" for image in dataset.images) == 6


@pytest.mark.parametrize(
    "broken", [{"decision": "perhaps"}, {"reviewer": None}, {"why": 3}, {"sha256": ""}, {"file_name": 1}]
)
def test_a_line_that_says_nothing_is_named(small_run, gate, tmp_path, broken):
    image = load_dataset(gate).images[0]
    with pytest.raises(InputError, match=r"decisions.jsonl\[line 2\]: FORMAT"):
        export_with(small_run, gate, [line(image, "accept"), line(image, "accept") | broken], tmp_path)


def test_names_with_line_separators_are_read_and_bytes_that_are_no_text_are_named(gate, tmp_path):
    image, folder = load_dataset(gate).images[0], tmp_path / "review"
    folder.mkdir()
    said = json.dumps(line(image, "accept", reviewer="Ann\u2028\x85B"), ensure_ascii=False).encode()
    (folder / "decisions.jsonl").write_bytes(said + b"\n\n")
    assert read_decisions(tmp_path / gate.name)[image.file_name].reviewer == "Ann\u2028\x85B"
    (folder / "decisions.jsonl").write_bytes(said + b"\n\xff\xfe\n")
    with pytest.raises(InputError, match=r"decisions.jsonl\[line 2\]: FORMAT"):
        read_decisions(tmp_path / gate.name)


def test_a_category_that_is_none_is_named(small_run, gate, tmp_path):
    image = load_dataset(gate).images[0]
    with pytest.raises(InputError, match="no category 'unicorn'"):
        export_with(small_run, gate, [line(image, "wrong_category", right_category="unicorn")], tmp_path)


def test_a_run_sees_that_an_export_is_stale_and_only_the_arm_that_was_reviewed(tmp_path):
    config = RunConfig.model_validate(
        {
            "data": {"root": "photos"},
            "compare": {"arms": ["none", "copy_paste", "copy_paste@wide"]},
            "pool_variants": {"wide": {"count": 5}},
        }
    )
    steps = {step.name: step for step in plan(config)}
    assert all(said_of(tmp_path, step) == {} for step in steps.values())
    row = {"gate": "gate@copy_paste@wide", "file_name": "a.png", "sha256": "0", "category": "spot", "reviewer": "Ann"}
    write_text(tmp_path / "review" / "decisions.jsonl", json.dumps({**row, "decision": "accept"}) + "\n")
    before = said_of(tmp_path, steps["export@copy_paste@wide"])
    assert before and [name for name, step in steps.items() if said_of(tmp_path, step)] == ["export@copy_paste@wide"]
    write_text(tmp_path / "review" / "decisions.jsonl", json.dumps({**row, "decision": "reject"}) + "\n")
    assert said_of(tmp_path, steps["export@copy_paste@wide"]) != before
