"""A half-transparent defect is rejected where real ones are clearer; an opaque one is not, however like the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gate_poses import bars, half_transparent

from anomaly_gan.synthesis.gate.candidate import Setting
from anomaly_gan.synthesis.gate.checks import ghost
from anomaly_gan.synthesis.gate.checks.pose import poses_of
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.defects import RealDefects
from anomaly_gan.synthesis.gate.visible import Faintness, own_structure, shows_through
from anomaly_gan.synthesis.gate.window import near, window_around


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    return Setting(GateConfig(), real_defects=RealDefects(bars(tmp_path_factory.mktemp("bars"), 8, 0, thick=4), 50, 0))


def test_what_the_surface_shows_through_is_rejected_and_what_hides_it_is_not(setting):
    ghostly, clear = (ghost.check(half_transparent(opacity), setting) for opacity in (0.2, 1.0))
    assert [one.code for one in ghostly.findings] == ["H7"] and "half transparent" in ghostly.findings[0].reason
    assert ghostly.measures["shows_through"] > 0.9 and ghostly.measures["clearer_than"] < ghost.FAINT
    assert clear.findings == () and clear.measures["shows_through"] < 0.3


def test_a_sharp_line_in_a_loose_label_is_no_ghost_and_a_smudge_is_one():
    base = np.random.default_rng(3).normal(120, 8, (60, 80)).clip(0, 255).astype(np.uint8)
    rows, columns = np.mgrid[:60, :80]
    mask = ((abs(rows - 30) < 9) & (abs(columns - 40) < 30)).astype(np.uint8)
    depths = {"line": 40.0 * (rows == 30), "smudge": 40.0 * np.exp(-(((rows - 30) / 5) ** 2))}
    found = {}
    for name, depth in depths.items():
        window = window_around(np.clip(base - depth * mask, 0, 255).astype(np.uint8), mask, [])
        sound = base[near(mask)]
        found[name] = 0.1, shows_through(window, sound), own_structure(window, sound)
        assert found[name][1] > ghost.THROUGH
    assert ghost.is_ghost(*found["smudge"]) and not ghost.is_ghost(*found["line"])


def test_few_real_objects_say_nothing(setting):
    few = replace(setting, config=GateConfig(verdict_objects=40))
    assert ghost.check(half_transparent(0.2), few).findings == ()
    assert set(ghost.check(half_transparent(0.2), few).measures.values()) == {None}


def test_of_real_defects_as_many_are_fainter_as_there_should_be():
    """Real ones against those of other objects: the share that is fainter is spread evenly."""
    rng = np.random.default_rng(2)
    points, groups = rng.normal(size=(60, 2)), [str(at // 3) for at in range(60)]
    known = Faintness.fit(points, groups)
    shares = [known.share(point) for point in rng.normal(size=(400, 2))]
    assert abs(np.mean(np.array(shares) < ghost.FAINT) - ghost.FAINT) < 0.08
    assert Faintness.fit(points[:3], groups[:3]) is None


def test_a_candidates_poses_are_looked_for_once(setting):
    first, second = half_transparent(1.0), half_transparent(0.2)
    assert poses_of(first, setting.real_defects) is poses_of(first, setting.real_defects)
    assert poses_of(second, setting.real_defects) is not poses_of(first, setting.real_defects)
