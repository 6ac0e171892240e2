"""The splits a study needs: the leaky one by photographs, said to be one, and training splits of few objects."""

from __future__ import annotations

import csv
import json

import pytest

from anomaly_gan.core.config import build
from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.resources import PACKAGE
from anomaly_gan.core.stage import Context
from anomaly_gan.ingestion.splits import NORMAL, choose_objects, counts, split_by_image, split_by_object
from anomaly_gan.ingestion.stage import IngestConfig, run
from anomaly_gan.study.config import read_study
from anomaly_gan.study.run import run_study

SAMPLE = {
    "root": "embedded:sample",
    "format": "mask-png",
    "groups": "embedded:sample/groups.csv",
    "fold": 0,
    "categories": ["screws_A", "screws_B"],
}


def ingest(folder, **more) -> tuple[Dataset, dict]:
    metrics = run(IngestConfig(**{**SAMPLE, **more}), Context(0), folder)
    return load_dataset(folder), metrics


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return ingest(tmp_path_factory.mktemp("plain") / "ingest")


def test_nothing_asked_for_leaves_figures_as_they_were(plain):
    assert not {"split", "few_objects"} & set(plain[1]) and "split" not in plain[0].info


def test_a_split_by_photographs_tears_objects_apart_and_says_so(plain, tmp_path):
    dataset, metrics = ingest(tmp_path / "leak", split="images")
    test = dataset.split("test")
    assert {image.group_id for image in dataset.images} == {image.file_name for image in dataset.images}
    assert not {image.group_id for image in test.images} & {i.group_id for i in dataset.split("train").images}
    groups = {image.file_name: image.group_id for image in plain[0].images}
    assert {image.file_name: image.extra["object"] for image in dataset.images} == groups
    torn = {groups[i.file_name] for i in test.images} & {groups[i.file_name] for i in dataset.split("train").images}
    assert torn and metrics["split"] == {
        "by": "images",
        "leak": "deliberate",
        "objects_on_both_sides": len(torn),
        "test_images_of_training_objects": sum(groups[image.file_name] in torn for image in test.images),
    }
    assert dataset.info["split"] == "images"


@pytest.mark.parametrize("split", [split_by_image, split_by_object])
def test_the_four_folds_share_every_category_out(split):
    counts = {"crack": 9, NORMAL: 40, "pit": 5}
    images = {f"{kind}/{number}.png": {kind} for kind, count in counts.items() for number in range(count)}
    folds = [{name for name, side in split(images, fold).items() if side == "test"} for fold in range(4)]
    assert sorted(name for fold in folds for name in fold) == sorted(images)
    for kind, least in (("crack", 2), ("pit", 1), (NORMAL, 10)):
        assert all(sum(images[name] == {kind} for name in fold) in (least, least + 1) for fold in folds)
    if split is split_by_object:
        with pytest.raises(InputError, match="folds 0 to 3, 4 is none"):
            split(images, 4)


def test_few_objects_leave_the_training_split_and_never_touch_the_test_split(plain, tmp_path):
    whole, _ = plain
    sizes, before = [], set()
    for most in (1, 3):
        dataset, metrics = ingest(tmp_path / str(most), objects=most)
        assert dataset.split("test").images == whole.split("test").images
        assert dataset.split("test").annotations == whole.split("test").annotations
        train, names = dataset.split("train"), dataset.category_names()
        labels = train.by_image()
        objects = {
            name: {
                image.group_id
                for image in train.images
                if name in {names[item.category_id] for item in labels.get(image.id, [])}
            }
            for name in names.values()
        }
        assert set(names.values()) == {"screws_A", "screws_B"}
        assert all(0 < len(found) <= most for found in objects.values())
        kept = {image.file_name for image in train.images}
        assert before <= kept and {image.file_name for image in whole.split("train").normals()} <= kept
        before = kept
        sizes.append(len(kept))
        left_out = len(whole.images) - len(dataset.images)
        assert metrics["few_objects"]["images_left_out"] == left_out > 0
        assert all(dataset.path_of(image).is_file() for image in dataset.images)
        assert len(list((tmp_path / str(most) / "images").rglob("*.*"))) == len(dataset.images)
    assert sizes == sorted(set(sizes))


