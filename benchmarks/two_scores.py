"""What a one-class detector's score adds to the dense detector's score of a photograph, over a study of the lift.

The one-class score is that of ``detect train`` (``detection.inspection.one_class_score``), learnt from the training
split of a cell's data set; nothing of a test split goes into it.

    python benchmarks/two_scores.py STUDY [STUDY ...] [--out two_scores.csv]

``STUDY``: the folder of ``anomaly-gan lift``. Prints AUROC and recall at 5 % alarms of photographs for every cell, and
the means of cells that differ in their fold and draw alone: the dense detector's score, the one-class detector's, and
both.
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
from anomaly_gan.core.images import read_record
from anomaly_gan.core.json_files import read_as
from anomaly_gan.core.progress import say, track
from anomaly_gan.core.tables import write_csv
from detection.evaluation.image_level import image_auroc, recall_at_false_alarms
from detection.inspection.one_class_score import learn_one_class_score, read_one_class_score, sum_of

RATE = 0.05
COLUMNS = ("share", "cell", "score", "auroc", "recall5")


def unusual(data: Dataset, seed: int = 0) -> dict[int, float]:
    """Test image id -> standard deviations beyond sound training photographs; all 0 where the score is left out."""
    test, device = data.split("test"), torch.device("cpu")
    with tempfile.TemporaryDirectory() as folder:
        written, words = learn_one_class_score(data.split("train"), seed, device, Path(folder))
        say(words)
        second = read_one_class_score(Path(folder), written, device)
        if second is None:
            return {image.id: 0.0 for image in test.images}
        images = track(test.images, "one-class score")
        return {image.id: second.beyond(read_record(test, image, gray=test.gray)) for image in images}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="+", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows, known = [], {}
    for path in sorted(path for study in options.studies for path in study.glob("cells/*/*/detections.json")):
        share, cell = path.parts[-3:-1]
        data = load_dataset(path.parents[3] / "data" / share / "ingest")
        test, fold = data.split("test"), (path.parents[3], share.split("-")[0])
        if fold not in known:
            known[fold] = unusual(data)
        dense = read_as(path, dict, "train again")["scores"]
        sound = {image.id for image in test.normals()}
        kinds = np.array([image.id in sound for image in test.images])
        own = np.array([dense[str(image.id)] for image in test.images])
        beyond = np.array([known[fold][image.id] for image in test.images])
        both = np.array([sum_of(*pair) for pair in zip(own, beyond, strict=True)])
        for name, score in {"dense": own, "one-class": beyond, "both": both}.items():
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
