"""Pascal VOC: ``Annotations/*.xml``, photographs in ``JPEGImages/``, masks in ``SegmentationObject/``.

With ``SegmentationObject``, the palette index k is the k-th object of the XML, 255 the rim that counts as nothing. With
``SegmentationClass`` alone the classes must be told (``labelmap.txt``, or ``--classes``), or the XML names one only.
Without masks outlines are drawn where objects have some (``polygon``), and boxes filled, with a warning (B17); ``xmin
ymin xmax ymax`` are corners. ``difficult`` objects count like others. XML without objects: sound.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

from ...core.dataset import Annotation, Dataset
from ...core.errors import InputError
from ...core.files import write_bytes, write_text
from ..image_files import MAX_BYTES
from ..labels import EVERY
from ..ledger import Ledger, Notes, refuse
from ..mask_files import boxed_components, decode_parts, read_values
from ..mask_values import VOID
from ..photo_finder import PhotoFinder
from ..polygons import ShapeFault, fill_ring
from ..source_tree import SourceTree, ignore_others, suffix_of
from .base import NO_DEFECT, Instance, Item, Label, ReadOptions
from .sidefile import copy_photo, flat_stems, write_side_file

MAX_XML = 16 * 2**20
MOST = 254
"""Instances of a photograph that a palette can tell apart beside ground and rim."""
Box = tuple[str, np.ndarray]
"""Name, and xmin, ymin, xmax, ymax, or the corners (N, 2) of an outline."""


def fits(tree: SourceTree) -> bool:
    """Whether the first XML file is an annotation."""
    for name in tree.files:
        if suffix_of(name) == ".xml":
            return b"<annotation" in tree.head(name, 2048)
    return False


def read_items(tree: SourceTree, options: ReadOptions, ledger: Ledger) -> list[Item]:
    """One item per photograph that an XML file names; others are sound in a folder of sound parts, else skipped."""
    masks = {kind: _by_stem(tree, kind) for kind in ("SegmentationObject", "SegmentationClass")}
    of_masks = {mask for found in masks.values() for mask in found.values()}
    finder = PhotoFinder(tree, options.images, "C2", of_masks)
    used: dict[str, str] = {}
    items: list[Item] = []
    for name in [name for name in tree.files if suffix_of(name) == ".xml"]:
        try:
            root = _parse(name, tree.read(name, MAX_XML))
            photo = _photo_of(name, root, finder)
        except InputError as error:
            ledger.found += 1
            ledger.reject(name, error)
            continue
        ledger.found += 1
        if photo in used:
            ledger.reject(name, refuse(name, "B11", f"{photo} has the label {used[photo]} already", "keep one"))
            continue
        used[photo] = name
        stem = PurePosixPath(photo).stem
        own = masks["SegmentationObject"].get(stem), masks["SegmentationClass"].get(stem)
        items.append(Item(photo, partial(_read_label, tree, options, name, root, own)))
    for photo in tree.photos():
        if photo in of_masks:
            ledger.ignore("mask of a photograph", photo)
        elif photo not in used:
            ledger.found += 1
            if options.unlabelled == "sound" or any(
                options.is_normal(part) for part in PurePosixPath(photo).parts[:-1]
            ):
                items.append(Item(photo, lambda notes: NO_DEFECT, ()))
            else:
                ledger.skip(photo, "no label file")
    ignore_others(tree, ledger, {name for name in tree.files if suffix_of(name) == ".xml"})
    return sorted(items, key=lambda item: item.file)


def _by_stem(tree: SourceTree, kind: str) -> dict[str, str]:
    return {PurePosixPath(name).stem: name for name in tree.photos() if kind in PurePosixPath(name).parts[:-1]}


def _parse(name: str, content: bytes) -> ElementTree.Element:
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise refuse(name, "V1", "declares entities, which are not read", "export it again")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        raise refuse(name, "V1", f"is not XML ({' '.join(str(error).split())[:80]})", "export it again") from error
    if root.tag != "annotation":
        if root.tag == "annotations" and (root.find("image") is not None or root.find("track") is not None):
            raise refuse(name, "C15", "looks like CVAT's own XML, which is not read", "export COCO from it")
        raise refuse(name, "V1", f"is <{root.tag[:30]}>, not <annotation>", "export Pascal VOC")
    return root


def _photo_of(name: str, root: ElementTree.Element, finder: PhotoFinder) -> str:
    named = (root.findtext("filename") or "").strip() or f"{PurePosixPath(name).stem}.jpg"
    try:
        found = finder.find(named, name)
    except ShapeFault as fault:
        found = finder.same_stem(name)
        if found is None:
            raise refuse(f"{name}[filename]", fault.code, fault.reason, "correct filename") from fault
    found = found or finder.same_stem(name)
    if found is None:
        remedy = "put it into JPEGImages/, or say where they are: --images DIR"
        raise refuse(f"{name}[filename]", "B11", f"there is no photograph {named[:80]}", remedy)
    return found


def _read_label(
    tree: SourceTree,
    options: ReadOptions,
    name: str,
    root: ElementTree.Element,
    masks: tuple[str | None, str | None],
    notes: Notes,
) -> Label:
    size_hw = _size(name, root)
    objects = [_object(f"{name}[object {at}]", node) for at, node in enumerate(root.iter("object"), start=1)]
    by_object, by_class = masks
    if objects and by_object is not None:
        parts = list(_of_objects(tree, by_object, name, objects, notes))
        return Label(size_hw, False, lambda frame: iter(parts), name, "C1")
    if objects and by_class is not None:
        parts = list(_of_classes(tree, by_class, objects, options, notes))
        return Label(size_hw, not parts, lambda frame: iter(parts), name, "C1")
    boxes = [box for _, box in objects if box.ndim == 1]
    if boxes and (options.boxes == "refuse" or (options.boxes == "auto" and len(boxes) < len(objects))):
        reason = "holds boxes alone, no masks" if len(boxes) == len(objects) else "holds boxes among outlines"
        raise refuse(name, "D5", reason, "take boxes as masks: set boxes=fill")
    if boxes:
        notes.warn("B17", "labels that are boxes alone: each box counts as its mask")
    return Label(size_hw, not objects, partial(_drawn, name, objects), name, "C1")


def _size(name: str, root: ElementTree.Element) -> tuple[int, int] | None:
    texts = root.findtext("size/height"), root.findtext("size/width")
    if None in texts or texts == ("0", "0"):
        return None
    try:
        height, width = (int(float(text or "")) for text in texts)
    except (ValueError, OverflowError) as error:
        raise refuse(f"{name}[size]", "C1", f"is {texts}, not two numbers", "correct it") from error
    return height, width


def _object(where: str, node: ElementTree.Element) -> Box:
    label = (node.findtext("name") or "").strip()
    if not label:
        raise refuse(f"{where}[name]", "C11", "is empty", "name the defect")
    outline = node.find("polygon")
    where = f"{where}[{'bndbox' if outline is None else 'polygon'}]"
    try:
        sides = (node.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax"))
        box = np.array([float(side or "") for side in sides]) if outline is None else _corners(where, outline)
    except ValueError as error:
        reason = "is not xmin, ymin, xmax, ymax" if outline is None else "has a corner that is no number"
        if node.find("robndbox") is not None:
            raise refuse(where, "V2", "is a turned box (robndbox), which is not read", "export polygons") from error
        raise refuse(where, "V2", reason, "draw it again") from error
    if not np.isfinite(box).all() or np.abs(box).max() > 1e6:
        raise refuse(where, "C8", "has a coordinate beyond any photograph", "draw it again")
    if box.min() >= 0 and box.max() <= 1:
        raise refuse(where, "D17", "has coordinates from 0 to 1, no pixels", "export pixels")
    return label, box


def _corners(where: str, outline: ElementTree.Element) -> np.ndarray:
    """(N, 2) of ``<x1>5</x1><y1>5</y1><x2>…``, as RectLabel and Roboflow write, or of ``<pt><x>5</x><y>5</y></pt>``.

    Raises:
        ValueError: a coordinate is no number.
        InputError: V2 fewer than three corners.
    """
    of: dict[str, list[float]] = {"x": [], "y": []}
    for node in outline.iter():
        axis = node.tag.rstrip("0123456789")
        if axis in of:
            of[axis].append(float(node.text or ""))
    if not len(of["x"]) == len(of["y"]) > 2:
        raise refuse(where, "V2", f"has {len(of['x'])} x and {len(of['y'])} y", "draw it again")
    return np.array([of["x"], of["y"]]).T


def _drawn(name: str, objects: list[Box], size_hw: tuple[int, int]) -> Iterator[Instance]:
    for at, (label, corners) in enumerate(objects, start=1):
        ring = corners if corners.ndim == 2 else corners[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2)
        try:
            mask_01 = fill_ring(ring, size_hw)
        except ShapeFault as fault:
            raise refuse(f"{name}[object {at}]", fault.code, fault.reason, "draw it again") from fault
        yield Instance(label, mask_01, origin={"voc": name, "object": at})


def _of_objects(tree: SourceTree, mask: str, name: str, objects: list[Box], notes: Notes) -> Iterator[Instance]:
    held = read_values(mask, tree.read(mask, MAX_BYTES), notes)
    values = _numbered(held.values, held.colours) if held.by_colour else held.values
    for value in (value for value in np.unique(values).tolist() if value not in {0, 255}):
        if value > len(objects):
            reason = f"holds the object {value}, but {name} names {len(objects)}"
            raise refuse(mask, "V2", reason, "export both together")
        yield Instance(objects[value - 1][0], (values == value).astype(np.uint8), origin={"voc": name, "object": value})
    if (values == 255).any():
        yield Instance(EVERY, (values == 255).astype(np.uint8), 1, {"voc": name})


def _numbered(values: np.ndarray, colours: dict[int, tuple[int, int, int]]) -> np.ndarray:
    """Colours of VOC's palette as their indexes; CVAT and labelme write masks with and without a palette."""
    palette = {tuple(colour): at for at, colour in enumerate(voc_palette())}
    palette[VOID] = 255
    result = np.zeros(values.shape, np.int32)
    for value, colour in colours.items():
        result[values == value] = palette.get(colour, len(palette) + 1)
    return result


