"""What can be looked at: the verdict, the mask pool, where one of its masks comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from fastapi import FastAPI
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from mask_pool.rating.items import COLOUR_RGB, Catalogue, Loaded, RatingItem, load_pool, outline
from mask_pool.rating.routes import Answer
from mask_pool.statistics.ancestry import ancestry

from ..core.dataset import Annotation, Dataset, ImageRecord, load_dataset
from ..core.images import read_record, read_verified, to_mode
from ..core.json_files import read_as, understood
from ..core.masks import decode_rle, mask_box_xywh

THUMB_PX = 144
MARGIN = 0.6
"""Surroundings of a mask in its thumbnail, as a share of its box on each side."""


def load_masks(run: Path) -> Loaded:
    """The items of the pool, none where there is no pool yet. Raises as ``load_pool``."""
    path = run / "pool" / "annotations.json"
    return load_pool(run) if path.is_file() else Loaded([], {}, [path])


def verdict_of(run: Path) -> Answer:
    """The run's newest verdict: ``paragraph``, ``arms`` and whether it ``passed``; ``missing`` where there is none.

    Raises:
        InputError: FORMAT, the file cannot be read.
    """
    path = run / "report" / "verdict.json"
    if not path.is_file():
        return {"missing": True}
    remedy = "run `anomaly-gan report` again"
    content = read_as(path, dict, remedy)
    with understood(path, remedy):
        arms = [
            {
                "arm": arm["arm"],
                "nothing_passed": arm["nothing_passed"],
                "rows": [
                    {key: row.get(key) for key in ("category", "call", "difference", "low", "high", "why")}
                    for row in arm["categories"]
                ],
                "advice": [item["sentence"] for item in arm["advice"]],
            }
            for arm in content["arms"]
        ]
        return {"paragraph": content["paragraph"], "passed": content["passed"], "arms": arms}


@dataclass(frozen=True)
class Masks:
    """The pool's masks, by opaque id."""

    run: Path
    catalogue: Catalogue

    def listing(self) -> list[Answer]:
        """Every item, sorted by name."""
        return self.catalogue.listing("pool/", label=True)

    def item(self, one: str) -> RatingItem:
        """The item of that id.

        Raises:
            HTTPException: 404, there is none.
        """
        found = self.catalogue.items().get(one)
        if found is None:
            raise HTTPException(404)
        return found

    def thumb(self, one: str) -> bytes:
        """PNG: the mask's outline on its photograph, cut around it, ``THUMB_PX`` at most."""
        item = self.item(one)
        pixels = read_verified(item.photograph, item.photograph_sha256, item.gray)
        return _cut(pixels, decode_rle(item.rle))

    def origin(self, one: str) -> Answer:
        """The ancestry in words, and how many elements have a parent that can be shown."""
        pool, image, elements = self._record(self.item(one))
        return {
            "lines": ancestry(pool, image),
            "parents": [at for at, element in enumerate(elements) if _is_cut(element)],
        }

    def parent(self, one: str, element: int) -> bytes:
        """PNG: the real defect that an element was cut from, on its own photograph.

        Raises:
            HTTPException: 404, it was not cut from one.
        """
        _, _, elements = self._record(self.item(one))
        if not 0 <= element < len(elements) or not _is_cut(elements[element]):
            raise HTTPException(404)
        ingest, origin = load_dataset(self.run / "ingest"), elements[element].provenance
        parent = next((item for item in ingest.annotations if item.id == origin["parent"]), None)
        image = next((item for item in ingest.images if parent is not None and item.id == parent.image_id), None)
        if parent is None or image is None or image.split != "train":
            raise HTTPException(404)
        return _cut(read_record(ingest, image, ingest.gray), parent.mask())

    def _record(self, item: RatingItem) -> tuple[Dataset, ImageRecord, list[Annotation]]:
        pool = load_dataset(self.run / "pool")
        image = next((one for one in pool.images if f"pool/{one.file_name}" == item.mask.file), None)
        if image is None:
            raise HTTPException(404)
        return pool, image, pool.by_image().get(image.id, [])


def _is_cut(element: Annotation) -> bool:
    return element.provenance.get("kind") == "prior" and isinstance(element.provenance.get("parent"), int)


def _cut(pixels: np.ndarray, mask_01: np.ndarray) -> bytes:
    """PNG of the surroundings of a mask with its outline."""
    x, y, width, height = mask_box_xywh(mask_01)
    side = round(max(width, height) * (1 + 2 * MARGIN)) + 8
    top, left = (max(0, middle - side // 2) for middle in (y + height // 2, x + width // 2))
    place = (slice(top, top + side), slice(left, left + side))
    window = to_mode(pixels[place], "RGB")
    scale = THUMB_PX / max(window.shape[:2])
    size = (max(1, round(window.shape[1] * scale)), max(1, round(window.shape[0] * scale)))
    drawn = cv2.resize(window, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    inside = cv2.resize(np.ascontiguousarray(mask_01[place]), size, interpolation=cv2.INTER_NEAREST)
    drawn[outline(inside) > 0] = COLOUR_RGB
    return cv2.imencode(".png", np.ascontiguousarray(drawn[:, :, ::-1]))[1].tobytes()


def serve_views(app: FastAPI, run: Path, masks: Masks) -> None:
    """The routes; all of them only read."""
    kept = {"cache-control": "private, max-age=86400, immutable"}

    @app.get("/api/verdict")
    def verdict() -> Answer:
        return verdict_of(run)

    @app.get("/api/masks")
    def listing() -> Answer:
        return {"items": masks.listing()}

    @app.get("/api/masks/{item}")
    def origin(item: str) -> Answer:
        return masks.origin(item)

    @app.get("/thumb/{item}.png")
    def thumb(item: str) -> Response:
        return Response(masks.thumb(item), media_type="image/png", headers=kept)

    @app.get("/parent/{item}/{element}.png")
    def parent(item: str, element: int) -> Response:
        return Response(masks.parent(item, element), media_type="image/png", headers=kept)
