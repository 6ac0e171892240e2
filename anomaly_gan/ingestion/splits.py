"""Dividing a data set once into train and test, whole groups only.

The rule of chance: every group has a fixed number h(group) in [0, 1), the SHA-256 of its name. It belongs to the
test split where h < ``test_share``. So a group's side depends on its name alone, and files added later move
nothing (E8) - with two exceptions that a small data set needs: a category whose number of test groups would miss
``test_share`` by more than a third (and by more than rounding), or would leave one side empty, takes the groups of
lowest h instead until it is within that margin. Only there can an added group move an old one, and then one.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ..core.dataset import Dataset, ImageRecord
from ..core.errors import InputError

FOLDS = 4
"""Folds to which objects (or, of the leaky split, photographs) are dealt where a data set names none."""
MARGIN = 1 / 3
NORMAL = ""
"""The name under which photographs without defect are stratified."""
NORMAL_ROW, IN_ALL = "normal", "in all"
"""Rows of :func:`counts` beside the categories."""


class Groups:
    """Union-find over group names: what shares a name or the same bytes is one object (E1)."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def root(self, name: str) -> str:
        path = []
        while (above := self._above.setdefault(name, name)) != name:
            path.append(name)
            name = above
        for item in path:
            self._above[item] = name
        return name

    def join(self, first: str, second: str) -> bool:
        """Make the two one; the lesser name stands for both. True where they were apart before."""
        low, high = sorted((self.root(first), self.root(second)))
        self._above[high] = low
        return low != high


def merge_duplicates(groups: Sequence[str], fingerprints: Sequence[str]) -> tuple[list[str], int]:
    """The group of every photograph after joining those with equal fingerprints, and how many joins there were."""
    union = Groups()
    first: dict[str, str] = {}
    joins = sum(
        union.join(first.setdefault(mark, group), group) for group, mark in zip(groups, fingerprints, strict=True)
    )
    return [union.root(group) for group in groups], joins


def group_number(group: str) -> float:
    """h(group) in [0, 1)."""
    return int.from_bytes(hashlib.sha256(b"split/" + group.encode("utf-8")).digest()[:7], "big") / 2**56


