"""Whether what the gate finds goes with what detectors gain: ranks, figures and aims read from a gate's metrics."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from anomaly_gan.core.errors import InputError
from anomaly_gan.study.statistics.ablations import gate_aims
from anomaly_gan.study.statistics.gates import (
    GateFigures,
    Point,
    correlation,
    gate_figures,
    load_gates,
    rank_correlation,
)
from anomaly_gan.study.statistics.resample import drawn_counts


def test_rank_correlation_is_that_of_scipy() -> None:
    rng = np.random.default_rng(5)
    first = rng.integers(0, 8, 20).astype(float)
    second = first + rng.normal(0, 3, 20)
    weights = np.vstack([np.ones(20, int), drawn_counts(20, 3, rng)])
    rho = rank_correlation(first, second, [()] * 20, weights)
    for row, value in zip(weights, rho, strict=True):
        rows = np.repeat(np.arange(20), row)
        assert value == pytest.approx(stats.spearmanr(first[rows], second[rows]).statistic)
    assert np.isnan(rank_correlation(first, np.ones(20), [()] * 20, weights)).all()


def test_an_easy_category_is_not_a_good_gate() -> None:
    """Between the categories gate and lift rise together; within each they fall."""
    points = [
        Point(f"arm{number}", fold, name, base + number, base - number)
        for fold in (0, 1)
        for name, base in (("easy", 100.0), ("hard", 0.0))
        for number in range(6)
    ]
    assert correlation(points, False, 0, 200).rho > 0.4
    within = vars(correlation(points, True, 0, 200))
    assert within["rho"] == pytest.approx(-1) and within["predicts"]


def test_few_arms_carry_no_interval() -> None:
    points = [Point(f"arm{number}", fold, "", number, number) for fold in (0, 1) for number in range(4)]
    row = vars(correlation(points, False, 0, 100))
    assert row["rho"] == pytest.approx(1) and row["low"] is None and not row["predicts"]
    assert correlation(points[:4], False, 0, 100).rho is None


def test_gate_figures_are_numbers_relative_to_real_ones(tmp_path: Path) -> None:
    view = {
        "KID": {"generated": {"mean": 4.0, "p05": 1, "p95": 6}, "over_p95": 0.8, "ratio": None, "real": {}},
        "PD": {
            "near_copies": 5,
            "nearest_real": {"generated": 0.3, "real": 0.6},
            "pairs": {"ratio": 0.9},
            "random_real": {"generated": 1.0, "real": 0.0},
        },
        "generated": 50,
        "n": 20,
        "reason": None,
    }
    item = {
        "accepted": 8,
        "tried": 10,
        "wanted": 9,
        "accepted_at_once": 6,
        "crop": view,
        "verdict": "pass",
        "reasons": {"H1": 2},
        "label_check": {"median": 0.5, "real_median": 0.4, "rejects_empty": True, "instances": 9},
        "seam": {"median": 1.2, "real_median": None, "note": "text", "bad": float("nan")},
        "copies": {"share": 0.1, "accepted": 3, "threshold": 0.02},
    }
    expected = {
        "acceptance": 0.8,
        "accepted at once": 6 / 9,
        "crop KID over p95": 0.8,
        "crop PD diversity": 0.9,
        "crop PD nearest real": 0.5,
        "crop PD near copies": 0.1,
        "label_check median": 0.5,
        "label_check over real": 1.25,
        "seam median": 1.2,
        "copies share": 0.1,
    }
    assert gate_figures(item) == pytest.approx(expected)
    folder = tmp_path / "gate@cgan"
    folder.mkdir()
    names = {"frechet": "FD", "kernel": "KID-lite", "perceptual": "PD"}
    figures = {"accepted": 1, "tried": 2, "defect": {"KID-lite": {"over_p95": 0.8}, "KID": {"over_p95": 7.0}}}
    (folder / "metrics.json").write_text(json.dumps({"figures": names, "categories": {"crack": figures}}))
    loaded = load_gates(tmp_path, 2)
    expected = {"acceptance": 0.5, "defect KID-lite over p95": 0.8, "defect KID over p95": 7.0}
    assert loaded == [GateFigures("cgan", 2, "crack", expected, names)]
    # an aim names the kind of distance, never what it is called
    assert gate_aims(loaded) == {"kid": {"crack": 0.8}}
    (folder / "metrics.json").write_text("{")
    with pytest.raises(InputError, match="FORMAT"):
        load_gates(tmp_path, 2)
