"""Stage ``export@METHOD``: the real training split and the accepted synthetic photographs as one COCO data set.

Before it counts as written, two things are proved or the stage stops: every annotation agrees with its pixels, and
nothing in it descends from a test photograph.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO

from ...core.cards import Card, write_card
from ...core.dataset import Annotation, Dataset, ImageRecord, load_dataset, number_from_one
from ...core.errors import CheckFailed, InputError
from ...core.files import sha256_bytes, write_bytes
from ...core.images import read_pixels
from ...core.json_files import lines_as
from ...core.masks import decode_rle, encode_rle, mask_area, mask_box_xywh
from ...core.progress import track
from ...core.stage import Context
from ...core.time_budget import TimeBudget, while_time
from ...ingestion.reading import ReadingConfig
from ..gate.config import ExportConfig
from .amounts import Copies, fixed_shape, keep_per_real, write_copies
from .failed import without_failed
from .reviewed import follow, lies_at


def run(config: ExportConfig, context: Context, out: Path) -> dict[str, object]:
    """Write the training set for detectors; the metrics count it.

    Raises:
        CheckFailed: an annotation does not agree with its pixels (J3), or the test split leaks in (E4).
        InputError: a source file is missing or changed (A24); the decisions of a review cannot be read.
    """
    ingest = load_dataset(context.inputs["ingest"])
    accepted = load_dataset(context.inputs[f"gate@{config.method}"])
    real = ingest.split("train")
    if not config.normals:
        labelled = real.by_image()
        real = real.select(lambda image: image.id in labelled)
    if real.categories != accepted.categories:
        raise CheckFailed(f"{accepted.folder}: categories differ from those of {ingest.folder}; run generate again")
    # the last place where a leak can be stopped: detectors take what is written here
    prove_no_leak(ingest, accepted)
    followed, reviewed = follow(accepted, out)
    prove_no_leak(ingest, followed)  # what people took in of the rejected ones, too
    passed, dropped = without_failed(followed, accepted.folder)
    dropped = reviewed | dropped
    kept = passed
    if config.outliers == "drop":
        outliers = read_outliers(context.inputs[f"one_class_filter@{config.method}"] / "outliers.jsonl", accepted)
        kept = passed.select(lambda image: image.file_name not in outliers)
        dropped["dropped_as_outliers"] = len(passed.images) - len(kept.images)
    asked: dict[str, object] = {}
    if config.per_real is not None:
        kept = keep_per_real(kept, real, config.per_real)
        asked |= {"per_real": config.per_real, "synthetic_accepted": len(accepted.images)}
    copies: Copies = []
    if config.real_times > 1:
        copies = write_copies(real, config.real_times, fixed_shape(context.inputs["pool"]), context.seed, out)
        asked |= {"real_times": config.real_times, "real_copies": len(copies)}
    exported = merge(real, kept, out, copies, context.deadline)
    exported.save(out)
    verify(out)
    per_category = {
        name: sum(item.category_id == number for item in exported.annotations)
        for number, name in exported.category_names().items()
    }
    write_card(out, _card(config.method, exported, len(real.images), len(kept.images), per_category))
    return {
        "method": config.method,
        "real": len(real.images),
        "synthetic": len(kept.images),
        **dropped,
        **asked,
        "annotations": len(exported.annotations),
        "annotations_per_category": per_category,
        "verified": {"annotations": len(exported.annotations), "images": len(exported.images), "leaks": 0},
    }


def _card(name: str, exported: Dataset, real: int, synthetic: int, per_category: dict[str, int]) -> Card:
    """``README.md`` of the data set."""
    return Card(
        "dataset",
        "Photographs of parts with real and synthetic defects",
        "image-segmentation",
        "The real training photographs and the synthetic ones that passed every check, as one COCO data set for "
        "training a detector. Its test photographs are elsewhere: nothing here descends from them.",
        {
            "real photographs": real,
            "synthetic photographs": synthetic,
            "made by": name,
            "annotations": per_category,
            "physical objects": len({image.group_id for image in exported.images}),
        },
        [
            "annotations.json     # COCO, masks as run lengths; provenance of each synthetic instance in `provenance`",
            "images/",
        ],
        [
            "Synthetic defects are made from the real ones here: they show no kind of defect that these do not show.",
            "Never evaluate a detector on them: only held-out real parts tell.",
        ],
        ["synthetic"],
    )


@dataclass(frozen=True)
class Scored:
    """A line of ``outliers.jsonl``, as far as an export asks."""

    file_name: str
    outlier: bool


def read_outliers(path: Path, accepted: Dataset) -> set[str]:
    """Names of the accepted photographs that the one-class filter finds to be outliers.

    Raises:
        InputError: the file is missing or broken, or says nothing of an accepted photograph with a defect.
    """
    found = {line.file_name: line.outlier for line in lines_as(path, Scored, "run one_class_filter again")}
    labelled = accepted.by_image()
    for image in accepted.images:
        if image.id in labelled and image.file_name not in found:
            raise InputError(str(path), "FORMAT", f"nothing on {image.file_name}", "run one_class_filter again")
    return {name for name, outlier in found.items() if outlier}


def merge(
    real: Dataset, synthetic: Dataset, out: Path, copies: Copies = (), watch: TimeBudget | None = None
) -> Dataset:
    """Copy the files under ``images/real`` and ``images/synthetic`` and number everything from 1; ``copies`` lie there
    already."""
    images: list[ImageRecord] = []
    annotations: list[Annotation] = []
    for dataset, folder in ((real, "real"), (synthetic, "synthetic")):
        if dataset is synthetic:
            for copy, items in copies:
                images.append(replace(copy, id=len(images) + 1))
                annotations += [replace(item, image_id=len(images)) for item in items]
        of_image = dataset.by_image()
        for image in while_time(track(dataset.images, f"export {folder}"), watch):
            name, number = f"{folder}/{image.file_name}", len(images) + 1
            _copy(Path(*lies_at(dataset, image)), image, out / "images" / name)
            images.append(replace(image, id=number, file_name=name, split="train"))
            annotations += [replace(item, image_id=number) for item in of_image.get(image.id, [])]
    info = {"description": "training set: real and accepted synthetic photographs", "mode": real.mode}
    info |= {name: real.info[name] for name in ReadingConfig.model_fields if name in real.info}  # of new ones, too
    return Dataset(images, number_from_one(annotations), real.categories, info, out)


def _copy(source: Path, image: ImageRecord, target: Path) -> None:
    content = source.read_bytes() if source.is_file() else b""
    if not content or sha256_bytes(content) != image.sha256:
        raise InputError(str(source), "A24", "missing, or changed since it was recorded", "run the stage before again")
    write_bytes(target, content)


def prove_no_leak(ingest: Dataset, synthetic: Dataset) -> None:
    """No test photograph is among the ancestors: bases, mask parents and donors are training photographs of groups
    that do not occur in the test split, and no synthetic file is a test file.

    Raises:
        CheckFailed: E4 (ancestry) or E1 (same bytes), with the first offender.
    """
    test_groups = {image.group_id for image in ingest.images if image.split != "train"}
    test_bytes = {image.sha256 for image in ingest.images if image.split != "train"}
    train_files = {image.file_name: image.group_id for image in ingest.images if image.split == "train"}
    shared = sorted(test_groups & set(train_files.values()))
    if shared:
        raise CheckFailed(f"{ingest.folder}: E4: group {shared[0]} is in the training and in the test split")
    of_image = synthetic.by_image()
    for image in synthetic.images:
        if image.sha256 in test_bytes:
            raise CheckFailed(f"{image.file_name}: E1: the same bytes as a test photograph")
        if image.split != "train" or image.group_id in test_groups:
            raise CheckFailed(f"{image.file_name}: E4: it stands in a group of the test split")
        for file_name, group in ancestors(image, of_image.get(image.id, [])):
            if (file_name is not None and file_name not in train_files) or group in test_groups:
                raise CheckFailed(
                    f"{image.file_name}: E4: its ancestor {file_name or group} is not of the training split"
                )


def ancestors(image: ImageRecord, annotations: Iterable[Annotation]) -> list[tuple[str | None, str | None]]:
    """(file name, group) of every photograph a synthetic one was made from; None where not recorded.

    Raises:
        CheckFailed: E4, there is no provenance at all.
    """
    provenance = image.extra.get("provenance")
    if not provenance:
        raise CheckFailed(f"{image.file_name}: E4: no provenance, so its ancestors are unknown")
    found: list[tuple[str | None, str | None]] = []
    if provenance.get("base"):
        found.append((provenance["base"], None))
    found += [(donor["image"], donor["group"]) for donor in provenance.get("donors", [])]
    found += [
        (item.provenance.get("parent_image"), item.provenance.get("parent_group"))
        for item in annotations
        if item.provenance.get("kind")
    ]
    return found


def verify(folder: Path) -> None:
    """Read the data set back with pycocotools and compare every annotation with its pixels (J1 to J5).

    Raises:
        CheckFailed: the first disagreement, by file and annotation.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(folder / "annotations.json"))
    for kind, rows in (("image", coco.imgs), ("annotation", coco.anns), ("category", coco.cats)):
        if sorted(rows) != list(range(1, len(rows) + 1)):
            raise CheckFailed(f"{folder}: J1: {kind} ids are not 1, 2, 3 ...")
    for table, total in ((coco.dataset["images"], len(coco.imgs)), (coco.dataset["annotations"], len(coco.anns))):
        if len(table) != total:
            raise CheckFailed(f"{folder}: J1: an id occurs twice")
    for row in track(coco.dataset["images"], "verify"):
        _verify_image(folder, row, coco.loadAnns(coco.getAnnIds(imgIds=row["id"])), set(coco.cats))
    orphans = [row["id"] for row in coco.dataset["annotations"] if row["image_id"] not in coco.imgs]
    if orphans:
        raise CheckFailed(f"{folder}: D7: annotation {orphans[0]} belongs to no image")


