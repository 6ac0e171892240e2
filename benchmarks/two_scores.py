"""What a one-class detector's score adds to the dense detector's score of a photograph, over a study of the lift.

The dense detector knows the defects that were labelled, a one-class detector what sound parts look like. Two padim
detectors learn from either half of the sound training objects. A test photograph's score is the mean of theirs, each in
standard deviations of the sound training photographs that it has not learnt from; it is added, times ``--weight``, to
the logit of the dense detector's score. Nothing of a test split goes into the sum; the weight is chosen before.

    python benchmarks/two_scores.py STUDY [STUDY ...] [--weight 1.0] [--out two_scores.csv]

``STUDY``: the folder of ``anomaly-gan lift``. Prints AUROC and recall at 5 % alarms of photographs for every cell, and
the means of cells that differ in their fold and draw alone: the dense detector's score, padim's, and both.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.json_files import read_as
from anomaly_gan.core.progress import say
from anomaly_gan.core.seeding import rng_for, seed_for
from anomaly_gan.core.tables import write_csv
from anomaly_gan.study.lift.priors import halves_by_object, one_class_scores
from detection.evaluation.image_level import image_auroc, recall_at_false_alarms

METHOD, RATE = "padim", 0.05
COLUMNS = ("share", "cell", "score", "auroc", "recall5")


def unusual(data: Dataset, seed: int = 0) -> dict[int, float]:
    """Test image id -> standard deviations beyond sound training photographs that a detector has not learnt from."""
    halves = halves_by_object(data.split("train").normals(), rng_for(seed, "halves"))
    test = list(data.split("test").images)
    found = np.zeros(len(test))
    for number, half in enumerate(halves):
        other, own_seed = halves[1 - number], seed_for(seed, "half", number)
        with tempfile.TemporaryDirectory() as folder:
            asked = one_class_scores(data, half, [*other, *test], METHOD, "full", own_seed, "cpu", Path(folder))
        scores = np.array([score for _, score, _ in asked])
        found += (scores[len(other) :] - np.median(scores[: len(other)])) / scores[: len(other)].std() / 2
    return {image.id: float(value) for image, value in zip(test, found, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="+", type=Path)
    parser.add_argument("--weight", type=float, default=1.0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows, known = [], {}
    for path in sorted(path for study in options.studies for path in study.glob("cells/*/*/detections.json")):
        share, cell = path.parts[-3:-1]
        data = load_dataset(path.parents[3] / "data" / share / "ingest")
        test, fold = data.split("test"), share.split("-")[0]
        if fold not in known:
            known[fold] = unusual(data)
        dense = read_as(path, dict, "train again")["scores"]
        sound = {image.id for image in test.normals()}
        kinds = np.array([image.id in sound for image in test.images])
        share_of = np.clip([dense[str(image.id)] for image in test.images], 1e-4, 1 - 1e-4)
        logit = np.log(share_of / (1 - share_of))
        beyond = np.array([known[fold][image.id] for image in test.images])
        for name, score in {"dense": logit, METHOD: beyond, "both": logit + options.weight * beyond}.items():
            apart = score[~kinds], score[kinds]
            found = image_auroc(*apart) or 0.0, recall_at_false_alarms(*apart, RATE) or 0.0
            rows.append((share, cell, name, *(round(value, 4) for value in found)))
            say(" ".join(map(str, rows[-1])))
    means = defaultdict(list)
    for share, cell, name, *figures in rows:
        means[share.split("-")[1], cell, name].append(figures)
    for (objects, cell, name), figures in means.items():
        say(f"{objects} {cell} {name}: AUROC and recall {np.mean(figures, axis=0).round(3)} over {len(figures)}")
    if options.out:
        write_csv(options.out, COLUMNS, rows)


if __name__ == "__main__":
    sys.exit(main())
