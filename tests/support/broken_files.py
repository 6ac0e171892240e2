"""Sound little sources of every format, and the ways to break them, for the tour of bad input."""

from __future__ import annotations

import base64
import io
import json
import struct
import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 40, 60
BOX = [[10, 10], [30, 10], [30, 20], [10, 20]]
FLAT = [10, 10, 30, 10, 30, 20, 10, 20]


def pixels(seed: int, shape: tuple[int, ...] = (HEIGHT, WIDTH)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)


def png(array: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", **options)
    return stream.getvalue()


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def jpg(seed: int) -> bytes:
    return encoded(Image.fromarray(pixels(seed)), "JPEG", quality=90)


def mask(shape: tuple[int, int] = (HEIGHT, WIDTH), value: int = 255) -> np.ndarray:
    array = np.zeros(shape, np.uint8)
    array[10:20, 10:30] = value
    return array


def put(path: Path, content: bytes | str | dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content) if isinstance(content, dict) else content
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def labelme(name: str, *shapes: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": name,
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
        **changes,
    }


def shape(points: Any = None, **changes: Any) -> dict[str, Any]:
    return {
        "label": "crack",
        "points": BOX if points is None else points,
        "group_id": None,
        "shape_type": "polygon",
        "flags": {},
        **changes,
    }


def pair(
    root: Path,
    name: str = "bad",
    photo: bytes | None = None,
    label: bytes | None = None,
    suffix: str = ".jpg",
    folder: str = "crack",
) -> None:
    put(root / folder / f"{name}{suffix}", jpg(99) if photo is None else photo)
    put(root / folder / f"{name}_mask.png", png(mask()) if label is None else label)


def sound_masks(root: Path) -> None:
    for index in range(3):
        put(root / f"crack/{index}.jpg", jpg(index))
        put(root / f"crack/{index}.png", png(mask()))
        put(root / f"good/{index}.jpg", jpg(10 + index))


def sound_labelme(root: Path) -> None:
    for index in range(3):
        put(root / f"{index}.jpg", jpg(index))
        put(root / f"{index}.json", labelme(f"{index}.jpg", shape()))


def coco_content() -> dict[str, Any]:
    return {
        "images": [{"id": i, "file_name": f"{i}.jpg", "height": HEIGHT, "width": WIDTH} for i in range(1, 4)],
        "categories": [{"id": 7, "name": "crack"}],
        "annotations": [
            {
                "id": i,
                "image_id": i,
                "category_id": 7,
                "segmentation": [FLAT],
                "area": 200,
                "bbox": [10, 10, 20, 10],
                "iscrowd": 0,
            }
            for i in range(1, 4)
        ],
    }


def sound_coco(root: Path) -> None:
    for index in range(1, 5):
        put(root / f"images/{index}.jpg", jpg(index))
    put(root / "annotations.json", coco_content())


SOUND = {"mask-png": sound_masks, "labelme": sound_labelme, "coco": sound_coco}


@dataclass(frozen=True)
class Case:
    """``fate``: refused | repaired | warned | stopped | accepted | skipped. ``file``: what the message must name."""

    id: str
    source: str
    build: Callable[[Path], None]
    fate: str
    code: str
    file: str
    settings: dict[str, Any] = field(default_factory=dict)


def photo_case(
    id: str, fate: str, code: str, content: Callable[[], bytes], suffix: str = ".png", **settings: Any
) -> Case:
    return Case(
        id, "mask-png", lambda root: pair(root, photo=content(), suffix=suffix), fate, code, f"bad{suffix}", settings
    )


def mask_case(id: str, fate: str, code: str, content: Callable[[], bytes], **settings: Any) -> Case:
    file = "bad_mask.png" if fate == "refused" else "bad.jpg"
    return Case(id, "mask-png", lambda root: pair(root, label=content()), fate, code, file, settings)


def label_case(id: str, fate: str, code: str, content: Callable[[], Any], **settings: Any) -> Case:
    def build(root: Path) -> None:
        put(root / "bad.jpg", jpg(99))
        put(root / "bad.json", content())

    return Case(id, "labelme", build, fate, code, "bad.json" if fate in {"refused", "stopped"} else "bad.jpg", settings)


def shape_case(id: str, fate: str, code: str, *shapes: dict[str, Any], **settings: Any) -> Case:
    return label_case(id, fate, code, lambda: labelme("bad.jpg", *shapes), **settings)


def coco_case(
    id: str,
    fate: str,
    code: str,
    change: Callable[[dict[str, Any]], Any],
    file: str = "annotations.json",
    **settings: Any,
) -> Case:
    """``change`` edits the sound COCO file, to which image and annotation 4 were added."""

    def build(root: Path) -> None:
        content = coco_content()
        content["images"].append({"id": 4, "file_name": "4.jpg", "height": HEIGHT, "width": WIDTH})
        content["annotations"].append(
            {
                "id": 4,
                "image_id": 4,
                "category_id": 7,
                "segmentation": [FLAT],
                "area": 200,
                "bbox": [10, 10, 20, 10],
                "iscrowd": 0,
            }
        )
        put(root / "annotations.json", change(content) or content)

    return Case(id, "coco", build, fate, code, file, settings)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_header(width: int, height: int) -> bytes:
    """A tiny PNG that claims to be huge."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def with_chunk(kind: bytes, body: bytes) -> bytes:
    whole = png(pixels(99))
    return whole[:33] + chunk(kind, body) + whole[33:]


def turned(orientation: Any, size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    return encoded(Image.fromarray(pixels(99, size)), "PNG", exif=exif.tobytes())


def two_pages(kind: str) -> bytes:
    frames = [Image.fromarray(pixels(seed)) for seed in (1, 2)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]


def float_tiff() -> bytes:
    return encoded(Image.fromarray(np.full((HEIGHT, WIDTH), np.nan, np.float32)), "TIFF")


def patch_text(height: int = 11, width: int = 21) -> str:
    return base64.b64encode(png(np.ones((height, width), np.uint8))).decode()


def edit(part: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content[part][-1].update(changes)


def remove(part: str, *keys: str) -> Callable[[dict[str, Any]], None]:
    return lambda content: [content[part][-1].pop(key) for key in keys] and None


def segmentation(value: Any) -> Callable[[dict[str, Any]], None]:
    return edit("annotations", segmentation=value)


def twin_names(root: Path) -> None:
    for form in ("NFC", "NFD"):
        put(root / "good" / f"{unicodedata.normalize(form, 'é')}.jpg", jpg(5))
