"""What the summary says of arms that differ only in their mask pool."""

from pathlib import Path

import pytest

from anomaly_gan.core.dataset import load_dataset
from detection.comparison.result import CellResult
from detection.comparison.summary import summarise
from detection.detectors.config import CompareConfig

from .conftest import WriteDataset

MAP50 = {"none": (0.40, 0.42, 0.44), "anomaly_gan": (0.50, 0.52, 0.54), "anomaly_gan@bare": (0.45, 0.46, 0.50)}


def cell(arm: str, seed: int, map50: float) -> CellResult:
    content = {
        "arm": arm,
        "seed": seed,
        "detector": "mask_rcnn",
        "fold": 0,
        "map50": map50,
        "map": None,
        "miou": None,
        "n_real": 12,
        "n_synthetic": 4,
        "exposure": {},
        "categories": {},
        "judged_on": "masks",
        "key": arm,
        "test_hash": "",
    }
    return CellResult.from_json(content)


def test_an_arm_with_its_own_pool_is_paired_with_its_method_on_the_shared_pool(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    write_dataset(tmp_path / "ingest")
    test = load_dataset(tmp_path / "ingest").split("test")
    config = CompareConfig(arms=tuple(MAP50), seeds=3, bootstrap=0, detectors=("mask_rcnn",))
    rows = [cell(arm, seed, value) for arm, values in MAP50.items() for seed, value in enumerate(values)]
    arms = summarise(rows, {}, test, config, seed=0).first.arms
    paired = arms["anomaly_gan@bare"].to_json()["difference_to_shared_pool"]
    assert paired["values"] == pytest.approx([-0.05, -0.06, -0.04])
    assert paired["mean"] == pytest.approx(-0.05) and paired["verdict"] == "worse"
    assert "against anomaly_gan on the shared pool -0.050" in arms["anomaly_gan@bare"].sentence()
    assert "difference_to_shared_pool" not in arms["anomaly_gan"].to_json()
