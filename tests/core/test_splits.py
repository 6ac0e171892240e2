"""Groups never cross the split, whatever is planted; added files leave old assignments alone.

150 drawn data sets in ``make test``, ``FUZZ=10000`` by hand.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly_gan.core.dataset import Dataset, ImageRecord
from anomaly_gan.core.errors import InputError
from anomaly_gan.ingestion.splits import (
    NORMAL,
    bounds,
    merge_duplicates,
    prove_disjoint,
    split_by_fold,
    split_by_hash,
)

photo = st.tuples(
    st.integers(0, 30).map("g{}".format),
    st.integers(0, 60).map("bytes{}".format),
    st.sampled_from(["crack", "break", NORMAL]),
)


@settings(max_examples=int(os.environ.get("FUZZ", "150")), deadline=None)
@given(st.lists(photo, min_size=1, max_size=80), st.floats(0.05, 0.6))
def test_neither_groups_nor_equal_bytes_cross(photos: list[tuple[str, str, str]], share: float) -> None:
    groups, _ = merge_duplicates([group for group, _, _ in photos], [mark for _, mark, _ in photos])
    categories_of: dict[str, set[str]] = defaultdict(set)
    for group, (_, _, category) in zip(groups, photos, strict=True):
        categories_of[group].add(category)
    try:
        sides = split_by_hash(categories_of, share)
    except InputError as error:
        assert error.code == "E7"
        return
    images = [
        ImageRecord(index, f"{index}.png", 8, 8, group, sides[group], "real", mark)
        for index, (group, (_, mark, _)) in enumerate(zip(groups, photos, strict=True))
    ]
    prove_disjoint(Dataset(images, [], []))
    by_name = defaultdict(set)
    for image, (name, _, _) in zip(images, photos, strict=True):
        by_name[name].add(image.split)
    assert all(len(found) == 1 for found in by_name.values())
    for category in {category for _, _, category in photos} - {NORMAL}:
        assert {sides[group] for group, found in categories_of.items() if category in found} == {"train", "test"}


@pytest.mark.parametrize("count", [2, 3, 8, 11, 19, 148, 1000])
def test_every_category_gets_about_its_share(count: int) -> None:
    sides = split_by_hash({f"tile{index}": {"crack"} for index in range(count)}, 0.25)
    tests = sum(side == "test" for side in sides.values())
    low, high = bounds(count, 0.25)
    assert low <= tests <= high and 0 < tests < count
    assert abs(tests - 0.25 * count) <= max(1, 0.25 * count / 3)


def test_files_added_later_do_not_move_old_ones_in_a_large_category() -> None:
    names = [f"object-{index}" for index in range(400)]
    before = split_by_hash({name: {"crack"} for name in names[:200]}, 0.25)
    after = split_by_hash({name: {"crack"} for name in names}, 0.25)
    assert all(after[name] == side for name, side in before.items())


def test_in_a_small_category_one_added_group_moves_at_most_one_old_one() -> None:
    names = [f"part-{index}" for index in range(40)]
    for count in range(2, 39):
        before = split_by_hash({name: {"crack"} for name in names[:count]}, 0.25)
        after = split_by_hash({name: {"crack"} for name in names[: count + 1]}, 0.25)
        assert sum(after[name] != side for name, side in before.items()) <= 1


def test_the_order_of_files_does_not_matter() -> None:
    categories = {f"g{index}": {"crack" if index % 3 else "break"} for index in range(50)}
    assert split_by_hash(categories, 0.3) == split_by_hash(dict(reversed(categories.items())), 0.3)


def test_a_category_of_one_group_stops() -> None:
    with pytest.raises(InputError, match="crack: E7"):
        split_by_hash({"a": {"crack"}, "b": {NORMAL}, "c": {NORMAL}}, 0.25)


def test_duplicates_join_groups_transitively() -> None:
    groups, joins = merge_duplicates(["a", "b", "c", "d"], ["x", "x", "y", "z"])
    assert groups == ["a", "a", "c", "d"] and joins == 1
    groups, joins = merge_duplicates(["c", "b", "b", "a", "a"], ["1", "1", "2", "2", "3"])
    assert set(groups) == {"a"} and joins == 2


def test_folds_must_agree_within_a_group() -> None:
    assert split_by_fold(["a", "b"], [0, 1], 0, ["1.png", "2.png"]) == {"a": "test", "b": "train"}
    with pytest.raises(InputError, match=r"2\.png: E3"):
        split_by_fold(["a", "a", "b"], [0, 1, 1], 0, ["1.png", "2.png", "3.png"])
    with pytest.raises(InputError, match="E7"):
        split_by_fold(["a", "b"], [0, 1], 5, ["1.png", "2.png"])


def test_a_planted_leak_is_caught() -> None:
    one = ImageRecord(1, "1.png", 8, 8, "g", "train", "real", "aa")
    with pytest.raises(InputError, match=r"2\.png: E3.*1\.png"):
        prove_disjoint(Dataset([one, replace(one, id=2, file_name="2.png", split="test", sha256="bb")], [], []))
    with pytest.raises(InputError, match=r"2\.png: E1.*1\.png"):
        prove_disjoint(Dataset([one, replace(one, id=2, file_name="2.png", split="test", group_id="h")], [], []))
