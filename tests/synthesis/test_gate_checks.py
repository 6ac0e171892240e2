"""The gate's checks of one photograph, each provoked by its own fault; its figures; its verdicts."""

from dataclasses import replace

import numpy as np
import pytest

from anomaly_gan.core.config import build
from anomaly_gan.core.errors import ConfigError
from anomaly_gan.metrics.frechet import frechet_distance
from anomaly_gan.metrics.kernel import kernel_distance
from anomaly_gan.synthesis.gate.candidate import Candidate, Seen, Setting
from anomaly_gan.synthesis.gate.category_metrics.data import CategoryData
from anomaly_gan.synthesis.gate.checks import check
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.distances import View, figures
from anomaly_gan.synthesis.gate.results import Counts, worst
from anomaly_gan.synthesis.gate.verdict import decide

CONFIG = GateConfig(method="copy_paste")
NAMES = {"frechet": "FD-Toy", "kernel": "KID-Toy", "perceptual": "PD-Toy"}


def good_candidate():
    rng = np.random.default_rng(0)
    base = rng.normal(80, 5, (60, 70)).astype(np.uint8)
    mask = np.zeros((60, 70), np.uint8)
    mask[20:32, 30:40] = 1
    pixels = base.copy()
    pixels[mask != 0] -= 30
    return Candidate(pixels, [(1, mask)], base, 2)


def with_pixels(change):
    candidate = good_candidate()
    pixels = candidate.pixels.copy()
    change(pixels, candidate)
    return replace(candidate, pixels=pixels)


def with_mask(mask):
    candidate = good_candidate()
    return replace(candidate, base=None, instances=[(1, mask)] if mask is not None else [])


def unpaint(pixels, candidate):
    pixels[:] = candidate.base


def unpaint_second(candidate):
    second = np.zeros((60, 70), np.uint8)
    second[45:55, 5:15] = 1
    return replace(candidate, instances=[*candidate.instances, (1, second)])


def corner(pixels, candidate):
    pixels[0, 0] += 1


def few(pixels, candidate):
    unpaint(pixels, candidate)
    pixels[20:22, 30:40] = 255


def codes(candidate, config=CONFIG, seen=None):
    return [finding.code for finding in check(candidate, Setting(config, seen or Seen())).findings]


def test_a_good_photograph_passes_and_is_measured():
    outcome = check(good_candidate(), Setting(CONFIG))
    measures = outcome.measures
    assert outcome.findings == ()
    assert measures["outside_px"] == 0 and measures["contrast"] == pytest.approx(30) and measures["fill"] == 1.0
    assert measures["area_px"] == 120


@pytest.mark.parametrize(
    ("candidate", "code", "words"),
    [
        (with_pixels(unpaint), "H7", "0.0 grey levels"),
        (with_pixels(corner), "H7", "1 pixels changed outside"),
        (with_pixels(few), "H7", "of an instance changed"),
        (unpaint_second(good_candidate()), "H7", "0.0 grey levels"),
        (replace(good_candidate(), pixels=good_candidate().pixels.astype(np.float32)), "H8", "float32"),
        (replace(good_candidate(), pixels=good_candidate().pixels[:-1]), "H8", "shape"),
        (with_mask(None), "B7", "no instance"),
        (with_mask(np.eye(60, 70, dtype=np.uint8) * 0), "B9", "0 pixels"),
        (with_mask(np.ones((60, 70), np.uint8)), "B8", "100%"),
        (with_mask(np.ones((60, 60), np.uint8)), "B1", "(60, 60)"),
    ],
)
def test_each_fault_is_rejected_under_its_code(candidate, code, words):
    findings = check(candidate, Setting(CONFIG)).findings
    assert findings and findings[0].code == code
    assert words in findings[0].reason


def test_a_change_within_the_support_is_allowed():
    candidate = good_candidate()
    pixels = candidate.pixels.copy()
    pixels[18, 28] += 9
    assert codes(replace(candidate, pixels=pixels)) == []
    assert codes(replace(candidate, pixels=pixels, support_px=1)) == ["H7"]


def test_normal_texture_in_place_of_normal_texture_is_no_defect():
    rejected = 0
    for seed in range(50):
        base = np.random.default_rng(seed).normal(80, 8, (60, 70)).astype(np.uint8)
        candidate = replace(good_candidate(), base=base)
        pixels = base.copy()
        pixels[20:32, 30:40] = base[40:52, 30:40]
        rejected += codes(replace(candidate, pixels=pixels)) == ["H7"]
    assert rejected >= 45


