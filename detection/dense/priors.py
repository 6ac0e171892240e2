"""One-class maps of photographs on disk: ``<image id>.png``, gray, 0 (sound) to 255, at the photograph's size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anomaly_gan.core.dataset import ImageRecord
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.manifest import check_product


def read_prior(folder: Path | None, image: ImageRecord) -> np.ndarray:
    """uint8 (H, W).

    Raises:
        ConfigError: a net with that input, and no folder.
        InputError: the map is missing or has another size.
    """
    if folder is None:
        raise ConfigError("dense.prior: needs the folder of one-class maps")
    path = folder / f"{image.id}.png"
    check_product(path)
    prior = read_pixels(path, gray=True)
    if prior.shape != (image.height, image.width):
        raise InputError(
            str(path),
            "A13",
            f"is {prior.shape[1]} x {prior.shape[0]}, not {image.width} x {image.height}",
            "make the maps again",
        )
    return prior
