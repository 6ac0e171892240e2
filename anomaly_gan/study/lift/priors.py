"""One-class maps as an input of the detector: what is unusual for a sound part, wherever it is.

The map knows the sound texture, the detector the defects. A detector that has learnt a photograph finds nothing
unusual in it, and a training on such maps would learn that unusual means defective; so sound training photographs are
looked at by a one-class detector that has not learnt from their objects, and all others by both halves' detectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ...core.dataset import Dataset, ImageRecord
from ...core.files import write_json
from ...core.images import write_png
from ...core.progress import track
from ...core.seeding import rng_for, seed_for

DONE = "done.json"
HIGH = 0.995
"""The share of sound pixels whose unusualness fills the lower half of a map's levels."""
METHOD = "patch_memory"
CHUNK = 16


def one_class_maps(data: Dataset, seed: int, device: str, folder: Path) -> Path:
    """``folder`` with ``<image id>.png`` (uint8, 0 usual to 255) for every photograph of a data set, both splits.

    Raises:
        InputError: K5, too few sound training photographs.
    """
    if (folder / DONE).is_file():
        return folder
    sound = data.split("train").normals()
    halves = halves_by_object(sound, rng_for(seed, "priors", "halves"))
    known = {image.id for image in sound}
    others = [image for image in data.images if image.id not in known]
    maps: dict[int, np.ndarray] = {}
    for number, half in enumerate(halves):
        unseen = halves[1 - number]
        asked, own_seed = [*unseen, *others], seed_for(seed, "priors", number)
        for image, _, found in one_class_scores(data, half, asked, METHOD, "quick", own_seed, device, folder):
            maps[image.id] = found if image.id not in maps else (maps[image.id] + found) / 2
    values = np.concatenate([maps[image.id].ravel() for image in sound])
    middle, high = float(np.median(values)), float(np.quantile(values, HIGH))
    for image in data.images:
        level = (maps[image.id] - middle) / max(high - middle, 1e-9) * 127.5
        sized = cv2.resize(level, (image.width, image.height), interpolation=cv2.INTER_LINEAR)
        write_png(folder / f"{image.id}.png", sized.round().clip(0, 255).astype(np.uint8))
    write_json(folder / DONE, {"method": METHOD, "middle": middle, "high": high, "images": len(data.images)})
    return folder


def halves_by_object(images: Sequence[ImageRecord], rng: np.random.Generator) -> list[list[ImageRecord]]:
    """Two halves of ``images`` that share no object."""
    groups = sorted({image.group_id for image in images})
    first = {groups[int(place)] for place in rng.permutation(len(groups))[: len(groups) // 2]}
    return [[image for image in images if (image.group_id in first) == one] for one in (True, False)]


def one_class_scores(
    data: Dataset,
    learnt: Sequence[ImageRecord],
    asked: Sequence[ImageRecord],
    method: str,
    preset: str,
    seed: int,
    device: str,
    folder: Path,
) -> list[tuple[ImageRecord, float, np.ndarray]]:
    """Score and map (S, S) float32 of each of ``asked`` by a one-class detector that has learnt from ``learnt``.

    Args:
        data: the data set of both.
        learnt: sound photographs.
        asked: photographs to score.
        method: a one-class detector that gives maps.
        preset: of its settings, ``quick`` or ``full``.
        seed: of every random choice made here.
        device: where to compute.
        folder: where its training is kept while it runs.

    Returns:
        One triple for each of ``asked``, in order.
    """
    from detection.one_class.inspection.scoring import choose_device, score_batch
    from detection.one_class.registry import one_class
    from detection.one_class.synthetic_filter.learn import read_square
    from detection.one_class.training import build_detector, train_detector

    from ...engine.loop import make_fabric

    settings = one_class(method).configure(preset, None)
    gray = data.gray
    detector = build_detector(method, 1 if gray else 3, settings, seed)
    squares = read_square(data, learnt, settings.size, flatten=False)
    train_detector(detector, squares, make_fabric(device), folder / "training", seed)
    found = []
    for start in track(range(0, len(asked), CHUNK), "one-class maps"):
        part = asked[start : start + CHUNK]
        scores = score_batch(
            detector, read_square(data, part, settings.size, flatten=False).numpy(), choose_device(device)
        )
        assert scores.map_BHW is not None
        found += list(zip(part, scores.image.tolist(), scores.map_BHW.numpy(), strict=True))
    return found