def test_the_choice_of_objects_is_nested_where_objects_share_categories():
    shared = {f"g{n}": {kind for bit, kind in enumerate("abc") if (n + 1) >> bit & 1} or {NORMAL} for n in range(40)}
    before: set[str] = set()
    for most in range(1, 9):
        kept = choose_objects(shared, most)
        assert before <= kept and {group for group, found in shared.items() if found == {NORMAL}} <= kept
        assert all(sum(kind in shared[group] for group in kept) <= most for kind in "abc")
        before = kept


def test_every_draw_of_few_objects_keeps_others_and_is_nested_too():
    groups = {f"g{n}": {"crack"} for n in range(40)}
    draws = [choose_objects(groups, 2, draw) for draw in range(4)]
    assert len({frozenset(kept) for kept in draws}) == 4 and all(len(kept) == 2 for kept in draws)
    assert draws[0] == choose_objects(groups, 2), "the first draw is the one it always was"
    assert choose_objects(groups, 1, 3) < draws[3]


def test_another_draw_shows_other_objects_and_the_same_test_split(plain, tmp_path):
    whole, _ = plain
    kept = []
    for draw in (0, 1):
        dataset, _ = ingest(tmp_path / str(draw), objects=1, draw=draw)
        assert dataset.split("test").images == whole.split("test").images
        kept.append(
            {image.file_name for image in dataset.split("train").images}
            - {image.file_name for image in whole.split("train").normals()}
        )
    assert kept[0] != kept[1] and all(kept)


def test_counts_are_of_physical_objects_under_either_split(plain, tmp_path):
    whole, metrics = plain
    assert metrics["splits"] == counts(whole)
    leaky = counts(ingest(tmp_path / "leak", split="images")[0])
    for side in ("train", "test"):
        part = whole.split(side)
        assert counts(whole)[side]["in all"] == {
            "images": len(part.images),
            "instances": len(part.annotations),
            "groups": len({image.group_id for image in part.images}),
        }
        assert counts(whole)[side]["normal"]["images"] == len(part.normals())
        assert sum(counts(whole)[side][name]["instances"] for name in SAMPLE["categories"]) == len(part.annotations)
    whole_objects, leaky_objects = (
        {side: found[side]["in all"]["groups"] for side in found} for found in (counts(whole), leaky)
    )
    objects = {image.group_id for image in whole.images}
    assert sum(whole_objects.values()) == len(objects) < sum(leaky_objects.values()) <= 2 * len(objects)


def test_a_study_of_splits_alone_writes_their_table_and_shows_it(tmp_path):
    """Table 3's form: folds, and a variant of which only what differs is shown."""
    study, base = read_study(PACKAGE / "configs" / "table3.yaml", ["base=demo.yaml", "folds=[0, 1]"])
    study = study.model_copy(update={"variants": {"few": {"data": {"objects": 1}}}})
    outcome = run_study(study, base, tmp_path / "study", say=lambda line: None)
    assert "splits.csv" in outcome.written and not outcome.failures
    rows = list(csv.DictReader((tmp_path / "study" / "splits.csv").open()))
    assert {(row["variant"], row["fold"]) for row in rows} == {(v, f) for v in ("main", "few") for f in "01"}
    for row in rows:
        whole = next(
            one
            for one in rows
            if one["variant"] == "main" and one["fold"] == row["fold"] and one["category"] == row["category"]
        )
        assert row["test_defects"] == whole["test_defects"]
        if row["variant"] == "few" and row["category"] not in ("normal", "in all"):
            assert row["train_objects"] == "1" < whole["train_objects"]
    page = (tmp_path / "study" / "report.html").read_text()
    assert "<h2>The splits</h2>" in page and "train photographs" in page and "AP at IoU" not in page
    assert 0 < page.count('scope="row"><bdi>few</bdi>') < sum(row["variant"] == "few" for row in rows)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"split": "images", "fold": 4}, "has the folds 0 to 3, not 4"),
        ({"objects": 0}, "objects"),
        ({"split": "x"}, "split"),
        ({"draw": 1}, "say how many with objects"),
        ({"objects": 1, "draw": -1}, "draw"),
    ],
)
def test_a_split_that_cannot_be_is_refused_in_one_line(more, words):
    with pytest.raises(ConfigError, match=words) as caught:
        build(IngestConfig, {**SAMPLE, **more}, "data")
    assert "\n" not in str(caught.value) and json.dumps(str(caught.value))
