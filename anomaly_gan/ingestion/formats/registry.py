"""Opening a source, and telling which row of the table of formats it is."""

from __future__ import annotations

import os
from pathlib import Path

from ...core.errors import ConfigError, InputError
from ..ledger import Ledger
from ..source_tree import SourceTree, list_tree, suffix_of
from .base import Reader
from .coco import tree_of_file
from .table import FORMATS, Format
from .unknown import ARCHIVES, nothing_fits

COMMON = ("coco", "labelme", "mask-png")
"""What is tried after all other rows: their masks, JSON and text files would claim most other layouts too."""


def reader(name: str) -> Reader:
    read: Reader = FORMATS[name].load().read_items
    return read


def open_source(root: Path, format_name: str, ledger: Ledger, images: Path | None = None) -> tuple[SourceTree, str]:
    """The files of a source (a folder, or a COCO JSON file) and the name of its format (``auto``: recognised).

    ``images``: the folder of the photographs, where it lies elsewhere.
    """
    if root.is_file():
        if format_name not in {"auto", "coco"}:
            raise ConfigError(f"ingest.root: {root} is a file; the format {format_name} needs a folder")
        if suffix_of(root.name) != ".json":
            remedy = "unpack it" if suffix_of(root.name) in ARCHIVES else "give the folder that it lies in"
            raise InputError(str(root), "FORMAT", "is one file, and no COCO JSON", remedy)
        if images is None or images.resolve().is_relative_to(root.parent.resolve()):
            return tree_of_file(root, relative(images, root.parent)), "coco"
        return _joined(SourceTree(root.parent.resolve(), [root.name]), images, ledger, root), "coco"
    tree = list_tree(root, ledger)
    if images is not None and not images.resolve().is_relative_to(tree.root):
        tree = _joined(tree, images, ledger)
    try:
        return tree, recognise(tree) if format_name == "auto" else format_name
    except InputError as error:
        raise _with_refused(error, ledger) from error


def _with_refused(error: InputError, ledger: Ledger) -> InputError:
    """The error with what was refused while the source was listed, as folders that are links: it may be the reason."""
    if not ledger.rejected:
        return error
    first = ledger.rejected[0]["message"]
    reason = f"{error.reason}; {len(ledger.rejected)} of its names were refused, the first: {first}"
    return InputError(error.where, error.code, reason, error.remedy)


def relative(images: Path | None, root: Path) -> str | None:
    """``images`` as a path below ``root``; None where there is none."""
    if images is None:
        return None
    if not images.is_dir():
        raise InputError(str(images), "MISSING", "no such folder of photographs", "check --images")
    shared = images.resolve()
    return shared.relative_to(root.resolve()).as_posix() if shared.is_relative_to(root.resolve()) else None


def _joined(tree: SourceTree, images: Path, ledger: Ledger, label_file: Path | None = None) -> SourceTree:
    """One tree of the labels' folder and the photographs' folder, seen from the one above both."""
    photos = list_tree(images, ledger)
    root = Path(os.path.commonpath([tree.root, photos.root]))
    named = {
        part: {(source.root / name).relative_to(root).as_posix() for name in found}
        for part, source, found in (
            ("files", tree, tree.files),
            ("photos", photos, photos.files),
            ("seen", tree, tree.pictures),
            ("found", photos, photos.pictures),
        )
    }
    label = label_file.resolve().relative_to(root).as_posix() if label_file else None
    pictures = frozenset(named["seen"] | named["found"])
    return SourceTree(root, sorted(named["files"] | named["photos"]), label, pictures)


def recognise(tree: SourceTree) -> str:
    """The name of the format of a source.

    Raises:
        InputError: FORMAT none or several fit; C15 the labels are of a format that is not read.
    """
    for name, row in FORMATS.items():
        if name in COMMON or not _fits(row, tree) or (name == "yolo-seg" and _fits(FORMATS["coco"], tree)):
            continue
        if name in {"yolo-seg", "voc", "csv"} and _fits(FORMATS["labelme"], tree):
            raise _several(tree, [name, "labelme"])
        return name
    found = [name for name in ("coco", "labelme") if _fits(FORMATS[name], tree)]
    # label files beside masks leave it open which of the two counts
    if found in ([], ["labelme"]) and _fits(FORMATS["mask-png"], tree):
        found.append("mask-png")
    if len(found) == 1:
        return found[0]
    if not found:
        FORMATS["labelme"].load().stop_at_known(tree)
        raise nothing_fits(tree)
    raise _several(tree, found)


def _several(tree: SourceTree, found: list[str]) -> InputError:
    return InputError(str(tree.root), "FORMAT", f"looks like {' and '.join(found)}", "say which with --format")


def _fits(row: Format, tree: SourceTree) -> bool:
    return row.reads and bool(row.load().fits(tree))
