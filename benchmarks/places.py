"""Which model of places knows where held-out defects lie: uniform, position, look of the place, or the part's frame.

By whole objects: each model is learned from some objects of the training split and asked about the real defects of the
others. ``AUROC``: chance that it prefers the real place to a random one of the same mask on the same photograph. The
uniform model has 0.5 by construction. ``position``: a density over the photograph's width and height. ``look``: the
learned ratio of ``place.strategy: prior``, from what surrounds the place. ``frame``: a density over places in the
part's own frame (unrolled along its axis where it is long) and the share of the mask on it; only where the photographs
show a part. ``border``: distance to the photograph's border, where they show none. Intervals resample objects.

    python benchmarks/places.py RUN...

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.masks import mask_box_xywh
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.part.foreground import find_foreground
from anomaly_gan.synthesis.gate.defects import Defect, RealDefects
from anomaly_gan.synthesis.gate.poses import EDGE_KERNEL, PLACE_KERNEL, Likelihood, Pose, painted_out
from mask_pool.placement.config import PlaceConfig
from mask_pool.placement.ratio import PlaceRatio
from mask_pool.placement.real_masks import Scenes, places_of, real_elements
from mask_pool.statistics.object_bootstrap import bootstrap

SEED, FOLDS, ANYWHERE, MOST, RESAMPLES = 7, 5, 20, 60, 500
SHARE_KERNEL = 0.05
Point = tuple[float, ...]
Spot = dict[str, Point]
"""Of one place, what each model looks at; a model that cannot look at it is missing."""


def spots_of(defect: Defect, real_defects: RealDefects) -> list[Spot]:
    """The real place of a defect, and ``ANYWHERE`` random ones of its mask."""
    mask, pixels = defect.mask(), defect.pixels()
    part = None
    if real_defects.part is not None:
        shown = [found for one in (pixels, painted_out(pixels, mask)) if (found := find_foreground(one)) is not None]
        if not shown:
            return []
        whole = shown[0] if len(shown) == 1 else shown[0].joined(shown[1])
        part = whole, real_defects.part.frame(whole)
    x, y, w, h = mask_box_xywh(mask)
    rng = rng_for(SEED, "places", defect.image.file_name)
    corners = [(x, y)] + [
        (int(rng.integers(mask.shape[1] - w + 1)), int(rng.integers(mask.shape[0] - h + 1))) for _ in range(ANYWHERE)
    ]
    found = []
    for left, top in corners:
        moved = np.zeros_like(mask)
        moved[top : top + h, left : left + w] = mask[y : y + h, x : x + w]
        plain = Pose.of(moved, None)
        spot: Spot = {"position": plain.place}
        if part is None:
            spot["border"] = (plain.edge or 0.0,)
        else:
            pose = Pose.of(moved, part)
            spot["frame"] = (*pose.place, pose.share or 0.0)
        found.append(spot)
    return found


def density(name: str, seen: list[Point], groups: list[str]) -> Callable[[Point], float] | None:
    """Logarithm of a density learned from ``seen``; None with one object."""
    if name != "frame":
        fitted = Likelihood.fit(seen, groups, PLACE_KERNEL if name == "position" else EDGE_KERNEL)
        return None if fitted is None else lambda point: float(np.log(fitted.ratio(point)))
    place = Likelihood.fit([point[:-1] for point in seen], groups, PLACE_KERNEL)
    share = Likelihood.fit([point[-1:] for point in seen], groups, SHARE_KERNEL)
    if place is None or share is None:
        return None
    return lambda point: float(np.log(place.ratio(point[:-1])) + np.log(share.ratio(point[-1:])))


def rank(own: float, others: list[float]) -> float:
    return float(np.mean([(other < own) + 0.5 * (other == own) for other in others]))


def by_density(real: list[tuple[str, list[Spot]]], fold_of: dict[str, int]) -> dict[str, list[tuple[str, float]]]:
    """model -> (object, rank of its real place among the random ones)."""
    found: dict[str, list[tuple[str, float]]] = {}
    for name in sorted({key for _, spots in real for key in spots[0]}):
        for fold in range(FOLDS):
            seen = [(group, spots[0][name]) for group, spots in real if fold_of[group] != fold]
            model = density(name, [point for _, point in seen], [group for group, _ in seen]) if seen else None
            if model is None:
                continue
            for group, spots in real:
                if fold_of[group] == fold:
                    scores = [model(spot[name]) for spot in spots]
                    found.setdefault(name, []).append((group, rank(scores[0], scores[1:])))
    return found


def by_look(category: str, train: Dataset, fold_of: dict[str, int]) -> list[tuple[str, float]]:
    scenes = Scenes(train)
    real = [one for one in real_elements(train, "train", 0.03).get(category, []) if one.parent_group in fold_of][:MOST]
    places = [places_of(scenes, one, SEED) for one in real]
    found = []
    for fold in range(FOLDS):
        seen = [at for at, one in enumerate(real) if fold_of[one.parent_group] != fold]
        if len({real[at].parent_group for at in seen}) < 2:
            continue
        own, groups = np.stack([places[at][0] for at in seen]), [real[at].parent_group for at in seen]
        model = PlaceRatio.fit(own, groups, np.concatenate([places[at][1] for at in seen]), PlaceConfig().shrinkage)
        for at, one in enumerate(real):
            if fold_of[one.parent_group] == fold:
                others = [model.score(other) for other in places[at][1]]
                found.append((one.parent_group, rank(model.score(places[at][0]), others)))
    return found


def measure(run: Path) -> list[dict[str, object]]:
    train = load_dataset(run / "ingest").split("train")
    real_defects, rows = RealDefects(train, MOST, SEED), []
    for category in train.categories:
        own = [defect for defect in real_defects.of(category.name) if defect.annotation.area]
        groups = sorted({defect.group for defect in own})
        rng_for(SEED, "folds", category.name).shuffle(groups)  # type: ignore[arg-type]
        fold_of = {group: at % FOLDS for at, group in enumerate(groups)}
        real = [(defect.group, spots) for defect in own if (spots := spots_of(defect, real_defects))]
        found = by_density(real, fold_of) | {"look": by_look(category.name, train, fold_of)}
        for name, ranks in found.items():
            if ranks:
                values, names = np.array([value for _, value in ranks]), [group for group, _ in ranks]
                mean = lambda index, values=values: float(values[index].mean())  # noqa: E731
                span = bootstrap(names, mean, RESAMPLES, SEED, category.name, name)
                rows.append(
                    {
                        "set": run.name,
                        "category": category.name,
                        "model": name,
                        "auroc": round(float(values.mean()), 3),
                        "interval": None if span is None else [round(value, 3) for value in span],
                        "masks": len(values),
                        "objects": len(set(names)),
                    }
                )
                sys.stdout.write(json.dumps(rows[-1]) + "\n")
                sys.stdout.flush()
    return rows


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("run", type=Path, nargs="+")
    rows = [row for run in arguments.parse_args().run for row in measure(run)]
    sys.stdout.write(json.dumps(rows) + "\n")


if __name__ == "__main__":
    main()
