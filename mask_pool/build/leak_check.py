"""The proof that the pool saw nothing of the test split."""

from __future__ import annotations

from anomaly_gan.core.dataset import Dataset, ImageRecord
from anomaly_gan.core.errors import CheckFailed


def prove_train_only(pool: Dataset, ingest: Dataset) -> None:
    """Check that every photograph and every mask's parent in the pool lies in the training split.

    A group (one physical object) counts as training only if all its photographs do.

    Raises:
        CheckFailed: names the item and the leak (fault E4), or an ancestor that ``ingest`` does not know.
    """
    known = {image.file_name: image for image in ingest.images}
    elsewhere = {image.group_id for image in ingest.images if image.split != "train"}
    by_image = pool.by_image()
    for item in pool.images:
        _prove(item.file_name, "normal", str(item.extra["normal_file"]), item.group_id, known, elsewhere)
        for annotation in by_image.get(item.id, []):
            origin = annotation.provenance
            _prove(item.file_name, "parent", str(origin["parent_image"]), str(origin["parent_group"]), known, elsewhere)


def _prove(
    item: str, role: str, file_name: str, group: str, known: dict[str, ImageRecord], elsewhere: set[str]
) -> None:
    image = known.get(file_name)
    if image is None:
        raise CheckFailed(f"pool[{item}]: E4: its {role} photograph {file_name} is not in the data set: build it again")
    if image.group_id != group:
        raise CheckFailed(
            f"pool[{item}]: E4: its {role} photograph {file_name} belongs to {image.group_id}, "
            f"not to {group}: build it again"
        )
    if image.split != "train" or group in elsewhere:
        raise CheckFailed(
            f"pool[{item}]: E4: its {role} photograph {file_name} (object {group}) is not of the "
            "training split alone: ingest again with whole objects on one side"
        )
