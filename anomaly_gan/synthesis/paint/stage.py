"""``anomaly-gan paint``: the user's photograph with the user's mask filled, and its label as COCO beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ...core.channels import one_channel
from ...core.dataset import Annotation, Category, Dataset, ImageRecord, load_dataset, number_from_one
from ...core.errors import ConfigError, InputError
from ...core.files import sha256_bytes, sha256_file
from ...core.images import to_mode, write_png
from ...core.masks import union
from ...core.progress import track
from ...core.seeding import rng_for, seed_for
from ...core.stage import Context, run_stage, stage_key
from ...core.workfolder import refuse_foreign
from ...ingestion.classes import read_classes
from ...ingestion.ledger import Notes
from ..methods.painting.generator import Brush
from ..methods.painting.severity import Filled, fill, open_painter
from ..methods.painting.severity_scale import parse_severity, wanted_severity
from ..relighting.model import Light, LightModel, light_beside, load_light, parse_light, relight, resolved
from .config import PaintConfig
from .placement import Instances, Placement, parse_at, parse_turn, place
from .user_files import in_its_frame, learnt_reading, read_mask, read_photograph


@dataclass(frozen=True)
class Sources:
    """The user's files: the photograph, the mask, the training that paints, and a light model other than its own."""

    photograph: Path
    mask: Path
    model: Path
    light_model: Path | None = None


@dataclass(frozen=True)
class Job:
    """Everything read and checked: what to paint on which pixels. ``light`` is in stops; ``remarks``: for people."""

    brush: Brush
    channels: int
    pixels: np.ndarray
    instances: Instances
    severity: tuple[str, float] | None
    light: Light | None
    light_model: LightModel
    placement: Placement
    keys: dict[str, str]
    remarks: tuple[str, ...]


def paint(sources: Sources, config: PaintConfig, seed: int, device: str, out: Path) -> Dataset:
    """Write ``config.count`` photographs to ``out/images`` with ``out/annotations.json``; relit ones also unpainted, in
    ``out/relit``. The same job gives the same bytes on a CPU; one that is done is not done again.

    Outside the masks (and the model's rim of a few pixels) every pixel is the photograph's, or the relit one's.

    Raises:
        InputError: photograph, mask, model, category or place cannot be used, or ``out`` holds anything else.
        ConfigError: words that say nothing, or a severity where the model has none.
    """
    job = read_job(sources, config, device)
    size = (job.pixels.shape[0], job.pixels.shape[1])
    place(str(sources.mask), job.instances, size, job.placement, rng_for(seed, "place", 1))  # refuse before writing
    key = stage_key("paint", config, seed, job.keys)
    refuse_foreign(out)
    if _key_of(out) not in (None, key):
        raise InputError(str(out), "J6", "the output folder is not empty", "choose an empty or new folder")
    run_stage("paint", partial(_work, sources, job), config, Context(seed, device), out, job.keys)
    return load_dataset(out)


def read_job(sources: Sources, config: PaintConfig, device: str) -> Job:
    """Read and check all that is asked for; writes nothing. Raises as ``paint``."""
    severity = None if config.severity is None else parse_severity(config.severity)
    asked = None if config.light is None else parse_light(config.light)
    placement = Placement(parse_at(config.at), parse_turn(config.turn), config.scale, config.number)
    brush, channels = open_painter(sources.model, device)
    if severity is not None and not brush.painter.controls:
        raise ConfigError("--severity: this model was trained without (noise: false)")
    learnt, notes = learnt_reading(sources.model), Notes()
    reading = config.over(learnt)
    photograph = read_photograph(sources.photograph, notes, reading)
    if photograph.coloured and (channels == 1 or learnt.colour == "gray") and config.colour != "gray":
        raise InputError(
            str(sources.photograph),
            "A10",
            "is in colour, and the model paints gray photographs",
            "--colour gray paints it as a gray one; or train on colour photographs",
        )
    classes = None if config.classes is None else read_classes(config.classes, sources.mask.parent, ())
    instances, mask_content = read_mask(sources.mask, config.category, brush.categories, classes=classes)
    if placement.at_xy is None:
        instances = in_its_frame(str(sources.mask), instances, photograph, config.exif, notes)
    model = load_light(sources.light_model) if sources.light_model else light_beside(sources.model)
    # by content, so that a photograph saved anew under the same name is painted anew
    keys = {
        "photograph": photograph.sha256,
        "mask": sha256_bytes(mask_content),
        "name": sources.photograph.name,
        "generator": sha256_file(sources.model / "generator.safetensors"),
        "model": sha256_file(sources.model / "model.json"),
        "light": sha256_bytes(repr(model).encode()),
        **({} if classes is None else {"classes": sha256_bytes(repr(classes).encode())}),
    }
    return Job(
        brush,
        channels,
        photograph.pixels,
        instances,
        severity,
        resolved(asked, model, sources.photograph.name) if asked else None,
        model,
        placement,
        keys,
        (f"the photograph is {reading.words()}", *(f"{code} {said}" for code, said in notes.warnings.items())),
    )


