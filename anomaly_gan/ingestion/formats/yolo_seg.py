"""YOLO text labels, outlines and boxes: a line ``class x y x y …`` or ``class x y width height``, shares of the sides.

``labels/`` beside ``images/`` at any depth, the text file beside its photograph, or, where nothing else fits, a folder
of any name whose stems are photographs'; names of classes from ``data.yaml`` or another YAML with ``names``,
``classes.txt``, ``obj.names`` or ``_darknet.labels``. Where every label of the set is a box, boxes are
filled, with a warning (B17); boxes among outlines are refused unless ``boxes`` says ``fill``. An empty text file says
that there is no defect; a photograph without one is skipped, as nobody has looked at it.
"""

from __future__ import annotations

import math
import posixpath
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import yaml

from ...core.dataset import Dataset
from ...core.files import write_text
from ..ledger import Ledger, Notes, refuse
from ..outlines import one_ring
from ..polygons import ShapeFault, fill_ring
from ..source_tree import SourceTree, ignore_others, suffix_of
from .base import NO_DEFECT, Instance, Item, Label, ReadOptions
from .sidefile import copy_photo, flat_stems, write_side_file

NAME_FILES = ("data.yaml", "dataset.yaml", "data.yml", "classes.txt", "obj.names", "_darknet.labels", "labels.txt")
MAX_TEXT = 64 * 2**20
YAML = frozenset({".yaml", ".yml"})
SLACK = 0.01
"""By how much of a side a coordinate may lie beyond 0..1: programs round and clip badly at the rim."""
LOOKED_AT = 50


def fits(tree: SourceTree) -> bool:
    """Whether text files beside photographs, or in ``labels/``, hold lines of numbers."""
    looked = 0
    for text in _texts(tree).values():
        lines = tree.head(text, 4096).decode("utf-8-sig", "replace").split("\n")
        if lines[0].strip():
            words = lines[0].replace(",", ".").split()
            words = words if len(words) >= 5 else lines[0].split(",")
            return len(words) >= 5 and _numbers(" ".join(words[1:5])) is not None  # what else is wrong, its reader says
        looked += 1
        if looked >= LOOKED_AT:
            break
    return looked > 0 and any(PurePosixPath(name).name in NAME_FILES for name in tree.files)


def read_items(tree: SourceTree, options: ReadOptions, ledger: Ledger) -> list[Item]:
    """One item per photograph; text labels without a photograph are refused (B11)."""
    texts = _texts(tree)
    names = read_names(tree)
    lines: dict[str, list[list[float]] | str] = {}
    for photo, text in texts.items():
        lines[photo] = _lines(tree, text)
    boxes_alone = all(len(line) == 5 for found in lines.values() if isinstance(found, list) for line in found)
    _refuse_lost(tree, set(texts.values()), ledger)
    ignore_others(tree, ledger, {name for name in tree.files if suffix_of(name) == ".txt"})
    fill = options.boxes == "fill" or (options.boxes == "auto" and boxes_alone)
    items = []
    for photo in tree.photos():
        ledger.found += 1
        if photo in texts:
            read = partial(_read_label, texts[photo], lines[photo], names, fill)
            items.append(Item(photo, read))
        elif options.unlabelled == "sound" or any(options.is_normal(part) for part in PurePosixPath(photo).parts[:-1]):
            items.append(Item(photo, lambda notes: NO_DEFECT, ()))
        else:
            ledger.skip(photo, "no label file")
    return items


def _refuse_lost(tree: SourceTree, used: set[str], ledger: Ledger) -> None:
    for name in tree.files:
        parts = PurePosixPath(name).parts
        if suffix_of(name) == ".txt" and name not in used and "labels" in parts[:-1] and parts[-1] not in NAME_FILES:
            ledger.found += 1
            ledger.reject(name, refuse(name, "B11", "no photograph has this label's stem", "put it into images/"))


