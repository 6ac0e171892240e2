"""IAE-LSTM-KL: Deep SVDD with a gate before the code, a decoder that stays, and a KL term against the collapse.

Huang et al., "Improved autoencoder with LSTM module and KL divergence for anomaly detection", IEEE TIM 2024.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anomaly_gan.engine.task import Losses

from ..configs.iae_lstm_kl import IaeLstmKlConfig
from ..interface import Scores
from .deep_svdd import Coded, DeepSvdd, SphereTask, quantile_radius
from .iae_lstm_kl_nets import (
    Encoder,
    LstmGate,
    RecurrentGate,
    lenet_body,
    lenet_decoder,
    lenet_sizes,
    strided_body,
    strided_decoder,
    strided_widths,
)
from .parts import parameters_of

LEAST_VARIANCE = 1e-6


def moment_kl(code_BD: Tensor) -> Tensor:
    """KL(N(m, s²) || N(0, 1)) summed over the dimensions; m and s² are the batch's mean and variance in each.

    Deviation: the paper's KL of one code vector against N(0, I) is not defined, as a point has no spread.
    """
    code = code_BD.float()
    variance = code.var(dim=0, unbiased=False) + LEAST_VARIANCE
    return 0.5 * (code.mean(dim=0).square() + variance - 1 - variance.log()).sum()


def code_kl(code_BD: Tensor, noise_BD: Tensor) -> Tensor:
    """What the released code calls KL: sum p (log p - z), p = softmax(noise), mean over the batch. Linear in z: a pull
    of every entry by the same force, and no divergence, as z is not the logarithm of a distribution."""
    return F.kl_div(code_BD.float(), noise_BD.softmax(dim=1), reduction="batchmean")


def code_radius(squared_B: Tensor, radius: Tensor, nu: float) -> Tensor:
    """The radius of the released code: a quantile of what is already cut at the old radius and divided by ``nu``."""
    return quantile_radius(radius**2 + F.relu(squared_B - radius**2) / nu, nu)


class IaeLstmKlTask(SphereTask):
    """svdd + kl_weight KL + mse_weight MSE; the weights' squares come in through the optimiser.

    Deviation: MSE is a mean over pixels, as in the released code; eq. 14 prints a sum.
    """

    settings: IaeLstmKlConfig

    def forward(self, batch: Tensor) -> Coded:
        encoder = self.nets["encoder"]
        assert isinstance(encoder, Encoder)
        x = self.nets["contrast"](batch)
        code = encoder.along_batch(x)
        return Coded(x, code, self.nets["decoder"](code) if self.settings.mse_weight else None)

    def trained(self) -> list[nn.Parameter]:
        decoder = [self.nets["decoder"]] if self.settings.mse_weight else []
        return parameters_of(self.nets["encoder"], *decoder)

    def losses(self, outputs: Coded) -> Losses:
        settings = self.settings
        losses = super().losses(outputs)
        if settings.kl != "off" and settings.kl_weight:
            code = outputs.code_BD
            losses["kl"] = settings.kl_weight * (
                moment_kl(code)
                if settings.kl == "moment"
                else code_kl(code, torch.randn(code.shape, device=code.device))
            )
        if outputs.again_BCHW is not None:
            losses["mse"] = settings.mse_weight * F.mse_loss(outputs.again_BCHW.float(), outputs.x_BCHW)
        return losses

    def new_radius(self, squared_B: Tensor) -> Tensor:
        if self.settings.radius == "as_code":
            return code_radius(squared_B, self.sphere.radius, self.settings.nu)
        return super().new_radius(squared_B)


class IaeLstmKl(DeepSvdd):
    """Score: squared distance to the centre. Map: squared error of the decoder, where it is trained with the rest."""

    settings: IaeLstmKlConfig

    def __init__(self, channels: int, settings: IaeLstmKlConfig) -> None:
        self.settings = settings
        size, width = settings.size, settings.width
        head: nn.Linear | None = None
        if settings.net == "lenet":
            body, self.decoder = lenet_body(channels, width), lenet_decoder(channels, size, width)
            features, code = lenet_sizes(size, width)
            head = nn.Linear(features, code, bias=False)
        else:
            body, self.decoder = strided_body(channels, size, width), strided_decoder(channels, size, width)
            features = code = strided_widths(size, width)[-1] * 16
        self._hold(Encoder(body, _gate(settings, features), head), code)
        if settings.mse_weight:
            self.nets["decoder"] = self.decoder

    def _sphere_task(self) -> IaeLstmKlTask:
        return IaeLstmKlTask(self.nets, self.settings, self._steps)

    def score(self, images_BCHW: Tensor) -> Scores:
        x = self.contrast(images_BCHW)
        code = self.encoder(x)
        if not self.settings.mse_weight:
            return Scores(self.sphere(code))
        return Scores(self.sphere(code), (self.decoder(code) - x).square().mean(dim=1))

    @torch.no_grad()
    def score_published(self, images_NCHW: Tensor) -> Tensor:
        """Scores of batches in the test set's order, the LSTM running along each: an image's score depends on those
        before it, which have its label where the set is ordered."""
        for net in self.nets.values():
            net.eval()
        return torch.cat(
            [
                self.sphere(self.encoder.along_batch(self.contrast(chunk)))
                for chunk in images_NCHW.split(self.settings.batch)
            ]
        )


def _gate(settings: IaeLstmKlConfig, features: int) -> LstmGate | RecurrentGate | None:
    if settings.gate == "none":
        return None
    return RecurrentGate(features) if settings.recurrent else LstmGate(features)


def iae_lstm_kl(channels: int, settings: IaeLstmKlConfig) -> IaeLstmKl:
    return IaeLstmKl(channels, settings)
