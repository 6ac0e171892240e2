"""Distances between sets of pictures, and what single pictures show; nothing here knows a configuration or a path.

``frechet_distance`` and ``kernel_distance`` compare features (N, D) of two sets; they load when first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .frechet import frechet_distance as frechet_distance
    from .kernel import kernel_distance as kernel_distance

_PLACES = {"frechet_distance": "frechet", "kernel_distance": "kernel"}
__all__ = ["frechet_distance", "kernel_distance"]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
