"""Detectors that learn from sound parts alone.

``from detection.one_class import train_one_class, load_one_class`` loads torch when one of them is called, not before.
"""

from typing import TYPE_CHECKING

from anomaly_gan.core.lazy import lazily

if TYPE_CHECKING:
    from .api import OneClass as OneClass
    from .api import Scores as Scores
    from .api import load_one_class as load_one_class
    from .api import train_one_class as train_one_class

__all__ = ["OneClass", "Scores", "load_one_class", "train_one_class"]


__getattr__, __dir__ = lazily(__name__, dict.fromkeys(__all__, "detection.one_class.api"))
