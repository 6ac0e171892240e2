"""A bank of synthetic crops on disk: defects laid onto sound texture, and shams, the same work without a defect.

``bank.jsonl`` has one line a crop (``id``, ``shard``, ``row``, ``sham``, ``category``, ``sources``, optionally
``weight`` in 0 .. 1 and ``inside``, height and width of what is no mirror image); a shard is an ``.npz`` with
``pixels`` uint8 (n, S, S) or (n, S, S, 3) at the photographs' scale, ``masks`` uint8 (n, S, S), 0 or 1 (0 throughout
for a sham), and optionally ``prior`` uint8 (n, S, S).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.json_files import lines_as, understood
from anomaly_gan.core.manifest import check_product

from ..data import CategoryMap
from .sampling import Item


@dataclass(frozen=True)
class Line:
    """One crop of the bank. ``label``: from 1; of a sham, what it imitates; ``inside``: height and width of what is the
    photograph's, the rest is its mirror image (None: all is)."""

    shard: str
    row: int
    sham: bool
    label: int
    sources: tuple[str, ...]
    weight: float
    inside: tuple[int, int] | None = None


@dataclass
class Bank:
    """The lines in order, and the shards that have been read."""

    folder: Path
    lines: list[Line]
    categories: int
    _shards: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)

    def items(self, sham: bool, offset: int = 0) -> list[Item]:
        """What a sampler chooses from; places count from ``offset``."""
        return [
            Item(line.label, line.sources or place, offset + place)
            for place, line in enumerate(self.lines)
            if line.sham == sham
        ]

    def check_shams(self, share: float) -> None:
        """Stop where shams are asked for and the bank holds none: a net would learn the trace of the compositing.

        Raises:
            InputError: K8.
        """
        if share and any(not line.sham for line in self.lines) and not any(line.sham for line in self.lines):
            raise InputError(
                str(self.folder / "bank.jsonl"),
                "K8",
                "holds no shams, and dense.sham_share asks for them",
                "make the bank with shams, or set dense.sham_share=0",
            )

    def load(self, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Pixels, truth uint8 (K + 1, H, W) and, where there is one, the one-class map of a crop: as far as the
        photograph reaches, so that what lies beyond it counts as little as beyond a real one."""
        line = self.lines[place]
        shard = self._shard(line.shard)
        height, width = line.inside or shard["masks"].shape[1:]
        planes = {name: plane[line.row, :height, :width] for name, plane in shard.items()}
        truth = np.zeros((self.categories + 1, *planes["masks"].shape), np.uint8)
        if not line.sham:
            truth[line.label - 1] = planes["masks"]
        return planes["pixels"], truth, planes.get("prior")

    def _shard(self, name: str) -> dict[str, np.ndarray]:
        if name not in self._shards:
            path = self.folder / name
            try:
                check_product(path)
                with np.load(path, allow_pickle=False) as content:
                    self._shards[name] = {key: content[key] for key in content.files}
                if self._shards[name]["masks"].shape != self._shards[name]["pixels"].shape[:3]:
                    raise ValueError("masks and pixels differ in size")
            except (OSError, ValueError, KeyError) as error:
                raise InputError(
                    str(path), "FORMAT", f"not a shard of a bank ({error})", "make the bank again"
                ) from error
        return self._shards[name]


def read_bank(folder: Path, categories: CategoryMap, objects: Collection[str]) -> Bank:
    """The bank in ``folder``.

    Raises:
        InputError: no bank, a line that is none (FORMAT), another category (K4), or one whose sources are not all among
            the training ``objects`` (E4).
    """
    path = folder / "bank.jsonl"
    rows = lines_as(path, dict, "make the bank again")
    lines = [_line(row, f"{path}[{number}]", categories, objects) for number, row in enumerate(rows, start=1)]
    return Bank(folder, lines, len(categories))


def _line(row: dict[str, Any], where: str, categories: CategoryMap, objects: Collection[str]) -> Line:
    with understood(where, "make the bank again"):
        name, sources = str(row["category"]), tuple(str(source) for source in row["sources"])
        line = (str(row["shard"]), int(row["row"]), bool(row["sham"]), float(row.get("weight", 1.0)))
        inside = None
        if "inside" in row:
            height, width = row["inside"]
            inside = max(1, int(height)), max(1, int(width))
    if name not in categories.names:
        raise InputError(where, "K4", f"category {name!r} is not in the data set", "make the bank from this data set")
    foreign = sorted(set(sources) - set(objects))
    if foreign:
        raise InputError(
            where,
            "E4",
            f"was made from {foreign[0]!r}, no training object",
            "make the bank from the training side alone",
        )
    shard, number, sham, weight = line
    label, weight = categories.names.index(name) + 1, min(1.0, max(0.0, weight))
    return Line(shard, number, sham, label, sources, weight, inside)
