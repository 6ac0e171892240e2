"""AP at IoU 0.5 as one writes it first, one weighting at a time: what the fast form is held to."""

from __future__ import annotations

import numpy as np

from detection.evaluation.statistics import RECALLS, Matches


def weighted_ap50(matches: Matches, weights: np.ndarray) -> float | None:
    """AP at IoU 0.5 in COCO's 101-point form, where test object u counts ``weights[u]`` times (U,).

    None where no true instance has weight. With weights of one it is pycocotools' figure.
    """
    positives = float((matches.positives * weights).sum())
    if positives == 0:
        return None
    weight = weights[matches.unit].astype(np.float64)
    hits = np.cumsum(weight * matches.hit)
    total = np.cumsum(weight)
    kept = total > 0
    precision, recall = hits[kept] / total[kept], hits[kept] / positives
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, RECALLS, side="left")
    return float(np.append(envelope, 0.0)[places].mean())  # a recall never reached counts as precision 0
