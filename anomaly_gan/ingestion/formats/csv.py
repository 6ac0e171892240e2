"""A CSV table of run lengths or boxes: a row an instance, the photograph's name, its category, and ``start length``
pairs, the corners ``xmin``, ``ymin``, ``xmax``, ``ymax``, or ``x``, ``y``, ``w``, ``h`` (``width``, ``height``);
commas, semicolons or tabs between.

As competitions publish them: starts count from 1, down the columns (``run_order: rows`` for those that run along rows).
Columns by name: ``file``, ``image``, ``ImageId`` ...; ``rle``, ``EncodedPixels`` ...; ``category``, ``ClassId`` ...
(absent: ``defect``), or ``ImageId_ClassId``; ``height`` and ``width`` where written; ``crowd``. No run lengths (or -1)
or corners: the photograph is sound. Photographs without a row are skipped. Boxes count as masks, with a warning (B17).
makesense's table has no header: label, x, y, width, height, file, width and height of the photograph.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from ...core.dataset import Dataset
from ...core.errors import InputError
from ...core.files import write_text
from ...core.tables import plain, row_writer
from ..ledger import Ledger, Notes, refuse
from ..photo_finder import PhotoFinder
from ..polygons import ShapeFault, fill_ring, mostly_inside
from ..rle import parse_compressed
from ..source_tree import SourceTree, ignore_others, suffix_of
from .base import NO_DEFECT, Instance, Item, Label, ReadOptions
from .coco_segmentation import refuse_fractions
from .sidefile import SIDE_FILE, copy_photo, write_side_file

MAX_CSV = 2**30
FILES = ("file", "image", "imageid", "image_id", "filename", "file_name", "img", "id")
RUNS = ("rle", "encodedpixels", "encoded_pixels", "mask_rle", "segmentation", "counts", "mask", "runs")
LABELS = ("category", "classid", "class", "label", "class_id", "defect", "type")
CORNERS = ("xmin", "ymin", "xmax", "ymax")
SIZED = ("x", "y", "w", "h")
MAKESENSE = ["category", "left", "top", "across", "down", "file", "width", "height"]
JOINED = ("imageid_classid", "image_label", "image_id_class_id")
Row = dict[str, str]


def fits(tree: SourceTree) -> bool:
    return _table_of(tree) is not None


def _table_of(tree: SourceTree) -> str | None:
    """The first CSV whose columns name a photograph and run lengths."""
    for name in tree.files:
        if suffix_of(name) in {".csv", ".tsv"} and PurePosixPath(name).name != SIDE_FILE:
            head = tree.head(name, 4096).decode("utf-8-sig", "replace").split("\n")[0]
            columns = _columns(_header(head))
            if columns.keys() & {"rle", "xmin", "x", "across"} and columns.keys() & {"file", "joined"}:
                return name
    return None


def _between(head: str) -> str:
    """What stands between the cells."""
    return max(",;\t", key=head.count)


def _header(head: str) -> list[str]:
    """The names of the columns; makesense's where the first line is one of its."""
    cells = next(csv.reader([head.strip("\r\n")], delimiter=_between(head)), [])
    numbers = [cell.strip().lstrip("-").replace(".", "", 1).isdigit() for cell in cells]
    return MAKESENSE if numbers == [False, True, True, True, True, False, True, True] else cells


def _columns(header: list[str]) -> dict[str, str]:
    """Our names of columns to the file's."""
    found: dict[str, str] = {}
    wanted = (("file", FILES), ("rle", RUNS), ("category", LABELS), ("joined", JOINED))
    for ours, names in (*wanted, *((one, (one,)) for one in (*CORNERS, *SIZED, *MAKESENSE, "crowd"))):
        column = next((column for name in names for column in header if column.strip().casefold() == name), None)
        if column is not None:
            found.setdefault(ours, column)
    for ours, other in zip(SIZED, ("x", "y", "width", "height"), strict=True):
        if ours in {"w", "h"} and not {ours, "rle"} & found.keys() and "x" in found and other in found:
            found[ours] = found.pop(other)
    told = "rle" in found or "across" in found or set(CORNERS) <= found.keys() or set(SIZED) <= found.keys()
    return found if told else {}


