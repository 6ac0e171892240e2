"""Studies drawn from a known process of detection: who is better, and by how much, is known in advance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from plain_ap import weighted_ap50

from anomaly_gan.core.seeding import rng_for
from anomaly_gan.study.statistics import StudyCell
from detection.evaluation.figures import Figures
from detection.evaluation.statistics import Matches

CATEGORIES = ("blowhole", "crack")


def simulated_cell(
    arm: str,
    fold: int,
    seed: int,
    skill: float,
    study: int,
    objects: int = 12,
    seed_spread: float = 0.25,
    detector: str = "mask_rcnn",
) -> StudyCell:
    """One cell. The objects of a fold, how many defects they show and how hard they are, are the same for every arm.

    A defect is found with probability sigmoid(skill + luck of the training - difficulty of its object); what is found
    scores about 1.5 higher than the false alarms, of which every object has about one.
    """
    world = rng_for(0, "simulated", study, fold)
    defects = world.integers(0, 4, (len(CATEGORIES), objects))
    defects[:, 0] = 1
    hard = world.normal(0, 1, objects)
    rng = rng_for(0, "simulated", study, fold, seed, arm)
    luck = rng.normal(0, seed_spread)
    matches = {name: _matches(defects[place], skill + luck - hard, rng) for place, name in enumerate(CATEGORIES)}
    return cell_of(arm, fold, seed, matches, tuple(f"object-{study}-{fold}-{u:02d}" for u in range(objects)), detector)


def _matches(defects: np.ndarray, skill: np.ndarray, rng: np.random.Generator) -> Matches:
    units = np.repeat(np.arange(len(defects)), defects)
    units = units[rng.random(len(units)) < 1 / (1 + np.exp(-skill[units]))]
    false = np.repeat(np.arange(len(defects)), rng.poisson(1.0, len(defects)))
    hit = np.concatenate([np.ones(len(units), bool), np.zeros(len(false), bool)])
    order = np.argsort(-(rng.normal(0, 1, len(hit)) + 1.5 * hit))
    return Matches(hit[order], np.concatenate([units, false])[order], defects)


def cell_of(
    arm: str,
    fold: int,
    seed: int,
    matches: Mapping[str, Matches],
    objects: tuple[str, ...],
    detector: str = "mask_rcnn",
) -> StudyCell:
    """A cell whose figures are those of its matches."""
    aps = {name: weighted_ap50(item, np.ones(len(objects))) for name, item in matches.items()}
    known = [ap for ap in aps.values() if ap is not None]
    figures = {
        "map50": float(np.mean(known)) if known else None,
        "map": None,
        "miou": None,
        "categories": {name: {"ap50": ap} for name, ap in aps.items()},
    }
    return StudyCell(arm, detector, fold, seed, Figures.from_json(figures), objects, dict(matches))


def simulated_study(
    skills: Mapping[str, float],
    study: int,
    folds: int = 4,
    seeds: Sequence[int] = (0, 1, 2),
    objects: int = 12,
    seed_spread: float = 0.25,
) -> list[StudyCell]:
    return [
        simulated_cell(arm, fold, seed, skill, study, objects, seed_spread)
        for arm, skill in skills.items()
        for fold in range(folds)
        for seed in seeds
    ]
