"""CrackForest as photographs of 160 px: windows with a labelled crack, and sound ones cut away from labels.

    python benchmarks/crackforest.py crackforest.zip OUT
    anomaly-gan ingest OUT --format mask-png --group-regex '([0-9]+)_' --out RUN/ingest

Of each photograph at most two sound windows, none nearer than 7 px to a label; of the first
50 a window around a random pixel of the label, where it shows more than 200 pixels of it. The photograph is the object.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zipfile
from pathlib import Path

import cv2
import numpy as np

SIDE, APART_PX, TRIES, SOUND = 160, 15, 60, 2
WITH_CRACK, LEAST_PX = 50, 200


def corners(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(0, shape[0] - SIDE + 1)), int(rng.integers(0, shape[1] - SIDE + 1))


def cut(plane: np.ndarray, y: int, x: int) -> np.ndarray:
    return plane[y : y + SIDE, x : x + SIDE]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("zip", type=Path)
    arguments.add_argument("out", type=Path)
    options = arguments.parse_args()
    rng, counts = np.random.default_rng(0), {"good": 0, "crack": 0}
    for name in counts:
        (options.out / name).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(options.zip).extractall(folder)
        for number, path in enumerate(sorted(Path(folder).rglob("images/*.jpg"))):
            label = next(iter((path.parents[1] / "masks").glob(f"{path.stem}.*")), None)
            if label is None:
                continue
            photo, mask = cv2.imread(str(path)), (cv2.imread(str(label), cv2.IMREAD_GRAYSCALE) > 0).astype(np.uint8)
            near, sound = cv2.dilate(mask, np.ones((APART_PX, APART_PX))), 0
            for _ in range(TRIES):
                y, x = corners(photo.shape, rng)
                if sound < SOUND and not cut(near, y, x).any():
                    cv2.imwrite(str(options.out / "good" / f"{path.stem}_{sound}.png"), cut(photo, y, x))
                    sound += 1
            counts["good"] += sound
            if number >= WITH_CRACK:
                continue
            rows, columns = np.nonzero(mask)
            at = rng.integers(len(rows))
            y = int(np.clip(rows[at] - SIDE // 2, 0, photo.shape[0] - SIDE))
            x = int(np.clip(columns[at] - SIDE // 2, 0, photo.shape[1] - SIDE))
            if cut(mask, y, x).sum() > LEAST_PX:
                target = options.out / "crack" / f"{path.stem}_c"
                cv2.imwrite(f"{target}.png", cut(photo, y, x))
                cv2.imwrite(f"{target}_mask.png", cut(mask, y, x) * 255)
                counts["crack"] += 1
    sys.stdout.write(f"{counts}\n")


if __name__ == "__main__":
    main()
