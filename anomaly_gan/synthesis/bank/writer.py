"""The files of a bank: one line a crop in ``bank.jsonl``, pixels and masks in shards.

``bank.jsonl``: ``id`` (from 0), ``shard``, ``row``, ``sham``, ``category``, ``method``, ``sources`` (the groups of all
physical objects whose pixels or shapes are in it), ``weight`` (of its loss, 0 to 1), ``inside`` (height and width of
the photograph in it; a narrower one is mirrored beyond), and where it came from.
``bank-000.npz``: ``pixels`` uint8 (n, S, S) or (n, S, S, 3) and ``masks`` uint8 (n, S, S) of zeros and ones; a sham's
are all zero.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ...core.files import atomic_path, write_text
from ...core.json_files import lines_as
from ...core.manifest import check_product
from ...core.progress import track

SHARD = 256
"""Crops in a shard."""

Order = TypeVar("Order")


@dataclass(frozen=True)
class Crop:
    """One crop: uint8 pixels, its mask_01, and its line without ``id``, ``shard`` and ``row``."""

    pixels: np.ndarray
    mask_01: np.ndarray
    line: dict[str, object]


def write_shards(orders: Sequence[Order], make: Callable[[Order], Crop], out: Path, title: str) -> list[dict]:
    """Make every crop of ``orders`` and write the bank; finished shards of a run that was cut off are kept.

    Returns:
        The lines of ``bank.jsonl``.
    """
    lines: list[dict[str, Any]] = []
    for first in track(range(0, len(orders), SHARD), title):
        name = f"bank-{first // SHARD:03d}"
        note = out / f"{name}.jsonl"
        if not note.is_file():
            crops = [make(order) for order in orders[first : first + SHARD]]
            with atomic_path(out / f"{name}.npz") as temporary, temporary.open("wb") as stream:
                np.savez(
                    stream,
                    pixels=np.stack([crop.pixels for crop in crops]),
                    masks=np.stack([crop.mask_01 for crop in crops]),
                )
            rows = [
                {"id": first + row, "shard": f"{name}.npz", "row": row, **crop.line} for row, crop in enumerate(crops)
            ]
            write_text(note, "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))
        lines += lines_as(note, dict)
    write_text(out / "bank.jsonl", "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))
    for note in out.glob("bank-*.jsonl"):
        note.unlink()
    return lines


def read_lines(bank: Path) -> list[dict[str, Any]]:
    """The lines of a finished bank."""
    return lines_as(bank / "bank.jsonl", dict)


def read_shards(bank: Path) -> tuple[np.ndarray, np.ndarray]:
    """All ``pixels`` and ``masks`` of a bank, in the order of their ids."""
    paths = sorted(bank.glob("bank-*.npz"))
    for path in paths:
        check_product(path)
    parts = [np.load(path, allow_pickle=False) for path in paths]
    return np.concatenate([part["pixels"] for part in parts]), np.concatenate([part["masks"] for part in parts])
