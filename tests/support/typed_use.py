"""How a typed program uses the public names: checked in ``make lint`` as strictly as ``mypy --strict``, never run."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import numpy as np
from numpy.typing import NDArray

import anomaly_gan as ag
import detection
import mask_pool
from detection import evaluate, load_detector, train_detector
from detection.one_class import Scores, load_one_class, train_one_class


def all_of_it(photo: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    data = ag.ingest("photos", out="ingest", format="labelme", group_regex=r"(part\d+)_")
    assert_type(data, ag.Dataset)
    pool = ag.build_pool(data, out="pool", config=ag.PoolConfig(count=200), seed=0)
    assert_type(mask_pool.build_pool(data, "pool"), ag.Dataset)
    generator = ag.train(data, pool, out="train", method="anomaly_gan", config=ag.TrainConfig(steps=2000))
    assert_type(generator, ag.TrainedGenerator)
    assert_type(ag.TrainedGenerator.load("train", device="cpu"), ag.TrainedGenerator)
    assert_type(generator.paint(photo, mask, category="crack", severity=0.8, seed=3), NDArray[np.uint8])
    made = ag.generate(generator, pool, count=50, out="generate")
    kept = ag.gate(made, data, out="gate")
    assert_type(kept.verdicts, dict[str, str])
    assert_type(ag.export(data, kept, out="export", format="coco"), ag.Dataset)
    features: NDArray[np.float64] = np.zeros((8, 4))
    assert_type(ag.metrics.frechet_distance(features, features), float)
    assert_type(ag.metrics.kernel_distance(features, features), float)


def detectors(photo: NDArray[np.uint8]) -> None:
    detector = train_detector("export", "detector", config=detection.DetectConfig(exposures=60.0))
    assert_type(load_detector(Path("detector")), detection.Detector)
    seen = detector.inspect(photo)
    assert_type(seen.score, float)
    assert_type(seen.instances[0].mask(10, 10), NDArray[np.uint8])
    assert_type(evaluate(detector, "ingest", "evaluation")["map50"] is None, bool)
    one_class = train_one_class("good_parts", "bolts", false_alarm=0.02)
    assert_type(load_one_class("bolts").score([photo]), Scores)
    assert_type(one_class.score(photo).image, NDArray[np.float64])
