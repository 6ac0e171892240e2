"""The renderer keeps its promises, and the embedded sample set is what its own tables say it is."""

import csv
import importlib
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
RENDER, SAMPLE = ROOT / "data" / "render", ROOT / "data" / "sample"
CATEGORIES = ("cloth_strips", "paper_scraps", "screws_A", "screws_B")
SMALL = 64


@pytest.fixture(scope="module")
def renderer():
    """The scripts' modules, loaded as ``python data/render`` loads them."""
    sys.path.insert(0, str(RENDER))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in ("plan", "write")})
    finally:
        sys.path.remove(str(RENDER))


@pytest.fixture(scope="module")
def groups():
    with (SAMPLE / "groups.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def drawings():
    files = sorted((SAMPLE / "expert").glob("*.json"))
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in files}


@pytest.fixture(scope="module")
def scores():
    with (SAMPLE / "expert" / "scores.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def filled(polygon: np.ndarray) -> np.ndarray:
    mask = np.zeros((256, 256), np.uint8)
    cv2.fillPoly(mask, [np.round(polygon * 16 - 8).astype(np.int32)], 1, shift=4)
    return mask


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes(renderer, tmp_path):
    plan = list(renderer.plan.shots({"normal": (2, 1), "cloth_strips": (1, 1), "screws_B": (1, 1)}))
    for name in ("one", "two"):
        renderer.write.write_set(tmp_path / name, plan, 7, SMALL, 92)
    first = tree(tmp_path / "one")
    assert first == tree(tmp_path / "two")
    assert {"groups.csv", "normal/002.jpg", "cloth_strips/001.png", "expert/scores.csv"} <= first.keys()
    renderer.write.write_set(tmp_path / "other", plan, 8, SMALL, 92)
    assert tree(tmp_path / "other")["normal/002.jpg"] != first["normal/002.jpg"]


@pytest.mark.parametrize("folder", ["normal", "paper_scraps", "screws_A"])
def test_a_photograph_does_not_depend_on_how_many_are_taken(renderer, folder):
    few = {(s.group, s.shot): s for s in renderer.plan.shots({folder: (2, 1)})}
    many = {(s.group, s.shot): s for s in renderer.plan.shots({"normal": (9, 9), folder: (40, 30)})}
    key = (f"{folder}-test-000", 0)
    assert few[key].number != many[key].number
    assert np.array_equal(renderer.plan.take(few[key], 7, SMALL).pixels, renderer.plan.take(many[key], 7, SMALL).pixels)


def test_an_object_photographed_twice_is_one_group_in_two_pictures(renderer):
    first, second, other = list(renderer.plan.shots({"screws_A": (3, 0)}))
    assert first.group == second.group != other.group
    one, two = (renderer.plan.take(shot, 7, SMALL) for shot in (first, second))
    assert not np.array_equal(one.pixels, two.pixels)
    assert len(one.masks) == len(two.masks)


@pytest.mark.parametrize("category", CATEGORIES)
def test_masks_are_exact_binary_and_not_empty(renderer, category):
    shot = next(iter(renderer.plan.shots({category: (0, 1)})))
    photo = renderer.plan.take(shot, 3, 128)
    assert photo.pixels.shape == (128, 128) and photo.pixels.dtype == np.uint8
    assert 1 <= len(photo.masks) <= 3
    for mask in photo.masks:
        assert mask.shape == (128, 128) and set(np.unique(mask)) == {0, 1}
        assert 0.001 * mask.size < mask.sum() < 0.5 * mask.size
    assert renderer.write.union(photo).sum() == sum(int(mask.sum()) for mask in photo.masks)


def test_paper_counts_are_those_of_table_3(renderer):
    taken = defaultdict(lambda: [0, 0])
    for shot in renderer.plan.shots(renderer.plan.COUNTS["paper"]):
        taken[shot.folder][1 - shot.fold] += 1
    assert {name: tuple(taken[name]) for name in CATEGORIES} == {
        "cloth_strips": (123, 41),
        "screws_A": (103, 35),
        "screws_B": (105, 35),
        "paper_scraps": (147, 49),
    }
    assert sum(taken["normal"]) == 600


def test_the_table_of_groups_names_every_photograph_once(groups):
    files = [row["file"] for row in groups]
    assert sorted(files) == sorted(path.relative_to(SAMPLE).as_posix() for path in SAMPLE.rglob("*.jpg"))
    assert len(files) == len(set(files))


def test_no_object_lies_in_both_folds_and_some_are_photographed_twice(groups):
    folds, members = defaultdict(set), defaultdict(int)
    for row in groups:
        folds[row["group"]].add(row["fold"])
        members[row["group"]] += 1
    assert all(len(values) == 1 for values in folds.values())
    for folder in ("normal", *CATEGORIES):
        assert any(count == 2 for group, count in members.items() if group.startswith(folder + "-"))


def test_the_second_table_moves_whole_objects_alone_and_teaches_fifteen_of_each_kind(groups):
    with (SAMPLE / "groups_half.csv").open(encoding="utf-8", newline="") as stream:
        half = list(csv.DictReader(stream))
    assert [(row["file"], row["group"]) for row in half] == [(row["file"], row["group"]) for row in groups]
    moved = {row["group"] for row, before in zip(half, groups, strict=True) if row["fold"] != before["fold"]}
    folds, taught = defaultdict(set), defaultdict(set)
    for row in half:
        folds[row["group"]].add(row["fold"])
        if row["fold"] == "1":
            taught[row["file"].split("/")[0]].add(row["group"])
    assert all(len(values) == 1 for values in folds.values())
    assert all(name.endswith(tuple(f"-test-00{item}" for item in range(5))) for name in moved) and len(moved) == 20
    assert all(len(taught[name]) == 15 for name in CATEGORIES) and len(taught["normal"]) == 36


def test_the_sample_has_its_promised_counts_and_size(groups):
    count = defaultdict(int)
    for row in groups:
        count[row["file"].split("/")[0], row["fold"]] += 1
    assert count["normal", "1"] == 48 and count["normal", "0"] == 16
    for category in CATEGORIES:
        assert count[category, "0"] == 20
        objects = {row["group"] for row in groups if row["file"].startswith(category + "/") and row["fold"] == "1"}
        assert len(objects) == 10
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) <= 6_000_000