def _key_of(out: Path) -> str | None:
    """The key of the painting that the folder holds, finished or not."""
    for name in ("manifest.json", "started.json"):
        if (out / name).is_file():
            try:
                return json.loads((out / name).read_text(encoding="utf-8")).get("key")
            except (ValueError, AttributeError):
                return None
    return None


def _work(sources: Sources, job: Job, config: PaintConfig, context: Context, out: Path) -> dict[str, object]:
    """The stage: paint, write, and count."""
    ids = {name: at for at, name in enumerate(job.brush.categories, start=1)}
    about = _about(sources, job, config, context.seed)
    stem = sources.photograph.stem
    images: list[ImageRecord] = []
    annotations: list[Annotation] = []
    for index in track(range(1, config.count + 1), "paint"):
        base = job.pixels
        if job.light:
            # a stream of its own for each photograph: the tenth of ten is the tenth of a hundred
            base = relight(base, job.light, job.light_model, seed_for(context.seed, "light", index))
        height, width = base.shape[:2]
        placed = place(
            str(sources.mask), job.instances, (height, width), job.placement, rng_for(context.seed, "place", index)
        )
        painted, fillings = paint_instances(
            job.brush, job.channels, base, placed, job.severity, seed_for(context.seed, "paint", index)
        )
        name = f"{stem}_{index:03d}.png"
        if job.light:
            write_png(out / "relit" / name, base)
        written = write_png(out / "images" / name, painted)
        images.append(
            ImageRecord(
                index,
                name,
                width,
                height,
                stem,
                "train",
                "synthetic",
                sha256_bytes(written),
                {"provenance": {**about, "index": index}},
            )
        )
        annotations += [
            Annotation.from_mask(0, index, ids[category], mask, {"severity": filling.record()})
            for (category, mask), filling in zip(placed, fillings, strict=True)
        ]
    Dataset(
        images,
        number_from_one(annotations),
        [Category(at, name) for name, at in ids.items()],
        {"mode": "L" if job.pixels.ndim == 2 else "RGB"},
        out,
    ).save(out)
    return {"images": len(images), "instances": len(annotations), "remarks": list(job.remarks)}


def _about(sources: Sources, job: Job, config: PaintConfig, seed: int) -> dict[str, object]:
    """The provenance that all photographs of a job share; names of files, never where they lie."""
    about: dict[str, object] = {
        "method": job.brush.config.method,
        "seed": seed,
        "base": sources.photograph.name,
        "base_sha256": job.keys["photograph"],
        "mask": sources.mask.name,
        "mask_sha256": job.keys["mask"],
        "generator_sha256": job.keys["generator"],
        "support_px": job.brush.settings.support_px,
    }
    if job.light:
        about["light"] = {**job.light.record(), "asked": config.light}
    return about


def paint_instances(
    brush: Brush, channels: int, base: np.ndarray, instances: Instances, asked: tuple[str, float] | None, seed: int
) -> tuple[np.ndarray, list[Filled]]:
    """The photograph with one instance after the other filled; gray stays gray with a model of three channels.

    Args:
        brush: the generator, ready to paint.
        channels: that the model paints: 1 or 3.
        base: the normal photograph, uint8 (H, W) or (H, W, 3).
        instances: (category, mask_01 (H, W)) in order.
        asked: severity as (kind, value); None: as a training defect has it.
        seed: another number is another defect.

    Returns:
        The painted photograph of ``base``'s shape, and what was filled.
    """
    shown = to_mode(base, "RGB") if channels == 3 else base
    fillings: list[Filled] = []
    for at, (category, mask) in enumerate(instances):
        wanted = wanted_severity(asked, brush.severities[category])
        fillings.append(
            fill(brush, fillings[-1].pixels if fillings else shown, mask, category, seed_for(seed, at), wanted)
        )
    painted = fillings[-1].pixels
    if painted.ndim == 3 and base.ndim == 2:
        painted = np.rint(one_channel(painted)).astype(np.uint8)
    return painted, fillings


def summary(dataset: Dataset) -> dict[str, object]:
    """Photographs, instances and the share of painted pixels, for the last line."""
    grouped = dataset.by_image()
    shares = [
        float(union([item.mask() for item in grouped[image.id]], image.height, image.width).mean())
        for image in dataset.images
    ]
    return {"images": len(dataset.images), "instances": len(dataset.annotations), "share": float(np.mean(shares))}
