"""Another light on a photograph: a smooth gain of exposure, through the camera's response curve, with its noise.

What reaches the sensor is multiplied by ``2 ** stops``, everywhere or along a gradient, and shown by the response
curve that the photographs were taken with (Debevec & Malik 1997, eq. 2: ``g(Z) = ln E + ln t``). A darker photograph
has more noise for its brightness than a brightened copy's smooth levels show; what is missing of it is added. NumPy
only. The model is one small JSON, beside the generator as ``light.json``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.channels import over_channels
from ...core.config import nearest
from ...core.errors import ConfigError, InputError
from ...core.files import write_json
from ...core.json_files import read_as, understood
from ...core.seeding import rng_for, seed_for
from ..conditions import MOST_STOPS, check_pattern

if TYPE_CHECKING:
    from ..conditions import LightDraw

FILE = "light.json"
NUMBER = r"[+-]?\d+(?:\.\d+)?"


@dataclass(frozen=True)
class Light:
    """A change of light. ``stops``: log2 of the gain at the frame's centre; ``slope``: stops from the dark edge to
    the bright one; ``angle_deg``: where it gets brighter, 0 right, 90 up. ``exposure`` names one the model has seen:
    :func:`resolved` turns it into stops."""

    stops: float = 0.0
    slope: float = 0.0
    angle_deg: float = 0.0
    exposure: str | None = None

    def record(self) -> dict[str, float | str]:
        """For JSON; ``Light(**record)`` is the same light."""
        exposure = {} if self.exposure is None else {"exposure": self.exposure}
        return {"stops": self.stops, "slope": self.slope, "angle_deg": self.angle_deg, **exposure}


def parse_light(text: str) -> Light:
    """``+0.5`` (stops), or ``stops=-1,slope=0.8,angle=45``, or ``exposure=6``, with slope and angle if wished.

    Raises:
        ConfigError: none of these.
    """
    if re.fullmatch(NUMBER, text.strip()):
        text = f"stops={text.strip()}"
    values: dict[str, str] = {}
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        numeric = name in {"stops", "slope", "angle"} and re.fullmatch(NUMBER, value)
        if name in values or not (numeric or (name == "exposure" and value)):
            raise ConfigError(
                f"light {text!r}: write stops like +0.5, or exposure=NAME, or stops=-1,slope=0.8,angle=45"
            )
        values[name] = value
    if {"exposure", "stops"} <= values.keys():
        raise ConfigError(f"light {text!r}: give exposure or stops, not both")
    light = Light(
        float(values.get("stops", 0)),
        float(values.get("slope", 0)),
        float(values.get("angle", 0)),
        values.get("exposure"),
    )
    if max(abs(light.stops), abs(light.slope)) > MOST_STOPS:
        raise ConfigError(f"light {text!r}: at most {MOST_STOPS:g} stops either way")
    return light


def standard_response() -> tuple[float, ...]:
    """ln of the linear intensity of each level of an sRGB picture (IEC 61966-2-1), half a level above black."""
    shown = (np.arange(256) + 0.5) / 256
    linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    return tuple(round(float(value), 6) for value in np.log(linear))


@dataclass(frozen=True)
class LightModel:
    """``response``: ln of the exposure behind each of the 256 levels, strictly rising. ``exposures``: ln of each
    known exposure's time, found in a file's name by ``pattern``. ``noise``: variance ``a + b * level``, in grey
    levels squared. ``origin``: ``standard``, or ``pairs`` where it was fitted. ``levels``: each known exposure's
    usual mean and standard deviation, for comparison."""

    response: tuple[float, ...] = field(default_factory=standard_response)
    exposures: dict[str, float] = field(default_factory=dict)
    pattern: str | None = None
    noise: tuple[float, float] = (0.0, 0.0)
    origin: str = "standard"
    pairs: int = 0
    objects: int = 0
    levels: dict[str, tuple[float, float]] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        write_json(path, vars(self))

    def exposure_of(self, file_name: str) -> str | None:
        """The exposure that the file's name tells, or None."""
        found = re.search(self.pattern, Path(file_name).name) if self.pattern else None
        return found[1] if found else None


