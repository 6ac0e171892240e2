"""How a defect lies: rejected where no real one lies or is turned so, on the part's own frame where there is a part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_bolts import bolts_in
from gate_poses import posed, scratch_at

from anomaly_gan.synthesis.gate.candidate import Setting
from anomaly_gan.synthesis.gate.checks import check
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.defects import RealDefects
from anomaly_gan.synthesis.gate.poses import LEAST_GAIN, Likelihood, Pose, as_axis

POSED = ("part", "direction", "place", "edge")


def codes(candidate, setting):
    return [finding.code for finding in check(candidate, setting).findings]


@pytest.mark.parametrize("name", POSED)
def test_what_lies_as_real_ones_do_passes_and_is_measured(name, tmp_path):
    candidate, setting = posed(name, tmp_path, good=True)
    found = check(candidate, setting)
    assert found.findings == ()
    assert found.measures["on_part" if name == "part" else f"{name}_likelihood"] > 0.9


@pytest.mark.parametrize("name", POSED)
def test_what_does_not_is_rejected_unless_asked_to_pass_or_objects_are_few(name, tmp_path):
    candidate, setting = posed(name, tmp_path)
    assert set(codes(candidate, setting)) == {"H11"}
    for loose in (GateConfig(least_likely=0), GateConfig(verdict_objects=40)):
        assert codes(candidate, replace(setting, config=loose)) == []


def test_directions_and_places_are_told_in_the_parts_own_frame(tmp_path):
    """Real scratches run across the shank near its end, on bolts at all angles."""
    setting = Setting(GateConfig(), real_defects=RealDefects(bolts_in(tmp_path), 50, 0))
    assert codes(scratch_at(110, 80), setting) == []
    along, at_the_head = check(scratch_at(110, 80, upright=False), setting), check(scratch_at(36, 80), setting)
    assert {finding.code for finding in along.findings} == {"H11"} and "turned" in along.findings[0].reason
    assert {finding.code for finding in at_the_head.findings} == {"H11"} and "lies" in at_the_head.findings[0].reason


def test_of_real_ones_hardly_any_is_called_unlikely():
    """Each of 200 draws against 20 others of the same kind, ten times less likely than the least likely."""
    rng, refused = np.random.default_rng(3), 0
    for _ in range(200):
        angles = rng.normal(0, 20, 21)
        known = Likelihood.fit([as_axis(angle) for angle in angles[1:]], [str(at) for at in range(20)], 0.35)
        refused += known.ratio(as_axis(angles[0])) < 0.1
    assert refused <= 6


def test_an_object_counts_once_however_often_it_was_photographed():
    points, groups = [(0.1,)] * 30 + [(0.5,), (0.6,), (0.7,)], ["a"] * 30 + ["b", "c", "d"]
    crowded, single = Likelihood.fit(points, groups, 0.05), Likelihood.fit(points[29:], groups[29:], 0.05)
    assert crowded.ratio((0.6,)) > crowded.ratio((0.1,))
    assert single.ratio((0.6,)) > single.ratio((0.1,))
    assert Likelihood.fit([(0.1,)] * 5, ["a"] * 5, 0.05) is None


def test_where_real_ones_lie_anywhere_on_a_texture_no_place_is_refused():
    rng = np.random.default_rng(4)
    points, groups = [tuple(point) for point in rng.uniform(0, 1, (40, 2))], [str(at) for at in range(40)]
    assert Likelihood.fit(points, groups, 0.05).gain < LEAST_GAIN
    beside = [(0.1 + 0.2 * x, y) for x, y in points]
    assert Likelihood.fit(beside, groups, 0.05).gain > LEAST_GAIN


def test_a_direction_has_no_head_and_a_round_defect_none():
    disc = np.zeros((40, 60), np.uint8)
    disc[10:20, 10:20] = 1
    assert Pose.of(disc, None).direction is None
    assert np.allclose(as_axis(179.0), as_axis(-1.0))
