"""A rendered data set of two materials: metal tracks on laminate, pits in the metal and blisters in the laminate.

``OUT/photos`` is the data set (``good``, ``pit``, ``blister``, a mask beside each photograph with a defect),
``OUT/parts`` a mask of the metal for each photograph, as ``on_part.py --parts`` reads them.

    python benchmarks/two_materials.py OUT
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from anomaly_gan.core.images import write_png

HEIGHT, WIDTH, PITCH, TRACK = 192, 256, 64, 22
SOUND, DEFECTIVE, DEEP = 40, 20, 6
LAMINATE, METAL = 90, 185
KINDS = {"pit": (True, -70.0), "blister": (False, 60.0)}
"""Whether it is in the metal, and how much brighter it is."""


def scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A sound photograph (float) and the metal's mask_01."""
    metal = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x in range(int(rng.integers(PITCH)) - PITCH, WIDTH, PITCH):
        cv2.rectangle(metal, (x, 0), (x + TRACK, HEIGHT), 1, -1)
    if rng.random() < 0.5:
        y = int(rng.integers(30, HEIGHT - 50))
        cv2.rectangle(metal, (0, y), (WIDTH, y + TRACK), 1, -1)
    laminate, bright = (
        cv2.GaussianBlur(rng.normal(level, spread, (HEIGHT, WIDTH)), (0, 0), 0.8)
        for level, spread in ((LAMINATE, 9.0), (METAL, 5.0))
    )
    return np.where(metal, bright + 3 * np.sin(np.arange(WIDTH) / 3), laminate), metal


def defect(material: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """mask_01 of an ellipse ``DEEP`` pixels or more inside the material."""
    rows, columns = np.nonzero(cv2.distanceTransform(material, cv2.DIST_L2, 5) > DEEP)
    at = int(rng.integers(len(rows)))
    axes = int(rng.integers(4, 9)), int(rng.integers(3, 6))
    centre = int(columns[at]), int(rows[at])
    return cv2.ellipse(np.zeros_like(material), centre, axes, int(rng.integers(180)), 0, 360, 1, -1)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("out", type=Path)
    out, rng = arguments.parse_args().out, np.random.default_rng(0)
    for kind, number in (("good", SOUND), *((kind, DEFECTIVE) for kind in KINDS)):
        for at in range(number):
            pixels, metal = scene(rng)
            if kind in KINDS:
                on_metal, brighter = KINDS[kind]
                mask = defect(metal if on_metal else 1 - metal, rng)
                pixels = pixels + brighter * mask
                write_png(out / "photos" / kind / f"{at:03d}_mask.png", 255 * mask)
            write_png(out / "photos" / kind / f"{at:03d}.png", pixels.clip(0, 255).astype(np.uint8))
            write_png(out / "parts" / f"{kind}_{at:03d}.png", 255 * metal)


if __name__ == "__main__":
    main()
