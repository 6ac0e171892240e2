"""A mask as a strip: a bent ribbon is one along its middle, and what is stretched to it is not sheared."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from anomaly_gan.synthesis.pairs.strip import Strip

SIDE = 200


def drawn(*lines: list[tuple[int, int]], width: int = 22) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for line in lines:
        cv2.polylines(mask, [np.array(line)], False, 1, width)
    return mask


ARC = [
    (round(100 + 75 * np.cos(turn)), round(140 + 75 * np.sin(turn))) for turn in np.radians(np.linspace(200, 340, 40))
]
BAR = [(30, 100), (170, 100)]
FOLDED = [(20, 40), (100, 120), (180, 40)]


def sheared(of: Strip, to: Strip, points_N2: np.ndarray) -> np.ndarray:
    """How many times as much the one is stretched in one direction as in the other, at each point."""
    at = of.to(to, points_N2)
    steps = np.stack([of.to(to, points_N2 + step) - at for step in ([0.5, 0], [0, 0.5])], axis=2)
    wide, narrow = np.linalg.svd(steps, compute_uv=False).T
    return wide / np.maximum(narrow, 1e-6)


@pytest.mark.parametrize("line", [ARC, FOLDED], ids=["arc", "folded"])
def test_what_is_stretched_to_a_bent_ribbon_is_not_sheared(line):
    """Cloth that lies in a bow is as wide there as it is elsewhere, and its weave runs across it."""
    bent, bar = Strip.of(drawn(line)), Strip.of(drawn(BAR))
    points = np.argwhere(cv2.erode(drawn(line), np.ones((9, 9))))[:, ::-1].astype(float)
    assert bent.bend is not None and bar.bend is None
    assert np.median(sheared(bent, bar, points)) < 1.6
    length = float(np.hypot(*np.diff(line, axis=0).T).sum())
    assert bent.end - bent.begin == pytest.approx(length + 22, rel=0.12)
    assert np.median(bent.high - bent.low) == pytest.approx(22, abs=4)


def test_a_bent_ribbon_is_found_again_by_a_straight_one_of_its_length():
    bent = Strip.of(drawn(ARC))
    assert Strip.of(drawn([(10, 100), (188, 100)])).stretch(bent) < 0.35


def test_there_and_back_is_where_it_was():
    bent, bar = Strip.of(drawn(ARC)), Strip.of(drawn(BAR))
    points = np.argwhere(drawn(ARC))[:, ::-1].astype(float)
    apart = np.hypot(*(bar.to(bent, bent.to(bar, points)) - points).T)
    assert np.median(apart) < 0.05 and np.quantile(apart, 0.95) < 1


@pytest.mark.parametrize("what", ["bar", "chip", "branched", "disc"])
def test_others_stay_straight(what):
    """A chip at an edge has one straight side; a middle between branches would lie on none of them."""
    masks = {
        "bar": drawn(BAR),
        "chip": drawn([(40, 130), (160, 130)], width=1),
        "branched": drawn([(20, 180), (100, 100), (180, 20)], [(100, 100), (180, 160)], [(60, 140), (20, 60)], width=5),
        "disc": cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (100, 100), 40, 1, -1),
    }
    masks["chip"] = cv2.ellipse(masks["chip"], (100, 130), (60, 25), 0, 180, 360, 1, -1)
    assert Strip.of(masks[what]).bend is None


def test_where_a_defect_keeps_to_the_photograph_its_strip_is_not_bent():
    assert Strip.of(drawn(ARC), upright=True).bend is None
