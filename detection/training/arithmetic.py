"""Which arithmetic a detector is trained in."""

from __future__ import annotations

from pathlib import Path

from anomaly_gan.engine.precision import FLOAT32, resolve

from ..detectors.config import DetectConfig
from ..detectors.registry import detector


def resolved(config: DetectConfig, device: str, folder: Path) -> str:
    """``bf16-mixed`` or ``32-true``, as :func:`anomaly_gan.engine.precision.resolve` keeps it in ``folder``.

    ``auto`` leaves Mask R-CNN and the other detectors on torchvision's operators in float32: they would run in bf16,
    but not faster (131 ms a photograph against 135), because sampling, matching and the heads on a few regions take
    most of their time.
    """
    if config.precision == "auto" and not detector(config.detector).trainer:
        return FLOAT32
    return resolve(config.precision, device, folder, f"train {config.detector}").precision
