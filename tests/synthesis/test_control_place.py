"""Masks as stamps, and severity as one number."""

import numpy as np
import pytest

from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.masks import grow
from anomaly_gan.synthesis.methods.painting.severity_scale import SeverityScale, parse_severity, wanted_severity
from anomaly_gan.synthesis.paint.placement import Placement, parse_at, parse_turn, place, turned

SIZE = (60, 80)
BANK = [[-0.1, 0.02], [-0.5, 0.09], [-0.3, 0.05], [0.2, 0.4], [-0.2, 0.03], [-0.4, 0.07]]


def stick(size=SIZE):
    mask = np.zeros(size, np.uint8)
    mask[10:14, 10:30] = 1
    mask[9, 10] = 1
    return mask


def placed(placement, mask=None, seed=0):
    given = [("crack", stick() if mask is None else mask)]
    return place("mask.png", given, SIZE, placement, np.random.default_rng(seed))


def centre(mask):
    return np.array(np.nonzero(mask)).mean(axis=1)[::-1]


def test_a_mask_that_stays_keeps_every_pixel():
    assert np.array_equal(placed(Placement())[0][1], stick())


def test_a_moved_mask_keeps_its_shape_and_goes_where_it_is_told():
    ((_, moved),) = placed(Placement((50, 40)))
    assert moved.sum() == stick().sum()
    assert np.abs(centre(moved) - (50, 40)).max() <= 1


def test_quarter_turns_keep_every_pixel_and_others_turn_counter_clockwise():
    assert np.array_equal(turned(stick(), 90, 1), np.rot90(stick()))
    tilted = turned(stick()[9:14, 10:30], 30, 1)
    rows, columns = np.nonzero(tilted)
    assert np.polyfit(columns, rows, 1)[0] == pytest.approx(-np.tan(np.radians(30)), abs=0.06)  # y points down
    assert int(tilted.sum()) == pytest.approx(81, rel=0.1)
    assert int(turned(stick()[9:14, 10:30], 0, 2).sum()) == pytest.approx(4 * 81, rel=0.1)


def test_copies_lie_apart_inside_the_photograph():
    masks = [mask for _, mask in placed(Placement(turn_deg=None, number=4))]
    assert len(masks) == 4
    assert (sum(grow(mask, 2) for mask in masks) <= 1).all()
    assert all(mask.sum() > 60 for mask in masks)


@pytest.mark.parametrize(
    ("placement", "mask", "code"),
    [
        (Placement((2, 2)), None, "C7"),
        (Placement(scale=10), None, "C7"),
        (Placement(number=200), None, "H9"),
        (Placement(), stick((60, 81)), "B1"),
        (Placement(number=2), stick((30, 40)), "B1"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(placement, mask, code):
    with pytest.raises(InputError, match=f"^mask.png: {code}: "):
        placed(placement, mask)


def test_a_mask_of_another_size_is_a_stamp_where_it_is_told_to_go():
    ((_, stamp),) = placed(Placement((40, 30)), stick((30, 40)))
    assert stamp.shape == SIZE
    assert stamp.sum() == stick().sum()


def test_severity_runs_along_the_categorys_side_without_jumps():
    scale = SeverityScale.of(BANK)
    ratios = [scale.at(q)[0] for q in np.linspace(0, 1, 21)]
    assert scale.sign == -1
    assert (ratios[0], ratios[-1]) == (pytest.approx(-0.1), pytest.approx(-0.5))
    assert max(np.diff(ratios)) < 0
    assert np.abs(np.diff(ratios)).max() < 0.05
    assert scale.at(0.9)[1] > scale.at(0.1)[1]


def test_severity_is_a_quantile_or_a_contrast():
    assert wanted_severity(None, BANK) is None
    assert wanted_severity(parse_severity("0.5"), BANK)[0] == pytest.approx(-0.3)
    assert wanted_severity(parse_severity("contrast=-0.7"), BANK)[0] == -0.7
    for text in ("1.2", "-0.1", "strong", "contrast=", "contrast=nan", "depth=2", "contrast=9"):
        with pytest.raises(ConfigError, match="--severity"):
            parse_severity(text)


def test_places_and_turns_are_read_or_refused():
    assert parse_at("12.5, -3") == (12.5, -3.0)
    assert (parse_turn("any"), parse_turn("-30")) == (None, -30.0)
    for text in ("12", "a,b", "1,2,3", "nan,1"):
        with pytest.raises(ConfigError, match="--at"):
            parse_at(text)
    with pytest.raises(ConfigError, match="--turn"):
        parse_turn("left")
