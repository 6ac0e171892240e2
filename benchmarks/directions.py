"""Do the pool's directions foretell those of real defects held out, and would narrower ones foretell them better?

A pool turns each mask by some degrees about its own direction, so that its masks spread wider than the real ones they
come from. Pulling each towards the preferred direction before it is turned would keep the spread of the real ones
(a smoothed bootstrap with its variance kept: Silverman and Young 1987). Which of the two is nearer to the truth is
asked of objects left out: the mean logarithm of the density (per degree) that masks of the others give their
directions, and the spread that each predicts (root of the mean square about the preferred direction, degrees).

    python benchmarks/directions.py RUN            # textures: directions on the photograph
    python benchmarks/directions.py RUN --part     # to the axis of the part (Otsu's threshold)

``gain``: mean over objects of the narrower's logarithm less the wider's, with its standard error; above 0 the narrower
foretells better. Categories whose masks are turned freely, or with fewer than four objects, are left out.
"""

from __future__ import annotations

import argparse
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
from on_part import otsu

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.masks import Axes
from mask_pool.recombination.spread import ELONGATED, Spread

LEAST_OBJECTS, ANYWHERE = 4, 0.05
"""Share of a direction anywhere, so that no density is 0."""
Found = dict[str, list[float]]


def axial(degrees: np.ndarray | float, period: float = 180.0):
    return (degrees + period / 2) % period - period / 2


def density(angle: float, centres: np.ndarray, weights: np.ndarray, kernel: float) -> float:
    """Per degree: normal kernels at the centres, wrapped at 180°."""
    away = (angle - centres[:, None] + 180.0 * np.arange(-3, 4)[None]) / kernel
    normal = (weights * np.exp(-0.5 * away**2).sum(axis=1)).sum() / (kernel * np.sqrt(2 * np.pi))
    return float((1 - ANYWHERE) * normal + ANYWHERE / 180)


def held_out(angles: np.ndarray, groups: np.ndarray) -> tuple[Found, Found]:
    """Logarithms of densities of each object's directions, and predicted spreads, of the wider and the narrower."""
    seen: Found = {"as it is": [], "narrower": []}
    spreads: Found = {"as it is": [], "narrower": []}
    for name in sorted(set(groups)):
        rest = groups != name
        spread = Spread.of_angles(np.radians(angles[rest]), list(groups[rest]), (1.0, 1.0))
        if spread.rotation == 180.0 or not spread.spread_deg or spread.axis_deg is None:
            continue
        kernel = spread.rotation / np.sqrt(3)
        away = axial(angles[rest] - spread.axis_deg, 90.0 if spread.kind == "crossed" else 180.0)
        weights = np.array([1 / np.count_nonzero(groups[rest] == group) for group in groups[rest]])
        weights /= weights.sum()
        for key, kept in (("as it is", 1.0), ("narrower", 1 / np.sqrt(1 + (kernel / spread.spread_deg) ** 2))):
            centres = angles[rest] - away * (1 - kept)
            seen[key].append(
                float(np.mean([np.log(density(angle, centres, weights, kernel)) for angle in angles[~rest]]))
            )
            spreads[key].append(float(np.sqrt((weights * (kept * away) ** 2).sum() + kernel**2)))
    return seen, spreads


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("run", type=Path)
    arguments.add_argument("--part", action="store_true", help="directions to the part's axis")
    options = arguments.parse_args()
    train = load_dataset(options.run / "ingest").split("train")
    by_id = {image.id: image for image in train.images}

    @lru_cache(512)
    def axis(number: int) -> float:
        return Axes.of(otsu(read_pixels(train.path_of(by_id[number]), gray=True))).degrees if options.part else 0.0

    sys.stdout.write("| category | masks / objects | as it is | narrower | gain | spread as it is | narrower |\n")
    sys.stdout.write(f"|{'---|' * 7}\n")
    for category in train.categories:
        own = [one for one in train.annotations if one.category_id == category.id and one.area]
        axes = [(one, main) for one in own if (main := Axes.of(one.mask())).ratio >= ELONGATED]
        angles = np.array([axial(main.degrees - axis(one.image_id)) for one, main in axes])
        groups = np.array([by_id[one.image_id].group_id for one, _ in axes])
        if len(set(groups)) < LEAST_OBJECTS:
            continue
        seen, spreads = held_out(angles, groups)
        if not seen["narrower"]:
            continue
        gain = np.subtract(seen["narrower"], seen["as it is"])
        sys.stdout.write(
            f"| {category.name} | {len(angles)} / {len(set(groups))} | {np.mean(seen['as it is']):.2f} "
            f"| {np.mean(seen['narrower']):.2f} | {gain.mean():.2f} ± {gain.std() / np.sqrt(len(gain)):.2f} "
            f"| {np.mean(spreads['as it is']):.0f}° | {np.mean(spreads['narrower']):.0f}° |\n"
        )


if __name__ == "__main__":
    main()
