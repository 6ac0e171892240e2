"""What to say of a source that no format fits: what lies there instead, and why the first label file is not read."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator

from ...core.errors import InputError
from ..json_reader import BYTE_ORDER_MARKS, MAX_JSON_BYTES, parse_json
from ..ledger import printable, refuse
from ..mask_names import category_of
from ..source_tree import SourceTree, suffix_of
from ..summary import counted
from .table import FORMATS

ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz"})
TABLES = frozenset({".csv", ".tsv"})
COCO, MASKS = "export COCO", "save each mask as PNG, 0 and 255"
OF_PROGRAMS = {
    ".ndjson": ("Labelbox's own export", COCO),
    ".jsonl": ("lines of JSON", COCO),
    ".xlsx": ("an Excel workbook", "save it as CSV"),
    ".xls": ("an Excel workbook", "save it as CSV"),
    ".parquet": ("a table of Parquet", COCO),
    ".tfrecord": ("TensorFlow records", COCO),
    ".record": ("TensorFlow records", COCO),
    ".npy": ("an array of NumPy", MASKS),
    ".npz": ("arrays of NumPy", MASKS),
    ".mat": ("a file of MATLAB", MASKS),
    ".h5": ("HDF5", MASKS),
    ".hdf5": ("HDF5", MASKS),
    ".nii": ("NIfTI", MASKS),
}
"""Suffix -> whose files these are, and what to do instead."""
LOOKED_AT = 20


def looked_for() -> str:
    """All that is looked for, for the message that nothing was found."""
    return ", ".join(f"{row.name} ({row.tree[1]})" for row in FORMATS.values() if row.reads)


def nothing_fits(tree: SourceTree) -> InputError:
    """The reason, the nearest one first."""
    photos = tree.photos()
    others = Counter(suffix_of(name) or "without suffix" for name in tree.files if not tree.is_photo(name))
    if not photos:
        return _no_photographs(tree, others)
    masks = FORMATS["mask-png"].load()
    unclear: InputError | None = masks.unclear_names(tree, masks.pairs_of(tree))
    unclear = unclear or next(_labels_not_read(tree), None)
    if unclear is not None:
        return unclear
    if not others:
        folders = sorted({category for name in photos if (category := category_of(name)) is not None})
        where = f" in {', '.join(folders[:4])}" if folders else ""
        reason = f"holds {counted(len(photos), 'photograph')}{where}, and nothing that says where a defect is"
        remedy = (
            "draw the defects (labelme writes what is read here), say how masks are called with --mask-name, or, where "
            "all are sound, --format mask-png"
        )
        return InputError(str(tree.root), "FORMAT", reason, remedy)
    beside = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(4))
    reason = f"no known label format in {counted(len(photos), 'photograph')} and {beside}; looked for {looked_for()}"
    return InputError(str(tree.root), "FORMAT", reason, "say which with --format")


def _no_photographs(tree: SourceTree, others: Counter[str]) -> InputError:
    packed = next((name for name in tree.files if suffix_of(name) in ARCHIVES), None)
    if packed is not None:
        return InputError(str(tree.root), "FORMAT", f"holds no photographs, but {printable(packed)}", "unpack it")
    beside = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(4)) or "nothing"
    reason = f"holds no photographs: {beside} lies there"
    return InputError(str(tree.root), "FORMAT", reason, "check the path, or say where they are: --images DIR")


def _labels_not_read(tree: SourceTree) -> Iterator[InputError]:
    """Why files that may hold the labels are not read, one after the other."""
    for name in [name for name in tree.files if suffix_of(name) == ".json"][:LOOKED_AT]:
        try:
            value = parse_json(name, tree.read(name, MAX_JSON_BYTES))
        except InputError as error:
            yield error
            continue
        keys = list(value) if isinstance(value, dict) else list(value[0]) if _rows(value) else []
        told = ", ".join(str(key)[:20] for key in keys[:5]) or "nothing"
        yield refuse(name, "C15", f"is JSON of a kind that is not read (it holds {told})", "export COCO or labelme")
    for name in tree.files:
        if suffix_of(name) in OF_PROGRAMS:
            whose, remedy = OF_PROGRAMS[suffix_of(name)]
            yield refuse(name, "C15", f"looks like {whose}, which is not read", remedy)
        elif suffix_of(name) in TABLES:
            yield _table(tree, name)


def _rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _table(tree: SourceTree, name: str) -> InputError:
    head = tree.head(name, 4096)
    encoding = next((words for mark, words in BYTE_ORDER_MARKS if head.startswith(mark)), None)
    if encoding is not None:
        return refuse(name, "C13", f"is {encoding}, not UTF-8", "save it as UTF-8")
    line = head.decode("utf-8-sig", "replace").split("\n")[0].strip("\r\n")
    columns = next(csv.reader([line], delimiter=max(",;\t", key=line.count)), [])
    if {"image", "annotator"} <= {column.strip() for column in columns}:
        return refuse(name, "C15", "looks like Label Studio's own CSV, which is not read", "export COCO from it")
    told = ", ".join(column.strip()[:20] for column in columns[:6]) or "none"
    wanted = "file with rle (run lengths), or with xmin, ymin, xmax, ymax, or with x, y, w, h"
    return refuse(name, "R1", f"has the columns {told}, which do not say where a defect is", f"name them {wanted}")
