"""Legal and illegal regions: what is read, for which photograph and category, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from anomaly_gan.core.dataset import Dataset, ImageRecord, load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.images import write_png
from mask_pool.build.config import PoolConfig
from mask_pool.build.stage import source_keys
from mask_pool.placement.regions import background_01, flat_stem, legal_corners, read_regions

HEIGHT, WIDTH = 96, 120
Shapes = list[tuple[str, list[tuple[float, float]]]]
Mark = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "regions"
    path.mkdir()
    return path


@pytest.fixture
def mark(folder: Path) -> Mark:
    """mark("all.json", [("legal", polygon) or ("legal", polygon, group)], photograph, size): one labelme file."""

    def write(
        file: str,
        shapes: list[tuple[Any, ...]],
        photograph: str = "normal_0.png",
        size: tuple[int, int] = (HEIGHT, WIDTH),
    ) -> Path:
        (folder / file).write_text(
            json.dumps(
                {
                    "version": "5.5.0",
                    "flags": {},
                    "imagePath": photograph,
                    "imageData": None,
                    "imageHeight": size[0],
                    "imageWidth": size[1],
                    "shapes": [
                        {
                            "label": shape[0],
                            "points": shape[1],
                            "group_id": shape[2] if len(shape) > 2 else None,
                            "shape_type": "polygon",
                            "flags": {},
                        }
                        for shape in shapes
                    ],
                }
            )
        )
        return folder / file

    return write


def box(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    """Polygon around the pixels [left, right) x [top, bottom), half a pixel off: unlike drawing rules agree on it."""
    return [(left + 0.5, top + 0.5), (right - 0.5, top + 0.5), (right - 0.5, bottom - 0.5), (left + 0.5, bottom - 0.5)]


def allowed(folder: Path, ingest: Path, category: str = "crack", photograph: str = "normal_1.png") -> np.ndarray | None:
    data = load_dataset(ingest)
    image = next(one for one in data.images if one.file_name == photograph)
    return read_regions(folder, data).allowed(image, category)


def filled(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = True
    return mask


def agrees(found: np.ndarray | None, expected: np.ndarray) -> bool:
    """Whether both differ at outlines at most: which pixels lie on one is the importer's affair."""
    assert found is not None and found.dtype == bool and found.shape == expected.shape
    thick = np.ones((5, 5), np.uint8)
    outline = cv2.dilate(expected.astype(np.uint8), thick) != cv2.erode(expected.astype(np.uint8), thick)
    return bool(np.array_equal(found[~outline], expected[~outline])) and bool(found.any())


def test_no_regions_forbid_nothing(folder: Path, ingest: Path) -> None:
    assert allowed(folder, ingest) is None


def test_legal_regions_add_up_within_a_kind_and_cut_across_kinds(folder: Path, ingest: Path, mark: Mark) -> None:
    mark(
        "all.json",
        [
            ("legal", box(10, 10, 60, 80)),
            ("legal", box(70, 10, 110, 80)),
            ("legal:crack", box(40, 20, 90, 70)),
            ("illegal", box(70, 20, 80, 70)),
            ("illegal:scrap", box(10, 10, 60, 40)),
        ],
    )
    assert agrees(allowed(folder, ingest, "crack"), filled((40, 20, 60, 70), (80, 20, 90, 70)))
    assert agrees(
        allowed(folder, ingest, "scrap"),
        filled((10, 40, 60, 80), (70, 10, 110, 20), (80, 10, 110, 80), (70, 70, 110, 80)),
    )
    assert agrees(
        allowed(folder, ingest, "screw"),
        filled((10, 10, 60, 80), (70, 10, 110, 20), (80, 10, 110, 80), (70, 70, 110, 80)),
    )


def test_only_what_is_meant_for_the_category_counts(folder: Path, ingest: Path, mark: Mark) -> None:
    mark("all.json", [("illegal:scrap", box(10, 10, 60, 40))])
    assert allowed(folder, ingest, "crack") is None
    assert agrees(allowed(folder, ingest, "scrap"), ~filled((10, 10, 60, 40)))


def test_shapes_of_one_group_leave_a_hole(folder: Path, ingest: Path, mark: Mark) -> None:
    mark("all.json", [("legal", box(10, 10, 110, 86), 3), ("legal", box(40, 30, 80, 60), 3)])
    assert agrees(allowed(folder, ingest), filled((10, 10, 110, 86)) & ~filled((40, 30, 80, 60)))


