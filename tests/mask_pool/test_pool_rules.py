"""Every item keeps to its category's rules, severity rises with what it is measured by, records remake the masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from anomaly_gan.core.config import build
from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.errors import ConfigError, InputError
from mask_pool.build.config import PoolConfig
from mask_pool.build.items import CategoryBuilder, Item, open_builder
from mask_pool.elements.real import Element, cut_prior
from mask_pool.placement.config import PlaceConfig
from mask_pool.recombination.recombine import Placed, remake
from mask_pool.recombination.rules import CategoryRules, SeverityScale, check_categories
from mask_pool.recombination.severity import measure


@pytest.fixture
def train(ingest: Path) -> Dataset:
    return load_dataset(ingest).split("train")


def builder(train: Dataset, category: str, seed: int = 1, **settings: Any) -> CategoryBuilder:
    own = settings.pop("own", {})
    config = PoolConfig(rules={category: CategoryRules(**own)} if own else {}, **settings)
    return open_builder(category, config, seed, train, cut_prior(train)[category], [])


def placed(made: CategoryBuilder, count: int) -> list[Placed]:
    return [one for index in range(count) for one in made.item(index).placed]


RULES: list[dict[str, Any]] = [
    {"area_px": (60, 90)},
    {"area_px": (400, 420)},
    {"length_px": (18.0, 22.0)},
    {"length_px": (40.0, 50.0)},
    {"area_px": (50, 300), "length_px": (15.0, 25.0)},
    {"area_px": (60, 200), "elastic": 0.05, "grow": (-0.3, 0.4)},
    {"area_px": (100, 160), "break_chance": 1.0, "fixed_orientation": True},
    {"area_px": (60, 300), "severity": (0.2, 0.9)},
    {"elements": (2, 3), "rotation": 20.0},
    {"elements": (1, 1)},
    {"elements": (4, 4), "area_px": (40, 60), "rotation": (40.0, 50.0)},
    {"max_area_share": 0.02},
    {"fixed_orientation": True, "scale": (0.9, 1.1)},
    {"flip": False, "rotation": (-10.0, 0.0)},
]


@pytest.mark.parametrize("own", RULES, ids=str)
@pytest.mark.parametrize("category", ["crack", "scrap"])
def test_every_item_obeys_its_rules(train: Dataset, category: str, own: dict[str, Any]) -> None:
    made = builder(train, category, own=own)
    for index in range(60):
        item = made.item(index)
        fewest, most = own.get("elements", (1, 3))
        assert fewest <= len(item.placed) <= most
        assert item.mask().sum() <= own.get("max_area_share", 0.35) * 96 * 120
        for one in item.placed:
            obeys(one, own)


def obeys(one: Placed, own: dict[str, Any]) -> None:
    sizes, done = measure(one.full_mask(96, 120)), one.turned.transforms
    assert own.get("area_px", (1, 1e9))[0] <= sizes.area_px <= own.get("area_px", (1, 1e9))[1]
    assert own.get("length_px", (1, 1e9))[0] <= sizes.length_px <= own.get("length_px", (1, 1e9))[1]
    turn = 0.0 if own.get("fixed_orientation") else own.get("rotation", 180.0)
    first, last = turn if isinstance(turn, tuple) else (-turn, turn)
    assert first <= done["rotation_deg"] <= last
    linear = np.array(one.affine())[:, :2]
    assert (
        np.degrees(np.arctan2(linear[1, 1], -linear[0, 1])) == pytest.approx(90 - done["rotation_deg"], abs=1e-4)
        or "rotation" not in own
    )
    if own.get("fixed_orientation") or own.get("flip") is False:
        assert not done["flip"] and np.linalg.det(linear) > 0
    if own.get("fixed_orientation"):
        assert np.allclose(linear, done["scale"] * np.eye(2))


@pytest.mark.parametrize("where", ["fixed_shape", "rules"])
def test_a_fixed_shape_is_the_parents_own_pixels(train: Dataset, where: str) -> None:
    settings: dict[str, Any] = (
        {"own": {"fixed_shape": True, "elements": (2, 2)}} if where == "rules" else {"fixed_shape": ("scrap",)}
    )
    made = builder(train, "scrap", severity=(0.0, 1.0), elastic=0.1, grow=(0.2, 0.3), **settings)
    assert made.finder is not None
    for one in placed(made, 60):
        assert np.array_equal(one.turned.bitmap, one.turned.element.bitmap)
        assert np.array(one.affine())[:, :2].tolist() == [[1, 0], [0, 1]]
        again = remake(one.turned.element, one.turned.transforms)
        assert again is not None and np.array_equal(again.bitmap, one.turned.bitmap)


def test_what_is_off_by_default_changes_no_draw(train: Dataset) -> None:
    """A category without rules is built as beside one that has some; and so is one whose rules say the same."""
    paper: dict[str, Any] = {"scale": (0.7, 1.4), "rotation": 180.0, "elements": (1, 3)}
    plain = placed(builder(train, "scrap", **paper), 20)
    same = placed(builder(train, "scrap", own=paper), 20)
    beside = PoolConfig(rules={"crack": CategoryRules(severity=(0.0, 1.0))}, **paper)
    other = open_builder("scrap", beside, 1, train, cut_prior(train)["scrap"], [])
    for found in (same, placed(other, 20)):
        assert [one.affine() for one in found] == [one.affine() for one in plain]
    assert set(plain[0].turned.transforms) == {"rotation_deg", "scale", "flip"}


def test_the_record_remakes_the_mask(train: Dataset) -> None:
    own = {
        "elastic": 0.06,
        "grow": (-0.2, 0.3),
        "break_chance": 0.5,
        "severity": (0.0, 1.0),
        "severity_scale": SeverityScale(elongation=(0.8, 1.5)),
    }
    kinds = set()
    for one in placed(builder(train, "crack", own=own), 40):
        done = one.turned.transforms
        again = remake(one.turned.element, done)
        assert again is not None and np.array_equal(again.bitmap, one.turned.bitmap)
        assert np.array_equal(again.affine, one.turned.affine) and again.transforms == done
        assert done["measured"] == measure(one.turned.bitmap).record()
        kinds |= {step["kind"] for step in done["deform"]}
        own_seeds = [step["seed"] for step in done["deform"] if "seed" in step]
        assert len(set(own_seeds)) == len(own_seeds)
    assert kinds == {"elastic", "grow", "break"}


def test_the_affine_stays_the_linear_part_of_a_deformed_mask(train: Dataset) -> None:
    """Centres of mass: a mild displacement moves the mask by less than a pixel from where the affine says."""
    for one in placed(builder(train, "scrap", own={"elastic": 0.04, "grow": (0.2, 0.3)}), 30):
        source = np.argwhere(one.turned.element.full_mask())[:, ::-1].mean(axis=0)
        at = np.array(one.affine()) @ [*source, 1.0]
        assert np.abs(at - np.argwhere(one.full_mask(96, 120))[:, ::-1].mean(axis=0)).max() < 1.2


def several(category: str) -> list[Element]:
    """Twelve shapes of very different sizes and lengths, far from the border."""
    rng = np.random.default_rng(3)
    elements = []
    for number in range(12):
        rows, columns = np.indices((120, 160))
        turn, long, across = rng.uniform(0, np.pi), rng.uniform(10, 30), rng.uniform(4, 9)
        u = (columns - 80) * np.cos(turn) + (rows - 60) * np.sin(turn)
        v = (rows - 60) * np.cos(turn) - (columns - 80) * np.sin(turn)
        mask_01 = ((u / long) ** 2 + ((v + 0.01 * u * u) / across) ** 2 < 1).astype(np.uint8)
        (top, left), (bottom, right) = np.argwhere(mask_01).min(0), np.argwhere(mask_01).max(0) + 1
        elements.append(
            Element(
                "prior",
                category,
                number + 1,
                f"{number}.png",
                "g",
                (120, 160),
                (left, top, right - left, bottom - top),
                mask_01[top:bottom, left:right].copy(),
            )
        )
    return elements


@pytest.mark.parametrize("deformed", [False, True])
def test_severity_sets_area_elongation_and_parts(train: Dataset, deformed: bool) -> None:
    config = PoolConfig(
        elements=(1, 1),
        place=PlaceConfig(part="none"),  # the shapes are on no photograph
        rules={
            "scrap": CategoryRules(
                severity=(0.0, 1.0),
                severity_scale=SeverityScale(area=(0.3, 2.0), elongation=(0.6, 1.8), parts=(1, 4)),
                **({"elastic": 0.04, "grow": (-0.2, 0.2)} if deformed else {}),
            )
        },
    )
    made = open_builder("scrap", config, 2, train, several("scrap"), [])
    found = [one.turned.transforms for one in placed(made, 150)]
    severities = [done["severity"] for done in found]
    assert 0 <= min(severities) < 0.1 and 0.9 < max(severities) <= 1
    for name in ("area_px", "elongation", "parts"):
        assert spearmanr(severities, [done["measured"][name] for done in found]).statistic >= 0.9, name


def test_severity_keeps_to_its_range_and_runs_over_the_areas_given(train: Dataset) -> None:
    own = {"severity": (0.25, 0.5), "area_px": (40, 640), "elements": (2, 2)}
    found: list[Item] = [builder(train, "scrap", own=own).item(index) for index in range(40)]
    for item in found:
        severities = {one.turned.transforms["severity"] for one in item.placed}
        assert len(severities) == 1 and 0.25 <= min(severities) <= 0.5, "one severity for the whole item"
        for one in item.placed:
            assert one.turned.area == pytest.approx(40 * 16 ** min(severities), rel=0.1)


def test_the_scale_of_severity_rises() -> None:
    scale = SeverityScale(area=(0.5, 2.0), elongation=(0.5, 3.0), parts=(1, 3))
    steps = np.linspace(0, 1, 101)
    assert [scale.area_px(s, 100) for s in (0.0, 0.5, 1.0)] == pytest.approx([50, 100, 200])
    assert scale.area_px(0.5, 100, (10.0, 1000.0)) == pytest.approx(100)
    assert np.all(np.diff([scale.elongation_at(s, 3.0) for s in steps]) > 0)
    assert scale.elongation_at(0.0, 1.2) == 1.0
    parts = [scale.parts_at(s) for s in steps]
    assert (parts[0], parts[50], parts[-1]) == (1, 2, 3) and parts == sorted(parts)
    assert SeverityScale().elongation_at(0.5, 2.0) is None and SeverityScale().parts_at(0.5) is None


def test_measures_are_what_they_say() -> None:
    """A row of n pixels; an ellipse with known axes; two parts that touch at a corner are one."""
    assert measure(np.ones((1, 9))).record() == {"area_px": 9, "length_px": 9.0, "elongation": 9.0, "parts": 1}
    rows, columns = np.indices((101, 101)) - 50
    ellipse = measure(((columns / 45) ** 2 + (rows / 15) ** 2 <= 1).astype(np.uint8))
    assert ellipse.elongation == pytest.approx(3.0, rel=0.02) and ellipse.length_px == pytest.approx(91, abs=0.2)
    assert measure(np.eye(2)).parts == 1 and measure(np.array([[1, 0, 1]])).parts == 2
    assert measure(np.ones((1, 1))).record() == {"area_px": 1, "length_px": 1.0, "elongation": 1.0, "parts": 1}
    with pytest.raises(ValueError, match="empty"):
        measure(np.zeros((3, 3)))


@pytest.mark.parametrize(
    ("own", "per_mm", "pixels"),
    [
        ({"area_mm2": (0.5, 2.0)}, 10.0, ("area_px", (50.0, 200.0))),
        ({"length_mm": (1.5, 2.0)}, 10.0, ("length_px", (15.0, 20.0))),
    ],
)
def test_millimetres_become_pixels(train: Dataset, own: dict[str, Any], per_mm: float, pixels: tuple[str, Any]) -> None:
    made = builder(train, "scrap", own=own, px_per_mm=per_mm)
    assert getattr(made.rules, pixels[0]) == pixels[1]
    for one in placed(made, 30):
        assert pixels[1][0] <= getattr(measure(one.turned.bitmap), pixels[0]) <= pixels[1][1]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"rules": {"scrap": {"length_mm": [1, 2]}}}, r"rules\.scrap\.length_mm: needs px_per_mm"),
        ({"rules": {"scrap": {"area_mm2": [1, 2]}}}, r"rules\.scrap\.area_mm2: needs px_per_mm"),
        ({"rules": {"scrap": {"area_mm2": [1, 2], "area_px": [1, 2]}}, "px_per_mm": 3}, "area_px, area_mm2: give one"),
        (
            {"rules": {"scrap": {"fixed_shape": True, "scale": [1, 2]}}},
            "fixed_shape, scale: a fixed shape is only moved",
        ),
        ({"fixed_shape": ["scrap"], "rules": {"scrap": {"elastic": 0.1}}}, r"fixed_shape, rules\.scrap\.elastic"),
        ({"rules": {"scrap": {"fixed_orientation": True, "rotation": 5}}}, "fixed_orientation, rotation: give one"),
        ({"rules": {"scrap": {"area_px": [9, 3]}}}, r"area_px: must be \[from, to\]"),
        ({"rules": {"scrap": {"elements": [0, 3]}}}, "elements, area_px: must be at least 1"),
        ({"severity": [0.9, 0.1]}, r"severity: must be \[from, to\]"),
        ({"severity": [0.1, 1.1]}, r"severity\.1"),
        ({"severity_scale": {"area": [2.0, 0.5]}}, "area: must be .* rising"),
        ({"rules": {"scrap": {"rotaton": 3}}}, r"rules\.scrap\.rotaton: unknown key"),
    ],
)
def test_a_bad_rule_is_named(content: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        build(PoolConfig, content, "pool")


def test_rules_for_no_category_are_refused_with_the_nearest_name() -> None:
    check_categories({"scrap": CategoryRules()}, ["screw"], ["scrap", "screw"])
    with pytest.raises(ConfigError, match=r"pool\.rules: no category 'scraps' \(did you mean 'scrap'\?\)"):
        check_categories({"scraps": CategoryRules()}, [], ["scrap", "screw"])
    with pytest.raises(ConfigError, match=r"pool\.fixed_shape: no category 'screws' \(did you mean 'screw'\?\)"):
        check_categories({}, ["screws"], ["scrap", "screw"])


def test_rules_that_no_photograph_can_meet_are_an_error_in_words(train: Dataset) -> None:
    with pytest.raises(InputError, match=r"pool\[scrap\]: H9: .*pool\.rules\.scrap"):
        builder(train, "scrap", own={"length_px": (500.0, 600.0)}).item(0)


class Shelf:
    """A placer that puts everything in the upper half and allows nothing else; every third time it finds no place."""

    def __init__(self) -> None:
        self.asked = 0

    def place(self, turned: Any, canvas: Any, image: Any, rng: np.random.Generator) -> tuple[int, int, dict] | None:
        self.asked += 1
        if self.asked % 3 == 0:
            return None
        height, width = turned.bitmap.shape
        lowest = max(2, canvas.height // 2 - height + 9)
        return int(rng.integers(1, canvas.width - width)), int(rng.integers(1, lowest)), {"place": "shelf"}

    def allows(self, bitmap: np.ndarray, x: int, y: int, image: Any) -> bool:
        return y + bitmap.shape[0] <= image.height // 2


@pytest.mark.parametrize("category", ["crack", "scrap", "screw"])
def test_a_placer_decides_where_elements_lie(train: Dataset, category: str) -> None:
    made = replace(builder(train, category, fixed_shape=("screw",)), placer=Shelf())
    for index in range(30):
        item = made.item(index)
        assert not item.mask()[48:].any()
        assert {one.place["place"] for one in item.placed} == {"shelf"}