def test_a_subtle_shift_of_the_mean_is_a_defect_also_on_coarse_texture():
    rng = np.random.default_rng(1)
    base = rng.normal(100, 25, (60, 70)).clip(10, 245).astype(np.uint8)
    mask = np.zeros((60, 70), np.uint8)
    mask[20:40, 20:40] = 1
    pixels = base.copy()
    pixels[mask != 0] -= 6
    assert codes(Candidate(pixels, [(1, mask)], base, 0)) == []


def test_copies_are_rejected_and_name_the_original():
    seen = Seen()
    seen.add(good_candidate().pixels, "training photograph a.png")
    findings = check(good_candidate(), Setting(CONFIG, seen)).findings
    assert [finding.code for finding in findings] == ["H6"] and "a.png" in findings[0].reason


def make_view(fake_scale=1.0, real=24, fake=20, groups=8, width=12, same=False):
    rng = np.random.default_rng(2)
    real_features = rng.normal(size=(real, width))
    fake_features = (
        np.repeat(rng.normal(size=(1, width)), fake, axis=0) if same else rng.normal(size=(fake, width)) * fake_scale
    )
    return View(
        real_features,
        real_features.astype(np.float32),
        [f"g{i % groups}" for i in range(real)],
        fake_features,
        fake_features.astype(np.float32),
    )


def run_figures(view, **changes):
    return figures(view, NAMES, CONFIG.model_copy(update=changes), np.random.default_rng(0))


def test_the_same_distribution_is_near_the_reference_and_a_wider_one_far_from_it():
    alike, wide = run_figures(make_view()), run_figures(make_view(fake_scale=4.0))
    assert alike["n"] == 12
    assert alike["FD-Toy"]["ratio"] == pytest.approx(1.0, abs=0.35)
    assert wide["FD-Toy"]["ratio"] > 3
    assert alike["KID-Toy"]["over_p95"] < 1.5 < 10 < wide["KID-Toy"]["over_p95"]
    assert abs(alike["KID-Toy"]["generated"]["mean"]) < wide["KID-Toy"]["generated"]["mean"] / 10


def test_one_picture_repeated_has_no_diversity():
    view = make_view(same=True)
    assert run_figures(view)["PD-Toy"]["pairs"]["ratio"] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("view", [make_view(fake=5), make_view(real=10), make_view(groups=1), make_view(fake=0)])
def test_below_the_floor_there_is_a_reason_and_no_number(view):
    result = run_figures(view)
    assert result["FD-Toy"] is None and result["KID-Toy"] is None and result["PD-Toy"] is None
    assert "fewer than 6" in result["reason"]


def test_copies_of_real_photographs_are_counted():
    view = make_view()
    copied = replace(view, fake_embedded=view.real_embedded[:20] + np.float32(1e-3))
    assert run_figures(copied)["PD-Toy"]["near_copies"] == 20
    assert run_figures(view)["PD-Toy"]["near_copies"] < 3


COUNTS = Counts(20, 20, 0, 20, 20, 0, 0)


class Reals:
    """Real defects that nothing but their number is asked of."""

    def __init__(self, objects):
        self.train, self.objects = None, objects

    def of(self, name):
        return [type("Real", (), {"group": f"g{index}"})() for index in range(self.objects)]

    def values(self, *_):
        return []


def defects(ratio, diversity=1.0, p95=8.0):
    return {
        "n": 9,
        "KID-Toy": {"over_p95": ratio, "real": {"p95": p95}},
        "FD-Toy": {"over_p95": 0.9},
        "PD-Toy": {"pairs": {"ratio": diversity}},
    }


@pytest.mark.parametrize(
    ("counts", "figure", "verdict", "words"),
    [
        ({}, defects(0.8), "pass", "KID-Toy of generated defects is 0.80 times"),
        ({}, defects(-0.1), "pass", "-0.10 times"),
        ({}, defects(2.0), "warn", "above 1"),
        ({}, defects(2.6), "fail", "limit of 2.5"),
        ({}, defects(None), "fail", "not a number"),
        ({}, defects(float("nan")), "fail", "limit"),
        ({}, defects(None, p95=-1.0), "pass", "FD-Toy of generated defects is 0.90 times"),
        ({}, {**defects(2.6), "n": 8}, "too_few", "too few to say (8 of 9 objects)"),
        ({}, defects(0.8, 0.2), "warn", "diversity"),
        ({}, defects(0.8, None), "warn", "diversity"),
        ({"shortfall": 3}, defects(0.8), "warn", "3 of 20"),
        ({"accepted": 0, "shortfall": 20}, defects(0.8), "fail", "none"),
        ({}, {"n": 4, "KID-Toy": None, "reason": "4 photographs"}, "too_few", "too few to say (8 of 12 objects)"),
    ],
)
def test_verdicts(counts, figure, verdict, words):
    found = decide(data(8, figure, **counts))
    assert found.level == verdict and words in found.sentence and found.sentence.endswith(".")


