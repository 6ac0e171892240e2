"""Elements: the shapes a pool is made of, and the ones cut from real annotations (prior knowledge)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.masks import mask_box_xywh


@dataclass(frozen=True, eq=False)
class Element:
    """One mask out of its photograph.

    ``bitmap`` is mask_01 (h, w) tight around the shape, ``box`` its [x, y, w, h] in pixels of the parent
    photograph, ``parent_size`` that photograph's (height, width). ``parent`` is the annotation id of a prior
    element, or ``FILE.json#SHAPE`` of an expert's drawing; ``score`` is what the experts' grades came to and
    ``raters`` each rater's own mean grade, 0..10, where it was rated.
    """

    kind: str
    category: str
    parent: int | str
    parent_image: str
    parent_group: str
    parent_size: tuple[int, int]
    box: tuple[int, int, int, int]
    bitmap: np.ndarray
    score: float | None = None
    raters: dict[str, float] = field(default_factory=dict)

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.bitmap))

    @property
    def centre_xy(self) -> tuple[float, float]:
        """Centre of the box in pixels of the parent; pixel centres have whole coordinates."""
        x, y, w, h = self.box
        return x + (w - 1) / 2, y + (h - 1) / 2

    @property
    def cut_sides(self) -> list[tuple[int, int]]:
        """Outward directions (x, y) of the sides at which the parent's border cuts it off (within one pixel)."""
        x, y, w, h = self.box
        height, width = self.parent_size
        at = {(-1, 0): x <= 1, (1, 0): x + w >= width - 1, (0, -1): y <= 1, (0, 1): y + h >= height - 1}
        return [side for side, touches in at.items() if touches]

    def full_mask(self) -> np.ndarray:
        """mask_01 (H, W) in the frame of the parent photograph."""
        mask_01 = np.zeros(self.parent_size, np.uint8)
        x, y, w, h = self.box
        mask_01[y : y + h, x : x + w] = self.bitmap
        return mask_01


def tight(mask_01: np.ndarray) -> tuple[tuple[int, int, int, int], np.ndarray]:
    """Box [x, y, w, h] and tight bitmap of a non-empty mask_01 (H, W)."""
    x, y, w, h = mask_box_xywh(mask_01)
    return (x, y, w, h), np.ascontiguousarray(mask_01[y : y + h, x : x + w])


def without_fragments(elements: list[Element], share: float) -> list[Element]:
    """The elements that have at least ``share`` of their median area: splinters of a mask are no shape to repeat."""
    least = share * float(np.median([element.area for element in elements])) if elements else 0.0
    return [element for element in elements if element.area >= least]


def cut_prior(ingest: Dataset) -> dict[str, list[Element]]:
    """The real annotations of the training split as elements, per category name, in the order of their ids.

    Crowd annotations stand for no single instance and are left out.
    """
    names = ingest.category_names()
    photographs = {image.id: image for image in ingest.images if image.split == "train" and image.source == "real"}
    elements: dict[str, list[Element]] = {name: [] for name in names.values()}
    for annotation in sorted(ingest.annotations, key=lambda item: item.id):
        image = photographs.get(annotation.image_id)
        if image is None or annotation.iscrowd or annotation.area == 0:
            continue
        mask_01 = annotation.mask()
        box, bitmap = tight(mask_01)
        category = names[annotation.category_id]
        elements[category].append(
            Element(
                "prior",
                category,
                annotation.id,
                image.file_name,
                image.group_id,
                (image.height, image.width),
                box,
                bitmap,
            )
        )
    return elements