def load_light(path: Path) -> LightModel:
    """The model in ``path``.

    Raises:
        InputError: it is missing or no light model.
    """
    remedy = "make one with `anomaly-gan control-card`"
    content = read_as(path, dict, remedy)
    with understood(path, remedy):
        model = LightModel(
            **{
                **content,
                "response": tuple(map(float, content["response"])),
                "noise": tuple(map(float, content["noise"])),
                "levels": {name: (float(mean), float(std)) for name, (mean, std) in content["levels"].items()},
            }
        )
        rising = len(model.response) == 256 and bool((np.diff(model.response) > 0).all())
        if not (rising and all(math.isfinite(float(value)) for value in model.exposures.values())):
            raise ValueError("the response curve does not rise over 256 levels")
        if model.pattern is not None:
            check_pattern(model.pattern)
    return model


def light_beside(trained: Path) -> LightModel:
    """The light model beside a generator, or the standard one where there is none."""
    return load_light(trained / FILE) if (trained / FILE).is_file() else LightModel()


def resolved(light: Light, model: LightModel, file_name: str) -> Light:
    """``light`` with its exposure as stops from the exposure of the photograph ``file_name``.

    Raises:
        InputError: the model knows no such exposure, or not the photograph's own.
    """
    if light.exposure is None:
        return light
    remedy = "say how much brighter in stops, as in --light +0.5"
    if light.exposure not in model.exposures:
        raise InputError(
            "--light",
            "LIGHT",
            f"no exposure {light.exposure!r}"
            f"{nearest(light.exposure, model.exposures) or ' (this model has learnt none)'}",
            remedy,
        )
    own = model.exposure_of(file_name)
    if own not in model.exposures:
        raise InputError(file_name, "LIGHT", "its name does not tell its exposure", remedy)
    gain = (model.exposures[light.exposure] - model.exposures[own]) / math.log(2)
    return replace(light, stops=round(gain, 6), exposure=None)


def relight(pixels: np.ndarray, light: Light, model: LightModel, seed: int) -> np.ndarray:
    """uint8 (H, W) or (H, W, 3) under another light; no change of light is no change of any byte.

    What was white stays the least that white can have been: a burnt-out highlight does not come back.
    """
    assert light.exposure is None, "resolve the exposure first"
    if light.stops == 0 and light.slope == 0:
        return pixels.copy()
    response, levels = np.array(model.response), np.arange(256.0)
    gain = math.log(2) * gain_stops(light, pixels.shape[:2])
    exposed = response[pixels] + over_channels(gain, pixels)
    shown = np.interp(exposed, response, levels)
    if any(model.noise):
        shown += missing_noise(pixels, shown, exposed, model) * rng_for(seed, "light").standard_normal(pixels.shape)
    return np.rint(shown).clip(0, 255).astype(np.uint8)


def gain_stops(light: Light, size_hw: tuple[int, ...]) -> np.ndarray:
    """(H, W): log2 of the gain at each pixel, a plane; its extremes along ``angle_deg`` differ by ``slope``."""
    height, width = size_hw
    across, up = math.cos(math.radians(light.angle_deg)), math.sin(math.radians(light.angle_deg))
    y, x = np.mgrid[:height, :width]
    along = (x - (width - 1) / 2) * across - (y - (height - 1) / 2) * up
    reach = max(abs(across) * (width - 1) + abs(up) * (height - 1), 1.0)
    return light.stops + light.slope * along / reach


def missing_noise(pixels: np.ndarray, shown: np.ndarray, exposed: np.ndarray, model: LightModel) -> np.ndarray:
    """Standard deviation of the noise that ``shown`` still lacks: the old noise was scaled with the picture."""
    response = np.array(model.response)
    steepness = np.gradient(response)  # d ln E / d level
    after = np.interp(exposed, response, steepness)
    scale = steepness[pixels] / after
    base, per_level = model.noise
    wanted = base + per_level * shown
    return np.sqrt(np.maximum(0.0, wanted - scale**2 * (base + per_level * pixels)))


def draw_light(draw: LightDraw | None, seed: int, *names: object) -> tuple[Light, int] | None:
    """A light from a draw's ranges and the seed of its noise, for one named photograph; None where none is drawn."""
    if draw is None:
        return None
    rng = rng_for(seed, "light", *names)
    stops, slope, angle = rng.uniform(*draw.stops), rng.uniform(0, draw.slope), rng.uniform(0, 360)
    light = Light(round(float(stops), 4), round(float(slope), 4), round(float(angle), 2))
    return light, seed_for(seed, "noise", *names)


def relit_again(pixels: np.ndarray, record: dict[str, Any], model: LightModel) -> np.ndarray:
    """The same bytes as when the light of a photograph's provenance was drawn."""
    values = dict(record)
    seed = values.pop("seed")
    return relight(pixels, Light(**values), model, seed)