def _texts(tree: SourceTree) -> dict[str, str]:
    """The text file of every photograph that has one."""
    known = {posixpath.splitext(name)[0]: name for name in tree.files if suffix_of(name) == ".txt"}
    found: dict[str, str] = {}
    if not known:
        return found
    for photo in tree.photos():
        path = PurePosixPath(photo)
        places = [photo]
        for at in range(len(path.parts) - 2, -1, -1):
            if path.parts[at].lower() in {"images", "image", "imgs"}:
                places += ["/".join((*path.parts[:at], word, *path.parts[at + 1 :])) for word in ("labels", "label")]
        if len(path.parts) == 1:
            places.append(f"labels/{photo}")
        else:  # photographs in a folder of any name
            places.append("/".join((*path.parts[:-2], "labels", path.name)))
        text = next((known[stem] for place in places if (stem := posixpath.splitext(place)[0]) in known), None)
        if text is not None:
            found[photo] = text
    return found or _texts_elsewhere(tree, known.values())


def _texts_elsewhere(tree: SourceTree, texts: Iterable[str]) -> dict[str, str]:
    """Text files of one folder of any name, each with the stem of just one photograph; nothing where one has not."""
    photos: dict[str, list[str]] = {}
    for photo in tree.photos():
        photos.setdefault(PurePosixPath(photo).stem, []).append(photo)
    labels = [text for text in texts if PurePosixPath(text).name not in NAME_FILES]
    partners = [photos.get(PurePosixPath(text).stem, []) for text in labels]
    if len({PurePosixPath(text).parent for text in labels}) != 1 or any(len(found) != 1 for found in partners):
        return {}
    return {found[0]: text for found, text in zip(partners, labels, strict=True)}


def read_names(tree: SourceTree) -> dict[int, str]:
    """Class numbers to names; empty where no file tells them.

    Raises:
        InputError: Y3 the file that should tell them is no YAML, or its names have no numbers.
    """
    files = sorted(tree.files, key=lambda name: (name.count("/"), name))
    named = [name for wanted in NAME_FILES for name in files if PurePosixPath(name).name == wanted]
    for name in [*named, *(name for name in files if suffix_of(name) in YAML and name not in named)]:
        text = tree.read(name, MAX_TEXT).decode("utf-8-sig", "replace")
        if suffix_of(name) in YAML:
            found = _yaml_names(name, text)
        else:
            lines = text.rstrip().splitlines()
            found = {at: line.strip() or str(at) for at, line in enumerate(lines)}
        if found:
            return found
    return {}


def _yaml_names(name: str, text: str) -> dict[int, str]:
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if PurePosixPath(name).name not in NAME_FILES:
            return {}  # of something else, perhaps
        words = " ".join(str(error).split())[:100]
        raise refuse(name, "Y3", f"names no classes: it is not YAML ({words})", "write names: [crack, dent]") from error
    if isinstance(content, dict) and "kpt_shape" in content:
        raise refuse(f"{name}[kpt_shape]", "Y1", "tells of keypoints, which are not read", "export boxes or outlines")
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, str):
        names = [part.strip() for part in names.split(",")]
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict):
        return {}
    if not all(str(key).isdecimal() for key in names):
        raise refuse(f"{name}[names]", "Y3", "has keys that are no numbers", "write names: [crack, dent]")
    return {int(key): str(title) for key, title in names.items()}


def _numbers(line: str) -> list[float] | None:
    try:
        numbers = [float(word) for word in line.split()]
    except ValueError:
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


