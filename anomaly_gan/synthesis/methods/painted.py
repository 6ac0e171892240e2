"""Painting pool masks into normal photographs with a trained generator: Anomaly-GAN, CycleGAN, FD-Cycle-GAN, pix2pix.

Anomaly-GAN's paint is pasted under the mask. The others change the whole window they are shown, as published, and the
whole window is set into the photograph: it may end in a visible edge, and its background may differ from the
photograph's. That is the method's own doing, so nothing is blended away.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.images import read_pixels
from ...core.seeding import rng_for
from ..control.light import draw_light, light_beside, relight
from ..control.painter import can_be_steered, fill_between
from ..registry import Generate, MethodInputs, PoolItem, Sample
from .brush import Brush, Painting, load_brush


def open_method(inputs: MethodInputs) -> Generate:
    """Load the trained generator of ``inputs.trained``; each item's chance comes from its own name and attempt.

    Raises:
        InputError: the training has other categories than the data set (H10).
    """
    assert inputs.trained is not None
    names = {category.id: category.name for category in inputs.train.categories}
    brush, channels = load_brush(inputs.trained, list(names.values()), inputs.device)
    gray, gray_set = channels == 1, inputs.train.info.get("mode", "L") == "L"
    light = light_beside(inputs.trained)
    window = inputs.control.severity if can_be_steered(brush) else None
    steered = inputs.control.model_copy(update={"severity": window}).record()
    normals = {image.file_name: image for image in inputs.train.images}

    def generate(items: list[PoolItem], attempt: int) -> list[Sample]:
        return [one(item, attempt) for item in items]

    def one(item: PoolItem, attempt: int) -> Sample:
        rng = rng_for(inputs.seed, brush.config.method, item.image.file_name, attempt)
        path = inputs.train.path_of(normals[item.image.extra["normal_file"]])
        base = read_pixels(path, gray)
        drawn = draw_light(inputs.control.light, inputs.seed, item.image.file_name, attempt)
        if drawn:  # in the data set's own channels, as the gate will do it again
            base = relight(read_pixels(path, gray_set), drawn[0], light, drawn[1])
            base = np.repeat(base[:, :, None], 3, axis=2) if gray_set and not gray else base
        provenance: dict[str, Any] = {"method": brush.config.method, "preset": brush.config.preset}
        if window:
            painting, provenance["severity_shown"] = fill_between(brush, base, item.annotations, names, window, rng)
        else:
            painting = _paint(brush, base, item, names, rng)
        pixels = painting.pixels
        if steered:
            provenance["control"] = steered
        if drawn:
            provenance["light"] = {**drawn[0].record(), "seed": drawn[1]}
        if brush.config.noise:
            provenance["severity"] = painting.severities
        if painting.support_px is not None:
            provenance["support_px"] = painting.support_px
        instances = [(annotation.category_id, annotation.mask()) for annotation in item.annotations]
        if gray_set and not gray:  # the paper's three channels of a gray photograph: their mean (SPEC 31)
            pixels, base = (np.rint(picture.mean(axis=2)).astype(np.uint8) if picture.ndim == 3 else picture
                            for picture in (pixels, base))
        return Sample(pixels, instances, provenance, None if painting.support_px is None else base)

    return generate


def _paint(brush: Brush, base: np.ndarray, item: PoolItem, names: dict[int, str],
           rng: np.random.Generator) -> Painting:
    if brush.framing.whole:
        return brush.paint_whole(base, item.annotations, item.image.extra["category"], rng)
    if brush.config.composite:
        return brush.paint_masks(base, item.annotations, names, rng)
    return brush.paint_windows(base, item.annotations, names, rng)
