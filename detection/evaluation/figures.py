"""What a detector's detections came to on held-out photographs: one value, read and written here alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .metric_names import RECALL


@dataclass(frozen=True)
class CategoryFigures:
    """Of one category, in [0, 1]; None where undefined."""

    ap50: float | None = None
    ap: float | None = None
    ap50_box: float | None = None
    ap_box: float | None = None
    ap30: float | None = None
    pixel_ap: float | None = None
    iou: float | None = None
    instances: int = 0


@dataclass(frozen=True)
class ImageFigures:
    """Alarms by photograph: recall by rate of false alarms, AUROC, and how many of either kind stand behind them."""

    image_recall: Mapping[str, float | None]
    image_auroc: float | None
    defective_images: int
    normal_images: int


@dataclass(frozen=True)
class Figures:
    """See :func:`.evaluate.evaluate_detections`. ``of_images`` is None in cells of an older version."""

    map50: float | None = None
    map: float | None = None
    map50_box: float | None = None
    map_box: float | None = None
    ap30: float | None = None
    pixel_ap: float | None = None
    miou: float | None = None
    judged_on: str = ""
    categories: Mapping[str, CategoryFigures] = field(default_factory=dict)
    of_images: ImageFigures | None = None
    images: int = 0
    detections: int = 0

    def figure(self, name: str) -> float | None:
        """A figure by its name in tables; ``image_recall_at_P`` are those of :class:`ImageFigures`."""
        if name in RECALL:
            return self.of_images.image_recall.get(RECALL[name]) if self.of_images else None
        if name == "image_auroc":
            return self.of_images.image_auroc if self.of_images else None
        value: float | None = getattr(self, name)
        return value

    def to_json(self) -> dict[str, object]:
        content = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "of_images"}
        categories = {name: asdict(of) for name, of in self.categories.items()}
        return {**content, "categories": categories, **(asdict(self.of_images) if self.of_images else {})}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Figures:
        """From :meth:`to_json`'s content, among whatever else; what is not there has its default."""
        plain = {item.name for item in fields(cls)} - {"categories", "of_images"}
        return cls(
            **{name: content[name] for name in plain if name in content},
            categories={name: CategoryFigures(**of) for name, of in content.get("categories", {}).items()},
            of_images=ImageFigures(**{item.name: content[item.name] for item in fields(ImageFigures)})
            if all(item.name in content for item in fields(ImageFigures))
            else None,
        )
