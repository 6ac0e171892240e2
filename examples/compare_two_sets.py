"""How far apart are two folders of pictures? Frechet and kernel distance, each beside halves of the first folder.

python examples/compare_two_sets.py real_crops generated_crops
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import anomaly_gan as ag
from anomaly_gan.core.images import read_pixels
from anomaly_gan.metrics.backbones import build_extractors
from anomaly_gan.metrics.features import pooled_features


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    chosen = parser.parse_args()
    extractors = build_extractors("cpu")
    first, second = (
        pooled_features([read_pixels(path, gray=False) for path in sorted(folder.glob("*.png"))], extractors.frechet)
        for folder in (chosen.first, chosen.second)
    )
    order = np.random.default_rng(0).permutation(len(first))
    halves = first[order[: len(first) // 2]], first[order[len(first) // 2 :]]
    for name, distance in (("frechet", ag.metrics.frechet_distance), ("kernel", ag.metrics.kernel_distance)):
        print(f"{extractors.names[name]}: {distance(first, second):.4g}; first in halves {distance(*halves):.4g}")


if __name__ == "__main__":
    main()
