"""What a format reader hands to ingest: one item per photograph, its label read only when its turn comes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from ..classes import ClassMap
from ..image_files import Picture
from ..ledger import Ledger, Notes
from ..source_tree import SourceTree


@dataclass(frozen=True)
class Instance:
    """One defect in the frame that the label was drawn in: mask_01 (H, W).

    The category ``labels.EVERY`` with ``iscrowd`` is a region that counts as nothing for any category.
    """

    category: str
    mask_01: np.ndarray
    iscrowd: int = 0
    origin: dict[str, Any] = field(default_factory=dict)
    box: tuple[int, int, int, int] | None = None
    """(x, y, w, h) where the mask's tight box is known: then nothing outside it is looked at."""


@dataclass(frozen=True)
class Label:
    """The label of one photograph. ``size_hw``: the frame it declares, None where it declares none.

    ``draw(size_hw)`` gives the instances in that frame; ``empty``: it says that there is no defect.
    """

    size_hw: tuple[int, int] | None
    empty: bool
    draw: Callable[[tuple[int, int]], Iterable[Instance]]
    where: str = ""
    """The label's own place, for messages."""
    code: str = "B1"
    """The fault code where the declared size is not the photograph's."""
    verify: Callable[[Picture], None] | None = None
    """Compares the photograph with the copy that the label file carries (labelme); raises InputError C3, C4."""


NO_DEFECT = Label(None, True, lambda size_hw: [])


@dataclass(frozen=True)
class Item:
    """One photograph: ``file`` relative to the source root, and how to read its label.

    ``read_label(notes)`` raises InputError to refuse the photograph. ``categories``: what is known before any
    label is read (the folder's name), so that photographs that were not asked for need not be decoded.
    ``content``: reads the photograph's bytes where they do not lie in ``file``. ``by_folder``: the category is the
    folder's, so that the same photograph may lie in several.
    """

    file: str
    read_label: Callable[[Notes], Label]
    categories: tuple[str, ...] | None = None
    group: str | None = None
    content: Callable[[], bytes] | None = None
    by_folder: bool = False


@dataclass(frozen=True)
class ReadOptions:
    """What a format reader needs to know of the configuration; see ``IngestConfig``."""

    normal: frozenset[str]
    strict: bool = False
    line_width: float | None = None
    classes: ClassMap | None = None
    mask_name: str | None = None
    images: str | None = None
    object: str | None = None
    boxes: Literal["auto", "fill", "refuse"] = "auto"
    unlabelled: Literal["auto", "sound"] = "auto"
    bits: int | None = None
    run_order: Literal["columns", "rows"] = "columns"

    def is_normal(self, name: str) -> bool:
        """Whether a folder's name means "no defect", whatever its case, separators and number: ``OK_1``, ``ok``."""
        return plain_name(name) in _plain_names(self.normal)


@lru_cache(maxsize=8)
def _plain_names(names: frozenset[str]) -> frozenset[str]:
    return frozenset(plain_name(name) for name in names)


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """A folder's name without case, separators and a number at its end."""
    return re.sub(r"[\s_\-.]+", "", name.casefold()).rstrip("0123456789")


Reader = Callable[[SourceTree, ReadOptions, Ledger], list[Item]]
"""Lists the items of a source; label files without a photograph are refused in the ledger (found and rejected)."""
