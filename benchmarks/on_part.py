"""How many masks of a pool lie as far on the part as 95 % of the real ones do, and how they are turned to it.

Independent of what the pool itself takes for the part: here it is Otsu's threshold on each photograph, the shadow with
it. Per category the 5th percentile of the real masks' shares on the part (training split) is the least that counts;
``floating`` masks have no pixel on it. ``wrong_side``: where 95 % of the real ones lie mostly on it, or mostly off it
(a part of two materials), the share of the masks that do not. ``turned``: the mean angle between a mask's axis and the
part's, in degrees, real ones beside it (masks longer than 1.5 times their width).

    anomaly-gan ingest SCREWS --format mvtec --out RUN/ingest
    anomaly-gan pool build --run RUN
    python benchmarks/on_part.py RUN

With ``--parts FOLDER`` the part of photograph ``pit/003.png`` is ``FOLDER/pit_003.png`` instead of Otsu's threshold
(``two_materials.py`` makes such). The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from anomaly_gan.core.dataset import Annotation, load_dataset
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.masks import Axes

QUANTILE, ELONGATED, ONE_SIDE = 0.05, 1.5, 0.95


def otsu(gray: np.ndarray) -> np.ndarray:
    """mask_01: the side of Otsu's threshold that takes less of the photograph's rim."""
    _, mask = cv2.threshold(cv2.GaussianBlur(gray, (5, 5), 0), 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    rim = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return 1 - mask if rim.mean() > 0.5 else mask


def measure(found: Iterable[tuple[str, Annotation]], part) -> tuple[np.ndarray, np.ndarray]:
    """Shares on the part, and angles to its axis in [0, 90] degrees."""
    shares, angles = [], []
    for file, annotation in found:
        mask, own = annotation.mask(), part(file)
        shares.append(np.count_nonzero(mask & own) / np.count_nonzero(mask))
        main = Axes.of(mask)
        if main.ratio >= ELONGATED:
            angles.append(abs((main.degrees - Axes.of(own).degrees + 90) % 180 - 90))
    return np.array(shares), np.array(angles)


def wrong_side(real: np.ndarray, made: np.ndarray) -> float | None:
    """Share of the made on the side where real ones are not; None where these lie on both."""
    on = float((real > 0.5).mean())
    if 1 - ONE_SIDE < on < ONE_SIDE:
        return None
    return round(float(((made > 0.5) != (on >= ONE_SIDE)).mean()), 3)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("run", type=Path)
    arguments.add_argument("--pool", default="pool")
    arguments.add_argument("--parts", type=Path, help="the part's mask for each photograph, in place of Otsu's")
    options = arguments.parse_args()
    ingest, pool = load_dataset(options.run / "ingest"), load_dataset(options.run / options.pool)
    by_name = {image.file_name: image for image in ingest.images}

    @lru_cache(256)
    def part(file: str) -> np.ndarray:
        if options.parts is not None:
            return (read_pixels(options.parts / file.replace("/", "_"), gray=True) > 127).astype(np.uint8)
        return otsu(read_pixels(ingest.path_of(by_name[file]), gray=True))

    train = {image.id: image.file_name for image in ingest.images if image.split == "train"}
    normals = {image.id: image.extra["normal_file"] for image in pool.images}
    rows, good, total = {}, 0, 0
    for category in ingest.categories:
        real = [
            (train[one.image_id], one)
            for one in ingest.annotations
            if one.category_id == category.id and one.image_id in train and one.area
        ]
        made = [(normals[one.image_id], one) for one in pool.annotations if one.category_id == category.id and one.area]
        (shares, angles), (own, turned) = measure(real, part), measure(made, part)
        least = float(np.quantile(shares, QUANTILE))
        good, total = good + int((own >= least).sum()), total + len(own)
        rows[category.name] = {
            "real": len(shares),
            "least_share": round(least, 3),
            "masks": len(own),
            "on_part": round(float((own >= least).mean()), 3),
            "floating": int((own == 0).sum()),
            "wrong_side": wrong_side(shares, own),
            "turned_real": round(float(angles.mean()), 1) if len(angles) else None,
            "turned": round(float(turned.mean()), 1) if len(turned) else None,
        }
        sys.stdout.write(f"{category.name:20s} {rows[category.name]}\n")
    sys.stdout.write(json.dumps({"on_part": round(good / total, 4), "masks": total, "categories": rows}) + "\n")


if __name__ == "__main__":
    main()
