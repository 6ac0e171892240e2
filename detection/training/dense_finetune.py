"""The dense detector's training from a data set to a trained net, and what its held-out objects say of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomaly_gan.core.dataset import Dataset, ImageRecord
from anomaly_gan.core.seeding import rng_for

from ..data import CategoryMap
from ..dense.bank import read_bank
from ..dense.drawn import DrawnDefects
from ..dense.inner import InnerSplit, inner_split
from ..dense.net import DenseNet
from ..dense.photographs import Photographs
from ..dense.pixels import PixelCounts
from ..dense.priors import read_prior
from ..dense.sampling import CropSampler, exposure_report
from ..detectors.config import DetectConfig
from .dense_start import load_start
from .dense_task import CropBatches, DenseTask, check_start, training_sources
from .finetune import Trained, build_net
from .report import HeldOut, InnerReport, TrainingReport
from .schedule import cosine, schedule

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from anomaly_gan.engine.early_stopping import Plateau

ASKED = 40
"""Most held-out photographs with a defect, and most without, that a look at the training asks."""


def train_dense(
    dataset: Dataset,
    config: DetectConfig,
    fabric: Fabric,
    folder: Path,
    *,
    seed: int,
    where: str = "training split",
    on_step: Callable[[], None] = lambda: None,
    bank: Path | None = None,
    priors: Path | None = None,
    start: Path | None = None,
    drawn: bool = False,
) -> Trained:
    """Train on the crops of ``dataset``, and on those of a ``bank`` besides; see
    :func:`detection.training.finetune.train_detector`.

    Args:
        dataset: photographs and labels.
        config: of the detector.
        fabric: device and precision to compute with.
        folder: folder of the training; what is there is gone on with.
        seed: of every random choice made here.
        where: what messages call the data set.
        on_step: called after each step.
        bank: folder of painted crops to draw from beside the photographs; None: none.
        priors: folder of the photographs' one-class maps; None: the net has no such input.
        start: folder of a model whose weights the training begins from; None: none.
        drawn: draw defects by rule on the sound photographs, where no other is to be had.

    Returns:
        Net, categories, and what was held out.
    """
    from anomaly_gan.engine.loop import finish, fit

    categories = CategoryMap.of(dataset.categories)
    check_start(categories, where)
    categories.check(dataset, where)
    inner = inner_split(dataset, config.dense, seed)
    photographs = Photographs(inner.learn, categories)
    objects = {image.group_id for image in inner.learn.images}
    synthetic = None if bank is None else read_bank(bank, categories, objects)
    if synthetic is not None:
        synthetic.check_shams(config.dense.sham_share)
    by_rule = DrawnDefects(photographs, photographs.sound(), categories, config.dense.crop) if drawn else None
    sources, defects, painted = training_sources(photographs, synthetic, config.dense.smallest, by_rule)
    sampler = CropSampler(sources, config.dense, seed)
    steps = config.iterations or sampler.steps_for(config.exposures)
    net = build_net(len(categories), config, seed)
    assert isinstance(net, DenseNet)
    if start is not None:
        load_start(net, start, categories)
    task = DenseTask(net, config)
    batches = CropBatches(
        photographs, defects, painted, synthetic, sampler, config, steps, seed, fabric.device, priors, by_rule
    )

    def next_batch(step: int) -> Any:
        on_step()
        return batches(step)

    # early stop looks at objects held out of the training side, never at a test split
    plateau = _plateau(task, inner, categories, config, steps, seed, fabric, priors)
    history = fit(
        task,
        next_batch,
        schedule(config, steps, seed, cosine(steps, config.warmup), warmup=0),
        fabric,
        folder,
        plateau=plateau,
    )
    finish(folder)
    kept = task.nets["average"].eval()
    assert isinstance(kept, DenseNet)
    ended, best = history.ended_by, plateau.best if plateau else {}
    report = TrainingReport(
        exposure_report(sampler, history.steps, categories.names, [item.image for item in defects]),
        {},
        history.steps,
        ended == "time",
        InnerReport(_described(inner.held), best, ended),
    )
    return Trained(kept, categories, report, inner.held)


def _plateau(
    task: DenseTask,
    inner: InnerSplit,
    categories: CategoryMap,
    config: DetectConfig,
    steps: int,
    seed: int,
    fabric: Fabric,
    priors: Path | None,
) -> Plateau | None:
    """The early stop on held-out objects; None where none shows a defect."""
    from anomaly_gan.engine.early_stopping import Plateau

    if not inner.held.annotations or not config.dense.looks:
        return None
    asked = _asked(inner.held, seed)
    net = task.nets["average"]
    assert isinstance(net, DenseNet)
    return Plateau(
        every=max(1, steps // (2 * config.dense.looks)),
        patience=config.dense.patience,
        measure=lambda: measured(net, inner.held, asked, categories, fabric, priors),
        nets=lambda: {"average": net},
        after=steps // 2,
    )


def _asked(held: Dataset, seed: int) -> list[ImageRecord]:
    sound = {image.id for image in held.normals()}
    chosen = []
    for kind in (True, False):
        images = [image for image in held.images if (image.id in sound) == kind]
        order = rng_for(seed, "dense", "asked", kind).permutation(len(images))[:ASKED]
        chosen += [images[int(place)] for place in sorted(order)]
    return chosen


def measured(
    net: DenseNet,
    dataset: Dataset,
    images: list[ImageRecord],
    categories: CategoryMap,
    fabric: Fabric,
    priors: Path | None = None,
) -> dict[str, float]:
    """``missed``: 1 - mean pixel AP over the categories that the images show.

    Args:
        net: the net, in evaluation mode.
        dataset: the data set.
        images: photographs to measure on.
        categories: labels of the net against category ids.
        fabric: device and precision to compute with.
        priors: folder of the photographs' one-class maps; None: the net has no such input.

    Returns:
        ``missed`` in [0, 1].
    """
    photographs = Photographs(dataset, categories)
    place_of = {image.id: place for place, image in enumerate(dataset.images)}
    sound = {image.id for image in dataset.normals()}
    counts = PixelCounts.of(len(categories))
    net.eval()
    for image in images:
        pixels, truth = photographs.load(place_of[image.id])
        prior = read_prior(priors, image) if net.config.prior else None
        with fabric.autocast():
            seen = net.look(pixels, fabric.device, prior)
        counts.add(seen.maps_KHW, None if image.id in sound else truth[:-1])
    known = [value for value in counts.average_precision() if value is not None]
    return {"missed": 1 - float(np.mean(known)) if known else 1.0}


def _described(held: Dataset) -> HeldOut:
    sound = len({image.id for image in held.normals()})
    return HeldOut(len({image.group_id for image in held.images}), len(held.images) - sound, sound)