def test_a_photographs_own_regions_replace_those_of_all(folder: Path, ingest: Path, mark: Mark) -> None:
    mark("all.json", [("legal", box(10, 10, 60, 80)), ("illegal", box(20, 20, 50, 70))])
    mark("some.json", [("legal:crack", box(70, 10, 110, 80))], "../photos/normal_1.png")
    shared = filled((10, 10, 60, 80)) & ~filled((20, 20, 50, 70))
    assert agrees(allowed(folder, ingest, "crack", "normal_1.png"), filled((70, 10, 110, 80)))
    assert allowed(folder, ingest, "scrap", "normal_1.png") is None
    assert agrees(allowed(folder, ingest, "crack", "normal_0.png"), shared)
    assert agrees(allowed(folder, ingest, "scrap", "defect_0.png"), shared)


def test_mask_pictures_are_regions_too(folder: Path, ingest: Path, mark: Mark) -> None:
    write_png(folder / "all.legal.png", filled((10, 10, 60, 80)) * np.uint8(255))
    write_png(folder / "normal_1.illegal@crack.PNG", filled((0, 0, 30, 96)) * np.uint8(1))
    mark("own.json", [("legal", box(20, 20, 100, 80))], "normal_1.png")
    found = allowed(folder, ingest, "crack", "normal_0.png")
    assert found is not None and np.array_equal(found, filled((10, 10, 60, 80)))
    assert agrees(allowed(folder, ingest, "crack", "normal_1.png"), filled((30, 20, 100, 80)))
    assert agrees(allowed(folder, ingest, "scrap", "normal_1.png"), filled((20, 20, 100, 80)))
    assert flat_stem("normal/deep/003.jpg") == "normal__deep__003"


def test_regions_for_all_count_on_photographs_of_their_size_alone(folder: Path, ingest: Path, mark: Mark) -> None:
    mark("all.json", [("legal", box(10, 10, 60, 80))])
    regions = read_regions(folder, load_dataset(ingest))
    assert regions.allowed(ImageRecord(9, "larger.png", 2 * WIDTH, HEIGHT, "g", "train", "real", ""), "crack") is None
    assert regions.allowed(ImageRecord(9, "same.png", WIDTH, HEIGHT, "g", "train", "real", ""), "crack") is not None


def test_regions_for_all_need_no_photograph_of_that_name(folder: Path, ingest: Path, mark: Mark) -> None:
    mark("all.json", [("legal", box(10, 10, 60, 80))], "nowhere.png")
    assert agrees(allowed(folder, ingest), filled((10, 10, 60, 80)))


@pytest.mark.parametrize("label", ["leagl", "crack", "legal:", "legal:crak", "illegal@crack", "legal:crack:scrap"])
def test_labels_that_are_no_region_are_refused(folder: Path, ingest: Path, mark: Mark, label: str) -> None:
    mark("all.json", [("legal", box(10, 10, 60, 80)), (label, box(10, 10, 60, 80))])
    with pytest.raises(InputError, match=r"^all\.json\[shape 1\]: C11: .*" + label.split(":")[-1]):
        read_regions(folder, load_dataset(ingest))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("normal_1.legal@crak.png", "C11"),
        ("normal_1.allowed.png", "C11"),
        ("normal_1.png", "C11"),
        ("normal_7.legal.png", "MISSING"),
        (".legal.png", "MISSING"),
    ],
)
def test_pictures_that_are_no_region_are_refused(folder: Path, ingest: Path, name: str, code: str) -> None:
    write_png(folder / name, filled((10, 10, 60, 80)) * np.uint8(255))
    if name.startswith("."):
        assert allowed(folder, ingest) is None, "hidden files are no data"
        return
    with pytest.raises(InputError, match=f"^{name}: {code}: "):
        read_regions(folder, load_dataset(ingest))


def test_a_picture_that_may_belong_to_two_photographs_is_refused(folder: Path, ingest: Path) -> None:
    data = load_dataset(ingest)
    twin = ImageRecord(99, "normal_1.jpg", WIDTH, HEIGHT, "g", "train", "real", "")
    write_png(folder / "normal_1.legal.png", filled((10, 10, 60, 80)) * np.uint8(255))
    with pytest.raises(InputError, match=r"^normal_1\.legal\.png: B11: .*normal_1\.png or normal_1\.jpg"):
        read_regions(folder, Dataset([*data.images, twin], [], data.categories, {}, data.folder))


def test_regions_of_categories_that_were_left_out_are_for_no_mask(folder: Path, ingest: Path, mark: Mark) -> None:
    mark("all.json", [("legal:scrap", box(0, 0, 9, 9)), ("illegal:cloth", box(0, 0, WIDTH, HEIGHT))])
    write_png(folder / "normal_1.illegal@cloth.png", filled((10, 10, 60, 80)) * np.uint8(255))
    with pytest.raises(InputError, match="C11: names no category"):
        allowed(folder, ingest)
    (ingest / "config.yaml").write_text("categories: [crack]\n")
    assert allowed(folder, ingest) is None
    assert allowed(folder, ingest, photograph="normal_0.png") is None
    mark("all.json", [("legally", box(0, 0, 9, 9))])
    with pytest.raises(InputError, match=r"C11: .*which is no region"):
        allowed(folder, ingest)


