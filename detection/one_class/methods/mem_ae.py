"""MemAE: an auto-encoder whose decoder sees only combinations of remembered normal features.

Gong et al., "Memorizing normality to detect anomaly", ICCV 2019.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anomaly_gan.engine.task import Losses, Update

from ..configs.mem_ae import MemAeConfig
from ..interface import Normals, Phase, Scores
from .parts import dropping, parameters_of, pixels

SMALL = 1e-12


def shrunk(weights: Tensor, threshold: float) -> Tensor:
    """Weights (..., N) of sum 1, those below ``threshold`` near or at 0, again of sum 1 (eq. 6, 7): differentiable."""
    above = weights - threshold
    kept = F.relu(above) * weights / (above.abs() + SMALL)
    return kept / kept.sum(dim=-1, keepdim=True).clamp_min(SMALL)


def addressing_entropy(weights: Tensor) -> Tensor:
    """Mean of -sum w log w over all queries (eq. 9), weights (..., N)."""
    return -(weights * (weights + SMALL).log()).sum(dim=-1).mean()


class Memory(nn.Module):
    """Features (B, C, H, W) -> the same shape out of the memory, and the weights (B, H, W, N); every place asks for
    itself."""

    def __init__(self, items: int, channels: int, shrink: float, cosine: bool) -> None:
        super().__init__()
        self.items = nn.Parameter(torch.empty(items, channels).uniform_(-1, 1) * channels**-0.5)
        self._threshold, self._cosine = shrink / items, cosine

    def forward(self, features_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        queries = features_BCHW.permute(0, 2, 3, 1).float()
        keys = self.items.float()
        if self._cosine:
            queries, keys = F.normalize(queries, dim=-1), F.normalize(keys, dim=-1)
        weights = (queries @ keys.T).float().softmax(dim=-1)
        if self._threshold:
            weights = shrunk(weights, self._threshold)
        return (weights @ self.items).permute(0, 3, 1, 2), weights


def _encoder(channels: int, width: int) -> nn.Sequential:
    """x_BCHW -> (B, 4 width, H/16, W/16): four convolutions of stride 2, section 4.1's for CIFAR-10 at width 64."""
    layers: list[nn.Module] = []
    for before, after in ((channels, width), (width, 2 * width), (2 * width, 2 * width), (2 * width, 4 * width)):
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def _decoder(channels: int, width: int) -> nn.Sequential:
    """The mirror image, with nothing after the last layer."""
    layers: list[nn.Module] = []
    for before, after in ((4 * width, 2 * width), (2 * width, 2 * width), (2 * width, width)):
        layers += [nn.ConvTranspose2d(before, after, 3, 2, 1, 1), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(width, channels, 3, 2, 1, 1))


class MemAeTask:
    """Mean squared error and the entropy of the addressing (eq. 10)."""

    def __init__(self, nets: dict[str, nn.Module], settings: MemAeConfig) -> None:
        self.nets = nets
        self._settings = settings

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = pixels(batch)
        remembered, weights = self.nets["memory"](self.nets["encoder"](x))
        return x, self.nets["decoder"](remembered), weights

    def updates(self) -> list[Update]:
        parameters = parameters_of(*self.nets.values())
        return [Update("mem_ae", torch.optim.Adam(parameters, lr=self._settings.lr), self._losses)]

    def _losses(self, outputs: tuple[Tensor, Tensor, Tensor]) -> Losses:
        x, again, weights = outputs
        return {
            "reconstruction": F.mse_loss(again.float(), x),
            "entropy": self._settings.entropy_weight * addressing_entropy(weights.float()),
        }

    def after_step(self, step: int) -> None:
        pass


class MemAe:
    def __init__(self, channels: int, settings: MemAeConfig) -> None:
        self.settings = settings
        self.nets: dict[str, nn.Module] = {
            "encoder": _encoder(channels, settings.width),
            "memory": Memory(settings.memory, 4 * settings.width, settings.shrink, settings.addressing == "cosine"),
            "decoder": _decoder(channels, settings.width),
        }

    def setup(self, normals: Normals) -> None:
        pass

    def phases(self) -> list[Phase]:
        settings = self.settings
        return [
            Phase(
                "train",
                lambda: MemAeTask(self.nets, settings),
                settings.epochs,
                settings.batch,
                dropping(settings.drop),
            )
        ]

    def finalize(self, normals: Normals) -> None:
        pass

    def score(self, images_BCHW: Tensor) -> Scores:
        """The squared reconstruction error."""
        x = pixels(images_BCHW)
        remembered, _ = self.nets["memory"](self.nets["encoder"](x))
        error = (self.nets["decoder"](remembered) - x).square().mean(dim=1)
        return Scores(error.mean(dim=(1, 2)), error)


def mem_ae(channels: int, settings: MemAeConfig) -> MemAe:
    return MemAe(channels, settings)
