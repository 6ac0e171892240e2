"""Sham pastes: everything that pasting does to a photograph, without a defect.

A detector that is shown pasted defects can learn the trace of pasting instead of the defects. So for a painted crop
there is a sham: the same photograph, mask, method and blending, filled with sound texture, and without a label
(after Tripathi et al. 2019, arXiv 1904.05475, who leave pasted distractors unlabelled).

Here no method knows of it. It is given a training split in which every defective photograph shows sound texture in
place of what it showed; names, masks and ids stay, so that it does all it does, with nothing to be found.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ...core.dataset import Dataset, ImageRecord
from ...core.errors import InputError
from ...core.files import link_file, sha256_bytes
from ...core.images import read_record, write_png
from ...core.seeding import rng_for


def sham_split(train: Dataset, folder: Path, seed: int, number: int) -> Dataset:
    """The training split with sound texture for defects, written to ``folder``; every ``number`` has other textures.

    A replaced photograph takes the group of the sound one whose pixels it shows. Sound photographs stay as they are.

    Raises:
        InputError: E7, there is no sound photograph.
    """
    normals = sorted(train.normals(), key=lambda image: image.file_name)
    if not normals:
        raise InputError(str(train.folder), "E7", "no sound photograph to cut shams from", "ingest some")
    gray, sound = train.gray, {image.id for image in normals}
    images = []
    for image in train.images:
        target = folder / "images" / image.file_name
        if image.id in sound:
            link_file(train.path_of(image), target)
            images.append(image)
            continue
        rng = rng_for(seed, "sham", image.file_name, number)
        texture = _texture(image, normals, rng)
        pixels = _fitted(read_record(train, texture, gray), (image.height, image.width), rng)
        images.append(replace(image, group_id=texture.group_id, sha256=sha256_bytes(write_png(target, pixels))))
    return replace(train, images=images, folder=folder)


def _texture(image: ImageRecord, normals: list[ImageRecord], rng: np.random.Generator) -> ImageRecord:
    """A random sound photograph, as large as the defective one where there is such."""
    large = [one for one in normals if one.height >= image.height and one.width >= image.width] or normals
    return large[int(rng.integers(len(large)))]


def _fitted(pixels: np.ndarray, size_hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A random part of ``pixels`` of that size, mirrored at its border where it is smaller."""
    spare = [have - want for have, want in zip(pixels.shape[:2], size_hw, strict=True)]
    top, left = (int(rng.integers(max(0, room) + 1)) for room in spare)
    part = pixels[top : top + size_hw[0], left : left + size_hw[1]]
    down, right = size_hw[0] - part.shape[0], size_hw[1] - part.shape[1]
    mode = cv2.BORDER_REFLECT_101 if down < part.shape[0] and right < part.shape[1] else cv2.BORDER_REPLICATE
    return cv2.copyMakeBorder(part, 0, down, 0, right, mode) if down or right else np.ascontiguousarray(part)
