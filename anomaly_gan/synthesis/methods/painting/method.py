"""Painting pool masks into normal photographs with a trained generator: Anomaly-GAN, CycleGAN, FD-Cycle-GAN, pix2pix.

Anomaly-GAN's paint is pasted under the mask. The others change the whole window they are shown, as published, and the
whole window is set into the photograph: it may end in a visible edge, and its background may differ from the
photograph's. That is the method's own doing, so nothing is blended away.
"""

from __future__ import annotations

import numpy as np

from ....core.channels import one_channel
from ....core.images import read_record
from ....core.seeding import rng_for
from ...interface import Generate, MethodInputs, PoolItem, Sample
from ...pairs.training_defects import exemplar_windows
from ...relighting.model import LightModel, draw_light, light_beside, relight
from .generator import Brush, Painting, load_brush
from .severity import can_be_steered, fill_between


def open_method(inputs: MethodInputs) -> Generate:
    """Load the trained generator of ``inputs.trained``; each item's chance comes from its own name and attempt.

    Raises:
        InputError: the training has other categories than the data set (H10).
    """
    brush, channels = _load(inputs)
    return painting(inputs, brush, channels, brush.config.method)


def _load(inputs: MethodInputs) -> tuple[Brush, int]:
    assert inputs.trained is not None
    brush, channels = load_brush(inputs.trained, [one.name for one in inputs.train.categories], inputs.device)
    if inputs.exemplars is not None:
        brush.severities, exemplars = exemplar_windows(
            inputs.exemplars, inputs.pool, brush.framing, inputs.seed, channels == 1
        )
        brush.exemplars = exemplars if brush.exemplars is not None else None
    return brush, channels


def painting(inputs: MethodInputs, brush: Brush, channels: int, name: str) -> Generate:
    """Paint with the brush; ``name`` goes into the provenance, not into the chance.

    Args:
        inputs: what a method gets.
        brush: what paints.
        channels: of the pictures it paints, 1 or 3.
        name: the method's.

    Returns:
        Pool items -> painted photographs.
    """
    names = {category.id: category.name for category in inputs.train.categories}
    gray, gray_set = channels == 1, inputs.train.gray
    light = light_beside(inputs.trained) if inputs.trained is not None else LightModel()
    window = inputs.control.severity if can_be_steered(brush) else None
    steered = inputs.control.model_copy(update={"severity": window}).record()
    normals = {image.file_name: image for image in inputs.train.images}

    def generate(items: list[PoolItem], attempt: int) -> list[Sample]:
        return [one(item, attempt) for item in items]

    def one(item: PoolItem, attempt: int) -> Sample:
        rng = rng_for(inputs.seed, brush.config.method, item.image.file_name, attempt)
        photograph = normals[item.image.extra["normal_file"]]
        base = read_record(inputs.train, photograph, gray)
        drawn = draw_light(inputs.control.light, inputs.seed, item.image.file_name, attempt)
        if drawn:  # in the data set's own channels, as the gate will do it again
            base = relight(read_record(inputs.train, photograph, gray_set), drawn[0], light, drawn[1])
            base = np.repeat(base[:, :, None], 3, axis=2) if gray_set and not gray else base
        provenance: dict[str, object] = {"method": name, "preset": brush.config.preset}
        if window:
            painting, provenance["severity_shown"] = fill_between(brush, base, item.annotations, names, window, rng)
        else:
            painting = _paint(brush, base, item, names, rng)
        pixels = painting.pixels
        if steered:
            provenance["control"] = steered
        if drawn:
            provenance["light"] = {**drawn[0].record(), "seed": drawn[1]}
        if brush.settings.noise:
            provenance["severity"] = painting.severities
        if painting.support_px is not None:
            provenance["support_px"] = painting.support_px
        instances = [(annotation.category_id, annotation.mask()) for annotation in item.annotations]
        if gray_set and not gray:  # the paper's three channels of a gray photograph: their mean
            pixels, base = (np.rint(one_channel(picture)).astype(np.uint8) for picture in (pixels, base))
        return Sample(pixels, instances, provenance, None if painting.support_px is None else base)

    return generate


def _paint(brush: Brush, base: np.ndarray, item: PoolItem, names: dict[int, str], rng: np.random.Generator) -> Painting:
    if brush.framing.whole:
        return brush.paint_whole(base, item.annotations, item.image.extra["category"], rng)
    if brush.settings.composite:
        return brush.paint_masks(base, item.annotations, names, rng)
    return brush.paint_windows(base, item.annotations, names, rng)
