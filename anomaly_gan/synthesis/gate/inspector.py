"""The gate's use of the label check: what is empty or copied is rejected, everything is put into metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...core.dataset import Dataset
from ...core.json_files import lines_as
from ...core.masks import windowed
from ...metrics.seam import seam_score
from ..label_check.copies import CopyBook
from ..label_check.segmenter import EMPTY, LabelChecker, RealLook
from ..label_check.windows import label_map, real_defects
from .candidate import Candidate, Finding
from .config import GateConfig
from .results import Decision, Measures


class Inspector:
    """Looks at candidates with the segmenters and the reference of a finished stage ``label_check`` (``folder``).

    Raises:
        InputError: the folder is not whole (FORMAT).
    """

    def __init__(self, config: GateConfig, train: Dataset, folder: Path, device: str = "cpu") -> None:
        self.config, self.names = config, train.category_names()
        self.checker = LabelChecker(folder, device)
        self.book = CopyBook.build(real_defects(train, train.gray), [category.name for category in train.categories])
        self.real = lines_as(folder / "reference.jsonl", RealLook, "run label_check again")

    def inspect(self, candidate: Candidate) -> tuple[list[Finding], dict[str, object]]:
        """Reasons to reject, and per instance (splinters left out) its IoU, seam, and distance to the nearest
        training defect over the threshold (below 1: a copy)."""
        masks = [mask for _, mask in candidate.instances]
        looks = self.checker.look(candidate.pixels, candidate.instances, self._groups(candidate))
        labels = label_map(masks[0].shape, [(0, mask) for mask in masks])
        seams = [seam_score(candidate.pixels, masks[at], labels) for at in windowed(masks)]
        ratio, original = self._nearest(candidate)
        agreeing = [one.agrees for one in looks if one.agrees is not None]
        ious = [round(one.iou, 4) for one in looks]
        measures = {
            "label_iou": min(ious),
            "label_ious": ious,
            "category_right": round(float(np.mean(agreeing)), 4) if agreeing else None,
            "seams": [None if seam is None else round(seam, 4) for seam in seams],
            "copy_ratio": None if ratio is None else round(ratio, 4),
            "nearest": original,
        }
        name = self.names[candidate.instances[0][0]]
        findings = []
        if min(ious) < self.config.min_label_iou and self.rejects_empty(name):
            findings.append(
                Finding(
                    "H7",
                    f"a segmenter trained on real defects finds {min(ious):.0%} of an instance "
                    f"where its mask is, at least {self.config.min_label_iou:.0%} are needed",
                )
            )
        if ratio is not None and ratio < 1 and self.config.reject_copies and not candidate.pasted:
            findings.append(
                Finding(
                    "H6",
                    f"painted like the defect of {original}, more than real ones of different "
                    "objects are like each other",
                )
            )
        return findings, measures

    def rejects_empty(self, name: str) -> bool:
        """Whether the segmenters know the category well enough to call an instance empty."""
        missed = self._missed(name)
        return missed is not None and missed <= self.config.max_missed and self._enough(name)

    def threshold(self, name: str) -> float | None:
        """The distance below which a defect is a copy; None where too few objects are there to tell."""
        return self.book.thresholds.get(name) if self._enough(name) else None

    def figures(self, name: str, lines: Sequence[Decision]) -> dict[str, object]:
        """Figures of a category from its decisions: medians and copies of the accepted, and what the generator did at
        the first attempt (``median_at_first``, ``empty_share``, ``copies.share``), before anything was rejected: real
        defects that are missed stay in their median, rejected ones leave that of the accepted."""
        looked = [line for line in lines if "label_ious" in line["measures"]]
        first = [line["measures"] for line in looked if line["attempt"] == 0 and not line["spare"]]
        accepted = [line["measures"] for line in looked if line["accepted"]]
        own = [line for line in self.real if line.category == name]
        median, real_median = _median(accepted, "label_ious"), _middle([line.iou for line in own])
        difference = None if median is None or real_median is None else round(median - real_median, 4)
        agreeing = [one["category_right"] for one in accepted if one["category_right"] is not None]
        return {
            "label_check": {
                "median": median,
                "median_at_first": _median(first, "label_ious"),
                "real_median": real_median,
                "difference": difference,
                "empty_share": _empty(first),
                "accepted_empty_share": _empty(accepted),
                "real_empty_share": self._missed(name),
                "rejects_empty": self.rejects_empty(name),
                "category_right": round(float(np.mean(agreeing)), 4) if agreeing else None,
                "real_category_right": _share([line.agrees for line in own if line.agrees is not None]),
                "instances": sum(len(one["label_ious"]) for one in accepted),
                "real_instances": len(own),
            },
            "seam": {
                "median": _median(accepted, "seams"),
                "real_median": _middle([line.seam for line in own if line.seam is not None]),
            },
            "copies": {
                "share": _share([_copied(one) for one in first]) if self.threshold(name) else None,
                "accepted": sum(map(_copied, accepted)),
                "threshold": _rounded(self.threshold(name)),
            },
        }

    def _enough(self, name: str) -> bool:
        return self.book.objects.get(name, 0) >= self.config.min_objects

    def _missed(self, name: str) -> float | None:
        return _share([line.iou < EMPTY for line in self.real if line.category == name])

    def _groups(self, candidate: Candidate) -> list[str | None]:
        return [*candidate.ancestors, *[None] * (len(candidate.instances) - len(candidate.ancestors))]

    def _nearest(self, candidate: Candidate) -> tuple[float | None, str | None]:
        """Of the instance most like a training defect: the distance over its category's threshold, and the file."""
        best: tuple[float | None, str | None] = (None, None)
        for at in windowed([mask for _, mask in candidate.instances]):
            number, mask = candidate.instances[at]
            threshold = self.threshold(self.names[number])
            if not threshold:
                continue
            found = self.book.nearest(candidate.pixels, mask, self.names[number])
            if found and (best[0] is None or found[0] / threshold < best[0]):
                best = found[0] / threshold, found[1]
        return best


def _copied(measures: Measures) -> bool:
    return measures["copy_ratio"] is not None and measures["copy_ratio"] < 1


def _empty(rows: Sequence[Measures]) -> float | None:
    return _share([iou < EMPTY for one in rows for iou in one["label_ious"]])


def _share(values: Sequence[bool]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def _median(rows: Sequence[Measures], name: str) -> float | None:
    return _middle([value for one in rows for value in one[name] if value is not None])


def _middle(values: Sequence[float]) -> float | None:
    return _rounded(float(np.median(values))) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
