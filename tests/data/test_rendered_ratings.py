"""The sample set's sheet with criteria is what the renderer makes, and shows what an evaluation must find in it."""

import csv
import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from mask_pool.scoring.config import EvaluateConfig
from mask_pool.scoring.evaluate import evaluate
from mask_pool.scoring.ratings import Ratings
from mask_pool.scoring.score_sheet import read_ratings

ROOT = Path(__file__).parents[2]
RENDER, EXPERT = ROOT / "data" / "render", ROOT / "data" / "sample" / "expert"


@pytest.fixture(scope="module")
def renderer():
    sys.path.insert(0, str(RENDER))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in ("plan", "write", "expert")})
    finally:
        sys.path.remove(str(RENDER))


@pytest.fixture(scope="module")
def ratings() -> Ratings:
    return read_ratings(EXPERT / "ratings.csv")


@pytest.fixture(scope="module")
def faults() -> dict[tuple[str, int], str]:
    """(file, shape) -> what was done wrong on purpose; empty for a plausible drawing."""
    return {
        (path.name, index): shape["description"].partition("poor: ")[2]
        for path in sorted(EXPERT.glob("*.json"))
        for index, shape in enumerate(json.loads(path.read_text(encoding="utf-8"))["shapes"])
    }


def test_the_committed_rows_are_those_the_renderer_writes(renderer, tmp_path):
    """One photograph's drawings, scores and grades, byte for byte: the new sheet has disturbed no other stream."""
    first = next(shot for shot in renderer.plan.shots(renderer.plan.COUNTS["sample"]) if shot.stem == "normal/000")
    renderer.write.write_experts(tmp_path, {0: renderer.plan.take(first, 7, 256).seats}, 7, 256)
    assert (tmp_path / "000.json").read_bytes() == (EXPERT / "000.json").read_bytes()
    for name in ("scores.csv", "ratings.csv"):
        rows = (tmp_path / name).read_text().splitlines()
        assert len(rows) > 8 and (EXPERT / name).read_text().splitlines()[: len(rows)] == rows


def test_the_sheet_has_ten_raters_four_criteria_and_some_gaps(ratings, faults):
    assert [(mask.file, mask.shape) for mask in ratings.masks] == list(faults)
    assert (len(ratings.raters), ratings.criteria) == (10, ("orientation", "place", "scale", "shape"))
    missing = np.isnan(ratings.grades)
    assert 50 < missing.sum() < 250 and not missing.all(axis=(1, 2)).any()
    with (EXPERT / "scores.csv").open(newline="") as stream:
        labels = {(row["file"], int(row["shape"])): row["label"] for row in csv.DictReader(stream)}
    assert {(mask.file, mask.shape): mask.label for mask in ratings.masks} == labels


def test_a_fault_shows_under_its_own_criteria(renderer, ratings, faults):
    medians = np.nanmedian(ratings.grades, axis=1)
    shown = 0
    for (_, fault), row in zip(faults.items(), medians, strict=True):
        if fault:
            own = [name in renderer.expert.FAULTY[fault] for name in ratings.criteria]
            assert row[own].max() < row[~np.array(own)].min(), fault
            shown += 1
    assert shown >= 25


def test_the_evaluation_finds_the_careless_rater_and_keeps_no_poor_drawing(renderer, ratings, faults):
    plain = {
        (one.mask.file, one.mask.shape): one.verdict.score
        for one in evaluate(read_ratings(EXPERT / "scores.csv"), EvaluateConfig(method="mean")).masks
    }
    agreed = []
    for drop in (False, True):
        found = evaluate(ratings, EvaluateConfig(drop_outliers=drop))
        flagged = {one.name: one.flag for one in found.raters if one.flag}
        assert flagged == {renderer.expert.RATER_NAMES[renderer.expert.CARELESS]: "careless"}
        assert len(found.kept) == 16 and not any(faults[mask.file, mask.shape] for mask in found.kept)
        assert {choice.reason for choice in found.choices} == {"approved", "below_top", "not_approved"}
        scores = [(one.verdict.score, plain[one.mask.file, one.mask.shape]) for one in found.masks]
        assert stats.spearmanr(*zip(*scores, strict=True)).statistic > 0.9
        agreed.append(found.agreement.overall["interval"].value)
    assert agreed[0] < 0.75 < 0.8 < agreed[1], "the careless rater spoils the agreement"
