"""What made a product: the versions that its bytes may depend on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .errors import InputError

Versions = dict[str, str]
PACKAGES = {
    "anomaly-gan": "anomaly-gan",
    "torch": "torch",
    "opencv": "opencv-python-headless",
    "pillow": "pillow",
    "numpy": "numpy",
}
MIX = "ANOMALY_GAN_MIX_VERSIONS"
"""Environment variable: go on with work that other versions began; what it made names both."""


@lru_cache(maxsize=1)
def _installed() -> tuple[tuple[str, str], ...]:
    return tuple((name, _version(package)) for name, package in PACKAGES.items())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def versions() -> Versions:
    """This program's version, and those of the libraries that compute and decode."""
    return dict(_installed())


def unlike(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """``torch 2.14.0 -> 2.15.0``, one for each that differs."""
    return [
        f"{name} {before.get(name, '?')} -> {now.get(name, '?')}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]


def written(made: Mapping[str, str]) -> str:
    """``anomaly-gan 0.1.0, torch 2.15.0, ...``."""
    return ", ".join(f"{name} {made[name]}" for name in (*PACKAGES, *sorted(made.keys() - PACKAGES)) if name in made)


def mixture(results: Iterable[Mapping[str, Any]]) -> str | None:
    """A sentence for a table whose rows (each with its ``versions``) were not all made by the same; else None."""
    seen = [row.get("versions") or {} for row in results]
    mixed = {
        name: numbers
        for name in sorted({name for made in seen for name in made})
        if len(numbers := sorted({made.get(name, "not told") for made in seen})) > 1
    }
    if not mixed:
        return None
    told = "; ".join(f"{name} {', '.join(numbers)}" for name, numbers in mixed.items())
    return f"These cells were not all made by the same versions ({told}): differences between arms may be theirs."


def refuse_mixture(where: str, before: Mapping[str, str] | None) -> None:
    """Stop before work goes on that other versions began: a result half of one, half of the other is neither's.

    Raises:
        InputError: G8, naming what differs and the choice.
    """
    found = unlike(before, versions()) if before else []
    if found and os.environ.get(MIX) != "1":
        raise InputError(
            where,
            "G8",
            f"was begun under other versions ({', '.join(found)})",
            f"delete it to start anew, install those versions again, or set {MIX}=1 to go on with a mixture",
        )
