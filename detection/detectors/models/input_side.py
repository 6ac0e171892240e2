"""What every detector does to its images first."""

from __future__ import annotations

from anomaly_gan.nets.efficientnet_lite import IMAGENET_MEAN, IMAGENET_STD

from ..config import DetectConfig


def input_side(config: DetectConfig) -> dict[str, object]:
    """Arguments of torchvision's input transform.

    Images arrive with their longest side at ``image_size`` already, so torchvision's own resize is the identity.
    """
    return {
        "min_size": config.longest,
        "max_size": config.longest,
        "image_mean": list(IMAGENET_MEAN),
        "image_std": list(IMAGENET_STD),
    }
