"""The artefact AUROC: chance where nothing was done, near 1 where a trace is left, and honest about objects."""

import cv2
import numpy as np
import pytest

from anomaly_gan.metrics.artefact import artefact_auroc, told_apart
from anomaly_gan.metrics.backbones import embedded_backbone


@pytest.fixture(scope="module")
def backbone():
    return embedded_backbone("cpu")


def grains(seed, count=40):
    rng = np.random.default_rng(seed)
    return [
        cv2.GaussianBlur(rng.normal(110, 25, (40, 40)), (0, 0), 0.8).clip(0, 255).astype(np.uint8) for _ in range(count)
    ]


def test_blurred_pastes_are_found_and_untouched_ones_are_not(backbone):
    groups = [str(number // 4) for number in range(40)]
    there, others = grains(0), grains(1)
    alike = artefact_auroc(others, there, groups, backbone, np.random.default_rng(1))
    assert 0.35 < alike.auroc < 0.65 and alike.low < 0.5 < alike.high
    pasted = [crop.copy() for crop in there]
    for crop in pasted:
        crop[12:28, 12:28] = cv2.GaussianBlur(crop[12:28, 12:28], (0, 0), 1.5)
    told = artefact_auroc(pasted, there, groups, backbone, np.random.default_rng(1))
    assert 0.8 < told.low <= told.auroc <= told.high and told.auroc > 0.9


def test_a_cue_of_the_object_is_no_trace():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 8)
    rows = rng.normal(size=(20, 3))[groups] + 0.01 * rng.normal(size=(160, 3))  # objects differ, pastes do not
    told = told_apart(rows, np.tile([0, 1], 80), groups.tolist(), rng)
    assert abs(told.auroc - 0.5) < 0.12


def test_the_interval_is_over_objects_and_not_over_crops():
    """Two objects of twelve are told apart by chance, however many crops show them: copies make nothing surer."""
    rng = np.random.default_rng(4)
    rows, truth, groups = rng.normal(size=(48, 3)), np.tile([0, 1], 24), [str(at // 4) for at in range(48)]
    once = told_apart(rows, truth, groups, np.random.default_rng(5))
    often = told_apart(np.repeat(rows, 5, axis=0), np.repeat(truth, 5), np.repeat(groups, 5).tolist(), rng)
    assert often.high - often.low > 0.7 * (once.high - once.low)


def test_too_few_objects_have_no_figure_and_pairs_must_be_pairs(backbone):
    assert artefact_auroc(grains(0, 8), grains(1, 8), ["a", "b"] * 4, backbone, np.random.default_rng(0)) is None
    with pytest.raises(ValueError, match="not pairs"):
        artefact_auroc(grains(0, 3), grains(1, 2), ["a"] * 3, backbone, np.random.default_rng(0))
