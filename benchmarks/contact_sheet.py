"""Generated defects of two versions side by side at 1:1: what an engineer would look at, before and after.

    git worktree add /tmp/before 86b6a3f
    cd /tmp/before && python -m anomaly_gan run before.yaml --out BEFORE --to generate     # that version's own program
    anomaly-gan run after.yaml --out AFTER --to generate
    python benchmarks/contact_sheet.py BEFORE AFTER --out sheet.jpg

Both runs set their data and amounts alone; ``compare.arms`` names the methods that need no training (bare exemplars,
``examples`` in the older version, which wants ``train.steps: 2`` to write them down, and ``copy_paste``). Per category
one row of crops at native scale, and one of the same with the label's outline; left the older version, right this one,
of each its first photographs by each method: nobody chooses them. ``--real`` lays real defects beside them, for the eye
alone: photographs that are not ours stay out of the repository.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.files import write_bytes
from anomaly_gan.core.images import read_record

METHODS = (("exemplar", "examples"), ("copy_paste",))
"""Each with its older name."""
HEAD_PX, GAP_PX, WHITE = 16, 10, (255, 255, 255)
Crops = dict[str, list[tuple[np.ndarray, np.ndarray]]]


def crops_of(dataset: Dataset, count: int, side: int) -> Crops:
    """Per category (crop, the same with its label's outline) of the first photographs that show it."""
    found: Crops = {}
    for category in dataset.categories:
        shown = dataset.showing(category.id)[:count]
        found[category.name] = [
            crop(read_record(dataset, image, dataset.gray), largest.mask(), side) for image, largest in shown
        ]
    return found


def crop(pixels: np.ndarray, mask: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """``side`` × ``side`` at native scale around the mask's middle, white where the photograph ends; and outlined."""
    rows, columns = np.nonzero(mask)
    top = int(np.clip(rows.mean() - side / 2, 0, max(0, pixels.shape[0] - side)))
    left = int(np.clip(columns.mean() - side / 2, 0, max(0, pixels.shape[1] - side)))
    cut = slice(top, top + side), slice(left, left + side)
    part = pixels[cut] if pixels.ndim == 3 else np.repeat(pixels[cut][:, :, None], 3, axis=2)
    lines, _ = cv2.findContours(mask[cut].copy(), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    both = [np.full((side, side, 3), 255, np.uint8) for _ in range(2)]
    for cell, shown in zip(both, (part, cv2.drawContours(part.copy(), lines, -1, (255, 60, 60), 1)), strict=True):
        cell[: shown.shape[0], : shown.shape[1]] = shown
    return both[0], both[1]


def block(crops: list[tuple[np.ndarray, np.ndarray]], count: int, side: int) -> np.ndarray:
    """Two rows: the crops, and the same outlined; white where there are fewer than ``count``."""
    blank = np.full((side, side, 3), 255, np.uint8)
    filled = [*crops, *[(blank, blank)] * (count - len(crops))]
    framed = [[cv2.copyMakeBorder(one, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=WHITE) for one in two] for two in filled]
    return np.vstack([np.hstack([two[row] for two in framed]) for row in (0, 1)])


def folder_of(run: Path, names: tuple[str, ...]) -> Path:
    """The run's generated photographs by the method of one of these names."""
    for name in names:
        if (folder := run / f"generate@{name}").is_dir():
            return folder
    sys.exit(f"{run}: no generate@{names[0]} ({', '.join(names)})")


def sheet(before: Path, after: Path, count: int, side: int, real: bool) -> np.ndarray:
    columns = [
        (f"{version}: {names[0].replace('_', '-')}", crops_of(load_dataset(folder_of(run, names)), count, side))
        for version, run in (("before", before), ("after", after))
        for names in METHODS
    ]
    if real:
        columns.insert(0, ("real", crops_of(load_dataset(after / "ingest").split("train"), count, side)))
    rows = []
    for category in columns[-1][1]:
        cells = []
        for at, (words, crops) in enumerate(columns):
            cell = block(crops.get(category, []), count, side)
            cell = cv2.copyMakeBorder(cell, HEAD_PX, 0, 0, GAP_PX, cv2.BORDER_CONSTANT, value=WHITE)
            title = f"{category}, {words}" if at == 0 else words
            cells.append(cv2.putText(cell, title, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA))
        rows.append(np.hstack(cells))
    return np.vstack(rows)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("before", type=Path)
    arguments.add_argument("after", type=Path)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--count", type=int, default=3, help="crops of each category by each method")
    arguments.add_argument("--side", type=int, default=96, help="pixels of a crop")
    arguments.add_argument("--quality", type=int, default=88, help="of the JPEG")
    arguments.add_argument("--real", action="store_true", help="real defects beside them, not to be published")
    asked = arguments.parse_args()
    drawn = sheet(asked.before, asked.after, asked.count, asked.side, asked.real)
    quality = [cv2.IMWRITE_JPEG_QUALITY, asked.quality] if asked.out.suffix == ".jpg" else []
    _, coded = cv2.imencode(asked.out.suffix, drawn[:, :, ::-1], quality)
    write_bytes(asked.out, coded.tobytes())
    sys.stdout.write(f"{asked.out}: {drawn.shape[1]} × {drawn.shape[0]} px, {len(coded) / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
