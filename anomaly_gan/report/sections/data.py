"""What went in: counts, groups, rejects, examples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ...core.dataset import Annotation, Dataset, ImageRecord
from ...ingestion.splits import NORMAL_ROW, counts
from ..config import ReportConfig
from ..folders import Run, StageFolder
from ..pictures import Album, Picture, cut, largest, load_pixels, native_window, outlined, union_mask
from ..tables import Table, evenly, metric_tables, table

NORMAL = "normal (no defect)"


@dataclass(frozen=True)
class Examples:
    """Photographs of one category with the outline of their masks, whole and around their largest defect."""

    name: str
    whole: list[Picture | None]
    near: list[Picture | None]

    def add(
        self, dataset: Dataset, image: ImageRecord, annotations: list[Annotation], album: Album, side_px: int
    ) -> None:
        pixels = load_pixels(dataset, image)
        if pixels is None:
            return
        mask = union_mask(annotations, *pixels.shape[:2])
        self.whole.append(album.whole(outlined(pixels, mask, 1), f"{self.name}: {image.file_name}"))
        window = native_window(largest(annotations).mask() if annotations else mask, side_px)
        shown = outlined(cut(pixels, window), cut(mask, window), side_px)
        self.near.append(album.photo(shown, f"{self.name}: {image.file_name}, around its largest defect"))


def build(run: Run, album: Album, config: ReportConfig) -> dict[str, object] | None:
    stage = run.get("ingest")
    dataset = stage.dataset() if stage else None
    if stage is None or dataset is None:
        return None
    return {
        "simulated": is_simulated(stage, dataset),
        "counts": count_table(dataset),
        "groups_in_both": groups_in_both(dataset),
        "groups": len({image.object for image in dataset.images}),
        "images": len(dataset.images),
        "rejects": reject_table(stage),
        "found": stage.metrics.get("found"),
        "accepted": stage.metrics.get("accepted"),
        "examples": examples(dataset, album, config),
        "metrics": metric_tables(stage.metrics),
    }


def is_simulated(stage: StageFolder, dataset: Dataset) -> bool:
    """Whether these photographs are drawn by a program: said by the stage, or read from the embedded sample."""
    told = any(bool(place.get("simulated")) for place in (stage.metrics, dataset.info))
    return told or any(str(value).startswith("embedded:sample") for value in stage.config.values())


def groups_in_both(dataset: Dataset) -> int:
    """Number of physical objects that appear in more than one split; anything but 0 is a leak."""
    splits: dict[str, set[str]] = {}
    for image in dataset.images:
        splits.setdefault(image.object, set()).add(image.split)
    return sum(len(found) > 1 for found in splits.values())


def count_table(dataset: Dataset) -> Table:
    """Images, instances and objects of every category on both sides of the split."""
    sides = counts(dataset)
    heads = [f"{side}: {what}" for side in sides for what in ("images", "instances", "objects")]
    return table(
        ["category", *heads],
        [
            [
                NORMAL if name == NORMAL_ROW else name,
                *(
                    value
                    for side in sides.values()
                    for value in (side[name]["images"], side[name]["instances"], side[name]["groups"])
                ),
            ]
            for name in sides["train"]
        ],
    )


def reject_table(stage: StageFolder) -> Table | None:
    """Records that did not come in, by fate and fault code, with the first of each; None where there are none."""
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], dict[str, object]] = {}
    for row in stage.json_lines("rejects.jsonl"):
        key = str(row.get("outcome", "rejected")), str(row.get("code") or row.get("reason") or "?")
        counts[key] += 1
        first.setdefault(key, row)
    rows = [
        [
            fate,
            row.get("code"),
            counts[fate, code],
            row.get("where") or row.get("file"),
            row.get("reason"),
            row.get("remedy"),
        ]
        for (fate, code), row in sorted(first.items(), key=lambda item: item[0])
    ]
    return table(["fate", "code", "records", "first", "reason", "what to do"], rows) if rows else None


def examples(dataset: Dataset, album: Album, config: ReportConfig) -> list[Examples]:
    """Training photographs of different groups for each category, evenly spaced; normals last."""
    train = dataset.split("train")
    by_image = train.by_image()
    shown = []
    for category in train.categories[: config.categories]:
        found = [
            image for image in train.images if any(a.category_id == category.id for a in by_image.get(image.id, []))
        ]
        shown.append((category.name, found))
    shown.append((NORMAL, train.normals()))
    result = []
    for name, found in shown:
        one_a_group = list({image.group_id: image for image in reversed(found)}.values())[::-1]
        lines = Examples(name, [], [])
        for image in evenly(one_a_group, 4):
            lines.add(train, image, by_image.get(image.id, []), album, config.cell_px)
        result.append(lines)
    return result