def read_items(tree: SourceTree, options: ReadOptions, ledger: Ledger) -> list[Item]:
    """One item per photograph that the table names.

    Raises:
        InputError: R1 there is no such table, or it is not UTF-8.
    """
    table = _table_of(tree)
    if table is None:
        raise refuse(
            str(tree.root), "R1", "no CSV with a photograph and run lengths in its columns", "name them file, rle"
        )
    finder = PhotoFinder(tree, options.images, "C2")
    rows_of: dict[str, list[tuple[int, Row]]] = defaultdict(list)
    for line, row in _rows(tree, table):
        where = f"{table}[line {line}]"
        try:
            photo = _photo_of(where, table, row, finder)
        except InputError as error:
            ledger.found += 1
            ledger.reject(where, error)
            continue
        rows_of[photo].append((line, row))
    items = []
    for photo in tree.photos():
        ledger.found += 1
        if photo in rows_of:
            items.append(Item(photo, partial(_read_label, table, rows_of[photo], options)))
        elif options.unlabelled == "sound" or any(options.is_normal(part) for part in PurePosixPath(photo).parts[:-1]):
            items.append(Item(photo, lambda notes: NO_DEFECT, ()))
        else:
            ledger.skip(photo, "no row in the table")
    ignore_others(tree, ledger, {table})
    return items


def _rows(tree: SourceTree, table: str) -> Iterator[tuple[int, Row]]:
    try:
        text = tree.read(table, MAX_CSV).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(table, "C13", "is not UTF-8", "save it as UTF-8") from error
    csv.field_size_limit(2**30)
    head = text.split("\n", 1)[0]
    names = _header(head)
    told = names if names is MAKESENSE else None
    reader = csv.DictReader(io.StringIO(text), told, delimiter=_between(head))
    columns = _columns(list(reader.fieldnames or []))
    try:
        for row in reader:
            found = {ours: plain(row.get(theirs) or "").strip() for ours, theirs in columns.items()}
            if ";" in head:  # of a country with decimal commas, perhaps
                found |= {name: found[name].replace(",", ".") for name in (*CORNERS, *SIZED) if name in found}
            if "joined" in found and not found.get("file"):
                found["file"], _, found["category"] = found["joined"].rpartition("_")
            yield reader.line_num, found
    except csv.Error as error:
        raise refuse(table, "R1", f"is not CSV ({str(error)[:60]})", "export it again") from error


def _photo_of(where: str, table: str, row: Row, finder: PhotoFinder) -> str:
    try:
        found = finder.find(row["file"], table) or finder.same_stem(f"{PurePosixPath(table).parent}/{row['file']}.x")
    except ShapeFault as fault:
        raise refuse(where, fault.code, fault.reason, "correct the name") from fault
    if found is None:
        raise refuse(where, "B11", f"there is no photograph {row['file'][:80]!a}", "say where they are: --images DIR")
    return found


def _read_label(table: str, rows: list[tuple[int, Row]], options: ReadOptions, notes: Notes) -> Label:
    drawn = [(line, row) for line, row in rows if _told(row) not in {"", "-1", "nan", "NaN", "None"}]
    if drawn and "rle" not in drawn[0][1]:
        if options.boxes == "refuse":
            raise refuse(table, "D5", "holds boxes alone, no masks", "take boxes as masks: set boxes=fill")
        notes.warn("B17", "labels that are boxes alone: each box counts as its mask")
    size_hw: tuple[int, int] | None = None
    for line, row in drawn:
        if row.get("height") and row.get("width"):
            try:
                size_hw = (int(row["height"]), int(row["width"]))
            except ValueError as error:
                reason = "height or width is no whole number"
                raise refuse(f"{table}[line {line}]", "R1", reason, "correct it") from error
    return Label(size_hw, not drawn, partial(_draw, table, drawn, options.run_order == "rows", notes), table, "C1")


def _draw(
    table: str, rows: list[tuple[int, Row]], by_rows: bool, notes: Notes, size_hw: tuple[int, int]
) -> Iterator[Instance]:
    seen: list[Row] = []
    for line, row in rows:
        if row in seen:
            notes.repair("D16", "the same row twice counts once")
            continue
        seen.append(row)
        try:
            mask_01 = draw_runs(row["rle"], size_hw, by_rows) if "rle" in row else draw_box(row, size_hw)
        except ShapeFault as fault:
            raise refuse(f"{table}[line {line}]", fault.code, fault.reason, "export it again") from fault
        crowd = int(row.get("crowd", "") in {"1", "true", "True"})
        yield Instance(row.get("category") or "defect", mask_01, crowd, {"csv": table, "line": line})


