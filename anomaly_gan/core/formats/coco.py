"""todo"""

from __future__ import annotations

from pathlib import Path

from ..ledger import Ledger
from ..source_tree import SourceTree
from .items import Item, ReadOptions

ANNOTATIONS = "annotations.json"


def read_items(tree: SourceTree, options: ReadOptions, ledger: Ledger) -> list[Item]:
    return []


def tree_of_file(path: Path) -> SourceTree:
    return SourceTree(path.parent)