def split_by_hash(categories_of: Mapping[str, Iterable[str]], test_share: float) -> dict[str, str]:
    """``train`` or ``test`` for every group. ``categories_of``: group -> its categories (``NORMAL`` for none).

    Raises:
        InputError: E7 a category has fewer than 2 groups, or shares them so that no division serves it.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for group, categories in categories_of.items():
        for category in set(categories):
            members[category].append(group)
    for category, groups in sorted(members.items()):
        if category != NORMAL and len(groups) < 2:
            raise _too_few(category, f"has {len(groups)} group of photographs")
    test: set[str] = set()
    dealt: set[str] = set()
    # rare categories first: where groups are shared, the rare one has the least choice
    for category in sorted(members, key=lambda name: (name == NORMAL, len(members[name]), name)):
        groups = sorted(members[category], key=lambda group: (group_number(group), group))
        low, high = bounds(len(groups), test_share)
        free = [group for group in groups if group not in dealt]
        natural = sum(group_number(group) < test_share for group in free)
        already = sum(group in test for group in groups)
        wanted = min(max(already + natural, low), high) - already
        test.update(free[: max(0, wanted)])
        dealt.update(groups)
    for category, groups in sorted(members.items()):
        chosen = sum(group in test for group in groups)
        if category != NORMAL and not 0 < chosen < len(groups):
            raise _too_few(category, f"shares its {len(groups)} groups with other categories")
    return {group: "test" if group in test else "train" for group in categories_of}


def bounds(count: int, test_share: float) -> tuple[int, int]:
    """The least and the greatest number of test groups allowed among ``count``; a single group is for training."""
    if count < 2:
        return 0, 0
    wanted = test_share * count
    low = min(max(1, math.ceil(wanted * (1 - MARGIN))), count - 1)
    return low, min(max(low, math.floor(wanted * (1 + MARGIN))), count - 1)


def split_by_fold(
    groups: Sequence[str], folds: Sequence[int | None], test_fold: int, files: Sequence[str]
) -> dict[str, str]:
    """``test`` for groups of the fold ``test_fold``, ``train`` for the others.

    Raises:
        InputError: E3 a group lies in two folds (E1, where equal photographs made it so), or nothing is in the fold.
    """
    seen: dict[str, tuple[int | None, str]] = {}
    for group, fold, file in zip(groups, folds, files, strict=True):
        other, other_file = seen.setdefault(group, (fold, file))
        if (other == test_fold) != (fold == test_fold):
            raise InputError(
                file,
                "E3",
                f"is of the same object as {other_file} (group {group}), but in another fold",
                "give both the same fold",
            )
    result = {group: "test" if fold == test_fold else "train" for group, (fold, _) in seen.items()}
    for side in ("train", "test"):
        if side not in result.values():
            raise InputError(
                "groups",
                "E7",
                f"with fold {test_fold} as test, no photograph is left for {side}",
                "choose another fold",
            )
    return result


def split_by_image(categories_of: Mapping[str, Iterable[str]], test_fold: int) -> dict[str, str]:
    """The leaky split: every photograph (its name is its group) by its own hash, objects torn apart."""
    return _dealt(categories_of, test_fold, "image/")


def split_by_object(categories_of: Mapping[str, Iterable[str]], test_fold: int) -> dict[str, str]:
    """Folds of whole objects (groups) where the data set names none.

    Raises:
        InputError: E7 there is no such fold.
    """
    if not 0 <= test_fold < FOLDS:
        raise InputError(
            "fold",
            "E7",
            f"objects are dealt to the folds 0 to {FOLDS - 1}, {test_fold} is none",
            "choose one of these, or give a groups file with a column fold",
        )
    return _dealt(categories_of, test_fold, "object/")


def _dealt(categories_of: Mapping[str, Iterable[str]], test_fold: int, salt: str) -> dict[str, str]:
    """``train`` or ``test`` for every name. Those of each category, rarest first, are dealt to ``FOLDS`` folds in the
    order of their hash, so that every fold has its share of every category, as random splits stratified by class do.
    """
    count: dict[str, int] = defaultdict(int)
    for categories in categories_of.values():
        for category in set(categories):
            count[category] += 1

    def place(name: str) -> tuple[bool, int, str, float, str]:
        rarest = min(categories_of[name], key=lambda category: (count[category], category))
        return rarest == NORMAL, count[rarest], rarest, group_number(salt + name), name

    dealt = sorted(categories_of, key=place)
    return {name: "test" if index % FOLDS == test_fold else "train" for index, name in enumerate(dealt)}


def choose_objects(categories_of: Mapping[str, Iterable[str]], most: int, draw: int = 0) -> set[str]:
    """The groups that may stay where each category shall have at most ``most`` of them; ``NORMAL`` ones always may.

    Filled in rounds of one per category by a fixed hash of the group's name, so that the choice for ``n`` holds the
    choice for ``n - 1``; every ``draw`` has a hash of its own.
    """
    wanted = {group: set(categories) - {NORMAL} for group, categories in categories_of.items()}
    queue = sorted(
        (group for group in wanted if wanted[group]),
        key=lambda group: (group_number(f"few{draw or ''}/{group}"), group),
    )
    kept = {group for group in wanted if not wanted[group]}
    filled: dict[str, int] = defaultdict(int)
    for most_yet in range(1, most + 1):
        for group in queue:
            if group not in kept and all(filled[category] < most_yet for category in wanted[group]):
                kept.add(group)
                for category in wanted[group]:
                    filled[category] += 1
    return kept


def require_both_sides(categories_of: Mapping[str, Iterable[str]], sides: Mapping[str, str]) -> None:
    """Raise InputError E7 where a category stands on one side only."""
    found: dict[str, set[str]] = defaultdict(set)
    for group, categories in categories_of.items():
        for category in categories:
            found[category].add(sides[group])
    for category, where in sorted(found.items()):
        if category != NORMAL and len(where) < 2:
            raise _too_few(category, f"is only in {where.pop()}")


def prove_disjoint(dataset: Dataset) -> None:
    """Check that no object and no photograph's bytes are on both sides of the split.

    Raises:
        InputError: E3 a group, or E1 a SHA-256, is found in two splits; the message names both photographs.
    """
    for code, key in (("E3", "group_id"), ("E1", "sha256")):
        seen: dict[str, tuple[str, str]] = {}
        for image in dataset.images:
            value = getattr(image, key)
            split, other = seen.setdefault(value, (image.split, image.file_name))
            if split != image.split:
                raise InputError(
                    image.file_name,
                    code,
                    f"is in {image.split}, and {other} with the same {key} is in {split}",
                    "run ingest again: groups must not cross the split",
                )


def _too_few(category: str, reason: str) -> InputError:
    return InputError(
        f"category {category}",
        "E7",
        f"{reason}; train and test need at least one each",
        "photograph more objects, or leave it out with `categories`",
    )


def counts(dataset: Dataset) -> dict[str, dict[str, dict[str, int]]]:
    """Per split, then per category: ``images``, ``groups`` (physical objects) and ``instances``.

    ``normal`` are the photographs without a defect. ``in all`` counts an object once that others count in two
    categories. A category of one of these names has ``(category)`` behind it.
    """
    own = {NORMAL_ROW, IN_ALL}
    names = {key: f"{name} (category)" if name in own else name for key, name in dataset.category_names().items()}
    result = {}
    for split in ("train", "test"):
        part = dataset.split(split)
        labels = part.by_image()
        shown = {
            image.id: {names[item.category_id] for item in labels.get(image.id, [])} or {NORMAL_ROW}
            for image in part.images
        }
        of_category = Counter(names[item.category_id] for item in part.annotations)
        result[split] = {
            name: _count([image for image in part.images if name in shown[image.id]], of_category[name])
            for name in [*sorted(names.values()), NORMAL_ROW]
        }
        result[split][IN_ALL] = _count(part.images, len(part.annotations))
    return result


def _count(images: Sequence[ImageRecord], instances: int) -> dict[str, int]:
    return {"images": len(images), "groups": len({image.object for image in images}), "instances": instances}
