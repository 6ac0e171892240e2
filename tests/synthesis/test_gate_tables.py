"""The gate's two tables: every row keeps the contract, and each finds the fault it is there for."""

import inspect
import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from gate_poses import bars, posed

from anomaly_gan.synthesis.gate.candidate import Candidate, Finding, Outcome, Seen, Setting
from anomaly_gan.synthesis.gate.category_metrics import CATEGORY_METRICS, measure
from anomaly_gan.synthesis.gate.category_metrics.data import CategoryData
from anomaly_gan.synthesis.gate.category_metrics.direction import advised_rotation, mean_axis_deg, turn_deg
from anomaly_gan.synthesis.gate.category_metrics.spread import by_chance
from anomaly_gan.synthesis.gate.checks import CHECKS, check
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.defects import RealDefects, defects_of
from anomaly_gan.synthesis.gate.results import ORDER, Counts, MetricResult

CONFIG = GateConfig(method="copy_paste")
NAMES = {"frechet": "FD-Toy", "kernel": "KID-Toy", "perceptual": "PD-Toy"}
LABEL = {"label_iou": 0.5, "label_ious": [0.5], "category_right": 1.0, "seams": [1.0], "copy_ratio": 2.0}


@dataclass
class StubInspector:
    """What a segmenter would say; the real one is trained in test_label_check."""

    findings: tuple = ()

    def inspect(self, candidate):
        return list(self.findings), {**LABEL, "nearest": "a.png"}


def good():
    rng = np.random.default_rng(0)
    base = rng.normal(80, 5, (60, 70)).astype(np.uint8)
    mask = np.zeros((60, 70), np.uint8)
    mask[20:32, 30:40] = 1
    pixels = base.copy()
    pixels[mask != 0] -= 30
    return Candidate(pixels, [(1, mask)], base, 2)


def reddened():
    """The good one, stored in three channels, with a red cast under its mask."""
    candidate = good()
    base = np.repeat(candidate.base[..., None], 3, axis=2)
    pixels = np.repeat(candidate.pixels[..., None], 3, axis=2)
    pixels[candidate.masks[0] != 0, 0] += 20
    return replace(candidate, pixels=pixels, base=base)


def seen(candidate):
    met = Seen()
    met.add(candidate.pixels, "training photograph a.png")
    return met


def corner(candidate):
    pixels = candidate.pixels.copy()
    pixels[0, 0] += 1
    return replace(candidate, pixels=pixels)


BAD = {
    "form": (replace(good(), pixels=good().pixels[:-1]), Setting(CONFIG)),
    "masks": (replace(good(), instances=[]), Setting(CONFIG)),
    "repeated": (good(), Setting(CONFIG, seen(good()))),
    "outside": (corner(good()), Setting(CONFIG)),
    "change": (replace(good(), pixels=good().base), Setting(CONFIG)),
    "cast": (reddened(), Setting(CONFIG)),
    "label": (good(), Setting(CONFIG, inspector=StubInspector((Finding("H7", "not found"),)))),
}
"""For every row a candidate that it, and no row before it, rejects. A new row brings its own."""


@pytest.mark.parametrize("row", CHECKS, ids=lambda row: row.name)
def test_every_check_accepts_what_is_good_and_measures_what_it_declares(row, small_run):
    candidate = good()
    kept = candidate.pixels.copy()
    setting = Setting(
        CONFIG,
        real_defects=RealDefects(small_run.ingest.split("train"), 20, 0) if row.needs_real_defects else None,
        inspector=StubInspector(),
    )
    found = row.function(candidate, setting)
    assert found.findings == () and set(found.measures) == set(row.measures)
    assert np.array_equal(candidate.pixels, kept)
    assert Outcome.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("row", CHECKS, ids=lambda row: row.name)
def test_every_check_rejects_what_it_is_there_for(row, tmp_path):
    candidate, setting = BAD[row.name] if row.name in BAD else posed(row.name, tmp_path)
    assert row.applies(candidate, setting)
    found = row.function(candidate, setting)
    assert found.findings and all(finding.code and finding.reason for finding in found.findings)
    before = CHECKS[: CHECKS.index(row)]
    assert not check(candidate, setting, before).findings
    assert check(candidate, setting).findings[0] == found.findings[0]
    assert set(found.measures) <= set(row.measures)


def test_names_are_told_once_and_every_row_has_a_file_of_its_own():
    for table in (CHECKS, CATEGORY_METRICS):
        names = [row.name for row in table]
        assert len(set(names)) == len(names)
    files = [inspect.getmodule(row.function) for row in CHECKS]
    assert len(set(files)) == len(files) and all(inspect.getdoc(module) for module in files)
    measures = [name for row in CHECKS for name in row.measures]
    assert len(set(measures)) == len(measures)


def test_nothing_costly_is_asked_of_what_is_rejected_already():
    class Refusing:
        def inspect(self, candidate):
            raise AssertionError("asked")

    outcome = check(corner(good()), Setting(CONFIG, inspector=Refusing()))
    assert [finding.code for finding in outcome.findings] == ["H7"]


# --- category metrics -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_bars(tmp_path_factory):
    return bars(tmp_path_factory.mktemp("real"), 8, 0)


@pytest.fixture(scope="module")
def red_bars(tmp_path_factory):
    return bars(tmp_path_factory.mktemp("red"), 8, 0, colour=(200, 60, 60))


def category(real, made, **config):
    real_defects = RealDefects(real, 50, 0)
    rows = defects_of(made, "bar", 50, np.random.default_rng(0))
    counts = Counts(len(rows), len(rows), 0, len(rows), len(rows), 0, 0)
    return CategoryData("bar", CONFIG.model_copy(update=config), counts, real_defects, rows, names=NAMES)


