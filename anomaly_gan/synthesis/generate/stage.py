"""Stage ``generate@METHOD``: pool masks + training normals -> labelled synthetic photographs with provenance."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from ...core.dataset import Annotation, Category, Dataset, ImageRecord, load_dataset, number_from_one
from ...core.errors import InputError
from ...core.files import sha256_bytes, write_json
from ...core.images import write_png
from ...core.json_files import understood
from ...core.progress import track
from ...core.seeding import rng_for, seed_for
from ...core.stage import Context
from ...core.time_budget import TimeBudget
from ...engine.cluster import active, run_on_cluster
from ...engine.jobs import Sitting
from ..conditions import Control
from ..interface import MethodInputs, PoolItem, Sample
from ..methods.best import NONE, read_choice
from ..registry import method, training_of
from .config import GenerateConfig

NOTES = "notes"
Row = dict[str, Any]
"""A written photograph as JSON: its ``image`` record and the ``annotations`` on it."""
PIECE = 64
"""Items of one task of a cluster: a minute of work, so that a dead machine costs little."""


def run(config: GenerateConfig, context: Context, out: Path) -> dict[str, object]:
    """Write ``config.count`` photographs per category. Each finished item leaves a note, so a run that was cut
    off makes only what is missing; the bytes depend on (seed, method, item) alone. Where time ends it, there are
    fewer, and as many of each category."""
    inputs = _inputs(config, context)
    items = wanted_items(inputs, config)
    wanted = len(items)
    make(config, context, out, items, inputs)
    items = [item for item in items if note_of(out, item).is_file()]
    with understood(out / NOTES, f"delete {out} and run again"):
        rows = [json.loads(note_of(out, item).read_text(encoding="utf-8")) for item in items]
        made = assemble(rows, inputs.train)
    made.save(out)
    shutil.rmtree(out / NOTES)
    controls = config.control.record()
    followed = sum("control" in row["image"]["extra"]["provenance"] for row in rows)
    about = {"control": {**controls, "followed_by": followed}} if controls else {}
    return {
        "method": config.method,
        "count": len(rows),
        **({} if len(rows) == wanted else {"ended_by": "time", "planned": wanted}),
        **about,
        "per_category": dict(sorted(Counter(item.image.extra["category"] for item in items).items())),
    }


def make(config: GenerateConfig, context: Context, out: Path, items: Sequence[PoolItem], inputs: MethodInputs) -> None:
    """Every item that has no note yet, in turns and until time is up: here, or on the cluster that was chosen."""
    label, items, watch = f"generate {config.method}", in_turns(items), context.watch(config.time_budget)
    cluster = active()
    if cluster is not None:
        remedy, over = "lower generate.count, or raise the workers' memory", watch.over if watch else lambda: False
        sitting = Sitting(label, remedy, over=over)
        run_on_cluster(pieces_of(config, context, out, items), cluster, sitting)
        return
    if config.threads:
        import torch

        torch.set_num_threads(config.threads)
    least = len({item.image.extra["category"] for item in items})
    make_here(config.method, inputs, out, _until(watch, least, out, track(items, label)))


def pieces_of(config: GenerateConfig, context: Context, out: Path, items: Sequence[PoolItem]) -> list[Piece]:
    """``PIECE`` items a task of the cluster, on as many threads as here; none for what is written."""
    import torch

    threads = config.threads or torch.get_num_threads()
    context = replace(context, deadline=None)  # its clock is this machine's
    return [
        Piece(config, context, out, start, min(start + PIECE, len(items)), threads)
        for start in range(0, len(items), PIECE)
        if not all(note_of(out, item).is_file() for item in items[start : start + PIECE])
    ]


def _until(watch: TimeBudget | None, least: int, out: Path, items: Iterable[PoolItem]) -> Iterator[PoolItem]:
    """The items until time is up, the first ``least`` in any case."""
    for number, item in enumerate(items):
        if watch is not None and number >= least and not note_of(out, item).is_file() and watch.over():
            return
        yield item


def make_here(
    name: str, inputs: MethodInputs, out: Path, items: Iterable[PoolItem], on_item: Callable[[], None] = lambda: None
) -> None:
    """Paint and write those of the items that have no note yet."""
    generate = method(name).open(inputs)
    for item in items:
        note = note_of(out, item)
        if not note.is_file():
            write_json(note, write_sample(generate([item], 0)[0], item, name, out))
        on_item()


def note_of(out: Path, item: PoolItem) -> Path:
    """The file that says that an item is written, and what it is."""
    return out / NOTES / f"{item.image.file_name}.json"


@dataclass(frozen=True)
class Piece:
    """Some consecutive items of a stage as a job of a cluster."""

    config: GenerateConfig
    context: Context
    out: Path
    start: int
    stop: int
    threads: int

    @property
    def steps(self) -> int:
        return self.stop - self.start

    @property
    def device(self) -> str:
        """What the cluster must give: a GPU only where one was asked for by name."""
        return self.context.device

    def run(self, on_step: Callable[[], None] = lambda: None) -> None:
        inputs = _inputs(self.config, self.context)
        items = in_turns(wanted_items(inputs, self.config))[self.start : self.stop]
        make_here(self.config.method, inputs, self.out, items, on_step)


def _inputs(config: GenerateConfig, context: Context) -> MethodInputs:
    inputs = method_inputs(config.method, context, config.control)
    if not inputs.pool.images and not method(config.method).needs_pool:
        inputs = without_pool(inputs, config)
    return inputs


def method_inputs(name: str, context: Context, control: Control = Control()) -> MethodInputs:
    """What the method may see: the training split only."""
    train = load_dataset(context.inputs["ingest"]).split("train")
    empty = Dataset([], [], train.categories)
    pool = load_dataset(context.inputs["pool"]) if "pool" in context.inputs or method(name).needs_pool else empty
    training = training_of(name)
    trained = context.inputs[f"train@{training}"] if training else None
    seed = seed_for(context.seed, "generate", method(name).draws_as or name)
    chosen = read_choice(context.inputs.get("choose")) if method(name).chooses else {}
    return MethodInputs(train, pool, seed, context.device, trained, control, chosen=chosen)


def without_pool(inputs: MethodInputs, config: GenerateConfig) -> MethodInputs:
    """For a method that draws its masks itself: ``config.count`` sound photographs a category in place of a pool, in
    the order of chance. A data set without a labelled defect gets the kinds that are drawn as its categories.

    Raises:
        InputError: E7, there is no sound photograph.
    """
    from ...drawn_defects.drawings import KINDS

    train = inputs.train
    names = [image.file_name for image in train.normals()]
    if not names:
        raise InputError(str(train.folder), "E7", "no sound photograph to draw defects on", "ingest some")
    categories = train.categories or [Category(number, kind) for number, kind in enumerate(KINDS, start=1)]
    sizes = {image.file_name: image for image in train.images}
    images: list[ImageRecord] = []
    for category in categories:
        order = rng_for(inputs.seed, "sound", category.name).permutation(len(names))
        for index in range(config.count):
            normal = sizes[names[order[index % len(names)]]]
            extra = {"normal_file": normal.file_name, "category": category.name, "index": index}
            name = f"{category.name}/{index + 1:06d}.png"
            images.append(replace(normal, id=len(images) + 1, file_name=name, extra=extra))
    pool = Dataset(images, [], categories, {"mode": train.mode}, inputs.pool.folder)
    return replace(inputs, train=replace(train, categories=categories), pool=pool)


def pool_items(pool: Dataset) -> dict[str, list[PoolItem]]:
    """The pool's items by category, in the pool's order."""
    of_image = pool.by_image()
    by_category: dict[str, list[PoolItem]] = {}
    for image in pool.images:
        by_category.setdefault(image.extra["category"], []).append(PoolItem(image, of_image.get(image.id, [])))
    return by_category


def wanted_items(inputs: MethodInputs, config: GenerateConfig) -> list[PoolItem]:
    """``choose_items``, without categories of which no method is to paint any."""
    items = choose_items(inputs.pool, config)
    return [item for item in items if inputs.chosen.get(item.image.extra["category"]) != NONE]


def choose_items(pool: Dataset, config: GenerateConfig) -> list[PoolItem]:
    """The first ``count`` items of each wanted category.

    Raises:
        InputError: the pool has no such category, or fewer items than asked for (H9).
    """
    by_category = pool_items(pool)
    chosen: list[PoolItem] = []
    for name in config.categories or list(by_category):
        items = by_category.get(name, [])
        if len(items) < config.count:
            raise InputError(
                str(pool.folder),
                "H9",
                f"{config.count} photographs of {name!r} asked for, the pool has {len(items)} masks",
                "enlarge pool.count or lower generate.count",
            )
        chosen += items[: config.count]
    return chosen


def in_turns(items: Sequence[PoolItem]) -> list[PoolItem]:
    """The first item of each category, then the second of each: what is cut short leaves as many of each."""
    by_category: dict[str, list[PoolItem]] = {}
    for item in items:
        by_category.setdefault(item.image.extra["category"], []).append(item)
    turns = zip_longest(*by_category.values())
    return [item for turn in turns for item in turn if item is not None]


def write_sample(sample: Sample, item: PoolItem, name: str, out: Path) -> Row:
    """Write the pixels under ``out/images`` and return the JSON-able records of the image and its instances.

    Raises:
        InputError: the method gave pixels of a wrong kind (H8).
    """
    file_name = item.image.file_name
    if sample.pixels.dtype != np.uint8:
        raise InputError(file_name, "H8", f"pixels are {sample.pixels.dtype}, not uint8", "")
    return row_of(sample, item, name, sha256_bytes(write_png(out / "images" / file_name, sample.pixels)))


def row_of(sample: Sample, item: PoolItem, name: str, sha256: str) -> Row:
    """The JSON-able records of a sample's image, whose file has that hash, and of its instances."""
    file_name = item.image.file_name
    height, width = sample.pixels.shape[:2]
    base = item.image.extra["normal_file"] if sample.base is not None else None
    maker = sample.provenance.get("method", name)  # a hybrid's photographs name who really made them
    image = ImageRecord(
        0,
        file_name,
        width,
        height,
        item.image.group_id,
        "train",
        "synthetic",
        sha256,
        {
            "provenance": {**sample.provenance, "method": maker, "pool_item": file_name, "base": base},
            "category": item.image.extra["category"],
        },
    )
    annotations = [
        Annotation.from_mask(0, 0, category, mask, parent_of(sample, item, position, maker))
        for position, (category, mask) in enumerate(sample.instances)
        if mask.any()
    ]
    return {"image": vars(image), "annotations": [vars(annotation) for annotation in annotations]}


def parent_of(sample: Sample, item: PoolItem, position: int, name: str) -> dict[str, object]:
    """Ancestry of an instance: the pool element's, or, where a whole photograph was changed, that photograph's."""
    if sample.base is None and "donors" in sample.provenance:
        donor = sample.provenance["donors"][0]
        return {
            "kind": "prior",
            "parent": donor["annotation"],
            "parent_image": donor["image"],
            "parent_group": donor["group"],
            "method": name,
        }
    if sample.provenance.get("label") == "generated":  # the pool's element gave the place, not the mask
        return {"kind": "generated", "method": name}
    source = item.annotations[position].provenance if position < len(item.annotations) else {}
    return {**source, "method": name}


def assemble(rows: list[Row], train: Dataset) -> Dataset:
    """One data set of written samples, ids from 1 in the order of the rows."""
    images, annotations = [], []
    for number, row in enumerate(rows, start=1):
        images.append(ImageRecord(**{**row["image"], "id": number}))
        annotations += [replace(Annotation(**annotation), image_id=number) for annotation in row["annotations"]]
    return Dataset(images, number_from_one(annotations), train.categories, {"mode": train.mode})
