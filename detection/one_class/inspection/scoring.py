"""Scores of squares by a saved detector, in batches, on its device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from anomaly_gan.core.errors import ConfigError, EnvironmentFailure

from ..interface import OneClassDetector, Scores

BATCH = 64


def choose_device(device: str) -> torch.device:
    """``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.

    Raises:
        ConfigError: another word. EnvironmentFailure: no GPU.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"--device {device}: must be auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentFailure("--device cuda: this machine has no GPU that torch can use")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


@torch.no_grad()
def score_batch(detector: OneClassDetector, squares_NCHW: np.ndarray, device: torch.device | str = "cpu") -> Scores:
    """Scores on the CPU of uint8 squares (N, C, S, S); nets are put in evaluation mode."""
    for net in detector.nets.values():
        net.eval()
    scores = detector.score(torch.from_numpy(np.ascontiguousarray(squares_NCHW)).to(device))
    return Scores(scores.image.float().cpu(), None if scores.map_BHW is None else scores.map_BHW.float().cpu())


def in_batches(
    detector: OneClassDetector, squares_NCHW: np.ndarray, device: torch.device | str = "cpu", batch: int = BATCH
) -> Iterator[Scores]:
    for start in range(0, len(squares_NCHW), batch):
        yield score_batch(detector, squares_NCHW[start : start + batch], device)


def greatest(values_N: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(photographs,): of each photograph's squares the greatest value; ``counts`` says how many it has."""
    return np.maximum.reduceat(values_N, np.cumsum(counts) - counts)


def score_photographs(
    detector: OneClassDetector, squares: Sequence[np.ndarray], device: torch.device | str = "cpu"
) -> tuple[np.ndarray, list[np.ndarray] | None]:
    """Scores (photographs,) float64 and each photograph's maps (K, S, S) from its squares (K, C, S, S)."""
    parts = list(in_batches(detector, np.concatenate(squares), device))
    counts = np.array([len(one) for one in squares])
    scores = greatest(np.concatenate([part.image.double().numpy() for part in parts]), counts)
    maps = [part.map_BHW.numpy() for part in parts if part.map_BHW is not None]
    return scores, np.split(np.concatenate(maps), np.cumsum(counts)[:-1]) if maps else None
