"""A trained generator steered: a mask filled at a wanted severity, and what the picture then shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError

from ....core.dataset import Annotation
from ....core.errors import InputError
from ....core.masks import mask_box_xywh
from ....losses.severity import RING_PX, severity
from ...conditions import SeverityWindow
from ...pairs.windows import to_signed
from ..trained import FILE, read_trained
from .generator import Brush, Painting, load_brush
from .severity_scale import SeverityScale

NEAR = 0.01
"""A log ratio that lies this near the wanted one is met."""
SLOPES = (0.3, 3.0)
"""What a generator may give for what it is asked, per unit: beyond these, one painting says too little."""
BEYOND = 0.25
"""How far beyond its training defects' range a generator may be asked, as a share of that range."""


@dataclass(frozen=True)
class Filled:
    """A painted photograph. ``asked``: the (log ratio, standard deviation) last given to the generator; ``shown``:
    the log ratio that the picture has; ``first``: what the first painting had; ``passes``: paintings it took."""

    pixels: np.ndarray
    asked: list[float]
    shown: float
    first: float
    passes: int

    def record(self) -> dict[str, object]:
        """For JSON."""
        return {"asked": self.asked, "shown": round(self.shown, 4), "passes": self.passes}


def open_painter(trained: Path, device: str) -> tuple[Brush, int]:
    """The brush of a training folder, and the channels it paints.

    Raises:
        InputError: there is no finished training, its files are broken, or it cannot keep to a mask.
    """
    for name in (FILE, "generator.safetensors"):
        if not (trained / name).is_file():
            raise InputError(
                str(trained),
                "MISSING",
                f"no {name} in this folder",
                "give the folder of a finished training, RUN/train@anomaly_gan",
            )
    try:
        brush, channels = load_brush(trained, read_trained(trained).categories, device)
    except (ValueError, KeyError, TypeError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            str(trained),
            "FORMAT",
            f"cannot be loaded as a generator ({reason})",
            "train again: the files are damaged, or of an older version",
        ) from error
    if not _keeps_to_the_mask(brush):
        raise InputError(
            str(trained),
            "H7",
            f"{brush.config.method} (preset {brush.config.preset}) changes more than the mask",
            "use a training that paints windows under the mask (preset default)",
        )
    return brush, channels


def _keeps_to_the_mask(brush: Brush) -> bool:
    return brush.settings.composite and not brush.framing.whole


def can_be_steered(brush: Brush) -> bool:
    """Whether the generator was told severities in training, and paints one mask at a time."""
    return brush.painter.controls and _keeps_to_the_mask(brush)


def contrast(pixels: np.ndarray, mask_01: np.ndarray) -> float:
    """Log ratio of the mean intensity inside the mask to that around it (``losses.severity``), at full resolution."""
    x, y, width, height = mask_box_xywh(mask_01)
    near = (slice(max(0, y - RING_PX), y + height + RING_PX), slice(max(0, x - RING_PX), x + width + RING_PX))
    masks = torch.from_numpy(mask_01[near].astype(np.float32))[None, None]
    return float(severity(torch.from_numpy(to_signed(pixels[near]))[None], masks)[0, 0])


def fill(
    brush: Brush,
    pixels: np.ndarray,
    mask_01: np.ndarray,
    category: str,
    seed: int,
    wanted: list[float] | None = None,
    corrections: int = 3,
) -> Filled:
    """``pixels`` with the mask filled, by the chance of ``seed``.

    Where a severity is wanted, the generator is asked again for what it missed (the secant rule), at most
    ``corrections`` times and with the same noise, until the picture shows the wanted log ratio; the nearest painting
    is kept. A generator alone misses it by what lies under the mask: a dark place stays darker.

    Args:
        brush: the generator, ready to paint.
        pixels: the photograph, uint8 (H, W) or (H, W, 3).
        mask_01: the mask, uint8 (H, W) of 0 and 1.
        category: name of the category.
        seed: another number is another defect.
        wanted: log ratios asked for; None: as a training defect has them.
        corrections: most times that the generator is asked again.

    Returns:
        The photograph, what was asked for and what it shows.
    """
    box = mask_box_xywh(mask_01)
    drawn, asked = brush.paint(pixels, mask_01, box, category, np.random.default_rng(seed), wanted)
    first = contrast(drawn, mask_01)
    best = Filled(drawn, asked, first, first, 1)
    if wanted is None or not brush.painter.controls or mask_01.all():  # all: no surroundings to compare with
        return best
    ratios = [row[0] for row in brush.severities[category]]
    low, high = min(ratios), max(ratios)
    low, high = min(low - BEYOND * (high - low), wanted[0]), max(high + BEYOND * (high - low), wanted[0])
    ask, shown, slope = wanted[0], best.shown, 1.0
    for count in range(2, corrections + 2):
        if abs(best.shown - wanted[0]) <= NEAR:
            break
        step = float(np.clip(ask + (wanted[0] - shown) / slope, low, high))
        if step == ask:
            break
        before, ask, last = ask, step, shown
        drawn, asked = brush.paint(pixels, mask_01, box, category, np.random.default_rng(seed), [ask, wanted[1]])
        shown = contrast(drawn, mask_01)
        slope = float(np.clip((shown - last) / (ask - before), *SLOPES))
        nearer = abs(shown - wanted[0]) < abs(best.shown - wanted[0])
        best = (
            Filled(drawn, asked, shown, best.first, count)
            if nearer
            else Filled(best.pixels, best.asked, best.shown, best.first, count)
        )
    return best


def fill_between(
    brush: Brush,
    base: np.ndarray,
    annotations: list[Annotation],
    names: dict[int, str],
    window: SeverityWindow,
    rng: np.random.Generator,
) -> tuple[Painting, list[float]]:
    """One mask after the other, each at a severity drawn evenly between two quantiles of its category's training
    defects; and the log ratios that the picture then shows.

    Args:
        brush: the generator, ready to paint.
        base: the normal photograph, uint8 (H, W) or (H, W, 3).
        annotations: the masks, in order.
        names: category id -> name.
        window: the two quantiles.
        rng: source of chance.

    Returns:
        The painted photograph, and the log ratio each defect shows.
    """
    pixels, asked, shown = base, [], []
    for annotation in annotations:
        name = names[annotation.category_id]
        wanted = SeverityScale.of(brush.severities[name]).at(float(rng.uniform(window.low, window.high)))
        filled = fill(brush, pixels, annotation.mask(), name, int(rng.integers(2**63)), wanted)
        pixels = filled.pixels
        asked.append(filled.asked)
        shown.append(round(filled.shown, 4))
    return Painting(pixels, asked, brush.settings.support_px), shown
