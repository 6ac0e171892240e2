"""Do generated defects lie in directions that real ones never have?"""

from __future__ import annotations

import numpy as np

from ..defects import LEAST_SHARE, Defect, known
from ..poses import axis_deg
from ..results import MetricResult
from .data import CategoryData
from .spread import spread

TOLERATED = 0.1
"""The rotation that is advised lets this share of turned real defects stand outside."""


def measure(data: CategoryData) -> MetricResult | None:
    """Angle of each long defect to the usual direction of the real ones, in degrees (0 to 90); one-sided."""
    angles = data.real_defects.values("angle", data.name, angle_deg)
    made = known(data.made, angle_deg)
    if len(angles) < LEAST_SHARE * max(1, len(data.real)) or not made:
        return None
    axis = mean_axis_deg([value for _, value in angles])
    found = spread(
        [(group, abs(turn_deg(value, axis))) for group, value in angles],
        [(group, abs(turn_deg(value, axis))) for group, value in made],
        one_sided=True,
    )
    if found is None:
        return None
    detail = {
        **found.to_json(),
        "axis_deg": round(axis, 1),
        "rotation": advised_rotation([turn_deg(value, axis) for _, value in angles], found.high),
    }
    level = found.level(data.config)
    words = f"{found.above:.0%} stand further from the usual direction than any real one ({found.high:.0f}°)"
    return MetricResult(
        "direction",
        level,
        words if level != "pass" else "",
        found.above,
        found.expected,
        data.config.fail_outside,
        detail=detail,
    )


def angle_deg(defect: Defect) -> float | None:
    """Direction of the longer axis, see ``poses.axis_deg``."""
    return axis_deg(defect.window.mask_01)


def mean_axis_deg(angles: list[float]) -> float:
    """Mean of axes, by doubling the angle; degrees in [0, 180)."""
    doubled = np.exp(2j * np.radians(np.array(angles)))
    return float(np.degrees(np.angle(doubled.mean())) / 2 % 180)


def turn_deg(angle: float, axis: float) -> float:
    """From the axis to the angle, degrees in [-90, 90)."""
    return (angle - axis + 90) % 180 - 90


def advised_rotation(turns: list[float], high: float) -> int:
    """The largest ± rotation in steps of 5 degrees after which at most ``TOLERATED`` of the real defects, turned by it
    at random, stand further from the axis than ``high``."""
    if high >= 89:
        return 180
    for rotation in range(90, 0, -5):
        drawn = np.linspace(-rotation, rotation, 181)
        stands = np.abs((np.array(turns)[:, None] + drawn[None] + 90) % 180 - 90)
        if float((stands > high).mean()) <= TOLERATED:
            return rotation
    return 0
