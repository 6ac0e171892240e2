"""The study of the lift: plans, keys, a whole small study with its tables, and going on after a kill."""

import csv
import json

import numpy as np
import pytest
from small_run import build_run, shape, texture

from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.files import json_text
from anomaly_gan.core.images import write_png
from anomaly_gan.study.lift import run as lift_run
from anomaly_gan.study.lift.cell import setting, still_holds
from anomaly_gan.study.lift.config import MISSED_WEIGHT, LiftConfig, read_lift
from anomaly_gan.study.lift.misses import aim_at, inner_halves, with_hard_sound
from anomaly_gan.study.lift.plan import LiftCell, Share, curve_cells, round_cells, survivors
from anomaly_gan.study.lift.result import COLUMNS, LiftResult, LiftRow, ProcessorSeconds
from anomaly_gan.study.lift.summary import better_reference, mean_lifts
from anomaly_gan.synthesis.bank.writer import Crop, read_lines, write_shards
from detection.evaluation.figures import Figures
from detection.training.report import TrainingReport

TINY = {
    "widths": [8, 8, 8, 8],
    "finest": 4,
    "crop": 32,
    "batch": 2,
    "held_out": 0.0,
    "looks": 0,
    "bank_per_batch": 2,
}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Six objects with a bright spot and six sound ones; the last two of either are fold 0."""
    root, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    lines = ["file,group,fold"]
    for number in range(6):
        for folder, defect in (("spot", True), ("good", False)):
            name, pixels, mask = f"{folder}{number}", texture(rng), shape(1, rng)
            if defect:
                pixels[mask != 0] = 200
                write_png(root / folder / f"{name}_mask.png", mask * np.uint8(255))
            write_png(root / folder / f"{name}.png", pixels)
            lines.append(f"{name}.png,{name},{int(number < 4)}")
    (root / "groups.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    return build_run(tmp_path_factory.mktemp("run"))


def config(photographs, **changes):
    data = {"root": str(photographs), "format": "mask-png", "groups": str(photographs / "groups.csv")}
    content = {
        "dataset": "spots",
        "data": data,
        "pool": {"count": 2, "judge": {"enabled": False}},
        "bank": {"count": 2, "size": 40, "sham_sets": 1},
        "detect": {"detector": "dense", "exposures": 1.0, "warmup": 0, "dense": TINY},
        "curve": {"exposures": [0.5], "objects": [1], "folds": [0]},
        "arms": {
            "none": {},
            "copy_paste": {"bank": "copy_paste"},
            "procedural_first": {"first": "procedural", "first_steps": 1},
            "aimed": {"bank": "copy_paste", "aim": True, "hard_sound": True, "look_exposures": 0.5},
            "one_class_map": {"prior": True},
        },
        "rounds": [{"objects": [2]}],
        "bootstrap": 10,
    }
    return LiftConfig(**content | changes)


@pytest.fixture(scope="module")
def study(photographs, tmp_path_factory):
    out, said = tmp_path_factory.mktemp("lift") / "study", []
    first = lift_run.run_lift(config(photographs), out, said.append, max_cells=2)
    return out, said, first


def test_a_study_ends_after_as_many_cells_as_asked_and_goes_on_from_there(study, photographs):
    out, said, first = study
    assert first.cells == 2 and any("2 cells trained" in line for line in said)
    before = {path: path.stat().st_mtime_ns for path in out.glob("cells/*/*/result.json")}
    summary = lift_run.run_lift(config(photographs), out, said.append)
    assert (summary.cells, summary.failed, summary.arms_tried) == (6, 0, 5)
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    with (out / "table.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS and len(rows) == 6
    assert {row["arm"] for row in rows} == {"none", "copy_paste", "procedural_first", "aimed", "one_class_map"}
    assert {(row["objects"], row["exposures"]) for row in rows} == {("1", "0.500000"), ("2", "1.000000")}
    for name in ("curve.png", "lift.png", "summary.json", "lift.yaml"):
        assert (out / name).stat().st_size > 0
    assert any((out / name).is_file() for name in ("found.jpg", "missed.jpg"))
    (row,) = summary.lifts
    assert row.reference == "none"
    assert {arm.arm for arm in row.arms} == {"copy_paste", "procedural_first", "aimed", "one_class_map"}
    assert not list(out.glob("data/*/bank@*"))  # they can be made again


def test_the_same_cells_give_the_same_tables(study, photographs):
    out = study[0]
    names = ("table.csv", "summary.json", "curve.png", "lift.png")
    before = {name: (out / name).read_bytes() for name in names}
    lift_run.run_lift(config(photographs), out, lambda line: None, max_cells=0)
    assert before == {name: (out / name).read_bytes() for name in names}


def test_a_result_is_written_as_it_was_read(study):
    for path in study[0].glob("cells/*/*/result.json"):
        text = path.read_text()
        assert json_text(LiftResult.from_json(json.loads(text)).to_json()) == text


def test_the_bank_was_seen_and_nothing_real_was_displaced(study):
    out = study[0]
    results = [json.loads(path.read_text()) for path in out.glob("cells/fold0-k2-d0/*/result.json")]
    assert {result["row"]["arm"]: set(result["artefact_auroc"] or ()) for result in results}["copy_paste"] == {"spot"}
    seen = {result["row"]["arm"]: result["report"]["exposure"] for result in results}
    assert seen["copy_paste"]["real_defect"] == seen["none"]["real_defect"]
    assert "synthetic" not in seen["none"] and seen["copy_paste"]["synthetic"] and seen["copy_paste"]["sham"]


def test_mask_rcnn_checks_a_cell_and_an_arm_that_it_cannot_learn_is_said_to_have_failed(photographs, tmp_path):
    small = {"exposures": 0.5, "image_size": 64, "proposals": 8, "proposals_before_nms": 16, "roi_samples": 8}
    one = config(
        photographs,
        detect={"detector": "mask_rcnn", **small},
        arms={"none": {}, "copy_paste": {"bank": "copy_paste", "shams": False}},
        rounds=[{"objects": [1]}],
    )
    summary = lift_run.run_lift(one, tmp_path, lambda line: None)
    assert (summary.cells, summary.failed) == (1, 1), "the curve's cell is the round's"
    result = json.loads((tmp_path / "cells" / "fold0-k1-d0" / "none-e0.5-s0" / "result.json").read_text())
    assert result["row"]["detector"] == "mask_rcnn" and result["precision"] == "32-true"
    assert result["report"]["exposure"]["real_defect"]["images"] == 1
    assert "takes no bank" in (tmp_path / "failed.json").read_text()


def test_a_finished_cell_holds_while_its_setting_does(photographs):
    cell = LiftCell(Share(0, 2, 0), "copy_paste", 1.0, 0)
    recorded = setting(config(photographs), cell)
    assert still_holds(recorded, recorded)
    older = json.loads(json.dumps(recorded))
    del older["detect"]["score_threshold"]  # a field that came later, at its default
    assert still_holds(older, recorded)
    changed = config(photographs, detect={"detector": "dense", "exposures": 1.0, "score_threshold": 0.4, "dense": TINY})
    assert not still_holds(older, setting(changed, cell))
    of_others = {"detector": "dense", "exposures": 1.0, "warmup": 0, "roi_samples": 8, "dense": TINY}
    assert still_holds(recorded, setting(config(photographs, detect=of_others), cell))
    other_bank = config(photographs, bank={"count": 3, "size": 40, "sham_sets": 1})
    assert not still_holds(recorded, setting(other_bank, cell))
    moved = config(photographs)
    moved.data["root"] = "/elsewhere"
    assert still_holds(recorded, setting(moved, cell))


def test_the_curve_works_fold_by_fold_and_begins_with_what_costs_least(photographs):
    curve = {"exposures": [30, 2.4], "objects": [1, None], "folds": [0, 1]}
    cells = curve_cells(config(photographs, curve=curve))
    assert [(cell.share.fold, cell.exposures, cell.share.objects) for cell in cells][:4] == [
        (0, 2.4, 1),
        (0, 2.4, 0),
        (0, 30, 1),
        (0, 30, 0),
    ]
    assert {cell.arm for cell in cells} == {"none"} and len(cells) == 8


def test_all_objects_have_one_draw_and_arms_of_a_share_stand_together(photographs):
    study = config(photographs, rounds=[{"objects": [2, None], "draws": [0, 1]}])
    cells = round_cells(study, study.rounds[0], ["none", "copy_paste"])
    assert [(cell.share.name, cell.arm) for cell in cells] == [
        (share, arm) for share in ("fold0-k2-d0", "fold0-k2-d1", "fold0-kall") for arm in ("none", "copy_paste")
    ]


def test_halving_keeps_the_references_and_the_best():
    arms = ["none", "none_without_normals", "geometric", "a", "b", "c"]
    assert survivors(arms, {"a": -0.1, "b": 0.2, "c": None}, 1) == ["none", "none_without_normals", "geometric", "b"]
    assert survivors(arms, {"a": 0.1}, None) == arms


def result_of(arm, ap50):
    row = LiftRow("spots", 2, 0, 0, arm, "dense", 0, 60.0, ap50, None, None, None, None, None)
    report = TrainingReport({}, {}, 1)
    return LiftResult({}, "a", "b", row, Figures(map50=ap50), report, None, 2, ProcessorSeconds(1.0, 2.0), 2.0)


def test_a_lift_is_over_the_better_reference():
    share = Share(0, 2, 0)
    values = {"none": 0.2, "geometric": 0.3, "a": 0.35}
    done = {LiftCell(share, arm, 60.0, 0): result_of(arm, value) for arm, value in values.items()}
    assert mean_lifts(done, ["a"])["a"] == pytest.approx(0.05)
    # a hard fold that geometric was not tried on does not make it the better one
    done = {
        LiftCell(Share(fold, 2, 0), arm, 60.0, 0): result_of(arm, value)
        for fold, arm, value in ((0, "none", 0.4), (0, "geometric", 0.3), (1, "none", 0.1))
    }
    present = {name: [cell for cell in done if cell.arm == name] for name in ("none", "geometric")}
    assert better_reference(present, done) == "none"
    assert better_reference({"geometric": present["geometric"]}, done) == "geometric"
    assert better_reference({}, done) is None


def test_what_cannot_be_is_refused(photographs):
    with pytest.raises(ValueError, match="no method 'copypaste'"):
        config(photographs, arms={"none": {}, "x": {"bank": "copypaste"}})
    with pytest.raises(ValueError, match="needs none"):
        config(photographs, arms={"copy_paste": {"bank": "copy_paste"}})
    with pytest.raises(ConfigError, match=r"arms\.x\.detect"):
        config(photographs, arms={"none": {}, "x": {"detect": {"dense": {"widht": 3}}}})


def test_the_study_in_the_package_is_read():
    from anomaly_gan.core.resources import PACKAGE

    study = read_lift(PACKAGE / "configs" / "lift.yaml", ["data.root=photos"])
    assert {"none", "none_without_normals", "geometric", "copy_paste", "exemplars", "anomaly_gan"} <= set(study.arms)
    assert study.detector_of("none_without_normals").dense.sound_share == 0
    assert study.detector_of("copy_paste_without_shams").dense.sham_share == 0
    assert study.detector_of("none").dense.bank_per_batch == 0


def test_halves_share_out_every_category_and_one_object_cannot_be_halved(small_run):
    train = small_run.ingest.split("train")
    halves = inner_halves(train, 0)
    assert not halves[0] & halves[1] and halves[0] | halves[1] == {image.group_id for image in train.images}
    assert abs(len(halves[0]) - len(halves[1])) <= 1
    one = sorted({image.group_id for image in train.images})[0]
    with pytest.raises(ConfigError, match="but one object"):
        inner_halves(train.select(lambda image: image.group_id == one), 0)


def test_what_was_missed_weighs_more_and_hard_sound_places_become_shams(small_run, tmp_path):
    train = small_run.ingest.split("train")
    first, sound = train.annotations[0], train.normals()[0]
    hit = {"image_id": first.image_id, "category_id": first.category_id, "score": 0.9}
    hit |= {"bbox": first.bbox, "segmentation": first.segmentation}
    alarm = {**hit, "image_id": sound.id}
    aim = aim_at(train, [hit, alarm])
    assert aim[first.id] == 1.0 and {aim[item.id] for item in train.annotations[1:]} == {MISSED_WEIGHT}
    bank = tmp_path / "bank"
    write_shards([0], lambda _: Crop(np.zeros((40, 40), np.uint8), np.ones((40, 40), np.uint8), LINE), bank, "bank")
    view = with_hard_sound(bank, train, [hit, alarm], tmp_path / "view", 5, 0)
    lines = read_lines(view)
    assert [line["method"] for line in lines] == ["x", "hard_sound"] and lines[1]["sham"]
    assert lines[1]["sources"] == [sound.group_id]
    shard = np.load(view / lines[1]["shard"])
    assert shard["pixels"].shape == (1, 40, 40) and not shard["masks"].any()


LINE = {"sham": False, "category": "spot", "method": "x", "sources": ["a"], "weight": 1.0}
