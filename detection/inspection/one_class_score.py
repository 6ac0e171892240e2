"""A second score of a photograph: how unusual it is for a sound part, added to what the detector of defects says.

The detector knows the defects that were labelled, a one-class detector what sound parts look like; they err elsewhere.
Two PaDiM detectors (Defard et al., 2021) learn from either half of the sound training objects. A photograph's
unusualness is the mean of theirs, each in standard deviations of the sound photographs of the other half. It is added
to the logit of the detector's own score, where on the training photographs it tells defects from sound parts: no
one-class detector has learnt a defect, so that can be asked without holding anything out.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from anomaly_gan.core.dataset import Dataset, ImageRecord
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import sha256_file, write_json
from anomaly_gan.core.images import read_record
from anomaly_gan.core.json_files import read_as, understood
from anomaly_gan.core.progress import track
from anomaly_gan.core.seeding import rng_for, seed_for
from anomaly_gan.ingestion.reading import ReadingConfig

from ..dense.instances import Inspected
from ..evaluation.image_level import image_auroc, image_scores
from ..evaluation.reading import Reading
from ..one_class.halves import Learnt, halves_by_object, learn_from
from ..one_class.inspection.checkpoint import Model, load_model, save_model
from ..one_class.inspection.scoring import score_batch
from ..one_class.registry import one_class

METHOD = "padim"
SETTINGS: dict[str, object] = {"features": 100}
FOLDER, SUMMARY = "one_class_score", "one_class_score.json"
FEWEST, MOST = 10, 500
"""Sound photographs that either detector learns from."""
HELPS_FROM = 0.65
"""Least AUROC on training photographs with which it is added."""
OF_DRAWN = 0.25
"""What the logit of a detector of drawn defects counts: of sound photographs it is spread over some two, that of a
detector of real defects over about one, and it knows less."""
LEAST, GREATEST = -3.0, 10.0
"""Standard deviations beyond which nothing more is added."""
SURE = 1e-4
"""The detector's own score counts as at least this, and as at most 1 less it."""


@dataclass(frozen=True)
class Scale:
    """Of the scores of sound photographs that a detector has not learnt from: their median and standard deviation."""

    middle: float
    spread: float

    def beyond(self, score: float) -> float:
        """Standard deviations beyond the usual."""
        return (score - self.middle) / self.spread


@dataclass(frozen=True)
class Summary:
    """``one_class_score.json``: the scales of both detectors, the AUROC on training photographs that it was added for
    (None: they show no defect), the SHA-256 of both weight files, and what the detector's own logit counts."""

    scales: tuple[Scale, ...]
    auroc: float | None
    weights: tuple[str, ...]
    own: float = 1.0


@dataclass(frozen=True)
class OneClassScore:
    """Both detectors, ready to score; ``hash`` is the SHA-256 of the summary."""

    detectors: tuple[Model, ...]
    summary: Summary
    hash: str
    device: torch.device

    def beyond(self, pixels: np.ndarray) -> float:
        """How unusual a photograph, uint8 (H, W) or (H, W, 3) in the model's colours, is: standard deviations."""
        found = []
        for model, scale in zip(self.detectors, self.summary.scales, strict=True):
            squares = model.view.squares(pixels, model.mode)
            found.append(scale.beyond(float(score_batch(model.detector, squares, self.device).image.max())))
        return float(np.mean(found))

    def added(self, score: float, pixels: np.ndarray) -> float:
        """The score of :func:`sum_of` from the detector's own and a photograph."""
        return sum_of(score, self.beyond(pixels), self.summary.own)


def sum_of(score: float, beyond: float, counts: float = 1.0) -> float:
    """Both scores in one, in (0, 1): the logit of the detector's own, in [0, 1], times what it ``counts``, plus the
    standard deviations."""
    own = min(max(score, SURE), 1 - SURE)
    return 1 / (1 + math.exp(-counts * math.log(own / (1 - own)) - min(max(beyond, LEAST), GREATEST)))


def photograph_score(seen: Inspected, pixels: np.ndarray, second: OneClassScore | None) -> float:
    """The score of a photograph: the detector's own, with the one-class score where there is one; of a detector that
    gives none the highest score of its instances, 0 without any."""
    if seen.score is None:
        return max((item.score for item in seen.found), default=0.0)
    return seen.score if second is None else second.added(seen.score, pixels)


def with_one_class_score(dataset: Dataset, seen: Reading, second: OneClassScore | None) -> Reading:
    """What a detector says of a data set's photographs, their scores with the one-class score where there is one."""
    if second is None or seen.scores is None:
        return seen
    scores = {
        image.id: round(second.added(seen.scores[image.id], read_record(dataset, image, gray=dataset.gray)), 6)
        for image in track(dataset.images, "one-class score")
    }
    return replace(seen, scores=scores)


def harm(held: Dataset, alone: Reading, both: Reading) -> str | None:
    """One line where the one-class score tells the defects of held-out objects worse; None where it does not, or where
    none shows a defect."""
    found = [image_auroc(*image_scores(held, one.rows, one.scores)) for one in (alone, both)]
    if found[0] is None or found[1] is None or found[1] >= found[0]:
        return None
    return f"no one-class score: with it the AUROC on held-out objects is {found[1]:.3f}, without it {found[0]:.3f}"


