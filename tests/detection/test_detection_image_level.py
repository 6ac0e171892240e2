"""What an inspector feels: recall of photographs at a share of false alarms, ties and all."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from detection.evaluation.figures import Figures
from detection.evaluation.image_level import (
    alarm_threshold,
    image_auroc,
    image_figures,
    image_scores,
    recall_at_false_alarms,
)
from detection.exposure import Shown
from detection.training.report import TrainingReport

NORMAL = np.arange(20) / 100  # 0.00 .. 0.19


def test_recall_by_hand() -> None:
    """Of 20 normal photographs one may raise an alarm at 5 %, so the threshold is the second highest, 0.18."""
    defective = np.array([0.5, 0.185, 0.18, 0.17])
    assert alarm_threshold(NORMAL, 0.05) == pytest.approx(0.18)
    assert recall_at_false_alarms(defective, NORMAL, 0.05) == 0.5
    assert recall_at_false_alarms(defective, NORMAL, 0.1) == 0.75
    assert recall_at_false_alarms(defective, NORMAL[:10], 0.05) == 1.0, "below 20 photographs: above all of them"
    assert recall_at_false_alarms(np.zeros(3), np.zeros(3), 1.0) == 1.0


def test_what_is_not_there_has_no_figure() -> None:
    nothing = np.zeros(0)
    assert recall_at_false_alarms(np.ones(3), nothing, 0.1) is None is image_auroc(np.ones(3), nothing)
    assert recall_at_false_alarms(nothing, NORMAL, 0.1) is None is image_auroc(nothing, NORMAL)


@pytest.mark.parametrize("seed", range(20))
def test_no_more_false_alarms_than_allowed_and_no_fewer_than_ties_demand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    normal, defective = (rng.integers(0, 6, rng.integers(1, 50)) / 5 for _ in range(2))
    for rate in (0.05, 0.1, 0.2, 0.5):
        threshold = alarm_threshold(normal, rate)
        assert threshold is not None and (normal > threshold).mean() <= rate
        lower = normal[normal < threshold]
        assert not len(lower) or (normal > lower.max()).mean() > rate, "the next lower threshold alarms too often"
    labels = np.r_[np.ones(len(defective)), np.zeros(len(normal))]
    assert image_auroc(defective, normal) == pytest.approx(roc_auc_score(labels, np.r_[defective, normal]))


def test_a_photograph_scores_as_its_surest_detection() -> None:
    images = [ImageRecord(n, f"{n}.png", 4, 4, f"g{n}", "test", "real", str(n)) for n in (1, 2, 3)]
    mask = np.ones((4, 4), np.uint8)
    data = Dataset(images, [Annotation.from_mask(1, 2, 7, mask)], [Category(7, "hole")])
    rows = [{"image_id": 2, "score": score} for score in (0.3, 0.8, 0.1)] + [{"image_id": 3, "score": 0.2}]
    defective, normal = image_scores(data, rows)
    assert defective.tolist() == [0.8] and normal.tolist() == [0.0, 0.2]
    figures = image_figures(data, rows)
    assert figures.image_recall == {"0.05": 1.0, "0.1": 1.0, "0.2": 1.0}
    assert (figures.defective_images, figures.normal_images) == (1, 2)
    assert Figures(of_images=figures).figure("image_recall_at_10") == 1.0


def test_columns_of_a_result() -> None:
    kinds = (("real_defect", 6), ("real_normal", 2), ("synthetic", 8))
    report = TrainingReport({kind: Shown.of([shown]) for kind, shown in kinds}, {}, 1)
    assert report.shown("real") == 8 == report.shown("synthetic")
    assert TrainingReport({"real_defect": Shown.of([6])}, {}, 1).shown("synthetic") == 0
    older = {"exposure": {"real_defect": {"images": 1, "mean": 1.0, "max": 1, "never": 0}}}
    assert TrainingReport.from_json(older).shown("real") is None, "a cell of an older version"
    assert Figures(map50=0.5).figure("map50") == 0.5 and Figures().figure("image_recall_at_5") is None