FAULTS = {
    "direction": ({"angle": (60, 90)}, "further from the usual direction"),
    "size": ({"length": 3}, "smaller"),
    "place": ({"at": (3, 3)}, "further from every real place"),
    "tone": ({"level": 150}, "50 grey levels darker than real"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_category_fails_its_metric_and_spares_the_others(name, real_bars, tmp_path):
    change, words = FAULTS[name]
    found = measure(category(real_bars, bars(tmp_path, 10, 1, **change)))
    assert found[name].level == "fail" and words in found[name].sentence
    spared = {"direction", "tone", "size"} - {name} - ({"direction", "size"} if name == "place" else set())
    assert all(found[other].level == "pass" for other in spared if other in found)


def test_what_lies_nearer_to_the_real_places_than_they_do_to_each_other_is_in_place(real_bars):
    data = category(real_bars, real_bars)
    found = {row.name: row.function(data) for row in CATEGORY_METRICS if row.name in ("place", "direction")}
    assert {item.level for item in found.values()} == {"pass"} and found["place"].detail["below"] == 0.0


def test_what_is_like_the_real_ones_passes_every_metric(real_bars, tmp_path):
    found = measure(category(real_bars, bars(tmp_path, 10, 1)))
    assert {item.level for item in found.values()} == {"pass"}
    assert {"direction", "size", "place", "tone"} <= set(found) and "colour" not in found


def test_a_colour_that_no_real_one_has_fails(red_bars, tmp_path):
    assert measure(category(red_bars, bars(tmp_path / "a", 6, 1, colour=(200, 60, 60))))["colour"].level == "pass"
    green = measure(category(red_bars, bars(tmp_path / "b", 6, 1, colour=(60, 150, 60))))["colour"]
    assert green.level == "fail" and green.detail["shift_a"] < -20


def test_with_few_objects_a_fault_is_measured_and_decides_nothing(tmp_path):
    few, made = bars(tmp_path / "few", 4, 0), bars(tmp_path / "made", 10, 1, level=150)
    found = measure(category(few, made))["tone"]
    assert found.level == "too_few" and (found.have, found.need) == (4, 6) and found.value == 1.0
    assert measure(category(few, made, verdict_objects=4))["tone"].level == "fail"


def test_of_few_accepted_photographs_a_fault_is_measured_and_decides_nothing(real_bars, tmp_path):
    made = bars(tmp_path / "made", 4, 1, level=150)
    found = measure(category(real_bars, made))["tone"]
    assert (found.level, found.have, found.need, found.of) == ("too_few", 8, CONFIG.verdict_n, "photographs")
    assert measure(category(real_bars, made, verdict_n=8))["tone"].level == "fail"


def test_what_few_objects_may_come_to_by_chance_is_no_fail(real_bars, tmp_path):
    found = measure(category(real_bars, bars(tmp_path / "made", 2, 1, level=150), verdict_n=4))["tone"]
    assert found.level == "warn" and found.value == 1.0
    assert found.detail["chance"] == pytest.approx(2 / 45, abs=1e-5)  # two of ten objects at one of two ends


def test_chance_is_that_of_drawing_the_objects_anew():
    rng = np.random.default_rng(0)
    real, made = rng.random((20_000, 6)), rng.random((20_000, 5))
    over = (made > real.max(1, keepdims=True)).sum(1)
    under = (made < real.min(1, keepdims=True)).sum(1)
    for count in range(6):
        assert by_chance(6, 5, count, 1) == pytest.approx((over >= count).mean(), abs=0.01)
        assert by_chance(6, 5, count, 2) == pytest.approx((over + under >= count).mean(), abs=0.01)


@pytest.mark.parametrize("row", CATEGORY_METRICS, ids=lambda row: row.name)
def test_every_metric_keeps_its_name_its_worst_level_and_its_json(row, real_bars, tmp_path):
    for number, level in enumerate((200, 90)):
        data = category(real_bars, bars(tmp_path / str(number), 6, 1, level=level))
        found = row.function(data)
        if found is None:
            continue
        assert found.name == row.name and ORDER.index(found.level) <= ORDER.index(row.worst)
        assert found.level == "pass" or found.sentence
        assert MetricResult.from_json(json.loads(json.dumps(found.to_json()))) == found
        assert row.function(data) == found


def test_axes_are_averaged_round_the_half_turn_and_the_advised_rotation_keeps_most_inside():
    assert mean_axis_deg([178.0, 2.0]) % 180 == pytest.approx(0.0, abs=1e-6) or mean_axis_deg([178.0, 2.0]) > 179.9
    assert turn_deg(175.0, 5.0) == pytest.approx(-10.0)
    assert advised_rotation([0.0, 5.0, -5.0], 40.0) in (35, 40)
    assert advised_rotation([0.0, 80.0], 89.5) == 180


def test_what_is_short_is_named_real_parts_or_generated_photographs():
    from types import SimpleNamespace

    from anomaly_gan.synthesis.gate.category_metrics import distance

    figures = {"defect": {"n": 6, "KID-Toy": {"real": {"p95": 1.0}, "over_p95": 0.5}}}

    def of(accepted):
        counts = SimpleNamespace(accepted=accepted)
        data = SimpleNamespace(figures=figures, counts=counts, names=NAMES, config=CONFIG, objects=12)
        return distance.defects(data)

    real, made = of(30), of(6)
    assert (real.of, real.have, real.need) == ("objects", 12, 18)
    assert (made.of, made.have, made.need) == ("photographs", 6, CONFIG.verdict_n)