def _lines(tree: SourceTree, text: str) -> list[list[float]] | str:
    """The rows of a text label as numbers, or why they cannot be read."""
    rows = []
    for number, line in enumerate(tree.read(text, MAX_TEXT).decode("utf-8-sig", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        row = _numbers(line)
        if row is None or len(row) < 5 or not (row[0].is_integer() and row[0] >= 0):
            return f"line {number}: {line[:40]!a} is not: class x y width height, or class x y x y x y ..."
        if len(row) == 6:
            return f"line {number}: has a sixth number, as predictions have (save them with save_conf=False)"
        if len(row) != 5 and len(row) % 2 == 0:
            return f"line {number}: has {len(row) - 1} coordinates, an odd count"
        rows.append(row)
    return rows


def _read_label(text: str, lines: list[list[float]] | str, names: dict[int, str], fill: bool, notes: Notes) -> Label:
    if isinstance(lines, str):
        raise refuse(text, "Y1", lines, "export it again")
    for number, row in enumerate(lines, start=1):
        low, high = min(row[1:]), max(row[1:])
        if not (low >= -SLACK and high <= 1 + SLACK):
            remedy = "YOLO's coordinates are shares of the sides: divide by width and height"
            if len(row) > 7 and len(row) % 3 == 2 and set(row[7::3]) <= {0, 1, 2}:
                remedy = "keypoints with their visibility are not read: export boxes or outlines"
            raise refuse(f"{text}[row {number}]", "Y2", f"has coordinates from {low:g} to {high:g}", remedy)
        if len(row) == 5 and not fill:
            remedy = "outline it, or take boxes as masks: set boxes=fill"
            raise refuse(f"{text}[row {number}]", "D5", "is a box among outlines", remedy)
        if names and int(row[0]) not in names:
            known = ", ".join(f"{key} ({name})" for key, name in sorted(names.items())[:8])
            reason = f"is of class {int(row[0])}, but the classes are {known}"
            raise refuse(f"{text}[row {number}]", "Y3", reason, "correct data.yaml")
    if lines and not names:
        notes.warn("Y3", "no data.yaml or classes.txt names the classes: they are called by their numbers")
    return Label(None, not lines, partial(_draw, text, lines, names, notes), text)


def _draw(
    text: str, lines: list[list[float]], names: dict[int, str], notes: Notes, size_hw: tuple[int, int]
) -> Iterator[Instance]:
    height, width = size_hw
    for number, row in enumerate(lines, start=1):
        if len(row) == 5:
            notes.warn("B17", "labels that are boxes alone: each box counts as its mask")
            x, y, w, h = row[1:]
            corners = [(x - w / 2, y - h / 2), (x + w / 2, y - h / 2), (x + w / 2, y + h / 2), (x - w / 2, y + h / 2)]
        else:
            corners = list(zip(row[1::2], row[2::2], strict=True))
        try:
            mask_01 = fill_ring(np.round(np.array(corners) * [width, height], 4), size_hw)
        except ShapeFault as fault:
            raise refuse(f"{text}[row {number}]", fault.code, fault.reason, "draw it again") from fault
        yield Instance(names.get(int(row[0]), str(int(row[0]))), mask_01, origin={"yolo": text, "row": number})


def write(dataset: Dataset, out: Path, boxes: bool = False) -> dict[str, object]:
    """``images/<split>``, ``labels/<split>`` and ``data.yaml``; ``boxes``: detection labels instead of outlines."""
    names, labels, stems = dataset.category_names(), dataset.by_image(), flat_stems(dataset)
    number_of = {number: at for at, number in enumerate(sorted(names))}
    files: dict[str, str] = {}
    crowds = joined = 0
    for image in dataset.images:
        side = image.split if image.split in {"train", "test", "val"} else "train"
        stem = f"{side}/{stems[image.file_name]}"
        files[image.file_name] = f"images/{copy_photo(dataset, image, out / 'images', stem)}"
        rows = []
        for item in labels.get(image.id, []):
            if item.iscrowd:
                crowds += 1
                continue
            x, y, w, h = item.bbox
            if boxes:
                numbers = [(x + w / 2) / image.width, (y + h / 2) / image.height, w / image.width, h / image.height]
            else:
                ring = one_ring(item.mask()[y : y + h, x : x + w])
                joined += len(set(ring)) < len(ring)
                numbers = [n for px, py in ring for n in ((px + x) / image.width, (py + y) / image.height)]
            rows.append(" ".join([str(number_of[item.category_id]), *(f"{number:.8f}" for number in numbers)]))
        write_text(out / "labels" / f"{stem}.txt", "".join(f"{row}\n" for row in rows))
    sides = sorted({name.split("/")[1] for name in files.values()})
    content: dict[str, object] = {side: f"images/{side}" for side in sides}
    content["val"] = content.get("val", content.get("test", f"images/{sides[0]}" if sides else ""))
    content["names"] = {at: names[number] for number, at in number_of.items()}
    write_text(out / "data.yaml", yaml.safe_dump(content, allow_unicode=True, sort_keys=True))
    write_side_file(dataset, out, files)
    return {"crowds_left_out": crowds, **({} if boxes else {"holes_and_parts_joined": joined})}
