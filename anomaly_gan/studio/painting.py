"""Painting on the page: a mask that was drawn or taken from the pool, on a sound photograph, within a moment.

The generator stays warm in the server. What is shown is what ``anomaly-gan paint`` writes for the same mask, words and
seed; only the window that has changed goes to the page.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cv2
import numpy as np
from pydantic import Field

from mask_pool.rating.items import Catalogue, Loaded, RatingItem, confined
from mask_pool.rating.routes import Answer, Body, ItemId, Text, Unprocessable, Version
from mask_pool.rating.store import Conflict
from mask_pool.scoring.ratings import RatedMask

from ..core.dataset import load_dataset
from ..core.errors import AnomalyGanError
from ..core.files import sha256_file
from ..core.images import encode_png, read_verified
from ..core.masks import mask_box_xywh, union
from ..core.seeding import seed_for
from ..ingestion.mask_files import components

if TYPE_CHECKING:
    from ..synthesis.methods.painting.generator import Brush
    from ..synthesis.methods.painting.severity import Filled
    from ..synthesis.relighting.model import LightModel

log = logging.getLogger(__name__)
MOST_RUNS = 60_000
KEPT = 6
"""Photographs, as read and as relit, that stay in memory."""
COVERED = 0.9


def load_sound(run: Path) -> Loaded:
    """The training photographs without a defect; of a run that has none, all training photographs.

    Raises:
        InputError: the data set cannot be read.
    """
    ingest = load_dataset(run / "ingest")
    train = ingest.split("train")
    gray = ingest.gray
    items = [
        RatingItem(
            RatedMask(f"sound/{image.file_name}", 0, "", image.sha256),
            confined(ingest.folder / "images", image.file_name),
            image.sha256,
            gray,
            {"size": [image.height, image.width], "counts": ""},
        )
        for image in train.normals() or train.images
    ]
    return Loaded(items, {}, [run / "ingest" / "annotations.json"])


class PaintRequest(Body):
    """What to paint. The mask: ``runs``, lengths of clear and set pixels in turn, row by row, of the whole photograph.

    ``severity``: 0 (the faintest training defect) to 1 (the strongest), None as one of them. ``light``: stops.
    """

    photograph: ItemId
    version: Version
    method: Annotated[Text, Field(max_length=100)]
    category: Annotated[Text, Field(max_length=200)]
    runs: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2, max_length=MOST_RUNS)]
    severity: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    light: Annotated[float, Field(ge=-4, le=4, allow_inf_nan=False)] = 0.0
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


@dataclass(frozen=True)
class Painted:
    """The part of the photograph that differs (PNG), its place, and the log ratio that each defect shows."""

    png: bytes
    left: int
    top: int
    shown: list[float]


@dataclass(frozen=True)
class Canvas:
    """A whole painting: the photograph painted on, the result, its parts (category, mask_01) and what fills each."""

    item: RatingItem
    photograph: np.ndarray
    painted: np.ndarray
    parts: list[tuple[str, np.ndarray]]
    fillings: list[Filled]
    support_px: int
    generator_sha256: str


@dataclass
class PaintService:
    """Generators that are warm, photographs that are at hand; one painting at a time."""

    run: Path
    photographs: Catalogue
    device: str = "auto"
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _brushes: dict[str, tuple[Brush, int, LightModel, str]] = field(default_factory=dict)
    _kept: OrderedDict[tuple[Any, ...], np.ndarray] = field(default_factory=OrderedDict)

    def methods(self) -> list[str]:
        """Whose training is there."""
        found = sorted(path.parent.name.partition("@")[2] for path in self.run.glob("train@*/generator.safetensors"))
        return sorted(found, key=lambda name: name != "anomaly_gan")

    def warm(self) -> None:
        """Open the first method's generator beside the page, so that the first painting is as quick as the others."""

        def work() -> None:
            names = self.methods()
            if not names:
                return  # without a generator torch is not even loaded
            from ..synthesis.paint.stage import paint_instances

            with self._lock:
                for name in names:
                    try:
                        brush, channels, *_ = self._brush(name)
                        side = 2 * brush.framing.size  # the first painting of a net takes many times what others do
                        dot = np.zeros((side, side), np.uint8)
                        dot[side // 2 : side // 2 + 6, side // 2 : side // 2 + 6] = 1
                        paint_instances(brush, channels, np.full_like(dot, 99), [(brush.categories[0], dot)], None, 0)
                        return
                    except AnomalyGanError as error:
                        log.warning("%s cannot paint here: %s", name, error)

        threading.Thread(target=work, name="warm", daemon=True).start()

    def listing(self) -> list[Answer]:
        """The photographs, by name."""
        return self.photographs.listing("sound/")

    def paint(self, request: PaintRequest) -> Painted:
        """What the page shows of a painting. Raises as ``canvas``."""
        done = self.canvas(request)
        changed = (done.painted != done.photograph).reshape(*done.painted.shape[:2], -1).any(axis=2).astype(np.uint8)
        left, top, width, height = mask_box_xywh(union([changed, *(part for _, part in done.parts)], *changed.shape))
        png = encode_png(np.ascontiguousarray(done.painted[top : top + height, left : left + width]))
        return Painted(png, left, top, [round(filling.shown, 3) for filling in done.fillings])

    def canvas(self, request: PaintRequest) -> Canvas:
        """The photograph with what was asked for painted on it.

        Raises:
            Conflict: the photograph is another by now.
            Unprocessable: a field that cannot be followed; it is named.
            InputError: the photograph or the training cannot be read.
        """
        item = self.photographs.items().get(request.photograph)
        if item is None or self.photographs.version(item) != request.version:
            raise Conflict("this photograph has been replaced")
        mask_01 = mask_of(request.runs, (item.rle["size"][0], item.rle["size"][1]))
        if request.method not in self.methods():
            raise Unprocessable("method")
        from ..synthesis.paint.stage import paint_instances

        with self._lock:
            try:
                brush, channels, model, sha256 = self._brush(request.method)
            except AnomalyGanError as error:
                log.warning("%s cannot paint here: %s", request.method, error)
                raise Unprocessable("method") from error
            if request.category not in brush.categories:
                raise Unprocessable("category")
            if request.severity is not None and not brush.painter.controls:
                raise Unprocessable("severity")
            photograph = self._at_hand(item)
            base = self._lit(item, request, model) if request.light else photograph
            parts = [(request.category, part) for part in components("mask", mask_01)]
            asked = None if request.severity is None else ("quantile", request.severity)
            painted, fillings = paint_instances(brush, channels, base, parts, asked, seed_for(request.seed, "paint", 1))
        return Canvas(item, photograph, painted, parts, fillings, brush.settings.support_px, sha256)

    def _brush(self, name: str) -> tuple[Brush, int, LightModel, str]:
        from ..synthesis.methods.painting.severity import open_painter
        from ..synthesis.relighting.model import light_beside

        if name not in self._brushes:
            folder = self.run / f"train@{name}"
            sha256 = sha256_file(folder / "generator.safetensors")
            self._brushes[name] = (*open_painter(folder, self.device), light_beside(folder), sha256)
        return self._brushes[name]

    def _at_hand(self, item: RatingItem) -> np.ndarray:
        return self._keep(
            (item.photograph_sha256,), partial(read_verified, item.photograph, item.photograph_sha256, item.gray)
        )

    def _lit(self, item: RatingItem, request: PaintRequest, model: LightModel) -> np.ndarray:
        from ..synthesis.relighting.model import Light, relight

        def work() -> np.ndarray:
            return relight(self._at_hand(item), Light(request.light), model, seed_for(request.seed, "light", 1))

        return self._keep((item.photograph_sha256, request.method, request.light, request.seed), work)

    def _keep(self, key: tuple[Any, ...], make: Callable[[], np.ndarray]) -> np.ndarray:
        if key not in self._kept:
            self._kept[key] = make()
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]


def mask_of(runs: list[int], size_hw: tuple[int, int]) -> np.ndarray:
    """mask_01 (H, W) of run lengths, clear first, row by row.

    Raises:
        Unprocessable: they are not of this size, or nothing or nearly everything is set.
    """
    if sum(runs) != size_hw[0] * size_hw[1]:
        raise Unprocessable("runs")
    mask_01 = np.repeat(np.arange(len(runs), dtype=np.uint8) % 2, runs).reshape(size_hw)
    if not mask_01.any() or mask_01.mean() > COVERED or cv2.connectedComponents(mask_01)[0] > 200:
        raise Unprocessable("runs")
    return mask_01
