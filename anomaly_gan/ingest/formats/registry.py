"""The table of label formats, and the rules that tell which of them a source is."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ...core.errors import ConfigError, InputError
from ..json_reader import MAX_JSON_BYTES, kind_of, parse_json
from ..ledger import Ledger
from ..source_tree import SourceTree, list_tree, suffix_of
from . import coco, labelme, mask_png, mvtec
from .base import Reader

FORMATS: dict[str, Reader] = {
    "labelme": labelme.read_items,
    "mask-png": mask_png.read_items,
    "coco": coco.read_items,
    "mvtec": mvtec.read_items,
}
LOOKED_FOR = (
    "labelme (*.json with shapes), coco (annotations.json), mvtec (train/, test/, ground_truth/), "
    "mask-png (<stem>.png beside <stem>.jpg, <stem>_mask.png, or a masks/ folder)"
)


def open_source(root: Path, format_name: str, ledger: Ledger) -> tuple[SourceTree, str]:
    """The files of a source (a folder, or a COCO JSON file) and the name of its format (``auto``: recognised)."""
    if not root.is_file():
        tree = list_tree(root, ledger)
        return tree, recognise(tree) if format_name == "auto" else format_name
    if format_name not in {"auto", "coco"}:
        raise ConfigError(f"ingest.root: {root} is a file; the format {format_name} needs a folder")
    return coco.tree_of_file(root), "coco"


def recognise(tree: SourceTree) -> str:
    """The name of the format of a source.

    Raises:
        InputError: FORMAT none or several fit; C15 the labels are of a format that is not read.
    """
    found = [name for name, fits in (("coco", _is_coco), ("mvtec", _is_mvtec), ("labelme", _is_labelme)) if fits(tree)]
    # ground_truth/ holds masks too; label files beside masks, however, leave it open which of the two counts
    if found in ([], ["labelme"]) and mask_png.split_photos_and_masks(tree)[1]:
        found.append("mask-png")
    if len(found) == 1:
        return found[0]
    reason = f"looks like {' and '.join(found)}" if found else f"no known label format; looked for {LOOKED_FOR}"
    raise InputError(str(tree.root), "FORMAT", reason, "say which with --format")


def _is_coco(tree: SourceTree) -> bool:
    return coco.ANNOTATIONS in tree.files


def _is_mvtec(tree: SourceTree) -> bool:
    folders = {PurePosixPath(name).parts[0] for name in tree.files if "/" in name}
    return {"train", "test", "ground_truth"} <= folders


def _is_labelme(tree: SourceTree) -> bool:
    """Whether the first JSON file with content is labelme's; the others are judged when they are read."""
    for name in tree.files:
        if suffix_of(name) != ".json":
            continue
        try:
            kind = kind_of(parse_json(name, tree.read(name, MAX_JSON_BYTES)))
        except InputError:
            continue  # a broken file says nothing about the format; its reader refuses it by name
        if kind == "labelme":
            return True
        if kind in {"via", "geojson"}:
            raise InputError(name, "C15", f"looks like {kind}, which is not read", "export labelme or COCO instead")
    return False
