"""Real training defects by category, as the classical methods draw from them."""

from __future__ import annotations

import numpy as np

from ....core.dataset import Annotation, Dataset, ImageRecord
from ....core.errors import InputError
from ....core.images import read_record


class Donors:
    """The training split's defects. A draw takes a physical object first, then one of its photographs, so that an
    object photographed ten times is not drawn ten times as often."""

    def __init__(self, train: Dataset) -> None:
        self.train = train
        self.gray = train.info.get("mode") == "L"
        self.by_image = train.by_image()
        self.images = {image.id: image for image in train.images}
        self.by_name = {image.file_name: image for image in train.images}
        self.by_id = {annotation.id: annotation for annotation in train.annotations}
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

    def image_of(self, annotation: Annotation) -> ImageRecord:
        return self.images[annotation.image_id]

    def pixels(self, image: ImageRecord) -> np.ndarray:
        """uint8 (H, W) or (H, W, 3), as the data set's mode says."""
        return read_record(self.train, image, self.gray)