def _of_classes(
    tree: SourceTree, mask: str, objects: list[Box], options: ReadOptions, notes: Notes
) -> Iterator[Instance]:
    names = {label for label, _ in objects}
    content = tree.read(mask, MAX_BYTES)
    one = options.classes is None and len(names) == 1
    parts = decode_parts(mask, content, notes, options.strict, options.classes, several=False) if not one else None
    if parts is None:
        values = read_values(mask, content, notes).values
        for part, box in boxed_components(mask, ((values != 0) & (values != 255)).astype(np.uint8)):
            yield Instance(next(iter(names)), part, origin={"voc": mask}, box=box)
        if (values == 255).any() and ((values != 0) & (values != 255)).any():
            yield Instance(EVERY, (values == 255).astype(np.uint8), 1, {"voc": mask})
        return
    for label, mask_01 in parts.defects.items():
        for part, box in boxed_components(mask, mask_01):
            yield Instance(label or "defect", part, origin={"voc": mask}, box=box)
    if parts.ignore is not None:
        yield Instance(EVERY, parts.ignore, 1, {"voc": mask})


def voc_palette() -> list[tuple[int, int, int]]:
    """Pascal VOC's 256 colours: bit by bit of the index into the high bits of red, green and blue."""
    colours = []
    for index in range(256):
        rgb = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                rgb[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
        colours.append((rgb[0], rgb[1], rgb[2]))
    return colours


def write(dataset: Dataset, out: Path) -> dict[str, object]:
    """``JPEGImages``, ``Annotations``, ``SegmentationObject`` and ``SegmentationClass`` with VOC's palette."""
    names, labels, stems = dataset.category_names(), dataset.by_image(), flat_stems(dataset)
    class_of = {number: at for at, number in enumerate(sorted(names), start=1)}
    palette = [channel for colour in voc_palette() for channel in colour]
    palette[255 * 3 :] = VOID
    files: dict[str, str] = {}
    lists: dict[tuple[str, str], list[str]] = defaultdict(list)
    lost = overlap = 0
    for image in dataset.images:
        stem = stems[image.file_name]
        file = copy_photo(dataset, image, out / "JPEGImages", stem)
        files[image.file_name] = f"JPEGImages/{file}"
        every = labels.get(image.id, [])
        kept = [item for item in every if not item.iscrowd][:MOST]
        lost += sum(not item.iscrowd for item in every) - len(kept)
        objects = np.zeros((image.height, image.width), np.uint8)
        classes = np.zeros_like(objects)
        for item in sorted((item for item in every if item.iscrowd), key=lambda item: item.id):
            objects[item.mask() > 0] = classes[item.mask() > 0] = 255
        # large ones first: where two overlap the smaller one keeps its pixels
        for item in sorted(kept, key=lambda item: (-item.area, item.id)):
            mask = item.mask() > 0
            overlap += int(((objects > 0) & (objects < 255) & mask).sum())
            objects[mask], classes[mask] = kept.index(item) + 1, class_of[item.category_id]
        if every:
            for folder, values in (("SegmentationObject", objects), ("SegmentationClass", classes)):
                write_bytes(out / folder / f"{stem}.png", _palette_png(values, palette))
        size_hw = (image.height, image.width)
        write_text(out / "Annotations" / f"{stem}.xml", _xml(file, size_hw, [(names[i.category_id], i) for i in kept]))
        lists["Main", image.split].append(stem)
        if every:
            lists["Segmentation", image.split].append(stem)
    for (kind, split), found in lists.items():
        write_text(out / "ImageSets" / kind / f"{split}.txt", "".join(f"{stem}\n" for stem in found))
    write_text(out / "labelmap.txt", _label_map({names[number]: at for number, at in class_of.items()}))
    write_side_file(dataset, out, files)
    return {"pixels_of_two_instances": overlap, "instances_left_out": lost}


def _label_map(place_of: dict[str, int]) -> str:
    """``labelmap.txt`` as CVAT writes it: name, colour, and two empty columns."""
    colours = voc_palette()
    lines = ["background:0,0,0::", *(f"{name}:{','.join(map(str, colours[at]))}::" for name, at in place_of.items())]
    return "\n".join([*lines, f"ignore:{','.join(map(str, VOID))}::"]) + "\n"


def _palette_png(values: np.ndarray, palette: list[int]) -> bytes:
    picture = Image.fromarray(values, "L")
    picture = picture.convert("P")
    picture.putdata(values.ravel().tolist())
    picture.putpalette(palette)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def _xml(file: str, size_hw: tuple[int, int], items: list[tuple[str, Annotation]]) -> str:
    lines = [
        "<annotation>",
        "  <folder>JPEGImages</folder>",
        f"  <filename>{escape(file)}</filename>",
        f"  <size><width>{size_hw[1]}</width><height>{size_hw[0]}</height><depth>3</depth></size>",
        f"  <segmented>{int(bool(items))}</segmented>",
    ]
    for name, item in items:
        x, y, w, h = item.bbox
        box = f"<xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + w}</xmax><ymax>{y + h}</ymax>"
        lines.append(f"  <object><name>{escape(name)}</name><bndbox>{box}</bndbox></object>")
    return "\n".join([*lines, "</annotation>"]) + "\n"