def _told(row: Row) -> str:
    """What says that there is a defect: run lengths, or a side of the box."""
    return row.get("rle", row.get("xmin", row.get("across", row.get("w", ""))))


def draw_box(row: Row, size_hw: tuple[int, int]) -> np.ndarray:
    """mask_01 (H, W) of a row's box.

    Raises:
        ShapeFault: C8 a corner is no number, C6, C7 see ``ingest.polygons``, D17 shares of the sides.
    """
    try:
        if "across" in row:
            left, top, across, down = (float(row[name]) for name in MAKESENSE[1:5])
            right, bottom = left + across, top + down
        elif "w" in row:
            left, top, across, down = (float(row[name]) for name in SIZED)
            right, bottom = left + across, top + down
        else:
            left, top, right, bottom = (float(row[name]) for name in CORNERS)
    except ValueError as error:
        raise ShapeFault("C8", "has a corner that is not a number") from error
    ring = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    if not np.isfinite(ring).all():
        raise ShapeFault("C8", "has a corner that is not a number")
    refuse_fractions(ring)
    mostly_inside(ring, size_hw)
    return fill_ring(ring, size_hw)


def draw_runs(text: str, size_hw: tuple[int, int], by_rows: bool) -> np.ndarray:
    """mask_01 (H, W) of ``start length`` pairs, from 1, or of COCO's compressed string.

    Raises:
        ShapeFault: D1 runs that are no numbers, lie outside or overlap; D5 nothing is set.
    """
    total = size_hw[0] * size_hw[1]
    flat = np.zeros(total, np.uint8)
    words = text.strip("[]").replace(",", " ").split()
    if len(words) == 1 and not words[0].isdigit():
        runs = parse_compressed(words[0], total)
        if sum(runs) != total:
            raise ShapeFault("D1", f"runs cover {sum(runs)} of {total} pixels")
        return np.repeat(np.arange(len(runs)) % 2, runs).astype(np.uint8).reshape(size_hw, order="F").copy(order="C")
    if len(words) % 2 or not all(word.isdigit() and len(word) < 12 for word in words):
        raise ShapeFault("D1", "runs are not pairs of start and length")
    numbers = np.array(words, np.int64).reshape(-1, 2)
    starts, lengths = numbers[:, 0] - 1, numbers[:, 1]
    if (starts < 0).any() or (starts + lengths > total).any():
        raise ShapeFault("D1", f"a run leaves the {total} pixels of the photograph; starts count from 1")
    steps = np.zeros(total + 1, np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, starts + lengths, -1)
    covered = np.cumsum(steps[:-1])
    if covered.max(initial=0) > 1:
        raise ShapeFault("D1", "runs overlap")
    flat[:] = covered
    if not flat.any():
        raise ShapeFault("D5", "covers no pixel")
    return flat.reshape(size_hw, order="C" if by_rows else "F").copy(order="C")


def runs_of(mask_01: np.ndarray) -> str:
    """``start length`` pairs from 1, down the columns."""
    flat = np.concatenate([[0], mask_01.ravel(order="F"), [0]]).astype(np.int8)
    change = np.flatnonzero(flat[1:] != flat[:-1])
    return " ".join(f"{start + 1} {end - start}" for start, end in zip(change[::2], change[1::2], strict=True))


def write(dataset: Dataset, out: Path) -> dict[str, object]:
    """``labels.csv`` and ``images/``."""
    names, labels = dataset.category_names(), dataset.by_image()
    stream = io.StringIO()
    write = row_writer(stream)
    write(["file", "category", "rle", "height", "width", "crowd"])
    files: dict[str, str] = {}
    for image in dataset.images:
        files[image.file_name] = f"images/{copy_photo(dataset, image, out / 'images')}"
        size = [image.height, image.width]
        items = labels.get(image.id, [])
        for item in items:
            row = [files[image.file_name], names[item.category_id], runs_of(item.mask()), *size, item.iscrowd]
            write(row)
        if not items:
            write([files[image.file_name], "", "", *size, 0])
    write_text(out / "labels.csv", stream.getvalue())
    write_side_file(dataset, out, files)
    return {}
