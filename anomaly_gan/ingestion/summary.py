"""What an ingest found, in words for the console: a table of the categories, and everything one should know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core.config import read_yaml
from ..core.dataset import Dataset, load_dataset
from ..core.json_files import lines_as, read_as, understood
from .splits import NORMAL_ROW, counts

SHOWN = 5
"""Most refusals that are told one by one."""
MASK = "mask of a photograph"
SIDES = ("train", "test")


@dataclass(frozen=True)
class Refused:
    """A line of ``rejects.jsonl``, as far as it is told here; what was skipped has no message."""

    outcome: str
    message: str = ""


def summary_lines(folder: Path) -> list[str]:
    """The lines, from what the finished stage wrote into ``folder``.

    Raises:
        InputError: ``folder`` holds no data set of ours.
    """
    dataset = load_dataset(folder)
    refused = [row.message for row in lines_as(folder / "rejects.jsonl", Refused) if row.outcome == "rejected"]
    more = [f"{len(refused) - SHOWN} more, all in {folder / 'rejects.jsonl'}"] if refused[SHOWN:] else []
    path = folder / "metrics.json"
    metrics = read_as(path, dict)
    with understood(path):
        return [
            _headline(metrics),
            *(f"  {line}" for line in _table(dataset)),
            *(f"  {line}" for line in _findings(metrics)),
            *(f"  refused: {line}" for line in [*refused[:SHOWN], *more]),
            *(f"  mind: {line}" for line in metrics.get("remarks", [])),
            *(f"  mind: {line}" for line in _cautions(dataset, read_yaml(folder / "config.yaml"))),
        ]


def _headline(metrics: Mapping[str, Any]) -> str:
    fates = [f"{metrics['accepted']} accepted"]
    fates += [f"{count} refused" for count in [sum(metrics["rejected"].values())] if count]
    fates += [f"{count} skipped ({reason})" for reason, count in metrics["skipped"].items()]
    found = counted(metrics["found"], "photograph")
    return f"ingest ({metrics['format']}): {found} found, {', '.join(fates)}"


def _table(dataset: Dataset) -> Iterator[str]:
    whole = counts(replace(dataset, images=[replace(image, split="train") for image in dataset.images]))["train"]
    sides = counts(dataset)
    rows = [["category", "instances", "photographs", "objects", *(f"in {side}" for side in SIDES)]]
    for name, row in whole.items():
        sound = name == NORMAL_ROW
        rows.append(
            [
                "sound, no defect" if sound else name,
                "–" if sound else str(row["instances"]),
                str(row["images"]),
                str(row["groups"]),
                *(f"{sides[side][name]['images']} ({sides[side][name]['groups']})" for side in SIDES),
            ]
        )
    yield from aligned(rows)
    yield "(on either side of the split: photographs, and the objects they show)"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines: the first column to the left, the others to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _findings(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Ignored files, repairs and warnings, each kind with its number and one example."""
    ignored = dict(metrics.get("ignored_suffixes", {}))
    others = sum(metrics["ignored"].values()) - metrics["ignored"].get(MASK, 0) - sum(ignored.values())
    ignored |= {"others": others} if others > 0 else {}
    if ignored:
        yield f"ignored files: {', '.join(f'{count} {name}' for name, count in ignored.items())}"
    examples = metrics.get("examples", {})
    for title, found in (("repaired", metrics["repaired"]), ("warning", metrics["warned"])):
        for code, count in found.items():
            example = examples.get(code, {})
            words = f"{code} {example['words']}" if "words" in example else code
            such = f", such as {example['file']}" if "file" in example else ""
            yield f"{title}: {words} ({counted(count, 'photograph')}{such})"
    if metrics["duplicates_joined"]:
        yield f"photographs with the same pixels are one object: {metrics['duplicates_joined']} joined"
    for name, count in metrics["annotations_left_out"].items():
        yield f"left out, for `categories` does not name it: {counted(count, 'instance')} of {name}"
    if metrics["groups_rows_unused"]:
        yield f"rows of the groups file without a photograph: {metrics['groups_rows_unused']}"


def _cautions(dataset: Dataset, config: Mapping[str, Any]) -> Iterator[str]:
    """What makes the stages to come worth little."""
    of_side = {side: len(dataset.split(side).normals()) for side in SIDES}
    if not sum(of_side.values()):
        yield (
            "no sound photograph: defects are painted into photographs of sound parts, so there is nothing to paint "
            "into; add some, in a folder named as one of `normal`, or unlabelled as your format has it"
        )
    elif of_side["train"] <= 1:
        yield (
            f"{'only one' if of_side['train'] else 'no'} sound photograph to paint defects into (training side): "
            "every generated photograph will have the same background; add more"
        )
    elif not of_side["test"]:
        yield "no sound photograph on the test side: nobody will know how often a detector calls a sound part bad"
    objects = {image.object for image in dataset.images}
    told = config.get("groups") is not None or config.get("group_regex") is not None
    if not told and len(objects) == len(dataset.images) > 1:
        yield (
            "no groups told: every photograph counts as an object of its own; where a part was photographed twice, "
            "say so with --group-regex or --groups, or test photographs will show parts that were learnt"
        )
    if config.get("split") == "images":
        yield "split: images deals out photographs, not objects: figures of the test side are too good"
    for name, row in counts(dataset)["train"].items():
        if name not in (NORMAL_ROW, "in all") and row["groups"] == 1:
            yield f"{name}: one object alone to learn from"


def counted(number: int, noun: str) -> str:
    """``1 photograph``, ``3 photographs``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
