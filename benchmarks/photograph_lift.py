"""What an arm of a study of the lift brings to the score of photographs: AUROC and recall, with intervals.

`python benchmarks/photograph_lift.py STUDY ... --arm exemplars_more` compares the arm's finished cells with those of
`none` of the same fold, draw, exposures and seed. The 95 % interval is over test objects, drawn anew with replacement
within each fold (2,000 times), both arms on the same ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.json_files import read_as
from anomaly_gan.core.progress import say
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.statistics.intervals import over_objects
from detection.evaluation.image_level import image_auroc, recall_at_false_alarms

RATE, DRAWS = 0.05, 2000


FIGURES: dict[str, Callable[[np.ndarray, np.ndarray], float | None]] = {
    "AUROC": image_auroc,
    f"recall at {RATE:.0%} alarms": lambda bad, good: recall_at_false_alarms(bad, good, RATE),
}


class Pair:
    """Scores of `none` and of the arm on the test photographs of a cell, and their objects."""

    def __init__(self, study: Path, share: str, plain: Path, arm: Path) -> None:
        test = load_dataset(study / "data" / share / "ingest").split("test")
        sound = {image.id for image in test.normals()}
        scores = [read_as(path / "detections.json", dict, "train again")["scores"] for path in (plain, arm)]
        self.name = f"{study.name}/{share}"
        self.bad = np.array([image.id not in sound for image in test.images])
        self.scores = np.array([[one[str(image.id)] for image in test.images] for one in scores])
        self.groups = [image.group_id for image in test.images]

    def difference(self, figure: str, places: np.ndarray) -> float:
        """The arm's figure less that of `none`, on these photographs; NaN where all or none of them show a defect."""
        bad = self.bad[places]
        if bad.all() or not bad.any():
            return float("nan")
        plain, arm = (FIGURES[figure](row[places][bad], row[places][~bad]) or 0.0 for row in self.scores)
        return arm - plain


def pairs(study: Path, arm: str, share: str) -> list[Pair]:
    """Every cell of the arm, of the shares named so, that has its counterpart."""
    found = []
    for path in sorted(study.glob(f"cells/{share}/{arm}-e*/detections.json")):
        plain = path.parent.with_name(path.parent.name.replace(f"{arm}-", "none-", 1))
        if (plain / "detections.json").is_file():
            found.append(Pair(study, path.parent.parent.name, plain, path.parent))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="+", type=Path)
    parser.add_argument("--arm", required=True)
    parser.add_argument("--share", default="*", help="of which shares, for example '*-kall'")
    options = parser.parse_args()
    cells = {pair.name: pair for study in options.studies for pair in pairs(study, options.arm, options.share)}
    if not cells:
        parser.error(f"no cell of {options.arm} with one of none beside it")
    groups = {name: pair.groups for name, pair in cells.items()}
    for figure in FIGURES:

        def mean(drawn: Mapping[str, np.ndarray], figure: str = figure) -> float:
            return float(np.mean([cells[name].difference(figure, places) for name, places in drawn.items()]))

        by_cell = {name: pair.difference(figure, np.arange(len(pair.bad))) for name, pair in cells.items()}
        say(f"{figure} by cell: " + ", ".join(f"{name} {value:+.3f}" for name, value in by_cell.items()))
        interval = over_objects(mean, groups, DRAWS, rng_for(0, "photograph lift"))
        words = "" if interval is None else f" [{interval[0]:+.3f}, {interval[1]:+.3f}]"
        say(f"{options.arm}: {figure} {np.mean(list(by_cell.values())):+.3f}{words} over {len(cells)}")


if __name__ == "__main__":
    main()
