"""IAEAD: an auto-encoder whose latent vectors gather round a centre; and the plain auto-encoder beside it.

Cheng et al., "Improved autoencoder for unsupervised anomaly detection", Int. J. Intell. Syst. 2021.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anomaly_gan.engine.task import Losses, Update

from ..configs.iaead import CaeConfig, IaeadConfig
from ..interface import Normals, Phase, Scores
from .parts import away_from_zero, pixels

LATENT = 256
DEFAULT_RATE = {"sgd": 0.1, "adam": 1e-3}


class Encoder(nn.Module):
    """x_BCHW in [-1, 1] -> z (B, 256) in (-1, 1): three halving convolutions and a linear layer (section 3.2).

    Deviation: gains of the batch norm start at 1; the released code draws them around 1.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((channels, 64, 128), (64, 128, 256), strict=True):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(256 * (size // 8) ** 2, LATENT), nn.Tanh())

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.body(x_BCHW)


class Decoder(nn.Module):
    """z (B, 256) -> x_BCHW in [-1, 1], the encoder's mirror image."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        side = size // 8
        layers: list[nn.Module] = [
            nn.Linear(LATENT, 256 * side**2),
            nn.BatchNorm1d(256 * side**2),
            nn.ReLU(),
            nn.Unflatten(1, (256, side, side)),
        ]
        for before, after in ((256, 128), (128, 64)):
            layers += [nn.ConvTranspose2d(before, after, 3, 2, 1, 1), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.ConvTranspose2d(64, channels, 3, 2, 1, 1), nn.Tanh())

    def forward(self, z_BD: Tensor) -> Tensor:
        return self.body(z_BD)


class Centre(nn.Module):
    """``centre`` (256,) draws the latent vectors while training; ``mean`` (256,) is what the score measures from."""

    centre: Tensor
    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(LATENT))
        self.register_buffer("mean", torch.zeros(LATENT))


def svdd_loss(z_BD: Tensor, centre: Tensor, nu: float) -> Tensor:
    """R² + mean(max(0, d² - R²)) / nu with d = ||z - c|| and R the (1 - nu) quantile of d in the batch (eq. 5, 6).

    R takes no gradient. With nu = 1 it is the batch's least distance.
    Deviation: R is of this batch; the released code takes the batch before's.
    """
    distance = (z_BD.float() - centre).norm(dim=1)
    radius = torch.quantile(distance.detach(), 1 - nu)
    return radius**2 + F.relu(distance**2 - radius**2).mean() / nu


class AutoEncoderTask:
    """Mean squared error, and, with a weight, the Deep SVDD term on the latent vectors (eq. 4, 7)."""

    def __init__(self, nets: dict[str, nn.Module], settings: CaeConfig, weight: float, nu: float) -> None:
        self.nets = nets
        self._settings, self._weight, self._nu = settings, weight, nu

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = pixels(batch)
        z = self.nets["encoder"](x)
        return x, z, self.nets["decoder"](z)

    def updates(self) -> list[Update]:
        parameters = [p for name in ("encoder", "decoder") for p in self.nets[name].parameters()]
        rate = self._settings.lr or DEFAULT_RATE[self._settings.optimizer]
        kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[self._settings.optimizer]
        return [Update("auto_encoder", kind(parameters, lr=rate), self._losses)]

    def _losses(self, outputs: tuple[Tensor, Tensor, Tensor]) -> Losses:
        x, z, again = outputs
        losses = {"reconstruction": F.mse_loss(again.float(), x)}
        if self._weight:
            centre = self.nets["centre"].get_buffer("centre")
            losses["svdd"] = self._weight * svdd_loss(z, centre, self._nu)
        return losses

    def after_step(self, step: int) -> None:
        pass


class AutoEncoder:
    """The nets and phases that IAEAD and the plain auto-encoder share; they differ in the weight and the score."""

    def __init__(self, channels: int, settings: CaeConfig) -> None:
        self.nets: dict[str, nn.Module] = {
            "encoder": Encoder(channels, settings.size),
            "decoder": Decoder(channels, settings.size),
            "centre": Centre(),
        }
        self.settings = settings
        self.nets["encoder"].apply(_start)
        self.nets["decoder"].apply(_start)

    def setup(self, normals: Normals) -> None:
        pass

    def _rate(self, epoch: int) -> float:
        return 0.5 ** ((epoch + 1) // self.settings.halve_every)

    def phases(self) -> list[Phase]:
        settings = self.settings
        return [
            Phase(
                "train",
                lambda: AutoEncoderTask(self.nets, settings, 0.0, 1.0),
                settings.epochs,
                settings.batch,
                self._rate,
            )
        ]

    def finalize(self, normals: Normals) -> None:
        self.nets["centre"].get_buffer("mean").copy_(self._mean_latent(normals))

    @torch.no_grad()
    def _mean_latent(self, normals: Normals) -> Tensor:
        encoder = self.nets["encoder"].eval()
        return torch.cat([encoder(pixels(chunk)) for chunk in normals.chunks()]).mean(dim=0)

    def error_map(self, images_BCHW: Tensor) -> Tensor:
        """(B, H, W): absolute reconstruction error, mean over the channels."""
        x = pixels(images_BCHW)
        return (self.nets["decoder"](self.nets["encoder"](x)) - x).abs().mean(dim=1)

    def score(self, images_BCHW: Tensor) -> Scores:
        """The L1 reconstruction error, as the paper scores its CAE."""
        error = self.error_map(images_BCHW)
        return Scores(error.mean(dim=(1, 2)), error)


class Iaead(AutoEncoder):
    """Warm-up on the reconstruction, then with the SVDD term round the centre found; the score is ||z - mean z||."""

    settings: IaeadConfig

    def phases(self) -> list[Phase]:
        settings = self.settings
        warm_up = min(settings.warm_up, settings.epochs - 1)
        return [
            Phase(
                "warm_up", lambda: AutoEncoderTask(self.nets, settings, 0.0, 1.0), warm_up, settings.batch, self._rate
            ),
            Phase(
                "train",
                lambda: AutoEncoderTask(self.nets, settings, settings.weight, settings.nu),
                settings.epochs - warm_up,
                settings.batch,
                lambda epoch: self._rate(epoch + warm_up),
                begin=self._find_centre,
            ),
        ]

    def _find_centre(self, normals: Normals) -> None:
        """The mean latent vector of the warmed-up encoder, no entry nearer to zero than 0.1."""
        self.nets["centre"].get_buffer("centre").copy_(away_from_zero(self._mean_latent(normals)))

    def score(self, images_BCHW: Tensor) -> Scores:
        """Distance of the latent vector to the mean of those it learned from (eq. 9); the map is the error's.

        Deviation: the mean is that of the training images. Where they are the test images, as in the paper, it is
        the paper's own.
        """
        x = pixels(images_BCHW)
        z = self.nets["encoder"](x)
        error = (self.nets["decoder"](z) - x).abs().mean(dim=1)
        return Scores((z - self.nets["centre"].get_buffer("mean")).norm(dim=1), error)


def _start(module: nn.Module) -> None:
    """xavier_normal with gain 0.02 and zero biases, as in the authors' code."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.xavier_normal_(module.weight, gain=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def cae(channels: int, settings: CaeConfig) -> AutoEncoder:
    return AutoEncoder(channels, settings)


def iaead(channels: int, settings: IaeadConfig) -> Iaead:
    return Iaead(channels, settings)
