"""The detectors: a literal table. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anomaly_gan.core.config import row_of
from anomaly_gan.core.lazy import named


@dataclass(frozen=True)
class Detector:
    """A row: ``builder`` is ``module:function`` taking (number of categories, DetectConfig, pretrained), giving a net.

    ``segments`` says whether its detections carry masks. Where they do not, boxes are all there is to evaluate.
    ``trainer``: ``module:function`` with the arguments of ``train_detector``; without, the net's own losses are
    trained on whole photographs.
    """

    builder: str
    segments: bool
    trainer: str = ""

    def build(self, categories: int, config: Any, pretrained: bool = True) -> Any:
        net = named(self.builder)(categories, config, pretrained)
        if not self.trainer and getattr(config, "view", None) == "tiles":
            net.native_tile = config.longest  # how it reads photographs, whoever holds it
        return net

    def train(self, *arguments: Any, **more: Any) -> Any:
        """Call the row's own trainer."""
        return named(self.trainer)(*arguments, **more)


DETECTORS = {
    "dense": Detector(
        "detection.detectors.models.dense:dense", segments=True, trainer="detection.training.dense_finetune:train_dense"
    ),
    "cached": Detector(
        "detection.detectors.models.dense:dense", segments=True, trainer="detection.training.dense_finetune:train_dense"
    ),
    "mask_rcnn": Detector("detection.detectors.models.mask_rcnn:mask_rcnn", segments=True),
    "retinanet": Detector("detection.detectors.models.retinanet:retinanet", segments=False),
    "ms_rcnn": Detector("detection.detectors.models.ms_rcnn:ms_rcnn", segments=True),
    "queryinst": Detector("detection.detectors.models.queryinst:queryinst", segments=True),
}


def detector(name: str) -> Detector:
    """The row of that name.

    Raises:
        ConfigError: no such detector; the nearest name is offered.
    """
    return row_of(DETECTORS, name, "detector", "detector")
