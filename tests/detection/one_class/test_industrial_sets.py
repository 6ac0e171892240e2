"""Industrial sets, on made-up files: objects stay on one side, folder and zip file are one, faults are named."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.resources import expand
from detection.one_class.benchmark.config import benchmark_config
from detection.one_class.benchmark.industrial import INDUSTRIAL, IndustrialSplit, load_industrial
from detection.one_class.benchmark.run import run_benchmark

SIZE = 16
RAILS = 8


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def noise(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (30, 20), np.uint8)


def blot() -> np.ndarray:
    mask = np.zeros((30, 20), np.uint8)
    mask[:15] = 255
    return mask


def tiles(root: Path) -> Path:
    """Of every fold up to 8 normal tiles and one photograph per category, two photographs of each normal tile."""
    rng, taken = np.random.default_rng(0), dict[tuple[str, str], set[str]]()
    seen = dict[str, int]()
    with expand("embedded:magnetic_tile_groups.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        known = taken.setdefault((row["category"], row["fold"]), set())
        free = row["category"] == "free"
        if row["tile"] not in known and len(known) == (8 if free else 1):
            continue
        known.add(row["tile"])
        key = f"{row['category']} {row['tile']}"
        seen[key] = seen.get(key, 0) + 1
        if seen[key] > (2 if free else 1):
            continue
        path = root / "magnetic_tile" / row["category"] / row["file"]
        write(path, noise(rng))
        if not free:
            write(path.with_suffix(".png"), blot())
    return root / "magnetic_tile"


def screws(root: Path) -> Path:
    rng, top = np.random.default_rng(1), root / "screw"
    for number in range(24):
        write(top / "train" / "good" / f"{number:03}.png", noise(rng))
    for number in range(8):
        write(top / "test" / "good" / f"{number:03}.png", noise(rng))
        write(top / "test" / "thread_top" / f"{number:03}.png", noise(rng))
        write(top / "ground_truth" / "thread_top" / f"{number:03}_mask.png", blot())
    return top


def rails(root: Path) -> Path:
    rng, top = np.random.default_rng(2), root / "rsdds_tiles"
    for rail in range(RAILS):
        side = "test" if rail % 4 == 3 else "train"
        for part in range(3):
            write(top / side / "normal" / f"rail_{rail}_{part}.png", noise(rng))
    write(top / "test" / "defect" / "rail_3_9.png", noise(rng))
    write(top / "test" / "defect_mask" / "rail_3_9.png", blot())
    return top


MAKERS = {"magnetic_tile": tiles, "mvtec_screw": screws, "rsdds": rails}


@pytest.fixture(scope="module", params=INDUSTRIAL)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """(name of the set, its folder)."""
    return request.param, MAKERS[request.param](tmp_path_factory.mktemp(request.param))


def folds(dataset: str) -> range:
    return range(1 if dataset == "rsdds" else 4)


def digests(images: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in images}


def test_no_object_is_on_two_sides(made: tuple[str, Path]) -> None:
    for fold in folds(made[0]):
        split = load_industrial(*made, SIZE, fold)
        sides = [set(split.train_groups), set(split.held_out_groups), set(split.test_groups)]
        assert all(sides)
        assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])


def test_photographs_at_random_show_tiles_of_the_training_side_and_every_defect(made: tuple[str, Path]) -> None:
    if made[0] != "magnetic_tile":
        return
    normals: list[str] = []
    for fold in folds(made[0]):
        split = load_industrial(*made, SIZE, fold, shared=True)
        sound = [number for number, label in enumerate(split.test_labels) if label == 0]
        learned = set(split.train_groups) | set(split.held_out_groups)
        seen = [split.test_groups[number] in learned for number in sound]
        assert sum(seen) > len(seen) / 2, "most show a tile that is learned from"
        assert not digests(split.test_NCHW) & digests(split.train_NCHW)
        normals += [split.test_names[number] for number in sound]
        assert (split.test_labels > 0).sum() == 20, "every defect of every fold"
    assert len(normals) == len(set(normals)) == 64, "each sound photograph in one of the four"


def test_both_splits_of_the_tiles_come_of_one_command_with_an_average_each(tmp_path: Path) -> None:
    tiles(tmp_path)
    changes = [f"data.root={tmp_path}", "data.split=photographs", "data.folds=[0]", "settings.size=32", "workers=1"]
    config = benchmark_config("knn", "magnetic_tile", preset="quick", seeds=1, settings=changes)
    rows = {row.normal: row for row in run_benchmark(config, tmp_path / "out")}
    assert list(rows) == ["free@fold0", "free@photographs0", "average, objects", "average, photographs"]
    assert rows["average, photographs"].metrics["auroc"] == rows["free@photographs0"].metrics["auroc"]
    with pytest.raises(ConfigError, match="magnetic_tile alone"):
        benchmark_config("knn", "rsdds", settings=["data.split=photographs"])


def test_calibration_photographs_are_learned_from_nowhere(made: tuple[str, Path]) -> None:
    split = load_industrial(*made, SIZE)
    learned, held_out, tested = (digests(images) for images in (split.train_NCHW, split.held_out_NCHW, split.test_NCHW))
    assert len(learned) == len(split.train_groups) and len(held_out) == len(split.held_out_groups)
    assert not (learned & held_out or learned & tested or held_out & tested)
    assert 0.1 <= len(held_out) / (len(learned) + len(held_out)) <= 0.4


def test_every_normal_is_tested_in_just_one_fold(made: tuple[str, Path]) -> None:
    if made[0] == "rsdds":
        pytest.skip("its split is fixed")
    splits = [load_industrial(*made, SIZE, fold) for fold in folds(made[0])]
    normals = [
        name for split in splits for name, label in zip(split.test_names, split.test_labels, strict=True) if label == 0
    ]
    assert (
        len(normals)
        == len(set(normals))
        == len(splits[0].train_groups) + len(splits[0].held_out_groups) + sum(splits[0].test_labels == 0)
    )


def test_masks_are_of_the_defects_alone(made: tuple[str, Path]) -> None:
    split = load_industrial(*made, SIZE)
    assert split.test_masks is not None and (split.test_labels > 0).any()
    assert split.test_labels.max() <= len(split.categories)
    for mask, label in zip(split.test_masks, split.test_labels, strict=True):
        assert mask.sum() == (SIZE * SIZE // 2 if label else 0)
        assert mask[: SIZE // 2].all() == bool(label)


def test_zip_file_and_folder_are_the_same(made: tuple[str, Path], tmp_path: Path) -> None:
    dataset, folder = made
    packed = tmp_path / "set.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for item in sorted(folder.rglob("*"), reverse=True):
            if item.is_file():
                archive.write(item, item.relative_to(folder).as_posix())
    one, other = load_industrial(dataset, folder, SIZE), load_industrial(dataset, packed, SIZE)
    for name in IndustrialSplit.__dataclass_fields__:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_the_folder_around_the_set_will_do(made: tuple[str, Path]) -> None:
    dataset, folder = made
    assert load_industrial(dataset, folder.parent, SIZE).test_names == load_industrial(dataset, folder, SIZE).test_names


def test_what_is_missing_or_unknown_is_named(made: tuple[str, Path], tmp_path: Path) -> None:
    dataset, folder = made
    with pytest.raises(InputError, match="A24"):
        load_industrial(dataset, tmp_path, SIZE)
    with pytest.raises(ConfigError, match="has folds"):
        load_industrial(dataset, folder, SIZE, 4)
    with pytest.raises(ConfigError, match="must be one of"):
        load_industrial("cats", folder, SIZE)


def test_a_damaged_photograph_is_named(tmp_path: Path) -> None:
    folder = rails(tmp_path)
    (folder / "train" / "normal" / "rail_0_0.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"rail_0_0.*A12"):
        load_industrial("rsdds", folder, SIZE)


def test_a_defect_without_its_mask_is_not_taken_for_sound(tmp_path: Path) -> None:
    rails(tmp_path)
    next(tmp_path.rglob("defect_mask/rail_3_9.png")).unlink()
    with pytest.raises(InputError, match=r"B11: its mask .*rail_3_9.png is missing"):
        load_industrial("rsdds", tmp_path, SIZE)


def test_a_zip_file_cut_off_or_without_normals_is_named(tmp_path: Path) -> None:
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("test/normal/rail_1.png", b"x" * 200)
    with pytest.raises(InputError, match="K5"):
        load_industrial("rsdds", whole, SIZE)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole.read_bytes()[:100])
    with pytest.raises(InputError, match="A12"):
        load_industrial("rsdds", cut, SIZE)


def test_a_photograph_damaged_inside_the_zip_file_is_named(tmp_path: Path) -> None:
    folder, packed = rails(tmp_path), tmp_path / "set.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for item in sorted(folder.rglob("*.png")):
            archive.write(item, item.relative_to(folder).as_posix())
    content = bytearray(packed.read_bytes())
    at = content.index((folder / "train" / "normal" / "rail_0_0.png").read_bytes())
    content[at + 60] ^= 255
    packed.write_bytes(content)
    with pytest.raises(InputError, match=r"rail_0_0.*A12"):
        load_industrial("rsdds", packed, SIZE)


def test_one_object_is_too_few_to_set_some_apart(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for part in range(4):
        write(tmp_path / "train" / "normal" / f"rail_1_{part}.png", noise(rng))
    with pytest.raises(InputError, match=r"K5.*too few"):
        load_industrial("rsdds", tmp_path, SIZE)
