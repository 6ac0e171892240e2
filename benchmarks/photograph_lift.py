"""What an arm of a study of the lift brings to the score of photographs: AUROC and recall, with intervals.

`python benchmarks/photograph_lift.py STUDY ... --arm exemplars_more` compares the arm's finished cells with those of
`none` of the same fold, draw, exposures and seed. The 95 % interval is over test objects, drawn anew with replacement
within each fold (2,000 times), both arms on the same ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.json_files import read_as
from anomaly_gan.core.progress import say
from anomaly_gan.core.seeding import rng_for
from detection.evaluation.image_level import image_auroc, recall_at_false_alarms

RATE, DRAWS = 0.05, 2000


def figures(bad: np.ndarray, good: np.ndarray) -> np.ndarray:
    """AUROC and recall at 5 % alarms of scores; NaN where either is empty."""
    if not len(bad) or not len(good):
        return np.array([np.nan, np.nan])
    return np.array([image_auroc(bad, good) or 0.0, recall_at_false_alarms(bad, good, RATE) or 0.0])


class Pair:
    """Scores of both arms on the test photographs of a cell, by object."""

    def __init__(self, study: Path, share: str, plain: Path, arm: Path) -> None:
        test = load_dataset(study / "data" / share / "ingest").split("test")
        sound = {image.id for image in test.normals()}
        scores = [read_as(path / "detections.json", dict, "train again")["scores"] for path in (plain, arm)]
        self.bad = np.array([image.id not in sound for image in test.images])
        self.scores = np.array([[one[str(image.id)] for image in test.images] for one in scores])
        groups: dict[str, list[int]] = {}
        for place, image in enumerate(test.images):
            groups.setdefault(image.group_id, []).append(place)
        self.objects = [np.array(places) for _, places in sorted(groups.items())]

    def difference(self, places: np.ndarray) -> np.ndarray:
        """Figures of the arm less those of `none`, on these photographs."""
        plain, arm = (figures(row[places][self.bad[places]], row[places][~self.bad[places]]) for row in self.scores)
        return arm - plain

    def drawn(self, rng: np.random.Generator) -> np.ndarray:
        """The photographs of as many objects, drawn with replacement."""
        return np.concatenate([self.objects[n] for n in rng.integers(len(self.objects), size=len(self.objects))])


def pairs(study: Path, arm: str, share: str) -> list[Pair]:
    """Every cell of the arm, of the shares named so, that has its counterpart."""
    found = []
    for path in sorted(study.glob(f"cells/{share}/{arm}-e*/detections.json")):
        plain = path.parent.with_name(path.parent.name.replace(f"{arm}-", "none-", 1))
        if (plain / "detections.json").is_file():
            found.append(Pair(study, path.parent.parent.name, plain, path.parent))
            say(f"{path.parent.parent.name}: {found[-1].difference(np.arange(len(found[-1].bad))).round(4)}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="+", type=Path)
    parser.add_argument("--arm", required=True)
    parser.add_argument("--share", default="*", help="of which shares, for example '*-kall'")
    options = parser.parse_args()
    cells = [pair for study in options.studies for pair in pairs(study, options.arm, options.share)]
    if not cells:
        parser.error(f"no cell of {options.arm} with one of none beside it")
    rng = rng_for(0, "photograph lift")
    mean = np.mean([pair.difference(np.arange(len(pair.bad))) for pair in cells], axis=0)
    draws = [np.mean([pair.difference(pair.drawn(rng)) for pair in cells], axis=0) for _ in range(DRAWS)]
    low, high = np.nanpercentile(draws, [2.5, 97.5], axis=0)
    for number, name in enumerate(("AUROC", f"recall at {RATE:.0%} alarms")):
        say(f"{options.arm}: {name} {mean[number]:+.3f} [{low[number]:+.3f}, {high[number]:+.3f}] over {len(cells)}")


if __name__ == "__main__":
    main()