def test_every_defect_photograph_has_its_mask_and_no_normal_has_one(groups):
    for row in groups:
        path = SAMPLE / row["file"]
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert pixels.shape == (256, 256)
        mask = cv2.imread(str(path.with_suffix(".png")), cv2.IMREAD_UNCHANGED) if "normal" not in row["file"] else None
        assert path.with_suffix(".png").exists() == (mask is not None)
        if mask is not None:
            assert mask.shape == (256, 256) and set(np.unique(mask)) == {0, 255}, row["file"]
            _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
            assert stats[1:, cv2.CC_STAT_AREA].min() >= 60, f"{row['file']}: a speck would count as a defect"


def test_screw_masks_are_round_and_of_one_size(groups):
    for row in groups:
        if not row["file"].startswith("screws"):
            continue
        mask = cv2.imread(str((SAMPLE / row["file"]).with_suffix(".png")), cv2.IMREAD_GRAYSCALE)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        whole = [s for s in stats[1:] if s[0] > 0 and s[1] > 0 and s[0] + s[2] < 256 and s[1] + s[3] < 256]
        for _, _, width, height, area in whole:
            assert 0.8 < width / height < 1.25 and 18 < width < 60, row["file"]
            assert 0.70 < area / (width * height) < 0.85, row["file"]


def test_drawings_are_labelme_files_over_training_normals(groups, drawings):
    training = {row["file"] for row in groups if row["fold"] == "1"}
    shapes = [shape for document in drawings.values() for shape in document["shapes"]]
    assert len(drawings) >= 12
    for name, document in drawings.items():
        assert document["flags"] == {"simulated": True} and document["imageData"] is None
        picture = (SAMPLE / "expert" / document["imagePath"]).resolve()
        assert picture.relative_to(SAMPLE).as_posix() in training and picture.stem == Path(name).stem
        assert (document["imageHeight"], document["imageWidth"]) == cv2.imread(str(picture), 0).shape
    for category in CATEGORIES:
        assert sum(shape["label"] == category for shape in shapes) >= 35
    for shape in shapes:
        points = np.array(shape["points"])
        assert len(points) >= 3 and points.min() >= 0 and points.max() <= 256