def forget_one_class_score(folder: Path) -> None:
    """Remove what :func:`learn_one_class_score` wrote in the folder of a model."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def learn_one_class_score(learnt: Dataset, seed: int, device: torch.device, folder: Path) -> tuple[str | None, str]:
    """Learn from the sound photographs of ``learnt`` and write ``one_class_score/`` in the folder of a model.

    Args:
        learnt: what the detector was trained on; objects that are held out are not among it.
        seed: of every random choice made here.
        device: where to compute.
        folder: of the model.

    Returns:
        The SHA-256 of ``one_class_score.json``, None where no score is added, and one line that says which and why.
    """
    place = folder / FOLDER
    forget_one_class_score(folder)  # of a training that was cut off
    real = learnt.select(lambda image: image.source == "real")
    halves = [
        _at_most(half, seed) for half in halves_by_object(real.normals(), rng_for(seed, "one-class score", "halves"))
    ]
    if min(len(half) for half in halves) < FEWEST:
        return None, f"no one-class score: fewer than {2 * FEWEST} sound photographs of several objects to learn from"
    settings = one_class(METHOD).configure("full", SETTINGS)
    detectors = [
        learn_from(real, half, METHOD, settings, seed_for(seed, "one-class score", number), device.type, place)
        for number, half in enumerate(halves)
    ]
    scales, auroc = _judged(real, halves, detectors, device.type)
    if auroc is None:
        words, counts = "with no labelled defect to ask whether it helps", OF_DRAWN
    else:
        words, counts = f"AUROC {auroc:.2f} on the training photographs, no defect of which it has learnt", 1.0
    if auroc is not None and auroc < HELPS_FROM:
        forget_one_class_score(folder)
        return None, f"no one-class score: {METHOD} has an {words}; {HELPS_FROM:g} is asked"
    reading = ReadingConfig.of_dataset(real)
    for number, one in enumerate(detectors):
        save_model(place / str(number), Model(one.detector, METHOD, settings, 1 if one.gray else 3, reading))
    shutil.rmtree(place / "training", ignore_errors=True)
    hashes = tuple(sha256_file(place / str(number) / "model.safetensors") for number in range(len(detectors)))
    write_json(place / SUMMARY, asdict(Summary(scales, auroc, hashes, counts)))
    return sha256_file(place / SUMMARY), f"one-class score ({METHOD}), {words}: added to a photograph's score"


def read_one_class_score(folder: Path, expected: str | None, device: torch.device) -> OneClassScore | None:
    """What :func:`learn_one_class_score` wrote in the folder of a model; None where the model has none.

    Args:
        folder: of the model.
        expected: the SHA-256 that the model knows; None: it has none.
        device: where to compute.

    Raises:
        InputError: a file is missing; A13 it is not the one that the model was written with.
    """
    if expected is None:
        return None
    place, remedy = folder / FOLDER, "copy the model again"
    path = place / SUMMARY
    with understood(path, remedy):
        summary = read_as(path, Summary, remedy)
        if sha256_file(path) != expected:
            raise InputError(str(path), "A13", "is not the file that model.json describes", remedy)
        for number in range(len(summary.scales)):
            for name in ("model.json", "model.safetensors"):
                if not (place / str(number) / name).is_file():
                    raise InputError(str(place / str(number) / name), "MISSING", "no such file", remedy)
        detectors = tuple(load_model(place / str(number), device) for number in range(len(summary.scales)))
        for number, known in enumerate(summary.weights):
            weights = place / str(number) / "model.safetensors"
            if sha256_file(weights) != known:
                raise InputError(str(weights), "A13", f"is not the file that {SUMMARY} describes", remedy)
    return OneClassScore(detectors, summary, expected, device)


def _at_most(half: list[ImageRecord], seed: int) -> list[ImageRecord]:
    order = rng_for(seed, "one-class score", "at most").permutation(len(half))[:MOST]
    return [half[int(number)] for number in sorted(order)]


def _judged(
    real: Dataset, halves: list[list[ImageRecord]], detectors: list[Learnt], device: str
) -> tuple[tuple[Scale, ...], float | None]:
    """Scales, and the AUROC on photographs of objects that a detector has not learnt from; None without a defect."""
    groups = [{image.group_id for image in half} for half in halves]
    sound = {image.id for image in real.normals()}
    defective = _at_most([image for image in real.images if image.id not in sound], 0)
    scales: list[Scale] = []
    beyond: dict[int, list[float]] = {}
    for number, one in enumerate(detectors):
        other = halves[1 - number]
        usual = [score for _, score, _ in one.ask(real, other, device)]
        scale = Scale(float(np.median(usual)), max(float(np.std(usual)), 1e-9))
        scales.append(scale)
        asked = [image for image in defective if image.group_id not in groups[number]]
        scores: Mapping[int, float] = {
            **{image.id: score for image, score in zip(other, usual, strict=True)},
            **{image.id: score for image, score, _ in one.ask(real, asked, device)},
        }
        for key, score in scores.items():
            beyond.setdefault(key, []).append(scale.beyond(score))
    means = {key: float(np.mean(values)) for key, values in beyond.items()}
    apart = [np.array([value for key, value in means.items() if (key in sound) == kind]) for kind in (False, True)]
    found = image_auroc(apart[0], apart[1])
    return tuple(scales), found
