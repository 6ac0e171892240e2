"""The report on the mask pool: statistics, agreement and plausibility where they are, nothing where they are not."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import write_json
from anomaly_gan.report.config import ReportConfig
from anomaly_gan.report.folders import StageFolder
from anomaly_gan.report.pictures import Album
from anomaly_gan.report.sections import pool_statistics
from anomaly_gan.report.stage import run
from mask_pool.scoring.config import EvaluateConfig
from mask_pool.scoring.evaluate import evaluate
from mask_pool.scoring.ratings import RatedMask, Ratings
from mask_pool.statistics.stage import write

HEADINGS = ("What recombination made of them", "How far the raters agree", "How plausible they are")


def page(made, out, **config: Any) -> str:
    run(ReportConfig(rows=2, cell_px=48, **config), made.context(), out)
    return (out / "report.html").read_text(encoding="utf-8")


def evaluation() -> dict[str, Any]:
    """Of six masks and three raters, the third of whom turns the scale around."""
    truth = np.array([1.0, 9, 3, 8, 5, 7])
    grades = np.stack([truth, truth + 0.5, 10 - truth], axis=1)[:, :, None]
    masks = tuple(RatedMask("a.json", index, "crack") for index in range(6))
    return evaluate(Ratings(masks, ("anna", "ben", "<cora>"), ("overall",), grades), EvaluateConfig()).summary()


def add(made, **metrics: Any) -> None:
    path = made.folder / "pool" / "metrics.json"
    write_json(path, {**json.loads(path.read_text(encoding="utf-8")), **metrics})


def test_everything_that_the_pool_says_is_shown(build_run, tmp_path) -> None:
    made = build_run()
    folder = made.folder / "pool"
    content = write(load_dataset(folder), load_dataset(made.folder / "ingest"), folder)
    add(made, evaluation=evaluation(), plausibility={"crack": {"masks": 4, "median": 6.25}})
    text = page(made, tmp_path / "a")
    assert all(heading in text for heading in HEADINGS)
    for name in content["categories"]:
        assert f"sizes, shapes, places and outlines of {name}, real and pool" in text
    assert "Krippendorff" in text and "Kendall" in text and "6.25" in text
    assert "&lt;cora&gt;" in text and "<cora>" not in text
    assert len(text) < 10_000_000 and page(made, tmp_path / "b") == text


def test_runs_of_before_are_shown_without(build_run, tmp_path) -> None:
    made = build_run(methods=())
    for metrics in (
        {},
        {"evaluation": None, "plausibility": None},
        {"evaluation": {}, "plausibility": {}},
        {"evaluation": "none", "plausibility": [1]},
    ):
        add(made, **metrics)
        text = page(made, tmp_path / "out")
        assert not any(heading in text for heading in HEADINGS)


def test_a_category_without_a_picture_keeps_its_row(build_run, tmp_path) -> None:
    made = build_run(methods=())
    folder = made.folder / "pool"
    write(load_dataset(folder), load_dataset(made.folder / "ingest"), folder)
    (folder / "stats" / "crack.png").unlink()
    text = page(made, tmp_path / "out")
    assert "outlines of blowhole" in text and "outlines of crack" not in text and text.count(">crack<") > 2


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "a\0b", "", ".."])
def test_no_picture_is_taken_from_elsewhere(tmp_path, name: str) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    (tmp_path / "pool" / "stats").mkdir(parents=True)
    assert pool_statistics.picture(StageFolder("pool", tmp_path / "pool"), name, Album(9999, 80)) is None


@pytest.mark.parametrize("content", ['{"categories": []}', '{"categories": {"crack": 3}}', "{"])
def test_damaged_statistics_are_named(build_run, tmp_path, content: str) -> None:
    made = build_run(methods=())
    (made.folder / "pool" / "stats.json").write_text(content)
    with pytest.raises(InputError, match=r"stats\.json: FORMAT"):
        page(made, tmp_path / "out")


def test_strange_figures_are_dashes() -> None:
    assert pool_statistics.at({"a": {"b": None}}, ("a", "b")) is None and pool_statistics.at(3, ("a",)) is None
    found = pool_statistics.measured({"crack": {"sizes": [], "nearest": {"copies": 0.5}}})
    assert found.rows[0][0] == "crack" and 0.5 in found.rows[0] and found.rows[0].count(None) == len(found.columns) - 2
