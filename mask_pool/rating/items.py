"""What is rated: the experts' drawings, or the items of the pool, each on its photograph."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from anomaly_gan.core.config import kept_config
from anomaly_gan.core.dataset import Annotation, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.images import encode_png, read_verified
from anomaly_gan.core.masks import Rle, decode_rle, decode_union, encode_rle, grow
from anomaly_gan.core.resources import expand

from ..drawing.drawings import PhotographFinder, read_drawings
from ..scoring.ratings import RatedMask, content_hash

LAYERS = ("photo", "mask", "outline")
COLOUR_RGB = (255, 32, 96)
"""Of mask and outline: on none of the materials at hand, and far from grey."""
MASK_ALPHA = 110
MASKS = ("drawings", "pool")
"""What holds masks to be rated."""


@dataclass(frozen=True, eq=False)
class RatingItem:
    """One mask (compressed RLE) over one photograph, and what is to be said of it; the picture's bytes are made when
    asked for."""

    mask: RatedMask
    photograph: Path
    photograph_sha256: str
    gray: bool
    rle: Rle
    note: str = ""

    def layer(self, name: str) -> bytes:
        """PNG of one of ``LAYERS``; mask and outline are (H, W) RGBA, clear outside.

        Raises:
            InputError: A13, A24 the photograph has changed or gone since ingest.
        """
        if name == "photo":
            return encode_png(read_verified(self.photograph, self.photograph_sha256, self.gray))
        mask_01 = np.ascontiguousarray(decode_rle(self.rle))
        rgba = np.zeros((*mask_01.shape, 4), np.uint8)
        rgba[..., :3] = COLOUR_RGB[::-1]
        rgba[..., 3] = mask_01 * MASK_ALPHA if name == "mask" else outline(mask_01) * 255
        return cv2.imencode(".png", rgba)[1].tobytes()


def outline(mask_01: np.ndarray) -> np.ndarray:
    """The ring (H, W) just outside the mask, so that what it covers stays to be seen."""
    height, width = mask_01.shape
    thick = 1 if max(height, width) <= 512 else max(height, width) // 400
    return grow(mask_01, thick) - mask_01


@dataclass(frozen=True)
class Loaded:
    """What can be rated, what was left out and why, and the files it was read from."""

    items: list[RatingItem]
    left_out: dict[str, int]
    watched: Sequence[Path] = field(default_factory=list)


def load_drawings(run: Path, folder: Path | None = None) -> Loaded:
    """The experts' drawings on photographs of the training split; ``folder`` defaults to that of RUN's pool.

    Raises:
        ConfigError: no folder is given, and the run's pool names none.
        InputError: the ingest or a drawing cannot be read.
    """
    if folder is None:
        named = kept_config(run / "pool").get("expert_dir")
        if named is None:
            raise ConfigError(f"{run}: this run names no experts' drawings: say where they lie")
        folder = expand(named)
    ingest = load_dataset(run / "ingest")
    finder, names, left_out = PhotographFinder(ingest), set(ingest.category_names().values()), Counter[str]()
    items = []
    for drawing in read_drawings(folder):
        found = finder.find(drawing.photograph)
        reason = (
            "unknown_category"
            if drawing.label not in names
            else "unknown_photograph"
            if found is None
            else "test_photograph"
            if found.split != "train" or found.source != "real"
            else None
        )
        if reason is not None or found is None:
            left_out[str(reason)] += 1
            continue
        rle = encode_rle(drawing.draw(found))
        items.append(rating_item(ingest, found, drawing.file, drawing.index, drawing.label, rle))
    return Loaded(items, dict(left_out), [folder, *sorted(folder.glob("*.json")), run / "ingest" / "annotations.json"])


def load_pool(run: Path) -> Loaded:
    """Every item of RUN/pool over the normal photograph it was placed on.

    Raises:
        InputError: ingest or pool is missing; an item names a photograph that ingest has not.
    """
    ingest, pool = load_dataset(run / "ingest"), load_dataset(run / "pool")
    photographs = {image.file_name: image for image in ingest.images}
    instances, items = pool.by_image(), []
    for image in pool.images:
        normal = photographs.get(str(image.extra.get("normal_file")))
        if normal is None or normal.split != "train":
            raise InputError(
                f"{run / 'pool'}[{image.file_name}]",
                "A24",
                "its photograph is not among the training photographs",
                "build the pool again",
            )
        items.append(
            rating_item(
                ingest,
                normal,
                f"pool/{image.file_name}",
                0,
                str(image.extra["category"]),
                rle_of_all(instances.get(image.id, []), normal),
            )
        )
    return Loaded(items, {}, [run / "ingest" / "annotations.json", run / "pool" / "annotations.json"])


def load(run: Path, what: str, drawings: Path | None = None) -> Loaded:
    """The masks to be rated: ``drawings``, or items of the ``pool``.

    Raises:
        ConfigError: ``what`` is neither.
        InputError, ConfigError: as ``load_drawings`` and ``load_pool``.
    """
    if what not in MASKS:
        raise ConfigError(f"{what!r} holds no masks (known: {', '.join(MASKS)})")
    return load_pool(run) if what == "pool" else load_drawings(run, drawings)


def rating_item(dataset: Dataset, image: ImageRecord, file: str, shape: int, label: str, rle: Rle) -> RatingItem:
    """The item for a mask on a photograph of ``dataset``, whose file must lie inside its folder.

    Args:
        dataset: the data set.
        image: the photograph.
        file: the drawing, or the pool's item.
        shape: number of the shape in it.
        label: category.
        rle: the mask as COCO run lengths.

    Returns:
        The item, with the hash that grades are bound to.
    """
    path = confined(dataset.folder / "images", image.file_name)
    sha256 = content_hash(image.sha256, label, decode_rle(rle))
    return RatingItem(RatedMask(file, shape, label, sha256), path, image.sha256, dataset.gray, rle)


def rle_of_all(annotations: Sequence[Annotation], image: ImageRecord) -> Rle:
    """RLE of all instances together, in the frame of the photograph."""
    rles = [annotation.segmentation for annotation in annotations]
    return encode_rle(decode_union(rles, image.height, image.width))


def confined(root: Path, name: str) -> Path:
    """``root/name``, which must lie inside ``root`` after all links are followed.

    Raises:
        InputError: S5 it does not.
    """
    if "\0" not in name and not Path(name).is_absolute():
        path = (root / name).resolve()
        if path.is_relative_to(root.resolve()):
            return path
    raise InputError(f"{root}[{name!r}]", "S5", "leads out of its folder", "ingest again")


class Catalogue:
    """The items by opaque id, loaded again where their files change under the server.

    The id of an item says nothing of where it comes from; its ``version`` changes with anything a rater sees.
    """

    def __init__(self, load: Callable[[], Loaded], salt: str, *, empty: bool = False) -> None:
        self._load, self._salt, self._lock = load, salt, threading.Lock()
        self._items, self._signature, self.left_out = self._read()
        if not self._items and not empty:
            raise InputError("rate", "F14", "there is nothing to rate", "build the pool, or draw masks first")

    def items(self) -> dict[str, RatingItem]:
        """id -> item, as the files stand now.

        Raises:
            InputError: the files cannot be read any more.
        """
        with self._lock:
            if _signature(tuple(path for path, *_ in self._signature)) != self._signature:
                self._items, self._signature, self.left_out = self._read()
            return self._items

    def _read(self) -> tuple[dict[str, RatingItem], tuple[Any, ...], dict[str, int]]:
        loaded = self._load()
        items = {self.sign(item.mask.file, str(item.mask.shape)): item for item in loaded.items}
        return items, _signature(tuple(loaded.watched)), loaded.left_out

    def version(self, item: RatingItem) -> str:
        return self.sign("version", item.mask.sha256)[:16]

    def listing(self, prefix: str, label: bool = False) -> list[dict[str, object]]:
        """What a page shows to choose from, by name: id, version, size and, where asked, label; names without the
        ``prefix`` of their kind."""
        rows = [
            {
                "id": one,
                "version": self.version(item),
                "name": item.mask.file.removeprefix(prefix),
                **({"label": item.mask.label} if label else {}),
                "width": item.rle["size"][1],
                "height": item.rle["size"][0],
            }
            for one, item in self.items().items()
        ]
        return sorted(rows, key=lambda row: str(row["name"]))

    def sign(self, *parts: str) -> str:
        """32 hex digits that depend on the parts and on the run's secret salt."""
        return hmac.new(
            self._salt.encode(), "\0".join(parts).encode("utf-8", "surrogatepass"), hashlib.sha256
        ).hexdigest()[:32]

    def order(self, ids: Sequence[str], rater: int, priority: Callable[[str], float]) -> list[str]:
        """``ids`` by falling priority; among equals at random, another way for each rater and always the same one."""
        return sorted(ids, key=lambda one: (-priority(one), self.sign("order", str(rater), one)))


def _signature(paths: tuple[Path, ...]) -> tuple[Any, ...]:
    found = []
    for path in paths:
        try:
            status = path.stat()
            found.append((path, status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            found.append((path, 0, 0, 0))
    return tuple(found)
