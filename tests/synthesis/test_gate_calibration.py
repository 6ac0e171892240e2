"""Real against real passes the gate, by whole objects, and what is plainly other fails: the calibration in small.

The figures of many trials are in docs/reliability.md; here a population and a network are as small as can be.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from anomaly_gan.metrics.features import Backbone
from anomaly_gan.synthesis.gate.config import GateConfig

ROOT = Path(__file__).parents[2]
TRIALS = 4


@pytest.fixture(scope="module")
def calibration():
    spec = importlib.util.spec_from_file_location("gate_calibration", ROOT / "benchmarks" / "gate_calibration.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks its own module up
    spec.loader.exec_module(module)
    return module


def network(images_BCHW):
    return images_BCHW.mean(dim=1).flatten(1), [images_BCHW / 255]


def test_real_against_real_never_fails_and_sixty_levels_do(calibration, tmp_path, monkeypatch):
    toy = Backbone("Toy", 8, network)
    names = {"frechet": "FD-Toy", "kernel": "KID-Toy", "perceptual": "PD-Toy"}
    extractors = calibration.Remembering(toy, toy, None, names)
    monkeypatch.setattr(calibration.gate, "build_extractors", lambda device: extractors)
    population = calibration.draw_population(tmp_path / "real", objects=20)
    config = GateConfig(method="copy_paste", repeats=6)
    rows = calibration.calibrate(
        population, config, range(TRIALS), 10, ["none (A/A)", "60 levels brighter"], tmp_path / "made"
    )
    same, other = rows
    assert same["judged"] == other["judged"] == TRIALS and same["n"] >= config.verdict_n
    assert same["failed"] == 0, same
    assert other["failed"] == TRIALS and "tone" in other["by"], other


def test_objects_stay_whole_and_on_one_side(calibration, tmp_path):
    population = calibration.draw_population(tmp_path / "real", objects=9, exposures=1)
    seen = set()
    for trial in range(5):
        one, other = calibration.halves(population, 4, calibration.rng_for(trial, "halves"))
        assert not one & other and len(one) == len(other) == 4
        seen.add(frozenset(one))
    assert len(seen) > 1
    assert len({image.sha256 for image in population.images}) == len(population.images)
