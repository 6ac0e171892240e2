"""Detectors of labelled defects, and, in :mod:`detection.one_class`, detectors that learn from sound parts alone.

``from detection import train_detector, evaluate, load_detector`` loads torch when one of them is called, not before.
"""

from typing import TYPE_CHECKING

from anomaly_gan.core.lazy import lazily

if TYPE_CHECKING:
    from .api import Detector as Detector
    from .api import Inspection as Inspection
    from .api import Instance as Instance
    from .api import evaluate as evaluate
    from .api import load_detector as load_detector
    from .api import train_detector as train_detector
    from .detectors.config import CompareConfig as CompareConfig
    from .detectors.config import DetectConfig as DetectConfig

_PLACES = {
    "CompareConfig": "detection.detectors.config",
    "DetectConfig": "detection.detectors.config",
    "Detector": "detection.api",
    "Inspection": "detection.api",
    "Instance": "detection.api",
    "evaluate": "detection.api",
    "load_detector": "detection.api",
    "train_detector": "detection.api",
}
__all__ = sorted(_PLACES)


__getattr__, __dir__ = lazily(__name__, _PLACES)
