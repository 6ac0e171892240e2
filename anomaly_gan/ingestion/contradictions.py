"""What only the whole set can contradict: the same photograph labelled twice, masks of several values, boxes beside.

Photographs count as the same where their pixels are (``fingerprint``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from ..core.dataset import Annotation
from ..core.errors import InputError
from .accepted import Accepted
from .ledger import Notes, refuse

FULL = frozenset({1, 65535, *range(250, 256)})
"""Values that masks of one class have when they are full, whatever program wrote them."""
Mark = tuple[str, int, str]


def marks_of(instances: Iterable[tuple[str, Annotation]]) -> frozenset[Mark]:
    """What a label says, comparable: category, crowd and run lengths of every instance."""
    return frozenset((name, item.iscrowd, str(item.segmentation["counts"])) for name, item in instances)


def same_photographs(entries: Sequence[Accepted]) -> list[tuple[Accepted, list[Accepted]]]:
    """Photographs that lie in several class folders, each with the others that are the same.

    Raises:
        InputError: E10 the same photograph is sound in one place and labelled in another, or its labels differ.
    """
    alike: dict[str, list[Accepted]] = defaultdict(list)
    for entry in entries:
        alike[entry.fingerprint].append(entry)
    merged = []
    for group in (group for group in alike.values() if len(group) > 1):
        labels = [marks_of(entry.instances) for entry in group]
        if len(set(labels)) == 1:
            continue  # copies that agree: one group, as before
        first = group[0]
        other, told = next((entry, label) for entry, label in zip(group, labels, strict=True) if label != labels[0])
        if not labels[0] or not told:
            sound, labelled = (first, other) if not labels[0] else (other, first)
            reason = f"is sound here, and shows a defect as {labelled.source}: the pixels are the same"
            raise refuse(sound.source, "E10", reason, "remove the one that is wrong")
        shared = {name for name, _, _ in labels[0]} & {name for name, _, _ in told}
        if not all(entry.by_folder for entry in group) or shared:
            reason = f"has other labels than {other.source}, and the pixels are the same"
            raise refuse(first.source, "E10", reason, "keep one of the two, with all its defects")
        merged.append((first, group[1:]))
    return merged


class SetChecks:
    """Collects over all photographs what none of them can tell alone."""

    def __init__(self) -> None:
        self._values: dict[str, Counter[int]] = defaultdict(Counter)
        self._boxes: Counter[bool] = Counter()
        self._first_miss = ""
        self._taken = 0
        self._inverted: list[str] = []

    def take(self, file: str, category: str, notes: Notes) -> None:
        """``category``: what the folder says, ``""`` where it says nothing."""
        self._taken += 1
        if "B8" in notes.warnings:
            self._inverted.append(file)
        if notes.mask_value is not None:
            self._values[category][notes.mask_value] += 1
        self._boxes.update(notes.boxes)
        if not self._first_miss and not all(notes.boxes):
            self._first_miss = file

    def stop(self, root: str, told: bool) -> None:
        """
        ``told``: whether the user has said what the values of masks mean.

        Raises:
            InputError: B8 most masks look inverted; B14 masks of one category have several values, which are classes;
                D18 most boxes of the label file lie elsewhere than its outlines.
        """
        if len(self._inverted) > self._taken / 2 and not told:
            few = f"{len(self._inverted)} of {self._taken} masks call nearly all of their photograph a defect"
            remedy = "invert them, or say that they are right: --classes 255=NAME"
            raise refuse(root, "B8", f"{few}, first that of {self._inverted[0]}", remedy)
        for category, counts in sorted(self._values.items()):
            if len(counts) > 1 and not set(counts) <= FULL:
                raise _values(root, category, counts)
        missed = self._boxes[False]
        if missed > sum(self._boxes.values()) / 2:
            raise refuse(
                root,
                "D18",
                f"{missed} of {sum(self._boxes.values())} boxes (or areas) lie elsewhere than their outlines, "
                f"first at {self._first_miss}",
                "x and y may be exchanged, or coordinates be percent or of another size: export again",
            )


def _values(root: str, category: str, counts: Counter[int]) -> InputError:
    listing = ", ".join(f"{value} in {count}" for value, count in sorted(counts.items())[:8])
    example = ",".join(f"{value}=NAME" for value in sorted(counts)[:4])
    of = f" of {category!r}" if category else ""
    return refuse(
        root,
        "B14",
        f"the masks{of} have the value {listing} photographs: these may be classes",
        f"say what they are: --classes {example} (* for the folder's category)",
    )
