"""The table of label formats: a row here and a module beside it are a format; nothing else names them.

A module named as its row (``-`` as ``_``) holds what the row promises: ``fits(tree)`` and
``read_items(tree, options, ledger)`` where it ``reads``, ``write(dataset, out)`` where it ``writes``. The table itself
imports nothing that decodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType


@dataclass(frozen=True)
class Format:
    """``tree``: what a source looks like, three lines. ``sound``: which photographs have no defect.

    ``keeps``: what a written data set keeps and what it loses; empty where the format is not written.
    """

    name: str
    reads: bool
    writes: bool
    tree: tuple[str, str, str]
    sound: str
    keeps: str = ""

    def load(self) -> ModuleType:
        return import_module(f"{__package__}.{self.name.replace('-', '_')}")


FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format(
            "coco",
            True,
            True,
            ("set/annotations/instances_train.json", "set/train/001.jpg", "set/train/002.jpg"),
            "images without annotations",
            "everything: run lengths, several parts, holes, crowds, groups, provenance",
        ),
        Format(
            "labelme",
            True,
            True,
            ("set/001.jpg", "set/001.json", "set/good/002.jpg"),
            "JSON without shapes, or a photograph without JSON in a folder of sound parts",
            "every instance as a brush mask, pixel for pixel; crowds as labels `ignore`",
        ),
        Format(
            "mvtec",
            True,
            True,
            ("bolt/train/good/001.png", "bolt/test/crack/001.png", "bolt/ground_truth/crack/001_mask.png"),
            "`good` (`ok` in BTAD)",
            "pixels by photograph; which pixels are which instance is lost where instances touch",
        ),
        Format(
            "visa",
            True,
            False,
            (
                "candle/Data/Images/Normal/001.JPG",
                "candle/Data/Images/Anomaly/001.JPG",
                "candle/Data/Masks/Anomaly/001.png",
            ),
            "`Normal`",
        ),
        Format(
            "real-iad",
            True,
            False,
            (
                "bolt/OK/S0001/bolt_0001_OK_C1.jpg",
                "bolt/NG/HS/S0002/bolt_0002_NG_HS_C1.jpg",
                "bolt/NG/HS/S0002/bolt_0002_NG_HS_C1.png",
            ),
            "`OK`",
        ),
        Format(
            "yolo-seg",
            True,
            True,
            ("set/data.yaml", "set/images/train/001.jpg", "set/labels/train/001.txt"),
            "an empty text file",
            "outlines to the pixel, holes and parts joined into one by lines of no width; crowds are left out",
        ),
        Format(
            "yolo",
            True,
            True,
            ("set/data.yaml", "set/train/images/001.jpg", "set/train/labels/001.txt"),
            "an empty text file",
            "boxes alone; crowds are left out",
        ),
        Format(
            "voc",
            True,
            True,
            ("set/JPEGImages/001.jpg", "set/Annotations/001.xml", "set/SegmentationObject/001.png"),
            "XML without objects",
            "pixels of instances that do not overlap (the smaller one wins), 254 at most a photograph",
        ),
        Format(
            "csv",
            True,
            True,
            ("set/labels.csv", "set/images/001.jpg", "set/images/002.jpg"),
            "rows without run lengths",
            "every instance as run lengths; groups and provenance in a side file",
        ),
        Format(
            "via",
            True,
            False,
            ("set/via_project.json", "set/images/001.jpg", "set/images/002.jpg"),
            "photographs that the file names without regions",
        ),
        Format(
            "mask-png",
            True,
            True,
            ("set/images/001.jpg", "set/masks/001.png", "set/good/002.jpg"),
            "all-zero masks, or folders of sound parts",
            "pixels by category; which pixels are which instance is lost where instances of a category touch",
        ),
    )
}


def reading() -> list[str]:
    """Names of the formats that can be read."""
    return [row.name for row in FORMATS.values() if row.reads]


def writing() -> list[str]:
    """Names of the formats that can be written."""
    return [row.name for row in FORMATS.values() if row.writes]