def _verify_image(folder: Path, row: dict[str, Any], annotations: list[dict[str, Any]], categories: set[int]) -> None:
    path = folder / "images" / row["file_name"]
    if sha256_bytes(path.read_bytes()) != row["sha256"]:
        raise CheckFailed(f"{path}: A24: its bytes differ from the recorded hash")
    size = list(read_pixels(path, gray=True).shape)
    if size != [row["height"], row["width"]]:
        raise CheckFailed(f"{path}: J3: {size[1]} x {size[0]} pixels, recorded are {row['width']} x {row['height']}")
    for annotation in annotations:
        rle, where = annotation["segmentation"], f"{row['file_name']}[annotation {annotation['id']}]"
        if rle["size"] != size:
            raise CheckFailed(f"{where}: J3: its mask is of size {rle['size']}, the photograph of {size}")
        mask_01 = decode_rle(rle)
        if encode_rle(mask_01) != rle or not mask_01.any():
            raise CheckFailed(f"{where}: J3: its mask is empty or its run lengths are not what its pixels give")
        if annotation["area"] != mask_area(mask_01) or annotation["bbox"] != mask_box_xywh(mask_01):
            raise CheckFailed(f"{where}: J3: its area or box is not that of its mask")
        if annotation["category_id"] not in categories or annotation["iscrowd"] not in (0, 1):
            raise CheckFailed(f"{where}: D7: unknown category, or iscrowd is neither 0 nor 1")
