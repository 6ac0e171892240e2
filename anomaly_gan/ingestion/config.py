"""The configuration section of ingest; it imports nothing that decodes."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ..core.config import Place, nearest
from .formats.table import reading
from .reading import LabelledReadingConfig
from .splits import FOLDS

SOUND_FOLDERS = (
    *("good", "normal", "free", "ok", "ng_free", "no_defect", "no_defects", "defect_free", "non_defective", "healthy"),
    *("sound", "pass", "intact", "perfect", "flawless", "without_defect", "not_defective", "non_defect", "undamaged"),
    *("no_anomaly", "non_anomalous", "nondefective", "gut", "i.o.", "io", "bueno"),
    *("正常", "良品", "合格", "无缺陷", "無欠陥"),
)
"""Names of folders that mean "no defect", whatever their case, separators and a number at the end."""


def _known(name: str) -> str:
    known = ["auto", *reading()]
    if name not in known:
        raise ValueError(f"{name!r} is no format{nearest(name, known)}; one of: {', '.join(known)}")
    return name


FormatName = Annotated[str, AfterValidator(_known)]


class IngestConfig(LabelledReadingConfig):
    """Where the photographs and labels lie, and how they are read.

    ``root``: the folder, or a COCO JSON file. ``format``: of the labels; ``auto`` recognises it. ``images``: the folder
    of the photographs, where the labels name them otherwise. ``object``: the one to read, of several in a published
    set. ``mask_name``: how masks are called, as ``{stem}_label.bmp``. ``labels``: old=new names of categories
    (``ingest.labels``). ``boxes``: labels that are boxes alone are filled where the set has no other (``auto``), always
    (``fill``) or never. ``unlabelled: sound``: photographs without any label are sound. ``run_order``: how run lengths
    of a CSV run.

    ``groups``: CSV with the columns ``file``, ``group_column``, and, where wanted, ``category`` (the key is then
    category/file) and ``fold``. ``group_column``: the one that names the object. ``group_regex``: in the place of a
    table, searched in the file's name; its group 1 (or ``group``) names the object. With neither, every photograph is
    an object of its own. ``group_on: path``: the expression is searched in the path below the root. ``fold``: the
    fold that is the test split, of the table's own folds or, without a column ``fold``, of four to which whole
    objects are dealt, each category evenly; None: none, a share by hash. ``test_share``: of the groups of every
    category, where no fold is named. ``categories``: keep only these. ``normal``: folder names that mean "no
    defect". ``max_bad``: the share of refused records still borne. ``strict``: masks with grey edges and look-alike
    labels are refused. ``line_width``: pixels; None refuses drawn lines. ``split: images``: deals out photographs,
    not objects: the usual random split, which leaks; only to measure by how much. Its fold is one of four by hash
    of the file name. ``objects``: at most so many objects with a defect of each category stay in the training
    split; of the others the photographs with a defect are left out, sound ones stay, and so does the test split.
    ``draw``: which ones stay, another number drawing others; needs ``objects``.
    """

    root: Place
    format: FormatName = "auto"
    images: Place | None = None
    object: str | None = None
    mask_name: str | None = None
    labels: Place | None = None
    boxes: Literal["auto", "fill", "refuse"] = "auto"
    unlabelled: Literal["auto", "sound"] = "auto"
    run_order: Literal["columns", "rows"] = "columns"
    groups: Place | None = None
    group_column: str = "group"
    group_regex: str | None = None
    group_on: Literal["name", "path"] = "name"
    fold: int | None = None
    test_share: float = Field(0.25, gt=0, lt=1)
    categories: list[str] | None = None
    normal: list[str] = Field(default=[*SOUND_FOLDERS])
    max_bad: float = Field(0.01, ge=0, le=1)
    strict: bool = False
    line_width: float | None = Field(None, gt=0)
    split: Literal["objects", "images"] = "objects"
    objects: int | None = Field(None, ge=1)
    draw: int = Field(0, ge=0)

    @property
    def told_format(self) -> str:
        """The format; who says how masks are called has masks."""
        return "mask-png" if self.format == "auto" and self.mask_name is not None else self.format

    @model_validator(mode="after")
    def _something_to_draw(self) -> Self:
        if self.draw and self.objects is None:
            raise ValueError("draw: says which few objects stay; say how many with objects")
        return self

    @model_validator(mode="after")
    def _fold_exists(self) -> Self:
        if self.split == "images" and self.fold is not None and not 0 <= self.fold < FOLDS:
            raise ValueError(f"fold: split: images has the folds 0 to {FOLDS - 1}, not {self.fold}")
        return self
