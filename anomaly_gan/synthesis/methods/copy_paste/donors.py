"""Real training defects by category, as the classical methods draw from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....core.dataset import Annotation, Dataset, ImageRecord
from ....core.errors import InputError
from ....core.images import read_record
from ....core.masks import mask_box_xywh
from ....part.foreground import find_foreground
from ...pairs.exemplar import Exemplar
from ...pairs.reshaping import OFF_PART, off_part, shown_part
from ...pairs.substance import Evidence, Substance, learn_substance

MARGIN_PX = 16
"""Surroundings of a defect that are looked at with it."""
LOOKED_AT = 64
"""Objects of a category from which it is learned what its defects are made of."""
PARTS_LOOKED_AT, SHOW_A_PART = 12, 0.7
"""Objects of a category whose photographs are searched for a part, and the share of them that must show one."""


class Donors:
    """The training split's defects. A draw takes a physical object first, then one of its photographs, so that an
    object photographed ten times is not drawn ten times as often."""

    def __init__(self, train: Dataset, gray: bool | None = None) -> None:
        """``gray``: whether photographs are read as gray; None: as the data set's mode says."""
        self.train = train
        self.gray = train.gray if gray is None else gray
        self.by_image = train.by_image()
        self.images = {image.id: image for image in train.images}
        self.by_name = {image.file_name: image for image in train.images}
        self.by_id = {annotation.id: annotation for annotation in train.annotations}
        self._examples: dict[int, tuple[Exemplar, np.ndarray]] = {}
        self._substances: dict[int, Substance] = {}
        self._parts: dict[int, np.ndarray | None] = {}
        self._groups: dict[int, dict[str, list[Annotation]]] = {}
        for annotation in train.annotations:
            if not annotation.iscrowd:
                groups = self._groups.setdefault(annotation.category_id, {})
                groups.setdefault(self.images[annotation.image_id].group_id, []).append(annotation)

    def draw(self, category_id: int, rng: np.random.Generator) -> Annotation:
        """A random training defect of the category.

        Raises:
            InputError: G13, the training split has none.
        """
        groups = self._groups.get(category_id)
        if not groups:
            name = self.train.category_names().get(category_id, str(category_id))
            raise InputError(name, "G13", "no training defect of this category", "label at least one")
        members = groups[sorted(groups)[int(rng.integers(len(groups)))]]
        return members[int(rng.integers(len(members)))]

    def of_parent(self, provenance: dict) -> Annotation | None:
        """The training annotation a pool element was cut from; None for an element that experts drew.

        Raises:
            InputError: E4, the pool names a parent outside the training split.
        """
        if provenance.get("kind") != "prior":
            return None
        parent, file_name = self.by_id.get(provenance["parent"]), provenance["parent_image"]
        if parent is None or self.images[parent.image_id].file_name != file_name:
            raise InputError(
                file_name,
                "E4",
                f"mask parent {provenance['parent']} is not in the training split",
                "build the pool again from this data set",
            )
        return parent

    def exemplar(self, annotation: Annotation) -> tuple[Exemplar, np.ndarray]:
        """The defect in its surroundings, and the corner (x, y) of that window in its photograph."""
        if annotation.id not in self._examples:
            substance = self.substance(annotation.category_id)
            exemplar, corner = self._window(annotation)
            part = self._part(annotation) if substance.reshapes else None
            self._examples[annotation.id] = replace(exemplar, substance=substance, part_01=part), corner
        return self._examples[annotation.id]

    def substance(self, category_id: int) -> Substance:
        """What the category's defects are made of, learned once."""
        if category_id not in self._substances:
            learned = learn_substance(self.evidence(category_id))
            self._substances[category_id] = replace(learned, reshapes=self._reshapes(category_id))
        return self._substances[category_id]

    def _reshapes(self, category_id: int) -> bool:
        """Whether the category's defects change the part's outline: their labels lie off the part in part."""
        looked_at = self._one_each(category_id)[:PARTS_LOOKED_AT]
        off: list[float] = []
        for number, one in enumerate(looked_at):
            part = self._part(one)
            if part is not None:
                mask = one.mask()
                off.append(off_part(mask[box_around(mask, MARGIN_PX)], part))
            elif number + 1 - len(off) > (1 - SHOW_A_PART) * len(looked_at):
                return False
        return bool(off) and OFF_PART[0] <= float(np.median(off)) <= OFF_PART[1]

    def _part(self, annotation: Annotation) -> np.ndarray | None:
        """Where the part is in the defect's window, looked for once; None where the photograph shows none."""
        if annotation.id not in self._parts:
            self._parts[annotation.id] = self._find_part(annotation)
        return self._parts[annotation.id]

    def _find_part(self, annotation: Annotation) -> np.ndarray | None:
        pixels, mask = self.pixels(self.image_of(annotation)), annotation.mask()
        part, place = find_foreground(pixels), box_around(mask, MARGIN_PX)
        return None if part is None else shown_part(pixels[place], mask[place], part.without_holes().window(*place))

    def _one_each(self, category_id: int) -> list[Annotation]:
        """One defect of each object of the category."""
        return [members[0] for _, members in sorted(self._groups.get(category_id, {}).items())]

    def evidence(self, category_id: int) -> list[Evidence]:
        """What one defect of each object of the category shows of it."""
        own = self._one_each(category_id)[:LOOKED_AT]
        return [seen for one in own if (seen := self._window(one)[0].evidence()) is not None]

    def _window(self, annotation: Annotation) -> tuple[Exemplar, np.ndarray]:
        mask = annotation.mask()
        rows, columns = box_around(mask, MARGIN_PX)
        pixels = np.ascontiguousarray(self.pixels(self.image_of(annotation))[rows, columns])
        window = Exemplar(pixels, np.ascontiguousarray(mask[rows, columns]))
        return window, np.array([columns.start, rows.start])

    def image_of(self, annotation: Annotation) -> ImageRecord:
        return self.images[annotation.image_id]

    def pixels(self, image: ImageRecord) -> np.ndarray:
        """uint8 (H, W) where they are read as gray, else (H, W, 3)."""
        return read_record(self.train, image, self.gray)


def box_around(mask_01: np.ndarray, margin_px: int) -> tuple[slice, slice]:
    """Rows and columns of a non-empty mask's box with a margin, inside the photograph."""
    x, y, width, height = mask_box_xywh(mask_01)
    rows = slice(max(0, y - margin_px), min(mask_01.shape[0], y + height + margin_px))
    return rows, slice(max(0, x - margin_px), min(mask_01.shape[1], x + width + margin_px))
