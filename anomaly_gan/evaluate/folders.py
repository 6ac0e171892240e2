"""FID, KID, LPIPS, precision and recall of two folders of pictures, as the field computes them.

Features come through clean-fid (its resizing, its Inception), perceptual distances through the lpips package. Without
the standard weight files the embedded EfficientNet-Lite0 takes their place and every figure is named after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from ..core import weights as weight_files
from ..core.devices import place_of
from ..core.errors import ConfigError, InputError
from ..core.images import read_pixels
from ..core.progress import track
from ..core.seeding import rng_for
from ..metrics.backbones import EMBEDDED, LPIPS_SIZE, embedded_backbone
from ..metrics.features import pooled_features
from ..metrics.frechet import frechet_distance
from ..metrics.kernel import kernel_distance
from ..metrics.perceptual import lpips_backbone, pairwise_distances, pooled_and_embedded
from ..metrics.precision_recall import precision_recall
from ..statistics.intervals import central

METRICS = ("fid", "kid", "lpips", "precision-recall")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
ENOUGH = 2048
"""Photographs a side from which FID's bias is small against what models differ by (as many as Inception's features)."""
LEAST = 2
Mode = Literal["clean", "legacy"]


@dataclass(frozen=True)
class Figure:
    """One figure, and the 95 % interval over resampled pictures of both folders."""

    name: str
    value: float
    low: float
    high: float
    better: Literal["lower", "higher", "like real"]
    real: float | None = None
    """The same figure of the real pictures against themselves, where it has one."""


@dataclass(frozen=True)
class Evaluation:
    """All figures of two folders, and what to keep in mind about them."""

    generated: int
    real: int
    mode: Mode
    backbone: str
    figures: list[Figure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def evaluate_folders(
    generated: Path,
    real: Path,
    metrics: Sequence[str] = METRICS,
    mode: Mode = "clean",
    resamples: int = 200,
    seed: int = 0,
    device: str = "auto",
) -> Evaluation:
    """Compare every picture of ``generated`` with every one of ``real``, at any depth.

    Args:
        generated: folder of the pictures to evaluate.
        real: folder of the pictures they should be like.
        metrics: some of :data:`METRICS`.
        mode: clean-fid's resizing: ``clean`` (PIL's bicubic, antialiased) or ``legacy`` (inside the network, as the
            TensorFlow code of 2017 does; it needs the Inception weights).
        resamples: bootstrap resamples behind each interval.
        seed: of the resamples.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        Every metric with its 95 % interval and the same between halves of ``real``, and warnings.

    Raises:
        ConfigError: an unknown metric or mode, or ``legacy`` without Inception.
        InputError: a folder without pictures, or a picture that cannot be read.
    """
    wanted = _known(metrics)
    files = [_pictures(folder) for folder in (generated, real)]
    place = place_of(device)
    found: list[Figure] = []
    label = EMBEDDED
    if set(wanted) - {"lpips"}:
        inception = weight_files.find("inception_fid")
        if mode == "legacy" and inception is None:
            raise ConfigError(
                "--mode legacy: resizes inside Inception; fetch it: `anomaly-gan weights fetch inception_fid`"
            )
        label = "Inception" if inception else EMBEDDED
        first, second = (_features(paths, inception, mode, place) for paths in files)
        found += _feature_figures(wanted, first, second, "" if inception else f"-{EMBEDDED}", resamples, seed)
    if "lpips" in wanted:
        found += _perceptual_figures(files[0], files[1], place, resamples, seed)
    counts = [len(paths) for paths in files]
    used = list(dict.fromkeys(backbone_of(figure.name, label) for figure in found))
    return Evaluation(counts[0], counts[1], mode, " and ".join(used), found, _warnings(wanted, counts, found))


def _known(metrics: Sequence[str]) -> list[str]:
    for name in metrics:
        if name not in METRICS:
            raise ConfigError(f"--metrics {name}: choose of {', '.join(METRICS)}")
    return [name for name in METRICS if name in metrics]


def _pictures(folder: Path) -> list[Path]:
    """The pictures at any depth, in the order of their names.

    Raises:
        InputError: no folder, or fewer than two pictures in it.
    """
    if not folder.is_dir():
        raise InputError(str(folder), "MISSING", "no such folder", "give a folder of pictures")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if len(paths) < LEAST:
        raise InputError(str(folder), "I1", f"{len(paths)} pictures in it", f"give a folder with at least {LEAST}")
    return paths


def _features(paths: list[Path], inception: Path | None, mode: Mode, device: str) -> np.ndarray:
    """(N, D): clean-fid's of Inception, or the embedded network's."""
    if inception is None:
        pictures = (read_pixels(path, gray=False) for path in track(paths, "features"))
        return pooled_features(pictures, embedded_backbone(device))
    from cleanfid.fid import get_files_features
    from cleanfid.inception_torchscript import InceptionV3W

    for path in paths:
        read_pixels(path, gray=False)  # clean-fid says nothing of which file it stumbled over
    net = InceptionV3W(str(inception.parent), download=False, resize_inside=mode == "legacy").to(device)
    return get_files_features(
        [str(path) for path in paths],
        net,
        num_workers=0,
        batch_size=32,
        device=torch.device(device),
        mode="clean" if mode == "clean" else "legacy_tensorflow",
        verbose=False,
    ).astype(np.float64)


def _feature_figures(
    wanted: list[str], generated: np.ndarray, real: np.ndarray, suffix: str, resamples: int, seed: int
) -> list[Figure]:
    halves = _halves(real, seed)
    found = []
    if "fid" in wanted:
        name = f"FD{suffix}" if suffix else "FID"
        low, high = _interval(frechet_distance, generated, real, resamples, seed)
        reference = frechet_distance(*halves) if halves else None
        found.append(Figure(name, frechet_distance(generated, real), low, high, "lower", reference))
    if "kid" in wanted:
        low, high = _interval(kernel_distance, generated, real, resamples, seed)
        reference = kernel_distance(*halves) if halves else None
        found.append(Figure(f"KID{suffix}", kernel_distance(generated, real), low, high, "lower", reference))
    if "precision-recall" in wanted:
        for at, name in enumerate(("precision", "recall")):

            def one(first: np.ndarray, second: np.ndarray, at: int = at) -> float:
                return precision_recall(first, second)[at]

            low, high = _interval(one, generated, real, resamples, seed, repeated=False)
            found.append(Figure(f"{name}{suffix}", one(generated, real), low, high, "higher"))
    return found


def _perceptual_figures(
    generated: list[Path], real: list[Path], device: str, resamples: int, seed: int
) -> list[Figure]:
    """Mean distance of generated to real pictures, and within each folder (diversity)."""
    alexnet = weight_files.find("alexnet_lpips")
    if alexnet is None:
        backbone, level_weights = embedded_backbone(device), None
    else:
        trunk = torch.load(alexnet, map_location="cpu", weights_only=True)
        backbone, level_weights = lpips_backbone(trunk, LPIPS_SIZE, device)
    first, second = (
        pooled_and_embedded(
            (read_pixels(path, gray=False) for path in track(paths, "perceptual")), backbone, level_weights
        )[1]
        for paths in (generated, real)
    )
    name = "LPIPS" if alexnet else f"PD-{EMBEDDED}"
    across = pairwise_distances(first, second)
    inside, reference = pairwise_distances(first, first), pairwise_distances(second, second)
    rng = rng_for(seed, "evaluate", "perceptual")
    rows = [
        (rng.integers(len(first), size=len(first)), rng.integers(len(second), size=len(second)))
        for _ in range(resamples)
    ]
    between = [float(across[np.ix_(a, b)].mean()) for a, b in rows]
    within = [_off_diagonal(inside, np.unique(a)) for a, _ in rows]
    return [
        Figure(name, float(across.mean()), *_bounds(between), "lower", _off_diagonal(reference)),
        Figure(f"{name} diversity", _off_diagonal(inside), *_bounds(within), "like real", _off_diagonal(reference)),
    ]


def _off_diagonal(distances: np.ndarray, rows: np.ndarray | None = None) -> float:
    """Mean over pairs of different pictures; of ``rows`` alone, where given."""
    part = distances if rows is None else distances[np.ix_(rows, rows)]
    count = len(part)
    return float(part.sum() / (count * (count - 1))) if count > 1 else 0.0


def _halves(features: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Two random halves of a set, or None where one would hold fewer than two."""
    if len(features) < 2 * LEAST:
        return None
    order = rng_for(seed, "evaluate", "halves").permutation(len(features))
    return features[order[: len(order) // 2]], features[order[len(order) // 2 :]]


def _interval(
    figure: Callable[[np.ndarray, np.ndarray], float],
    generated: np.ndarray,
    real: np.ndarray,
    resamples: int,
    seed: int,
    repeated: bool = True,
) -> tuple[float, float]:
    """The middle 95 % of the figure over resamples of both sets.

    A picture that is drawn twice is its own nearest neighbour: where the figure looks for neighbours
    (``repeated=False``) each resample is a random four fifths without repeats instead.
    """
    rng = rng_for(seed, "evaluate", "interval")
    values = []
    for _ in range(resamples):
        rows = [
            rng.integers(len(side), size=len(side))
            if repeated
            else rng.permutation(len(side))[: max(2, 4 * len(side) // 5)]
            for side in (generated, real)
        ]
        values.append(figure(generated[rows[0]], real[rows[1]]))
    return _bounds(values)


def _bounds(values: list[float]) -> tuple[float, float]:
    return central(values) if values else (float("nan"), float("nan"))


def backbone_of(name: str, features: str) -> str:
    """Whose features a figure was measured with: LPIPS is of AlexNet, the others of what they were told."""
    return EMBEDDED if EMBEDDED in name else "AlexNet" if name.startswith("LPIPS") else features


def _warnings(wanted: list[str], counts: list[int], figures: list[Figure]) -> list[str]:
    found = []
    least = min(counts)
    if "fid" in wanted and least < ENOUGH:
        found.append(
            f"{counts[0]} generated and {counts[1]} real pictures: below {ENOUGH:,} a side FID is too high by chance, "
            "the more so the fewer; compare it only with figures of equally many, and prefer KID"
        )
    if least < 50:
        found.append(f"{least} pictures on one side say little: read the intervals, not the figures")
    for names, weights in ((("FD", "KID", "precision", "recall"), "Inception"), (("LPIPS", "PD"), "AlexNet")):
        others = [one.name for one in figures if one.name.startswith(names) and EMBEDDED in one.name]
        if others:
            found.append(
                f"no {weights} weights here: {', '.join(others)} are of an embedded EfficientNet-Lite0 and may not be "
                "compared with published figures (`anomaly-gan weights list`)"
            )
    return found
