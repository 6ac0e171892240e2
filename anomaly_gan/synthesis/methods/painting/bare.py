"""Bare exemplars: real defects as they are warped under a mask, with no generator behind them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ....core.channels import over_channels
from ....core.dataset import Annotation
from ....core.errors import ConfigError
from ....core.seeding import rng_for
from ....losses.severity import severity
from ...interface import Generate, MethodInputs
from ...pairs.exemplar import Exemplar, overstretched, stands_alone
from ...pairs.windows import Framing, to_signed
from ..config import TrainConfig
from ..copy_paste.copy_paste import deformed, paste
from ..copy_paste.donors import MARGIN_PX, Donors, box_around
from .generator import Brush, load_brush
from .method import painting

DRAWN = 64
"""Real defects of a category drawn as bare exemplars, an object first."""


class Bare(nn.Module):
    """A generator that has learnt nothing: the exemplar hides the photograph, and nothing is changed of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, inputs_BCHW: Tensor) -> Tensor:
        """(B, difference and opacity, H, W) of ``painting: exemplar``."""
        output = inputs_BCHW.new_zeros(len(inputs_BCHW), self.channels + 1, *inputs_BCHW.shape[2:])
        output[:, -1] = torch.inf
        return output


class BareBrush(Brush):
    """Paints each mask with the defect of ``donors`` that fits it. What must not be stretched (``stands_alone``), or
    would be too far (``overstretched``), is, where ``own`` says so, the very defect that the mask was cut from, moved
    as a whole as the mask is."""

    def __init__(self, channels: int, config: TrainConfig, categories: list[str], donors: Donors, own: bool) -> None:
        super().__init__(Bare(channels), config, categories, {}, torch.device("cpu"))
        self.donors, self.own = donors, own
        self.framing = Framing(self.framing.size)

    def paint_one(
        self, pixels: np.ndarray, annotation: Annotation, category: str, rng: np.random.Generator
    ) -> tuple[np.ndarray, list[float]]:
        """As ``Brush.paint_one``."""
        provenance = annotation.provenance
        parent = self.donors.of_parent(provenance) if self.own and not deformed(provenance) else None
        if parent is not None:
            exemplar, mask = self.donors.exemplar(parent)[0], annotation.mask()
            if stands_alone(exemplar, mask) or self._none_fits(mask, category):
                pasted, _ = paste(pixels, provenance, annotation.category_id, mask, self.donors, rng)
                return self._within_support(pixels, pasted, mask), _severity(exemplar)
        return super().paint_one(pixels, annotation, category, rng)

    def _none_fits(self, mask: np.ndarray, category: str) -> bool:
        """Whether each exemplar would be stretched too far."""
        assert self.exemplars is not None
        return overstretched(mask[box_around(mask, MARGIN_PX)], self.exemplars[category], enough=1)

    def _within_support(self, pixels: np.ndarray, pasted: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """``pixels`` with what was pasted, no farther from the mask than any painting reaches."""
        place = box_around(mask, MARGIN_PX)
        before, alpha = pixels[place].astype(np.float32), self._alpha(mask[place])
        alpha = over_channels(alpha, pixels)
        result = pixels.copy()
        result[place] = (before + alpha * (pasted[place] - before)).round().astype(np.uint8)
        return result


def open_exemplars(inputs: MethodInputs) -> Generate:
    """As ``open_method``, without the generator: real defects of the training split as they are warped under the mask.
    What is the generator worth? It starts from windows as large as those it was trained on, of a larger defect from
    a part; here each defect is whole and at native scale, with or without a training.

    Raises:
        ConfigError: the training does not paint from exemplars.
        InputError: as ``open_method``.
    """
    names = [category.name for category in inputs.train.categories]
    config, channels = TrainConfig(), 1 if inputs.train.gray else 3
    if inputs.trained is not None:
        trained, channels = load_brush(inputs.trained, names, inputs.device)
        config = trained.config
        if trained.exemplars is None:
            raise ConfigError("method exemplar: this training has none: train with painter.painting: exemplar")
    donors = Donors(inputs.train if inputs.exemplars is None else inputs.exemplars, channels == 1)
    brush = BareBrush(channels, config, names, donors, own=inputs.exemplars is None)
    brush.exemplars = {name: whole_defects(donors, name, inputs.seed) for name in names}
    brush.severities = {name: [_severity(one) for one in bank] for name, bank in brush.exemplars.items()}
    return painting(inputs, brush, channels, "exemplar")


def whole_defects(donors: Donors, category: str, seed: int) -> list[Exemplar]:
    """``DRAWN`` real defects of a category, each whole and at native scale: a part of one, or a smaller picture of it,
    stretched to a mask is blurred.

    Args:
        donors: the defects to draw from.
        category: name of the category.
        seed: of the draw.

    Returns:
        The exemplars, some of them more than once where there are few.

    Raises:
        InputError: G13, there is no defect of the category.
    """
    number = next(one.id for one in donors.train.categories if one.name == category)
    rng = rng_for(seed, "exemplars", category)
    return [donors.exemplar(donors.draw(number, rng))[0] for _ in range(DRAWN)]


def _severity(exemplar: Exemplar) -> list[float]:
    images, masks = to_signed(exemplar.pixels)[None], exemplar.mask_01[None, None].astype(np.float32)
    return [round(value, 5) for value in severity(torch.from_numpy(images), torch.from_numpy(masks))[0].tolist()]
