"""The configuration section of ingest; it imports nothing that decodes."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ..core.config import Config
from .splits import IMAGE_FOLDS


class IngestConfig(Config):
    """Where the photographs and labels lie, and how they are read.

    ``root``: the folder, or a COCO JSON file. ``groups``: CSV with the columns ``file``, ``group_column``, and, where
    wanted, ``category`` (the key is then category/file) and ``fold``; or ``group_regex``, searched in the path, whose
    group 1 (or ``group``) names the object; or neither: every photograph is an object of its own. ``fold``: the fold
    that is the test split; None: about ``test_share`` of the groups of every category, by hash. ``categories``: keep
    only these. ``normal``: folder names that mean "no defect". ``exif``: the frame the labels were drawn in, where
    photographs are turned by EXIF. ``max_bad``: the share of refused records that is still borne. ``min_side``:
    pixels. ``bits``: the depth of photographs of more than 8 bits. ``line_width``: pixels; None refuses drawn lines.
    ``split: images`` deals out photographs, not objects: the usual random split, which leaks; only to measure by how
    much. Its ``fold`` is one of four by hash of the file name. ``objects``: at most so many objects with a defect of
    each category stay in the training split; of the others the photographs with a defect are left out, sound ones
    stay, and so does the test split. ``draw``: which ones stay, another number drawing others; needs ``objects``.
    """

    root: str
    format: Literal["auto", "labelme", "mask-png", "coco", "mvtec"] = "auto"
    groups: str | None = None
    group_column: str = "group"
    group_regex: str | None = None
    fold: int | None = None
    test_share: float = Field(0.25, gt=0, lt=1)
    categories: list[str] | None = None
    normal: list[str] = Field(default=["good", "normal", "free", "ok"])
    exif: Literal["auto", "raw", "display"] = "auto"
    max_bad: float = Field(0.01, ge=0, le=1)
    strict: bool = False
    min_side: int = Field(16, ge=1)
    bits: int = Field(16, ge=9, le=16)
    line_width: float | None = Field(None, gt=0)
    split: Literal["objects", "images"] = "objects"
    objects: int | None = Field(None, ge=1)
    draw: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _something_to_draw(self) -> Self:
        if self.draw and self.objects is None:
            raise ValueError("draw: says which few objects stay; say how many with objects")
        return self

    @model_validator(mode="after")
    def _fold_exists(self) -> Self:
        if self.split == "images" and self.fold is not None and not 0 <= self.fold < IMAGE_FOLDS:
            raise ValueError(f"fold: split: images has the folds 0 to {IMAGE_FOLDS - 1}, not {self.fold}")
        return self
