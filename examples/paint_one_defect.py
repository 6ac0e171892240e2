"""Paint one defect on one photograph with a trained generator, weak, middling and strong, side by side.

python examples/paint_one_defect.py --run runs/demo --out strip.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import anomaly_gan as ag
from anomaly_gan.core.images import read_pixels, write_png


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="a run with ingest, pool and train@anomaly_gan")
    parser.add_argument("--out", type=Path, required=True, help="the picture to write")
    chosen = parser.parse_args()
    data, pool = ag.load_dataset(chosen.run / "ingest"), ag.load_dataset(chosen.run / "pool")
    generator = ag.TrainedGenerator.load(chosen.run / "train@anomaly_gan")
    item = pool.images[0]
    mask = np.maximum.reduce([one.mask() for one in pool.by_image()[item.id]])
    photo = read_pixels(data.folder / "images" / item.extra["normal_file"], gray=data.info["mode"] == "L")
    strip = [photo] + [
        generator.paint(photo, mask, item.extra["category"], severity=severity, seed=1) for severity in (0.1, 0.5, 0.9)
    ]
    write_png(chosen.out, np.concatenate(strip, axis=1))
    print(f"{item.extra['category']}: sound, faint, middling, strong → {chosen.out}")


if __name__ == "__main__":
    main()
