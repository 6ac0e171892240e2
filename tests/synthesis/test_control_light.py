"""Light: nothing changes without a change, exposures are learnt from pairs, unseen objects are foretold."""

import json

import numpy as np
import pytest

from anomaly_gan.core.dataset import Dataset, ImageRecord
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png
from anomaly_gan.synthesis.relighting.exposure_pairs import register
from anomaly_gan.synthesis.relighting.fit import evaluate_light, fit_light
from anomaly_gan.synthesis.relighting.model import (
    Light,
    LightModel,
    gain_stops,
    load_light,
    parse_light,
    relight,
    resolved,
)

LINEAR = LightModel(response=tuple(np.log(np.arange(256) + 0.5)))
GAINS = {"1": 1.0, "2": 1.5, "3": 2.2}


def surface(seed, side=96):
    """Linear intensities of an object: fine grain on a smooth slope, about 60 grey levels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    slope = np.sin(3 * x + rng.uniform(0, 6)) * np.cos(2 * y + rng.uniform(0, 6))
    return 45 + 30 * slope + rng.normal(0, 6, (side, side))


def shown(intensity, seed):
    """What a camera with a bent response makes of it."""
    noisy = np.maximum(intensity, 0) + np.random.default_rng(seed).normal(0, 0.5, intensity.shape)
    return np.rint(255 * (np.maximum(noisy, 0) / 255) ** 0.8).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def exposures(tmp_path_factory):
    """Ten objects under three exposures, each crop shifted a little."""
    folder = tmp_path_factory.mktemp("exposures")
    images = []
    for group in range(10):
        whole = surface(group)
        for at, (name, gain) in enumerate(GAINS.items()):
            top, left = np.random.default_rng([group, at]).integers(0, 8, 2)
            pixels = shown(gain * whole[top : top + 84, left : left + 84], 10 * group + at)
            content = write_png(folder / "images" / f"free/exp{name}_num_{group * 10 + at}.png", pixels)
            images.append(
                ImageRecord(
                    len(images) + 1,
                    f"free/exp{name}_num_{group * 10 + at}.png",
                    84,
                    84,
                    f"g{group}",
                    "test" if group >= 7 else "train",
                    "real",
                    sha256_bytes(content),
                )
            )
    return Dataset(images, [], [], {"mode": "L"}, folder)


def test_no_change_of_light_changes_no_byte():
    pixels = surface(0).clip(0, 255).astype(np.uint8)
    assert np.array_equal(relight(pixels, Light(), LightModel(noise=(1.0, 0.1)), 0), pixels)


def test_a_stop_doubles_what_a_linear_sensor_shows_and_white_stays_white():
    pixels = np.array([[10, 60, 127, 200, 255]], np.uint8)
    assert np.abs(relight(pixels, Light(1.0), LINEAR, 0).astype(int) - [[20, 120, 254, 255, 255]]).max() <= 1
    assert np.abs(relight(pixels, Light(-1.0), LINEAR, 0).astype(int) - [[5, 30, 63, 100, 127]]).max() <= 1


def test_a_gradient_brightens_the_side_it_names():
    stops = gain_stops(Light(0, 2.0, 90.0), (41, 31))
    assert stops[0].mean() == pytest.approx(1.0)
    assert stops[-1].mean() == pytest.approx(-1.0)
    assert gain_stops(Light(0.5, 1.0, 0.0), (41, 31))[:, -1].mean() == pytest.approx(1.0)


def test_a_darkened_photograph_gets_the_noise_of_a_dark_one_and_a_brightened_one_none():
    flat, noisy = np.full((64, 64), 128, np.uint8), LightModel(LINEAR.response, noise=(0.0, 0.5))
    assert relight(flat, Light(1.0), noisy, 3).std() == 0
    assert relight(flat, Light(-1.0), noisy, 3).std() == pytest.approx(np.sqrt(0.5 * 64 - 0.25 * 0.5 * 128), rel=0.15)
    assert np.array_equal(relight(flat, Light(-1.0), noisy, 3), relight(flat, Light(-1.0), noisy, 3))


def test_crops_are_laid_over_each_other_and_other_objects_are_not(exposures):
    whole = surface(3)
    first, second = shown(whole[4:88, 2:86], 1), shown(2 * whole[1:85, 6:90], 2)
    down, right, correlation = register(first, second)
    assert (down, right) == (3, -4)
    assert correlation > 0.8
    assert register(first, shown(surface(4)[:84, :84], 1))[2] < 0.4


def test_exposures_are_learnt_from_pairs_and_foretell_unseen_objects(exposures):
    model = fit_light(exposures.split("train"), r"exp(\d)_", 0)
    judged = evaluate_light(model, exposures.split("test"), 0, draws=100)
    # a stop is a stop of a linear sensor: this camera shows 0.8 of it
    for name, gain in GAINS.items():
        assert model.exposures[name] == pytest.approx(0.8 * np.log(gain), abs=0.03)
    assert judged["objects"] == 3
    fields = {name: row["field"]["mean"] for name, row in judged["rivals"].items()}
    assert fields["light model"] < 1.0
    assert fields["light model"] < 0.2 * fields["usual mean and std of that exposure"]
    assert fields["light model"] < 0.1 * fields["as it is"]


def test_a_named_exposure_is_reached_from_the_photographs_own(exposures, tmp_path):
    model = fit_light(exposures.split("train"), r"exp(\d)_", 0)
    model.save(tmp_path / "light.json")
    again = load_light(tmp_path / "light.json")
    assert again == model
    light = resolved(parse_light("exposure=3,slope=0.5"), again, "exp1_x.png")
    assert (light.exposure, light.slope) == (None, 0.5)
    assert light.stops == pytest.approx((model.exposures["3"] - model.exposures["1"]) / np.log(2), abs=1e-5)
    for name, file in (("7", "exp1_x.png"), ("3", "photo.png")):
        with pytest.raises(InputError, match="LIGHT"):
            resolved(Light(exposure=name), again, file)


def test_without_pairs_nothing_is_made_up(exposures):
    alone = exposures.select(lambda image: "exp1" in image.file_name)
    with pytest.raises(InputError, match="no two exposures"):
        fit_light(alone, r"exp(\d)_", 0)


@pytest.mark.parametrize(
    "text", ["", "bright", "stops=1e400", "+9", "exposure=", "stops=1,exposure=2", "stops=1,stops=2"]
)
def test_a_light_that_is_none_is_refused_in_one_line(text):
    with pytest.raises(ConfigError, match=r"^light [^\n]*$"):
        parse_light(text)


@pytest.mark.parametrize(
    "change",
    [
        {"response": [1.0] * 256},
        {"response": [1.0]},
        {"noise": ["x", 1]},
        {"pattern": "("},
        {"exposures": {"1": float("inf")}},
        {"more": 1},
    ],
)
def test_a_broken_light_model_is_refused_by_name(change, tmp_path):
    content = {**json.loads(json.dumps(vars(LightModel()))), **change}
    (tmp_path / "light.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"light\.json: FORMAT"):
        load_light(tmp_path / "light.json")
