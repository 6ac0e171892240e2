"""How much goes into a training set: real photographs repeated, synthetic ones counted against real ones (Table 6)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from ...core.dataset import Annotation, Dataset, ImageRecord, load_dataset
from ...core.files import sha256_bytes
from ...core.images import read_record, write_png
from ...core.progress import track
from ...core.seeding import seed_for

Copies = Sequence[tuple[ImageRecord, list[Annotation]]]
"""Photographs written already, still without numbers, each with its instances."""


def keep_per_real(accepted: Dataset, real: Dataset, per_real: float) -> Dataset:
    """So many accepted photographs per real one with a defect: one of each category in turn, each in the pool's order.

    A category that runs out leaves its turns to the others; where all run out, all are kept.
    """
    wanted = round(per_real * len(real.by_image()))
    by_category: dict[str, list[ImageRecord]] = {}
    for image in accepted.images:
        by_category.setdefault(str(image.extra.get("category", "")), []).append(image)
    turns = zip_longest(*(by_category[name] for name in sorted(by_category)))
    order = [image.id for turn in turns for image in turn if image is not None]
    kept = set(order[:wanted])
    return accepted.select(lambda image: image.id in kept)


def fixed_shape(pool: Path) -> set[int]:
    """Numbers of the categories whose objects keep their pose."""
    dataset = load_dataset(pool)
    names = set(dataset.info.get("fixed_shape", []))
    return {category.id for category in dataset.categories if category.name in names}


def _free_name(file_name: str, number: int, taken: set[str]) -> str:
    """``real/NAME-1.png``, with more dashes where a photograph or another copy is called so (H5); then taken."""
    name = next(
        name
        for dashes in range(1, len(taken) + 2)
        if (name := f"real/{file_name}{'-' * dashes}{number}.png").casefold() not in taken
    )
    taken.add(name.casefold())
    return name


def write_copies(real: Dataset, times: int, fixed: set[int], seed: int, out: Path) -> Copies:
    """``times - 1`` geometric augmentations of every real photograph with a defect, as ``images/real/NAME-K.png``.

    A copy stays a real photograph of the same object: ``extra["copy_of"]`` names the original, so that the proof that
    all real photographs are those of the training split can leave it out.
    """
    from ..methods.geometric import DRAWS, vary

    labelled, gray = real.by_image(), real.gray
    copies, taken = [], {f"real/{image.file_name}".casefold() for image in real.images}
    for image in track([image for image in real.images if image.id in labelled], "export copies"):
        items = [item for item in labelled[image.id] if not item.iscrowd]
        if not items:
            continue
        pixels = read_record(real, image, gray=gray)
        labels = [(item.category_id, item.mask()) for item in items]
        still = any(category in fixed for category, _ in labels)
        for number in range(1, times):
            # the seed names the copy, not how many there are: twice is a part of four times
            seeds = [seed_for(seed, "real_times", image.file_name, number, draw) for draw in range(DRAWS)]
            changed, instances = vary(image.file_name, pixels, labels, labels[0][0], seeds, still)
            name = _free_name(image.file_name, number, taken)
            content = write_png(out / "images" / name, changed)
            ancestry, extra = _ancestry(image, items[0])
            shape, group = changed.shape, image.group_id
            record = ImageRecord(0, name, shape[1], shape[0], group, "train", "real", sha256_bytes(content), ancestry)
            kept = [Annotation.from_mask(0, 0, category, mask, extra) for category, mask in instances if mask.any()]
            copies.append((record, kept))
    return copies


def _ancestry(image: ImageRecord, first: Annotation) -> tuple[dict[str, object], dict[str, object]]:
    """Where a copy comes from: what its record says, and what each of its annotations says."""
    donor = {"annotation": first.id, "image": image.file_name, "group": image.group_id}
    provenance = {"method": "geometric", "donors": [donor]}
    of_annotations = {
        "kind": "prior",
        "parent": first.id,
        "parent_image": image.file_name,
        "parent_group": image.group_id,
        "method": "geometric",
    }
    return {"copy_of": image.file_name, "provenance": provenance}, of_annotations
