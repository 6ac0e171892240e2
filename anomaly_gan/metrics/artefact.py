"""Artefact AUROC: does compositing leave a trace?

A detector that can tell pasted from untouched texture learns the paste instead of the defect. A probe is trained to
tell shams (sound texture put in by a method, see ``synthesis.bank.shams``) from the same places untouched: an AUROC
of 0.5 says that it cannot, 1 that it always can; up to 0.55 counts as clean.

The probe is a logistic regression on the embedded network's features of the place (mean and standard deviation of
its maps at strides 4 to 16, where seams and blur show) and on the spectrum of its fine grain. It is evaluated on
objects that it has not seen. It bounds from below: a stronger probe might find more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..core.channels import one_channel
from ..statistics.intervals import central
from .features import Backbone, square_input

GOAL = 0.55
FOLDS = 5
RESAMPLES = 300
LEVELS = 3
"""Feature maps looked at, from stride 4 up."""


@dataclass(frozen=True)
class Told:
    """AUROC of a probe with its 95 % interval over objects."""

    auroc: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


def artefact_auroc(
    shams: Sequence[np.ndarray],
    untouched: Sequence[np.ndarray],
    groups: Sequence[str],
    backbone: Backbone,
    rng: np.random.Generator,
) -> Told | None:
    """AUROC in [0, 1] of the probe on left-out objects; None where there are fewer than ``FOLDS`` objects.

    Args:
        shams: crops around the pastes, uint8 (H, W) or (H, W, 3), for example by ``crops.defect_crop``.
        untouched: the same places of the same photographs without the paste, in the same order.
        groups: the object of each pair.
        backbone: for example ``backbones.embedded_backbone("cpu")``.
        rng: chance, for the interval.

    Raises:
        ValueError: the three are not equally many.
    """
    if not len(shams) == len(untouched) == len(groups):
        raise ValueError(f"{len(shams)} shams, {len(untouched)} untouched places, {len(groups)} groups: not pairs")
    if len(set(groups)) < FOLDS:
        return None
    rows = np.stack([trace_features(crop, backbone) for crop in (*shams, *untouched)])
    return told_apart(rows, np.repeat([1, 0], len(shams)), [*groups, *groups], rng)


def told_apart(rows: np.ndarray, truth: np.ndarray, groups: Sequence[str], rng: np.random.Generator) -> Told:
    """AUROC of a linear probe on objects it has not seen, and its interval by resampling whole objects, the probe left
    as it is. ``rows`` (N, D); ``truth`` (N,) of zeros and ones."""
    scores, owners = probe_scores(rows, truth, groups), np.array(groups, dtype=str)
    members = [np.flatnonzero(owners == name) for name in sorted(set(owners))]
    drawn = []
    for _ in range(RESAMPLES):
        chosen = np.concatenate([members[at] for at in rng.integers(len(members), size=len(members))])
        if 0 < truth[chosen].sum() < len(chosen):
            drawn.append(_auroc(scores[chosen], truth[chosen]))
    return Told(_auroc(scores, truth), *central(drawn))


def probe_scores(rows: np.ndarray, truth: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """(N,) the probe's score of each row, as a share of its own fold's scores that lie below: folds compare."""
    found = np.zeros(len(rows))
    for test, scores in _by_fold(rows, truth, groups):
        found[test] = (scores[:, None] > scores[None]).mean(axis=1)
    return found


def _auroc(scores: np.ndarray, truth: np.ndarray) -> float:
    order = scores[truth == 1][:, None] - scores[truth == 0][None]
    return float(((order > 0).sum() + 0.5 * (order == 0).sum()) / order.size)


def _by_fold(rows: np.ndarray, truth: np.ndarray, groups: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each fold over whole groups its rows' places and their scores."""
    for train, test in GroupKFold(FOLDS).split(rows, truth, groups):
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
        probe.fit(rows[train], truth[train])
        yield test, probe.decision_function(rows[test])


@torch.inference_mode()
def trace_features(crop: np.ndarray, backbone: Backbone) -> np.ndarray:
    """(D,) float64: what a probe is shown of a crop. The crop is not shrunk: its grain would go."""
    maps = backbone.network(square_input(crop, max(crop.shape[:2])).to(backbone.device))[1][:LEVELS]
    seen = [torch.cat([one.mean((2, 3))[0], one.std((2, 3), correction=0)[0]]) for one in maps]
    gray = one_channel(crop)
    return np.concatenate([torch.cat(seen).double().cpu().numpy(), grain_bands(gray)])


def grain_bands(gray: np.ndarray, rings: int = 8) -> np.ndarray:
    """(rings,): log power of the picture in bands of rising frequency."""
    plane = gray.astype(np.float64) - gray.mean()
    power = (
        np.abs(np.fft.fftshift(np.fft.fft2(plane * np.outer(np.hanning(len(plane)), np.hanning(plane.shape[1]))))) ** 2
    )
    y, x = (np.linspace(-1, 1, side) for side in power.shape)
    ring = np.minimum((np.hypot(*np.meshgrid(y, x, indexing="ij")) * rings).astype(int), rings - 1)
    total = np.bincount(ring.ravel(), power.ravel(), rings)
    return np.log1p(total / np.maximum(1, np.bincount(ring.ravel(), minlength=rings)))
