"""The best of three for each category: generator, bare exemplars or copy-paste, as stage ``choose`` has decided."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...core.errors import InputError
from ...core.json_files import read_as
from ..interface import Generate, MethodInputs, PoolItem, Sample
from ..registry import METHODS

FILE = "choice.json"
PARTS = ("anomaly_gan", "exemplar", "copy_paste")
"""The generator, bare exemplars, and copy-paste."""
NONE = "none"
"""No method at all: nothing is generated of such a category."""


def read_choice(folder: Path | None) -> dict[str, str]:
    """Category → method, of a finished stage ``choose``.

    Raises:
        InputError: MISSING, there is no such stage; FORMAT, its file cannot be read.
    """
    if folder is None:
        raise InputError("choose", "MISSING", "the run has no choice", "name best in compare.arms, and run to generate")
    return read_as(folder / FILE, dict[str, str], "run choose again")


def open_part(name: str, inputs: MethodInputs) -> Generate:
    """One of the three; bare exemplars are those of the training split, whatever the generator paints from."""
    return METHODS[name].open(replace(inputs, trained=None) if name == "exemplar" else inputs)


def open_method(inputs: MethodInputs) -> Generate:
    """The method as the registry promises it; ``provenance["method"]`` names the one that painted.

    Raises:
        InputError: MISSING, there is no choice for a category; as the parts raise it.
    """
    parts: dict[str, Generate] = {}

    def generate(items: list[PoolItem], attempt: int) -> list[Sample]:
        return [part(item)([item], attempt)[0] for item in items]

    def part(item: PoolItem) -> Generate:
        category = item.image.extra["category"]
        name = inputs.chosen.get(category)
        if name not in METHODS:
            raise InputError(f"category {category}", "MISSING", "no method was chosen for it", "run choose again")
        if name not in parts:
            parts[name] = open_part(name, inputs)
        return parts[name]

    return generate
