"""One-class maps as an input of the detector: what is unusual for a sound part, wherever it is.

The map knows the sound texture, the detector the defects. A detector that has learnt a photograph finds nothing
unusual in it, and a training on such maps would learn that unusual means defective; so sound training photographs are
looked at by a one-class detector that has not learnt from their objects, and all others by both halves' detectors.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ...core.dataset import Dataset
from ...core.files import write_json
from ...core.images import write_png
from ...core.seeding import rng_for, seed_for

DONE = "done.json"
HIGH = 0.995
"""The share of sound pixels whose unusualness fills the lower half of a map's levels."""
METHOD = "patch_memory"


def one_class_maps(data: Dataset, seed: int, device: str, folder: Path) -> Path:
    """``folder`` with ``<image id>.png`` (uint8, 0 usual to 255) for every photograph of a data set, both splits.

    Raises:
        InputError: K5, too few sound training photographs.
    """
    if (folder / DONE).is_file():
        return folder
    from detection.one_class.halves import halves_by_object, learn_from
    from detection.one_class.registry import one_class

    settings = one_class(METHOD).configure("quick", None)
    sound = data.split("train").normals()
    halves = halves_by_object(sound, rng_for(seed, "priors", "halves"))
    known = {image.id for image in sound}
    others = [image for image in data.images if image.id not in known]
    maps: dict[int, np.ndarray] = {}
    for number, half in enumerate(halves):
        unseen = halves[1 - number]
        asked, own_seed = [*unseen, *others], seed_for(seed, "priors", number)
        learnt = learn_from(data, half, METHOD, settings, own_seed, device, folder)
        for image, _, found in learnt.ask(data, asked, device):
            maps[image.id] = found if image.id not in maps else (maps[image.id] + found) / 2
    values = np.concatenate([maps[image.id].ravel() for image in sound])
    middle, high = float(np.median(values)), float(np.quantile(values, HIGH))
    for image in data.images:
        level = (maps[image.id] - middle) / max(high - middle, 1e-9) * 127.5
        sized = cv2.resize(level, (image.width, image.height), interpolation=cv2.INTER_LINEAR)
        write_png(folder / f"{image.id}.png", sized.round().clip(0, 255).astype(np.uint8))
    write_json(folder / DONE, {"method": METHOD, "middle": middle, "high": high, "images": len(data.images)})
    return folder
