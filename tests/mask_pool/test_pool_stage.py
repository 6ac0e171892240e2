"""The stage as a whole: same seed same bytes, prefixes, complete ancestry from the training split alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.errors import CheckFailed, ConfigError, InputError
from anomaly_gan.core.files import sha256_file
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.stage import Context, run_stage
from mask_pool.build.config import PoolConfig
from mask_pool.build.leak_check import prove_train_only
from mask_pool.build.stage import run, source_keys


def build(ingest: Path, out: Path, seed: int = 3, **settings: object) -> Dataset:
    config = PoolConfig(**{"count": 12, "fixed_shape": ("screw",), **settings})
    assert run_stage("pool", run, config, Context(seed, inputs={"ingest": ingest}), out)
    return load_dataset(out)


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_same_seed_gives_same_bytes_and_another_seed_other_ones(ingest: Path, tmp_path: Path) -> None:
    build(ingest, tmp_path / "a")
    build(ingest, tmp_path / "b")
    build(ingest, tmp_path / "c", seed=4)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert load_dataset(tmp_path / "a").images[0].sha256 != load_dataset(tmp_path / "c").images[0].sha256


def test_a_cut_off_run_goes_on_to_the_same_bytes(ingest: Path, tmp_path: Path) -> None:
    build(ingest, tmp_path / "whole")
    build(ingest, tmp_path / "cut")
    for name in ("manifest.json", "metrics.json", "config.yaml", "annotations.json", "images/scrap/000007.png"):
        (tmp_path / "cut" / name).unlink()
    kept = tmp_path / "cut/images/crack/000001.png"
    before = kept.stat().st_mtime_ns
    build(ingest, tmp_path / "cut")
    assert contents(tmp_path / "whole") == contents(tmp_path / "cut")
    assert kept.stat().st_mtime_ns == before


def test_fewer_items_are_the_first_of_more(ingest: Path, tmp_path: Path) -> None:
    few, many = build(ingest, tmp_path / "few", count=5), build(ingest, tmp_path / "many", count=10)
    for category in ("crack", "scrap", "screw"):
        first, more = ([image for image in pool.images if image.extra["category"] == category] for pool in (few, many))
        assert len(first) == 5 and len(more) == 10
        assert [replace(image, id=0) for image in first] == [replace(image, id=0) for image in more[:5]]
        for a, b in zip(first, more[:5], strict=True):
            assert [one.provenance for one in few.by_image()[a.id]] == [one.provenance for one in many.by_image()[b.id]]


def test_records_are_what_the_readers_of_the_pool_expect(ingest: Path, tmp_path: Path) -> None:
    pool, source = build(ingest, tmp_path / "pool"), load_dataset(ingest)
    photographs = {image.file_name: image for image in source.images}
    assert [image.id for image in pool.images] == list(range(1, 37))
    assert [one.id for one in pool.annotations] == list(range(1, len(pool.annotations) + 1))
    assert [image.extra["category"] for image in pool.images] == ["crack"] * 12 + ["scrap"] * 12 + ["screw"] * 12
    for image in pool.images:
        normal = photographs[image.extra["normal_file"]]
        assert (image.width, image.height, image.group_id) == (normal.width, normal.height, normal.group_id)
        assert image.file_name == f"{image.extra['category']}/{image.extra['index'] + 1:06d}.png"
        assert (image.split, image.source) == ("train", "synthetic")
        assert image.sha256 == sha256_file(pool.path_of(image))
        union = np.zeros((image.height, image.width), int)
        for annotation in pool.by_image()[image.id]:
            assert pool.category_names()[annotation.category_id] == image.extra["category"]
            union += annotation.mask()
        assert union.max() == 1, "combined elements overlap"
        assert np.array_equal(read_pixels(pool.path_of(image), gray=True), union.astype(np.uint8) * 255)


def test_the_affine_on_record_turns_the_parent_into_the_element(ingest: Path, tmp_path: Path) -> None:
    pool, source = build(ingest, tmp_path / "pool", count=40), load_dataset(ingest)
    parents = {annotation.id: annotation.mask() for annotation in source.annotations}
    images = {image.id: image for image in pool.images}
    for annotation in pool.annotations:
        image, origin = images[annotation.image_id], annotation.provenance
        again = (
            cv2.warpAffine(
                parents[origin["parent"]] * 255,
                np.array(origin["affine"]),
                (image.width, image.height),
                flags=cv2.INTER_LINEAR,
            )
            > 127
        )
        mask = annotation.mask() > 0
        assert (again & mask).sum() / (again | mask).sum() > 0.95


def test_irregular_elements_vary_in_turn_size_place_and_number(ingest: Path, tmp_path: Path) -> None:
    pool = build(ingest, tmp_path / "pool", count=60, rotation=180.0, scale=(0.7, 1.4), flip=True, elements=(1, 3))
    images = {image.id: image for image in pool.images}
    scraps = [one for one in pool.annotations if images[one.image_id].extra["category"] == "scrap"]
    turns = [one.provenance["transforms"] for one in scraps]
    assert min(turn["rotation_deg"] for turn in turns) < -120 and max(turn["rotation_deg"] for turn in turns) > 120
    assert min(turn["scale"] for turn in turns) < 0.8 and 1.3 < max(turn["scale"] for turn in turns) <= 1.4
    assert {turn["flip"] for turn in turns} == {True, False}
    assert {turn["place"] for turn in turns} == {"real", "uniform"}
    numbers = [len(group) for group in pool.by_image().values()]
    assert numbers.count(1) > numbers.count(2) > numbers.count(3) > 0 and max(numbers) == 3


def test_fixed_shape_is_only_moved(ingest: Path, tmp_path: Path) -> None:
    pool, source = build(ingest, tmp_path / "pool"), load_dataset(ingest)
    parents = {annotation.id: annotation for annotation in source.annotations}
    screws = [one for one in pool.annotations if one.category_id == 3]
    assert screws
    for one in screws:
        parent = parents[one.provenance["parent"]]
        (x, y, w, h), (px, py, _, _) = one.bbox, parent.bbox
        assert one.provenance["affine"] == [[1.0, 0.0, x - px], [0.0, 1.0, y - py]]
        assert np.array_equal(one.mask()[y : y + h, x : x + w], parent.mask()[py : py + h, px : px + w])
        assert one.provenance["transforms"]["place"] == "uniform", "there is no expert, so there is no anchor"


def test_ancestry_is_of_the_training_split_alone(ingest: Path, tmp_path: Path) -> None:
    pool, source = build(ingest, tmp_path / "pool"), load_dataset(ingest)
    train = {image.file_name: image.group_id for image in source.images if image.split == "train"}
    for image in pool.images:
        assert train[image.extra["normal_file"]] == image.group_id
    for one in pool.annotations:
        assert train[one.provenance["parent_image"]] == one.provenance["parent_group"]
        assert one.provenance["kind"] == "prior" and one.provenance["expert_score"] is None


def test_the_proof_finds_a_test_photograph_in_the_ancestry(ingest: Path, tmp_path: Path) -> None:
    pool, source = build(ingest, tmp_path / "pool"), load_dataset(ingest)
    prove_train_only(pool, source)
    leaking = replace(
        pool.annotations[0],
        provenance={
            **pool.annotations[0].provenance,
            "parent_image": "defect_3.png",
            "parent_group": "object_defect_3",
        },
    )
    with pytest.raises(CheckFailed, match=r"crack/000001.png.*E4.*defect_3\.png"):
        prove_train_only(replace(pool, annotations=[leaking, *pool.annotations[1:]]), source)
    normal = replace(
        pool.images[0], group_id="object_normal_4", extra={**pool.images[0].extra, "normal_file": "normal_4.png"}
    )
    with pytest.raises(CheckFailed, match=r"E4.*normal_4\.png"):
        prove_train_only(replace(pool, images=[normal, *pool.images[1:]]), source)
    shared = replace(source.images[-1], group_id=pool.images[0].group_id)
    with pytest.raises(CheckFailed, match="not of the training split alone"):
        prove_train_only(pool, replace(source, images=[*source.images[:-1], shared]))


def test_metrics_add_up(ingest: Path, tmp_path: Path) -> None:
    pool = build(ingest, tmp_path / "pool")
    metrics = json.loads((tmp_path / "pool/metrics.json").read_text())
    crack = metrics["categories"]["crack"]
    assert crack["prior_elements"] == 2 and crack["items"] == 12 and crack["items_by_kind"] == {"prior": 12}
    assert metrics["experts_used"] is False
    own = [image.id for image in pool.images if image.extra["category"] == "crack"]
    areas = [sum(one.area for one in pool.by_image()[number]) for number in own]
    assert crack["mean_area_px"] == pytest.approx(np.mean(areas), abs=1e-3)
    assert crack["mean_elements"] == pytest.approx(np.mean([len(pool.by_image()[number]) for number in own]), abs=1e-6)
    assert sum(crack["elements_by_place"].values()) == sum(len(pool.by_image()[number]) for number in own)


def test_a_category_without_training_masks_is_refused(ingest: Path, tmp_path: Path) -> None:
    source = load_dataset(ingest)
    train = {image.id for image in source.images if image.split == "train"}
    replace(
        source, annotations=[one for one in source.annotations if one.category_id != 2 or one.image_id not in train]
    ).save(ingest)
    with pytest.raises(InputError, match=r"pool\[scrap\]: E7"):
        build(ingest, tmp_path / "pool")


def test_sound_photographs_alone_are_refused_and_told_where_they_serve(ingest: Path, tmp_path: Path) -> None:
    data = load_dataset(ingest)
    replace(data.select(lambda image: image.file_name.startswith("normal")), categories=[]).save(tmp_path / "sound")
    with pytest.raises(InputError, match=r"E7: shows no labelled defect: .*detect train .*sound"):
        run(PoolConfig(count=1), Context(0, "cpu", {"ingest": tmp_path / "sound"}), tmp_path / "pool")


def test_unknown_fixed_shape_category_is_refused_with_the_nearest_name(ingest: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'screw'"):
        build(ingest, tmp_path / "pool", fixed_shape=("screws",))


def test_rules_may_name_categories_that_the_data_set_was_asked_to_leave_out(ingest: Path, tmp_path: Path) -> None:
    (ingest / "config.yaml").write_text("categories: [crack, scrap, screw]\n")
    pool = build(ingest, tmp_path / "pool", fixed_shape=("screw", "cloth"), rules={"cloth": {"elastic": 0.0}})
    assert pool.info["fixed_shape"] == ["screw"]


def test_a_changed_drawing_changes_the_key(experts: Path) -> None:
    config = PoolConfig(expert_dir=str(experts))
    (experts / "a.json").write_text("{}")
    before = source_keys(config)
    (experts / "a.json").write_text("{ }")
    assert source_keys(config) != before
    assert source_keys(PoolConfig()) == {}
