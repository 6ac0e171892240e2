"""Bare examples under the masks of a pool, beside real defects: a contact sheet at 1:1, and whether a probe can tell.

No generator is trained: what is looked at is what every generator starts from, and what copy-paste gives. Windows of
64 px at native scale (a larger defect shows a part of itself). Per category:

* ``outline``: share of the made whose gradient along the mask's outline lies between the 5th and 95th percentile of
  the real ones' (``metrics.seam``; 0.9 is alike);
* ``two_sample``: AUROC of a probe, real against made, on objects it has not seen, with its 95 % interval over objects
  (``metrics.two_sample``; 0.5 is alike);
* ``follows``: how far the brightness of the category's defects follows that of the surface (1 a crack, 0 paper);
* ``through``: how much of the surface's structure goes on in them (1 a crack, 0 a washer).

    python benchmarks/layers.py RUN --sheet sheet.png

Of each category four rows: real, real with label, made, made with mask. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import cv2
import numpy as np

from anomaly_gan.core.dataset import Annotation, Dataset, load_dataset
from anomaly_gan.core.images import encode_png, read_pixels
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.metrics.seam import seam_score
from anomaly_gan.metrics.two_sample import describe, real_against_made
from anomaly_gan.synthesis.pairs.exemplar import Exemplar, as_bank, best_fitting, warp_both
from anomaly_gan.synthesis.pairs.windows import Framing, cut_window

SIDE, MOST, CANDIDATES = 64, 60, 4
Cut = tuple[np.ndarray, np.ndarray, str]


class Category:
    """Windows (pixels, mask, object) of one category: real ones, and made ones."""

    def __init__(self, name: str, number: int, train: Dataset, pool: Dataset) -> None:
        self.name, self.rng = name, rng_for(1, "layers", name)
        self.gray = train.gray
        by_id, by_name = ({getattr(one, key): one for one in train.images} for key in ("id", "file_name"))
        bases = {one.id: by_name[one.extra["normal_file"]] for one in pool.images}
        real = [one for one in train.annotations if one.category_id == number and one.area]
        chosen = [real[at] for at in self.rng.permutation(len(real))[:MOST]]
        self.real = [cut for one in chosen if (cut := self._cut(one, by_id[one.image_id], train)) is not None]
        bank = as_bank([Exemplar(pixels, mask) for pixels, mask, _ in self.real])
        self.substance = bank[0].substance
        planned = [one for one in pool.annotations if one.category_id == number][:MOST]
        grounds = [cut for one in planned if (cut := self._cut(one, bases[one.image_id], train)) is not None]
        self.made = [(self._lay(bank, pixels, mask), mask, group) for pixels, mask, group in grounds]

    def _cut(self, one: Annotation, image, train: Dataset) -> Cut | None:
        pixels = read_pixels(train.path_of(image), self.gray)
        window, mask = cut_window(pixels, one.mask(), one.bbox, Framing(SIDE), self.rng)
        found = np.ascontiguousarray(window), np.ascontiguousarray(mask), image.group_id
        return found if mask.any() else None

    def _lay(self, bank: list[Exemplar], ground: np.ndarray, mask: np.ndarray) -> np.ndarray:
        drawn = [bank[at] for at in self.rng.integers(len(bank), size=CANDIDATES)]
        first, second = best_fitting(mask, drawn)[:2]
        return warp_both((drawn[first], drawn[second]), ground, mask)

    def figures(self) -> dict[str, object]:
        seams = [np.array([seam_score(p, m) or np.nan for p, m, _ in side]) for side in (self.real, self.made)]
        low, high = np.nanquantile(seams[0], (0.05, 0.95))
        real, made = ([(describe(p, m), group) for p, m, group in side] for side in (self.real, self.made))
        found = real_against_made(real, made, self.rng)
        return {
            "real": len(self.real),
            "made": len(self.made),
            "follows": round(self.substance.follows, 2),
            "through": round(self.substance.through, 2),
            "outline": round(float(np.mean((seams[1] >= low) & (seams[1] <= high))), 2),
            "two_sample": None
            if found is None
            else [round(value, 2) for value in (found.auroc, found.low, found.high)],
        }

    def rows(self, columns: int) -> list[np.ndarray]:
        pick = [side[at % len(side)] for side in (self.real, self.made) for at in range(columns)]
        parts = pick[:columns], pick[columns:]
        return [np.hstack([tile(*cut[:2], outlined) for cut in part]) for part in parts for outlined in (False, True)]


def tile(pixels: np.ndarray, mask: np.ndarray, outlined: bool) -> np.ndarray:
    picture = (pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)).copy()
    if outlined:
        lines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, lines, -1, (255, 0, 0), 1)
    return cv2.copyMakeBorder(picture, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("run", type=Path)
    arguments.add_argument("--pool", default="pool")
    arguments.add_argument("--sheet", type=Path)
    arguments.add_argument("--columns", type=int, default=10)
    options = arguments.parse_args()
    train = load_dataset(options.run / "ingest").split("train")
    pool = load_dataset(options.run / options.pool)
    found, rows = {}, []
    for category in train.categories:
        one = Category(category.name, category.id, train, pool)
        found[category.name] = one.figures()
        rows += one.rows(options.columns)
        sys.stdout.write(f"{category.name:20s} {found[category.name]}\n")
    if options.sheet is not None:
        options.sheet.write_bytes(encode_png(np.vstack(rows)))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