@pytest.mark.parametrize(
    ("ratio", "pasted", "verdict", "words"),
    [
        (5.3, 2.8, "warn", "that of real ones pasted on other parts 2.80 times, above 1"),
        (7.1, 2.8, "fail", "above the limit of 7"),
        (2.6, 2.4, "fail", "above the limit of 2.5"),
        (2.6, None, "fail", "above the limit of 2.5"),
        (float("nan"), 2.8, "fail", "limit"),
    ],
)
def test_where_real_ones_laid_on_other_parts_lie_far_off_too_the_limit_counts_from_them(ratio, pasted, verdict, words):
    one = data(8, defects(ratio))
    found = decide(replace(one, figures={**one.figures, "pasted": {"n": 9, "over_p95": pasted}}))
    assert found.level == verdict and words in found.sentence


def data(objects, figure, **counts):
    return CategoryData(
        "spot", CONFIG, replace(COUNTS, **counts), Reals(objects), figures={"defect": figure}, names=NAMES
    )


@pytest.mark.parametrize(("ratio", "objects"), [(0.8, 5), (2.6, 5), (None, 2)])
def test_below_the_stated_number_of_objects_nothing_passes_or_fails_by_a_figure(ratio, objects):
    found = decide(data(objects, defects(ratio)))
    assert found.level == "too_few" and f"too few to say ({objects} of 6 objects)" in found.sentence
    assert decide(data(6, defects(0.8))).level == "pass"


def test_nothing_accepted_fails_however_few_the_objects():
    assert decide(data(1, defects(0.8), accepted=0, shortfall=20)).level == "fail"


@pytest.mark.parametrize(("ratio", "verdict"), [(2.4, "pass"), (2.6, "warn"), (90.0, "warn"), (None, "warn")])
def test_crops_and_whole_photographs_warn_and_never_fail(ratio, verdict):
    for view, name in (("crop", "crops"), ("image", "photographs")):
        figures = {"defect": defects(0.8), view: defects(ratio)}
        found = decide(CategoryData("spot", CONFIG, COUNTS, Reals(8), figures=figures, names=NAMES))
        assert found.level == verdict and found.metrics[name].level == verdict


def test_the_worst_verdict_counts():
    assert worst(["pass", "warn"]) == "warn" and worst(["fail", "pass"]) == "fail" and worst([]) == "fail"
    assert worst(["too_few", "warn"]) == "too_few" and worst(["too_few", "fail"]) == "fail"


def test_bad_configurations_are_refused_by_field():
    with pytest.raises(ConfigError, match="did you mean 'copy_paste'"):
        build(GateConfig, {"method": "copypaste"}, "gate")
    with pytest.raises(ConfigError, match="fail_ratio"):
        build(GateConfig, {"fail_ratio": 0.5}, "gate")


def test_the_verdict_names_the_frechet_and_perceptual_limits_beside_the_kernel_distance():
    view = make_view(real=60, fake=40, groups=20)
    found = run_figures(view)
    sentence = decide(data(20, found)).metrics["defects"].sentence
    kernel, frechet, nearest = found["KID-Toy"], found["FD-Toy"], found["PD-Toy"]["nearest_real"]
    assert f"{kernel['over_p95']:.2f} times the 95th percentile" in sentence
    assert (
        f"FD-Toy {frechet['generated']['mean']:.3g}, real against real up to {frechet['real']['p95']:.3g}" in sentence
    )
    assert f"PD-Toy to the nearest real one {nearest['generated']:.3g}, of real ones {nearest['real']:.3g}" in sentence
    assert found["all"]["FD-Toy"] == pytest.approx(frechet_distance(view.real_pooled, view.fake_pooled), abs=1e-6)
    assert found["all"]["KID-Toy"] == pytest.approx(kernel_distance(view.real_pooled, view.fake_pooled), abs=1e-6)