def test_missing_folders_and_photographs_are_named(folder: Path, ingest: Path, mark: Mark) -> None:
    data = load_dataset(ingest)
    with pytest.raises(InputError, match=r"nowhere: MISSING: .*pool\.place\.regions"):
        read_regions(folder / "nowhere", data)
    mark("a.json", [("legal", box(10, 10, 60, 80))], "normal_77.png")
    with pytest.raises(InputError, match=r"^a\.json: MISSING: .*'normal_77\.png'.*all\.json"):
        read_regions(folder, data)


def test_another_size_is_refused(folder: Path, ingest: Path, mark: Mark) -> None:
    data = load_dataset(ingest)
    image = next(one for one in data.images if one.file_name == "normal_1.png")
    mark("own.json", [("legal", box(10, 10, 60, 80))], "normal_1.png", (WIDTH, HEIGHT))
    with pytest.raises(InputError, match=r"^own\.json: C1: .*normal_1\.png"):
        read_regions(folder, data).allowed(image, "crack")
    (folder / "own.json").unlink()
    write_png(folder / "normal_1.legal.png", np.full((20, 30), 255, np.uint8))
    with pytest.raises(InputError, match=r"^normal_1\.legal\.png: C1: .*\(20, 30\).*normal_1\.png"):
        read_regions(folder, data).allowed(image, "crack")
    (folder / "normal_1.legal.png").unlink()
    mark("all.json", [("legal", box(10, 10, 60, 80))], "x.png", (512, 512))
    with pytest.raises(InputError, match=r"^all\.json\[shape 0\]: C1: .*\(512, 512\)"):
        read_regions(folder, data)


def test_regions_that_leave_no_place_are_named(folder: Path, ingest: Path, mark: Mark) -> None:
    mark("all.json", [("legal", box(10, 10, 40, 80)), ("legal:crack", box(60, 10, 110, 80))])
    with pytest.raises(InputError, match=r"^normal_1\.png: B7: .*all\.json\[shape 0\].*'crack'"):
        allowed(folder, ingest, "crack")
    assert agrees(allowed(folder, ingest, "scrap"), filled((10, 10, 40, 80)))


def test_a_changed_folder_makes_the_pool_stale(folder: Path, ingest: Path, mark: Mark) -> None:
    config = PoolConfig.model_validate({"place": {"regions": str(folder)}})
    keys = [source_keys(config)]
    mark("all.json", [("legal", box(10, 10, 40, 80))])
    keys.append(source_keys(config))
    mark("all.json", [("legal", box(10, 10, 41, 80))])
    keys.append(source_keys(config))
    write_png(folder / "normal_1.legal.png", filled((10, 10, 60, 80)) * np.uint8(255))
    keys.append(source_keys(config))
    (folder / "normal_1.legal.png").rename(folder / "normal_1.illegal.png")
    keys.append(source_keys(config))
    assert len({json.dumps(key) for key in keys}) == len(keys) and source_keys(config) == keys[-1]
    assert source_keys(PoolConfig()) == {}


@pytest.mark.parametrize("kind", ["dark", "bright"])
def test_the_ground_is_what_touches_the_border(kind: str) -> None:
    ground, body = (10, 130) if kind == "dark" else (250, 90)
    gray = np.full((80, 100), body, np.uint8)
    gray[:, :20] = ground
    gray[40:52, 50:62] = ground
    found = background_01(gray, kind)
    assert found[:, :15].all() and not found[:, 25:].any(), "a hole in the object is no ground"
    assert not background_01(np.full((40, 40), 100, np.uint8), "dark").any()


def test_legal_corners_are_those_of_counting(scene: SimpleNamespace) -> None:
    rng = np.random.default_rng(4)
    permitted = cv2.GaussianBlur(rng.random((40, 50)), (0, 0), 3) > 0.49
    bitmap = np.ascontiguousarray(scene.shape("scrap", 60, 50)[42:60, 53:69])
    for inside in (1.0, 0.75, 0.501):
        found = legal_corners(permitted, bitmap, inside)
        h, w = bitmap.shape
        shares = [[permitted[y : y + h, x : x + w][bitmap > 0].mean() for x in range(51 - w)] for y in range(41 - h)]
        assert np.array_equal(found, np.array(shares) >= inside) and 0 < found.sum() < found.size
