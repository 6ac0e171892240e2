"""What is said about a pool: counts, sizes, places, diversity, copies, parents; and where one mask comes from."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.stage import Context
from mask_pool.build.config import PoolConfig
from mask_pool.build.stage import run
from mask_pool.statistics.ancestry import ancestry, find_item, show
from mask_pool.statistics.measures import (
    SIDE,
    Shape,
    frames,
    mean_distance,
    nearest_distance,
    overlaps,
    position_map,
    sample,
)
from mask_pool.statistics.stage import quantiles, statistics, text, write

HEIGHT, WIDTH = 64, 96


def shape(bitmap: np.ndarray, x: int = 0, y: int = 0, size_hw: tuple[int, int] = (HEIGHT, WIDTH)) -> Shape:
    return Shape(np.ascontiguousarray(bitmap, np.uint8), (x, y, bitmap.shape[1], bitmap.shape[0]), size_hw)


def disc(radius: int) -> np.ndarray:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return (x * x + y * y <= radius * radius).astype(np.uint8)


@pytest.mark.parametrize(
    ("bitmap", "sides", "solidity", "parts"),
    [
        (np.ones((1, 1)), (1, 1), 1, 1),
        (np.ones((4, 12)), (12, 4), 1, 1),
        (np.ones((9, 1)), (9, 1), 1, 1),
        (np.eye(10), (10 * math.sqrt(2), math.sqrt(2)), 10 / 19, 1),
        (np.array([[1, 1, 0, 1], [1, 1, 0, 1]]), (4, 2), 6 / 8, 2),
    ],
)
def test_measures_of_shapes_by_hand(
    bitmap: np.ndarray, sides: tuple[float, float], solidity: float, parts: int
) -> None:
    """Pixels are squares: a single one is 1 x 1. The hull of a diagonal of 10 pixels has the area 19."""
    one = shape(bitmap)
    assert one.sides() == pytest.approx(sides, abs=1e-4)
    assert one.solidity() == pytest.approx(solidity, abs=1e-6) and one.parts() == parts


def test_outlines_are_compared_without_place_and_size_but_with_turn() -> None:
    small, large = frames([shape(np.ones((4, 8)), 3, 3)]), frames([shape(np.ones((12, 24)), 40, 20)])
    turned = frames([shape(np.ones((8, 4)))])
    assert nearest_distance(small, large).tolist() == [0.0]
    assert nearest_distance(small, turned)[0] == pytest.approx(1 - 16 * 16 / (2 * 32 * 16 - 16 * 16))


def test_thin_masks_are_not_lost_in_the_frame() -> None:
    line = np.zeros((200, 90), np.uint8)
    cv2.line(line, (0, 0), (89, 199), 1, 1)
    assert frames([shape(line)]).reshape(SIDE, SIDE).any(axis=1).all()


def test_distances_agree_with_a_plain_loop() -> None:
    rng = np.random.default_rng(4)
    found = frames([shape(rng.random((rng.integers(3, 40), rng.integers(3, 40))) < 0.6) for _ in range(7)])
    bits = found.astype(bool)
    plain = np.array([[(a & b).sum() / (a | b).sum() for b in bits] for a in bits])
    assert np.allclose(overlaps(found, found), plain, atol=1e-6)
    pairs = [1 - plain[i, j] for i in range(7) for j in range(7) if i != j]
    assert mean_distance(found) == pytest.approx(np.mean(pairs), abs=1e-6)
    nearest = [min(1 - plain[i, j] for j in range(7) if i != j) for i in range(7)]
    assert nearest_distance(found) == pytest.approx(nearest, abs=1e-6)


def test_what_cannot_be_measured_is_none() -> None:
    assert mean_distance(frames([shape(np.ones((3, 3)))])) is None and quantiles([]) is None
    assert nearest_distance(frames([]), frames([])).size == 0
    assert nearest_distance(frames([shape(np.ones((3, 3)))])).size == 0, "there is no other to compare with"
    assert position_map([]).sum() == 0


def test_the_map_shows_where_every_mask_lies_with_the_same_weight() -> None:
    both = position_map([shape(np.ones((8, 8)), 0, 0), shape(np.ones((32, 48)), 48, 32)])
    assert both[:6, :6].sum() == pytest.approx(0.5) and both[12:, 12:].sum() == pytest.approx(0.5)


def test_samples_are_by_seed_in_order_and_whole_where_few() -> None:
    assert sample(range(5), 9, 1, "a") == [0, 1, 2, 3, 4]
    first = sample(range(1000), 9, 1, "a")
    assert first == sorted(first) == sample(range(1000), 9, 1, "a") != sample(range(1000), 9, 2, "a")


Pools = tuple[Dataset, Dataset]


@pytest.fixture
def copies() -> Pools:
    """Two real masks; a pool of 6 moved copies of the first and 2 of a ring that is like neither."""
    real_masks = [disc(6), np.ones((4, 20), np.uint8)]
    ring = disc(9) - np.pad(disc(7), 2)
    images = [ImageRecord(n + 1, f"d{n}.png", WIDTH, HEIGHT, f"o{n}", "train", "real", "") for n in range(3)]
    placed = [full(mask, 20, 20) for mask in real_masks]
    ingest = Dataset(
        images,
        [Annotation.from_mask(n + 1, n + 1, 1, mask) for n, mask in enumerate(placed)],
        [Category(1, "spot"), Category(2, "none")],
        {},
    )
    items, elements = [], []
    for n in range(8):
        mask = full(ring if n >= 6 else real_masks[0], 5 + 8 * n, 30 if n % 2 else 12)
        items.append(
            ImageRecord(
                n + 1,
                f"spot/{n + 1:06d}.png",
                WIDTH,
                HEIGHT,
                "o2",
                "train",
                "synthetic",
                "abc",
                {"normal_file": "d2.png", "category": "spot", "index": n},
            )
        )
        elements.append(
            Annotation.from_mask(
                n + 1,
                n + 1,
                1,
                mask,
                {
                    "kind": "expert" if n >= 6 else "prior",
                    "parent": "e.json#0" if n >= 6 else 1,
                    "parent_image": "d0.png",
                    "parent_group": "o0",
                    "affine": [[1.0, 0.0, 5.0], [0.0, 1.0, 7.0]],
                    "seed": 3,
                    "expert_score": 8.5 if n == 6 else 6.0 if n == 7 else None,
                    "transforms": {
                        "rotation_deg": 12.5,
                        "scale": 1.0,
                        "flip": n == 7,
                        "place": "real",
                        "severity": 0.25,
                    },
                },
            )
        )
    return Dataset(items, elements, [Category(1, "spot"), Category(2, "none")], {}), ingest


def full(bitmap: np.ndarray, x: int, y: int) -> np.ndarray:
    mask_01 = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask_01[y : y + bitmap.shape[0], x : x + bitmap.shape[1]] = bitmap
    return mask_01


def test_copies_parents_and_scores_are_told(copies: Pools) -> None:
    found = statistics(*copies)["categories"]["spot"]
    assert found["counts"] == {
        "items": 8,
        "elements": 8,
        "real": 2,
        "by_kind": {"expert": 2, "prior": 6},
        "by_place": {"real": 8},
        "elements_per_item": {"1": 8},
        "normals": 1,
    }
    assert found["nearest"]["copies"] == 0.75 and found["nearest"]["pool_to_real"]["median"] == 0
    entropy = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert found["parents"]["used"] == 2 and found["parents"]["most_used"] == {"parent": "1", "elements": 6}
    assert found["parents"]["entropy_bits"] == pytest.approx(entropy, abs=1e-6)
    assert found["parents"]["effective"] == pytest.approx(2**entropy, abs=1e-6)
    assert found["scores"]["rated"] == 2 and found["scores"]["median"] == 7.25
    assert found["diversity"]["number"] == 2 and found["diversity"]["before"] > found["diversity"]["after"]
    assert found["sizes"]["area_px"]["real"]["most"] == int(disc(6).sum())


def test_a_category_without_masks_is_defined(copies: Pools, tmp_path: Path) -> None:
    content = write(*copies, tmp_path)
    empty = content["categories"]["none"]
    assert empty["counts"]["items"] == 0 and empty["parents"]["used"] == 0 and empty["scores"] == {"rated": 0}
    assert empty["nearest"] == {"pool_to_real": None, "real_to_real": None, "copies": None}
    json.dumps(content, allow_nan=False)
    assert "none" in text(content).splitlines()[0]


def test_files_are_the_same_every_time_and_of_the_promised_size(copies: Pools, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(*copies, tmp_path / name)
    names = sorted(str(path.relative_to(tmp_path / "a")) for path in (tmp_path / "a").rglob("*.*"))
    assert names == ["stats.json", "stats/none.png", "stats/spot.png"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    content = (tmp_path / "a" / "stats" / "spot.png").read_bytes()
    assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).shape[1] == 1200
    assert b"matplotlib" not in content.lower() and len(content) < 200_000


def test_the_table_is_aligned_and_holds_the_figures(copies: Pools) -> None:
    lines = text(statistics(*copies)).splitlines()
    table = lines[: lines.index("")]
    ends = {len(line) for line in table}
    assert len(ends) == 1, "figures are flush right"
    values = {line[:20].strip(): line[20:].split() for line in table}
    assert values["masks"] == ["8", "0"] and values["copies"] == ["0.75", "-"] and values["raters' mean"][0] == "7.25"


def test_a_test_mask_is_never_a_reference(copies: Pools) -> None:
    pool, ingest = copies
    seen = statistics(pool, ingest)["categories"]["spot"]["counts"]["real"]
    hidden = replace(
        ingest, images=[replace(image, split="test") if image.id == 1 else image for image in ingest.images]
    )
    assert (seen, statistics(pool, hidden)["categories"]["spot"]["counts"]["real"]) == (2, 1)


def test_splinters_are_no_reference_where_the_pool_left_them_out(copies: Pools) -> None:
    pool, ingest = copies
    speck = Annotation.from_mask(9, 2, 1, full(np.ones((1, 1)), 80, 50))
    split = replace(ingest, annotations=[*ingest.annotations, speck])
    real = [
        statistics(pool, split, fragment_share=share)["categories"]["spot"]["counts"]["real"] for share in (0.0, 0.1)
    ]
    assert real == [3, 2]


def test_a_pool_of_the_stage_has_statistics(ingest: Path, tmp_path: Path) -> None:
    run(PoolConfig(count=12), Context(1, inputs={"ingest": ingest}), tmp_path / "pool")
    content = statistics(load_dataset(tmp_path / "pool"), load_dataset(ingest), seed=1)
    assert [one["counts"]["items"] for one in content["categories"].values()] == [12, 12, 12]
    assert all(0 <= one["positions"]["overlap"] <= 1 for one in content["categories"].values())


# --- ancestry ---


def test_the_ancestry_names_parents_changes_scores_place_and_seed(copies: Pools, tmp_path: Path) -> None:
    pool, _ = copies
    pool.save(tmp_path / "run" / "pool")
    told = show(tmp_path / "run", "spot/000008.png")
    for words in (
        "spot/000008.png: spot, 1 element",
        "on normal photograph d2.png (object o2, train)",
        "drawn by an expert, e.json#0 on d0.png (object o0)",
        "raters' score: 6 of 10",
        "turned 12.5 degrees",
        "scaled 1 times",
        "mirrored",
        "severity 0.25",
        "place: real, x 61 to ",
        "seed 3",
        "1 0 5; 0 1 7",
        "SHA-256 abc",
    ):
        assert words in told, words
    assert "cut from real annotation 1 on d0.png" in show(tmp_path / "run" / "pool", "pool/spot/000001")
    assert "not rated" in "\n".join(ancestry(pool, pool.images[0]))


Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    "change",
    [
        lambda origin: {},
        lambda origin: {**origin, "transforms": None},
        lambda origin: {**origin, "plausibility": 0.7, "kind": "other"},
    ],
)
def test_pools_of_other_versions_are_told_too(copies: Pools, change: Change) -> None:
    pool, ingest = copies
    other = replace(pool, annotations=[replace(one, provenance=change(one.provenance)) for one in pool.annotations])
    told = "\n".join(ancestry(other, "spot/000001.png"))
    assert "element 1" in told
    assert ("plausibility: 0.7" in told) == ("plausibility" in other.annotations[0].provenance)
    text(statistics(other, ingest))


def test_an_unknown_item_is_named_and_the_nearest_offered(copies: Pools) -> None:
    with pytest.raises(InputError, match=r"spot/000009\.png: MISSING: .*: one is spot/00000\d\.png"):
        find_item(copies[0], "spot/000009.png")
    with pytest.raises(InputError, match="it is empty"):
        find_item(Dataset([], [], []), "spot/1")
