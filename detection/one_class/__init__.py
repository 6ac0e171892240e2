"""Detectors that learn from sound parts alone.

``from detection.one_class import train_one_class, load_one_class`` loads torch when one of them is called, not before.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import OneClass as OneClass
    from .api import Scores as Scores
    from .api import load_one_class as load_one_class
    from .api import train_one_class as train_one_class

__all__ = ["OneClass", "Scores", "load_one_class", "train_one_class"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("detection.one_class.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