def test_screws_are_drawn_on_bolts(renderer, drawings):
    plan = {shot.stem: shot for shot in renderer.plan.shots(renderer.plan.COUNTS["sample"])}
    for name in sorted(drawings)[:3]:
        photo = renderer.plan.take(plan[f"normal/{Path(name).stem}"], 7, 256)
        committed = cv2.imread(str(SAMPLE / "normal" / f"{Path(name).stem}.jpg"), cv2.IMREAD_GRAYSCALE)
        assert np.abs(committed.astype(float) - photo.pixels).mean() < 4  # JPEG's loss, nothing more
        seats = [filled(seat) for seat in photo.seats]
        for shape in drawings[name]["shapes"]:
            if shape["label"].startswith("screws") and shape["description"] == "simulated: on a bolt":
                drawn = filled(np.array(shape["points"]))
                assert max(np.sum(drawn & seat) / np.sum(drawn | seat) for seat in seats) > 0.75


def test_scores_cover_every_shape_and_tell_good_from_poor(drawings, scores):
    remarks = {
        (name, str(index)): shape
        for name, document in drawings.items()
        for index, shape in enumerate(document["shapes"])
    }
    assert [(row["file"], row["shape"]) for row in scores] == list(remarks)
    means = defaultdict(list)
    for row in scores:
        raters = [float(row[f"rater_{rater:02d}"]) for rater in range(1, 11)]
        assert min(raters) >= 0 and max(raters) <= 10
        shape = remarks[row["file"], row["shape"]]
        assert shape["label"] == row["label"]
        means[row["label"]].append((float(np.mean(raters)), "poor" in shape["description"]))
    for category in CATEGORIES:
        ranked = sorted(means[category], reverse=True)
        best = ranked[: len(ranked) // 10]
        assert len(best) >= 3 and not any(poor for _, poor in best)
        assert any(poor for _, poor in ranked)


def test_regions_are_where_training_objects_hang(renderer, groups, tmp_path):
    renderer.write.write_set(tmp_path, [], 7, 256, 92)
    committed = (SAMPLE / "regions" / "all.json").read_bytes()
    assert (tmp_path / "regions" / "all.json").read_bytes() == committed
    shapes = json.loads(committed)["shapes"]
    assert [shape["label"] for shape in shapes] == ["legal:cloth_strips", "legal:paper_scraps"]
    for shape in shapes:
        inside, category = filled(np.array(shape["points"])) > 0, shape["label"].partition(":")[2]
        assert inside.mean() < 0.9
        for row in groups:
            if row["fold"] == "1" and row["file"].startswith(category):
                mask = cv2.imread(str((SAMPLE / row["file"]).with_suffix(".png")), 0) > 0
                assert inside[mask].all(), row["file"]


def test_a_new_set_replaces_the_old_one_and_nothing_else(renderer, tmp_path):
    for counts in ({"normal": (3, 2)}, {"normal": (1, 1)}):
        renderer.write.write_set(tmp_path / "set", list(renderer.plan.shots(counts)), 7, SMALL, 92)
    renderer.write.write_set(tmp_path / "fresh", list(renderer.plan.shots({"normal": (1, 1)})), 7, SMALL, 92)
    assert tree(tmp_path / "set") == tree(tmp_path / "fresh")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "mine.jpg").write_bytes(b"kept")
    with pytest.raises(FileExistsError, match="give an empty folder"):
        renderer.write.write_set(tmp_path / "foreign", [], 7, SMALL, 92)
    assert tree(tmp_path / "foreign") == {"mine.jpg": b"kept"}


def test_the_command_refuses_nonsense_in_one_line():
    done = subprocess.run([sys.executable, str(RENDER), "--out", "x", "--size", "3"], capture_output=True, text=True)
    assert done.returncode == 2 and "--size must be from 64 to 2048" in done.stderr
    assert "Traceback" not in done.stderr
