"""The rows ``dense`` and ``cached`` of the table of detectors."""

from __future__ import annotations

from ...dense.net import DenseNet
from ..config import DetectConfig


def dense(categories: int, config: DetectConfig, pretrained: bool = True) -> DenseNet:
    """The dense net; ``cached`` keeps its trunk as it is and draws its maps at stride 4."""
    settings = config.dense
    if config.detector == "cached":
        settings = settings.model_copy(update={"frozen_stages": 7, "finest": 4})
    return DenseNet(categories, settings, pretrained)
