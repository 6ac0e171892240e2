"""``ingest --suggest-groups``: which photographs seem to show one object, as a table to look through and use.

``group`` joins photographs that show the same (``ingest.near_duplicates``); ``burst`` is a second hint, photographs of
one folder whose EXIF times follow each other within two seconds (``group_column=burst`` uses it). A proposal, not a
proof: parts that look alike may be joined, and views of one part from two sides are not.
"""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path, PurePosixPath

from PIL import Image

from ..core.errors import InputError
from ..core.progress import track
from ..core.resources import expand
from ..core.tables import row_writer
from ..core.workfolder import write_text_alone
from .config import IngestConfig
from .depth import find_depth
from .formats.base import Item
from .formats.registry import open_source, reader
from .image_files import BAD_CONTENT, FORMATS, decode_photo, orient
from .ledger import Ledger, Notes
from .near_duplicates import Seen, alike, scale_of, see
from .source_tree import MAX_PHOTO_BYTES, SourceTree
from .splits import Groups
from .stage import images_folder, read_options

BURST_S = 2.0
TAKEN, TAKEN_ORIGINAL, EXIF = 306, 36867, 0x8769


def suggest(config: IngestConfig, table: Path) -> list[str]:
    """Write the table; returns lines for the console.

    Raises:
        InputError: the source cannot be read, or holds no photograph.
    """
    ledger, images = Ledger(), images_folder(config)
    tree, format_name = open_source(expand(config.root), config.told_format, ledger, images)
    items = reader(format_name)(tree, read_options(config, tree, images), ledger)
    bits = find_depth([item.file for item in items if item.content is None], tree.head, tree.read_photo, config.bits)
    files, seen, times = _look(tree, items, bits.bits)
    if not files:
        raise InputError(str(tree.root), "MISSING", "holds no photographs that can be read", "check the path")
    pairs = alike(seen)
    groups = _joined(files, [(files[a], files[b]) for a, b, _ in pairs])
    nearest: dict[str, float] = defaultdict(float)
    for first, second, score in pairs:
        for at in (first, second):
            nearest[files[at]] = max(nearest[files[at]], score)
    bursts = _bursts(files, times)
    stream = io.StringIO()
    write = row_writer(stream)
    write(["file", "group", "burst", "likeness"])
    for file in files:
        write([file, groups[file], bursts[file], f"{nearest[file]:.2f}"])
    write_text_alone(table, stream.getvalue())
    return _words(files, groups, bursts, table)


def _look(tree: SourceTree, items: Sequence[Item], bits: int) -> tuple[list[str], list[Seen], list[datetime | None]]:
    files: list[str] = []
    seen: list[Seen] = []
    times: list[datetime | None] = []
    scale = scale_of([side for item in items if item.content is None and (side := _longest(tree.path(item.file)))])
    for item in track(sorted(items, key=lambda item: item.file), "groups"):
        try:
            content = tree.read(item.file, MAX_PHOTO_BYTES) if item.content is None else item.content()
            picture = decode_photo(item.file, content, Notes(), bits)
        except InputError:
            continue  # ingest refuses it by name
        files.append(item.file)
        seen.append(see(orient(picture.pixels, picture.orientation), scale))
        times.append(taken(content))
    return files, seen, times


def _longest(path: Path) -> int:
    """The longest side of a picture in pixels by its header; 0 where it has none."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            return max(picture.size)
    except BAD_CONTENT:
        return 0


def taken(content: bytes) -> datetime | None:
    """When a photograph was taken, by its EXIF; None where it does not say."""
    try:
        exif = Image.open(io.BytesIO(content), formats=FORMATS).getexif()
        text = exif.get_ifd(EXIF).get(TAKEN_ORIGINAL) or exif.get(TAKEN)
        return datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S") if text else None
    except BAD_CONTENT:
        return None


def _joined(files: Sequence[str], links: Sequence[tuple[str, str]]) -> dict[str, str]:
    union = Groups()
    for first, second in links:
        union.join(first, second)
    return {file: union.root(file) for file in files}


def _bursts(files: Sequence[str], times: Sequence[datetime | None]) -> dict[str, str]:
    by_folder: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for file, time in zip(files, times, strict=True):
        if time is not None:
            by_folder[str(PurePosixPath(file).parent)].append((time, file))
    links = []
    for rows in by_folder.values():
        rows.sort()
        for (before, first), (after, second) in pairwise(rows):
            if (after - before).total_seconds() <= BURST_S:
                links.append((first, second))
    return _joined(files, links)


def _words(files: Sequence[str], groups: dict[str, str], bursts: dict[str, str], table: Path) -> list[str]:
    lines = [f"{len(files)} photographs, {len(set(groups.values()))} objects proposed → {table}"]
    sizes = Counter(groups.values())
    largest = [(name, size) for name, size in sizes.most_common(5) if size > 1]
    lines += [f"  {size} photographs like {name}" for name, size in largest]
    burst_sizes = Counter(bursts.values())
    together = sum(size for size in burst_sizes.values() if size > 1)
    if together:
        lines.append(f"  {together} photographs were taken within {BURST_S:g} s of another: --set group_column=burst")
    lines.append(f"look through it, correct it, then: anomaly-gan ingest … --groups {table}")
    return lines
