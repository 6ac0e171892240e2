"""The variational auto-encoder (Kingma and Welling, ICLR 2014) as a one-class detector."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anomaly_gan.engine.task import Losses, Update

from ..configs.vae import VaeConfig
from ..interface import Normals, Phase, Scores
from .iae_lstm_kl_nets import lenet_body, lenet_decoder, lenet_sizes
from .parts import dropping, parameters_of

LARGEST_LOG_VARIANCE = 10.0


def gaussian_kl(mean_BD: Tensor, log_variance_BD: Tensor) -> Tensor:
    """(B,): KL(N(mean, variance) || N(0, I)), summed over the code."""
    return 0.5 * (mean_BD.square() + log_variance_BD.exp() - 1 - log_variance_BD).sum(dim=1)


class GaussianEncoder(nn.Module):
    """x_BCHW -> mean and log variance of the code, (B, D) each."""

    def __init__(self, channels: int, size: int, width: int) -> None:
        super().__init__()
        features, code = lenet_sizes(size, width)
        self.body = lenet_body(channels, width)
        self.mean = nn.Linear(features, code)
        self.log_variance = nn.Linear(features, code)

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(x_BCHW)
        log_variance = self.log_variance(features).float().clamp(-LARGEST_LOG_VARIANCE, LARGEST_LOG_VARIANCE)
        return self.mean(features).float(), log_variance


@dataclass
class Drawn:
    """One forward pass: the input, the code's distribution, and what the decoder makes of a draw from it."""

    x_BCHW: Tensor
    mean_BD: Tensor
    log_variance_BD: Tensor
    again_BCHW: Tensor


class VaeTask:
    """Half the summed squared error (a Gaussian of variance 1 around the decoder's image) and ``beta`` times the KL."""

    def __init__(self, nets: dict[str, nn.Module], settings: VaeConfig) -> None:
        self.nets = nets
        self._settings = settings

    def forward(self, batch: Tensor) -> Drawn:
        x = unit_range(batch)
        mean, log_variance = self.nets["encoder"](x)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return Drawn(x, mean, log_variance, self.nets["decoder"](code))

    def updates(self) -> list[Update]:
        parameters = parameters_of(self.nets["encoder"], self.nets["decoder"])
        return [Update("vae", torch.optim.Adam(parameters, lr=self._settings.lr), self._losses)]

    def _losses(self, outputs: Drawn) -> Losses:
        error = half_squares(outputs.again_BCHW, outputs.x_BCHW)
        return {
            "reconstruction": error.mean(),
            "kl": self._settings.beta * gaussian_kl(outputs.mean_BD, outputs.log_variance_BD).mean(),
        }

    def after_step(self, step: int) -> None:
        pass


def unit_range(images_BCHW: Tensor) -> Tensor:
    """uint8 -> float32 in [0, 1]."""
    return images_BCHW.to(memory_format=torch.channels_last).float() / 255


def half_squares(again_BCHW: Tensor, x_BCHW: Tensor) -> Tensor:
    """(B,): half the squared error, summed over an image."""
    return 0.5 * (again_BCHW.float() - x_BCHW).square().sum(dim=(1, 2, 3))


class Vae:
    """Deviation: the comparison papers name no net; this is Deep SVDD's, with two linear heads."""

    def __init__(self, channels: int, settings: VaeConfig) -> None:
        self.settings = settings
        self.nets: dict[str, nn.Module] = {
            "encoder": GaussianEncoder(channels, settings.size, settings.width),
            "decoder": lenet_decoder(channels, settings.size, settings.width),
        }

    def setup(self, normals: Normals) -> None:
        pass

    def phases(self) -> list[Phase]:
        settings = self.settings
        return [
            Phase(
                "train", lambda: VaeTask(self.nets, settings), settings.epochs, settings.batch, dropping(settings.drop)
            )
        ]

    def finalize(self, normals: Normals) -> None:
        pass

    def score(self, images_BCHW: Tensor) -> Scores:
        """From the mean code, without a draw: the error, or the negative evidence bound with that error."""
        x = unit_range(images_BCHW)
        mean, log_variance = self.nets["encoder"](x)
        again = self.nets["decoder"](mean)
        error = (again - x).square().mean(dim=1)
        if self.settings.score_by == "reconstruction":
            return Scores(error.mean(dim=(1, 2)), error)
        return Scores(half_squares(again, x) + self.settings.beta * gaussian_kl(mean, log_variance), error)


def vae(channels: int, settings: VaeConfig) -> Vae:
    return Vae(channels, settings)
