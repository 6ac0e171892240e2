"""Objects of the training side kept out of training: for the early stop, the thresholds, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.seeding import rng_for

from .config import DenseConfig

SOUND = 0
"""Stands for "no defect" among the category ids."""


@dataclass(frozen=True)
class InnerSplit:
    """``learn`` is trained on; ``held`` is not. Whole objects on either side; generated photographs are all learnt
    from, but for those made from a held-out object.
    """

    learn: Dataset
    held: Dataset


def inner_split(dataset: Dataset, config: DenseConfig, seed: int) -> InnerSplit:
    """Hold out the share ``held_out`` of the objects of each category that has ``fewest`` or more, and of the sound
    objects; a category with fewer gives none away. An object that shows several categories counts for each.
    """
    shows: dict[str, set[int]] = defaultdict(set)
    group_of = {image.id: image.group_id for image in dataset.images if image.source == "real"}
    for item in dataset.annotations:
        if item.image_id in group_of:
            shows[group_of[item.image_id]].add(item.category_id)
    for group in group_of.values():
        if not shows[group]:
            shows[group] = {SOUND}
    members: dict[int, list[str]] = defaultdict(list)
    for group in sorted(shows):
        for category in shows[group]:
            members[category].append(group)
    spare = {
        key: max(1, round(config.held_out * len(groups))) if len(groups) >= config.fewest and config.held_out else 0
        for key, groups in members.items()
    }
    held: set[str] = set()
    for number in rng_for(seed, "dense", "inner").permutation(len(shows)):
        group = sorted(shows)[int(number)]
        if all(spare[key] > 0 for key in shows[group]):
            held.add(group)
            for key in shows[group]:
                spare[key] -= 1
    made_from_held = {item.image_id for item in dataset.annotations if set(map(str, _groups(item.provenance))) & held}
    return InnerSplit(
        dataset.select(lambda image: image.group_id not in held and image.id not in made_from_held),
        dataset.select(lambda image: image.group_id in held and image.source == "real"),
    )


def hold_out_sound(dataset: Dataset, config: DenseConfig, seed: int) -> tuple[Dataset, Dataset]:
    """(the rest, held out): the share ``held_out`` of the objects without any defect, where there are enough."""
    labelled = {item.image_id for item in dataset.annotations}
    bad = {image.group_id for image in dataset.images if image.id in labelled}
    split = inner_split(
        dataset.select(lambda image: image.group_id not in bad and image.source == "real"), config, seed
    )
    held = {image.id for image in split.held.images}
    return dataset.select(lambda image: image.id not in held), split.held


def _groups(provenance: object) -> list[object]:
    """Every group named anywhere in a record of ancestry."""
    if isinstance(provenance, dict):
        named = [value for key, value in provenance.items() if str(key).endswith(("group", "group_id")) and value]
        return named + [group for value in provenance.values() for group in _groups(value)]
    if isinstance(provenance, list):
        return [group for value in provenance for group in _groups(value)]
    return []
