"""Names that load what they need when they are first asked for: of a package, and in the rows of tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def named(place: str) -> Any:
    """What ``module:name`` of a table's row names; its module loads now."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def lazily(package: str, places: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose public names live in ``places`` (name -> module).

    A place that is the package itself is a module of that name in it.
    """

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = places[name]
        return import_module(f"{module}.{name}") if module == package else getattr(import_module(module), name)

    return get, lambda: sorted(places)
