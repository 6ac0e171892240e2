"""How long a detector trains and at what rate: the one schedule of both trainings, and their two curves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from anomaly_gan.core.durations import seconds_of
from anomaly_gan.core.time_budget import TimeBudget

from ..detectors.config import DetectConfig

if TYPE_CHECKING:
    from anomaly_gan.engine.loop import Schedule

Rate = Callable[[int], float]
"""The factor on the learning rate at a step."""


def cosine(steps: int, warmup: int) -> Rate:
    """Linear warm-up, then half a cosine down to a hundredth (Loshchilov and Hutter 2017)."""
    warmup = min(warmup, steps // 4)

    def rate(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    return rate


def tenths(steps: int, warmup: int) -> Rate:
    """Linear warm-up, then a tenth of the rate after two fifths and another after four fifths of the way: the paper's
    schedule (every 2,000 of 5,000).
    """

    def rate(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return 10.0 ** -(int(step >= 0.4 * steps) + int(step >= 0.8 * steps))

    return rate


def schedule(config: DetectConfig, steps: int, seed: int, rate: Rate | None, warmup: int) -> Schedule:
    """The schedule of a detector's training.

    Args:
        config: of the detector.
        steps: of the training, at most.
        seed: of the training.
        rate: factor on the learning rate; None: warm-up, constant, then linear to zero.
        warmup: steps that no time budget hurries.
    """
    from anomaly_gan.engine.loop import Schedule

    return Schedule(
        steps=steps,
        seed=seed,
        checkpoint_every=config.checkpoint_every,
        warmup=warmup,
        constant_share=config.constant_share,
        clip_norm=config.clip_norm,
        label=f"train {config.detector}",
        rate=rate,
        budget=TimeBudget(seconds_of(config.time_budget)) if config.time_budget else None,
    )
