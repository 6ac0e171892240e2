"""``anomaly-gan paint``: the user's photograph with the user's mask filled, and its label as COCO beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import ConfigError, InputError
from ...core.files import sha256_bytes, sha256_file
from ...core.images import write_png
from ...core.masks import union
from ...core.progress import track
from ...core.records import Annotation, Category, Dataset, ImageRecord, number_from_one
from ...core.seeding import rng_for, seed_for
from ..methods.brush import Brush
from .light import Light, LightModel, light_beside, load_light, relight, resolved
from .own_files import read_mask, read_photograph
from .painter import Filled, fill, open_painter
from .place import Instances, Placement, place
from .severity import wanted_severity

MOST = 100_000


@dataclass(frozen=True)
class Painting:
    """What to paint. ``severity``: see ``severity.parse_severity``, None draws a training defect's for each instance.
    ``light``: the photograph is relit before it is painted."""

    photograph: Path
    model: Path
    mask: Path
    category: str | None = None
    severity: tuple[str, float] | None = None
    light: Light | None = None
    light_model: Path | None = None
    placement: Placement = field(default_factory=Placement)
    count: int = 1
    seed: int = 0
    device: str = "auto"


def paint(job: Painting, out: Path) -> Dataset:
    """Write ``job.count`` photographs to ``out/images`` with ``out/annotations.json``; relit ones also unpainted, in
    ``out/relit``. The same job gives the same bytes on a CPU.

    Outside the masks (and the model's rim of a few pixels) every pixel is the photograph's, or the relit one's.

    Raises:
        InputError: photograph, mask, model or category cannot be used, or ``out`` holds files.
        ConfigError: a count that is none, or a severity where the model has none.
    """
    if not 1 <= job.count <= MOST:
        raise ConfigError(f"--count {job.count}: must lie between 1 and {MOST:,}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(str(out), "J6", "the output folder is not empty", "choose an empty or new folder")
    brush, channels = open_painter(job.model, job.device)
    if job.severity is not None and not brush.painter.controls:
        raise ConfigError("--severity: this model was trained without (noise: false)")
    pixels, content = read_photograph(job.photograph)
    if channels == 1 and pixels.ndim == 3:
        raise InputError(str(job.photograph), "A10", "is in colour, and the model paints gray photographs",
                         "convert it to gray, or train on colour photographs")
    instances, mask_content = read_mask(job.mask, job.category, brush.categories)
    models = load_light(job.light_model) if job.light_model else light_beside(job.model)
    light = resolved(job.light, models, job.photograph.name) if job.light else None
    about = {"method": brush.config.method, "seed": job.seed, "base": job.photograph.name,
             "base_sha256": sha256_bytes(content), "mask": job.mask.name, "mask_sha256": sha256_bytes(mask_content),
             "generator_sha256": sha256_file(job.model / "generator.safetensors"),
             "support_px": brush.config.support_px, **_about_light(job.light, light)}
    images: list[ImageRecord] = []
    annotations: list[Annotation] = []
    ids = {name: at for at, name in enumerate(brush.categories, start=1)}
    for index in track(range(1, job.count + 1), "paint"):
        base = _relit(pixels, light, models, job.seed, index)
        placed = place(str(job.mask), instances, (base.shape[0], base.shape[1]), job.placement,
                       rng_for(job.seed, "place", index))
        painted, fillings = paint_instances(brush, channels, base, placed, job.severity,
                                            seed_for(job.seed, "paint", index))
        name = f"{job.photograph.stem}_{index:03d}.png"
        if light:
            write_png(out / "relit" / name, base)
        written = write_png(out / "images" / name, painted)
        images.append(ImageRecord(index, name, base.shape[1], base.shape[0], job.photograph.stem, "train", "synthetic",
                                  sha256_bytes(written), {"provenance": {**about, "index": index}}))
        annotations += [Annotation.from_mask(0, index, ids[category], mask, {"severity": filling.record()})
                        for (category, mask), filling in zip(placed, fillings, strict=True)]
    mode = "L" if pixels.ndim == 2 else "RGB"
    dataset = Dataset(images, number_from_one(annotations), [Category(at, name) for name, at in ids.items()],
                      {"mode": mode}, out)
    dataset.save(out)
    return dataset


def paint_instances(brush: Brush, channels: int, base: np.ndarray, instances: Instances,
                    asked: tuple[str, float] | None, seed: int) -> tuple[np.ndarray, list[Filled]]:
    """The photograph with one instance after the other filled; gray stays gray with a model of three channels."""
    shown = np.repeat(base[:, :, None], 3, axis=2) if channels == 3 and base.ndim == 2 else base
    fillings: list[Filled] = []
    for at, (category, mask) in enumerate(instances):
        wanted = wanted_severity(asked, brush.severities[category])
        fillings.append(fill(brush, fillings[-1].pixels if fillings else shown, mask, category, seed_for(seed, at),
                             wanted))
    painted = fillings[-1].pixels
    if painted.ndim == 3 and base.ndim == 2:
        painted = np.rint(painted.mean(axis=2)).astype(np.uint8)
    return painted, fillings


def _about_light(asked: Light | None, light: Light | None) -> dict[str, Any]:
    if asked is None or light is None:
        return {}
    return {"light": {**light.record(), **({"exposure": asked.exposure} if asked.exposure else {})}}


def _relit(pixels: np.ndarray, light: Light | None, model: LightModel, seed: int, index: int) -> np.ndarray:
    return relight(pixels, light, model, seed_for(seed, "light", index)) if light else pixels


def summary(dataset: Dataset) -> dict[str, Any]:
    """Photographs, instances and the share of painted pixels, for the last line."""
    grouped = dataset.by_image()
    shares = [float(union([item.mask() for item in grouped[image.id]], image.height, image.width).mean())
              for image in dataset.images]
    return {"images": len(dataset.images), "instances": len(dataset.annotations), "share": float(np.mean(shares))}
