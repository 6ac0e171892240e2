"""EGBAD: a BiGAN, whose encoder spares the search for the code of an image.

Zenati et al., "Efficient GAN-based anomaly detection", ICLR workshop 2018.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anomaly_gan.engine.task import Losses, Update
from anomaly_gan.losses.adversarial import bce_d, bce_g

from ..configs.egbad import EgbadConfig
from ..interface import Normals, Phase, Scores
from .cvgad_nets import Decoder, halvings
from .parts import dcgan_start, mixed_distance, pixels

HIDDEN_CODE, HIDDEN_PAIR = 512, 1024
DROPPED, SLOPE = 0.5, 0.1
PARTS = ("encoder", "generator", "discriminator")


class Coder(nn.Module):
    """x_BCHW in [-1, 1] -> the code E(x) (B, latent), float32."""

    def __init__(self, channels: int, size: int, width: int, latent: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            halvings(channels, width, norm=True), nn.Flatten(), nn.Linear(4 * width * (size // 8) ** 2, latent)
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.body(x_BCHW).float()


class PairDiscriminator(nn.Module):
    """Image and code -> the features of the pair (B, 1024) and logits (B,), float32."""

    def __init__(self, channels: int, size: int, width: int, latent: int) -> None:
        super().__init__()
        flat = 2 * width * (size // 4) ** 2
        self.on_image = nn.Sequential(
            nn.Conv2d(channels, width, 4, 2, 1),
            nn.LeakyReLU(SLOPE),
            nn.Dropout(DROPPED),
            nn.Conv2d(width, 2 * width, 4, 2, 1),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(SLOPE),
            nn.Dropout(DROPPED),
            nn.Flatten(),
        )
        self.on_code = nn.Sequential(nn.Linear(latent, HIDDEN_CODE), nn.LeakyReLU(SLOPE), nn.Dropout(DROPPED))
        self.pair = nn.Sequential(nn.Linear(flat + HIDDEN_CODE, HIDDEN_PAIR), nn.LeakyReLU(SLOPE), nn.Dropout(DROPPED))
        self.out = nn.Linear(HIDDEN_PAIR, 1)

    def forward(self, x_BCHW: Tensor, z_BD: Tensor) -> tuple[Tensor, Tensor]:
        features = self.pair(torch.cat([self.on_image(x_BCHW), self.on_code(z_BD)], dim=1))
        return features.float(), self.out(features).float().squeeze(1)


@dataclass(frozen=True)
class Pairs:
    """(x, E(x)) and (G(z), z)."""

    x: Tensor
    code: Tensor
    fake: Tensor
    z: Tensor


class EgbadTask:
    """The BiGAN's game: the discriminator tells the two kinds of pairs apart, encoder and generator confuse it.

    ``averages``: running averages of the weights, kept after each step.
    """

    def __init__(self, nets: dict[str, nn.Module], averages: dict[str, nn.Module], settings: EgbadConfig) -> None:
        self.nets = nets | {f"average_{name}": net for name, net in averages.items()}
        self._averages, self._settings = averages, settings

    def updates(self) -> list[Update]:
        def adam(*names: str) -> torch.optim.Adam:
            parameters = [p for name in names for p in self.nets[name].parameters()]
            return torch.optim.Adam(parameters, lr=self._settings.lr, betas=(0.5, 0.999), fused=True)

        return [
            Update("discriminator", adam("discriminator"), self._discriminator),
            Update("both_ways", adam("encoder", "generator"), self._both_ways, (self.nets["discriminator"],)),
        ]

    def forward(self, batch: Tensor) -> Pairs:
        x = pixels(batch)
        z = torch.randn(len(x), self._settings.latent, device=x.device)
        return Pairs(x, self.nets["encoder"](x), self.nets["generator"](z), z)

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Move the averages; early ones follow faster, as they have little to remember. Statistics are copied."""
        decay = min(self._settings.average, (1 + step) / (10 + step))
        for name, average in self._averages.items():
            for mean, now in zip(average.parameters(), self.nets[name].parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
            for held, current in zip(average.buffers(), self.nets[name].buffers(), strict=True):
                held.copy_(current)

    def _discriminator(self, pairs: Pairs) -> Losses:
        discriminator = self.nets["discriminator"]
        return {
            "adversarial": bce_d(
                discriminator(pairs.x, pairs.code.detach())[1], discriminator(pairs.fake.detach(), pairs.z)[1]
            )
        }

    def _both_ways(self, pairs: Pairs) -> Losses:
        discriminator = self.nets["discriminator"]
        return {
            "generator": bce_g(discriminator(pairs.fake, pairs.z)[1]),
            "encoder": bce_g(-discriminator(pairs.x, pairs.code)[1]),
        }


class Egbad:
    """What scores, and is saved, are the averages; the nets they follow are only trained."""

    def __init__(self, channels: int, settings: EgbadConfig) -> None:
        shape = (channels, settings.size, settings.width, settings.latent)
        self.settings = settings
        self._followed: dict[str, nn.Module] = dict(
            zip(PARTS, (Coder(*shape), Decoder(*shape), PairDiscriminator(*shape)), strict=True)
        )
        for net in self._followed.values():
            net.apply(dcgan_start).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.nets: dict[str, nn.Module] = deepcopy(self._followed)

    def setup(self, normals: Normals) -> None:
        pass

    def phases(self) -> list[Phase]:
        settings = self.settings
        return [Phase("train", lambda: EgbadTask(self._followed, self.nets, settings), settings.epochs, settings.batch)]

    def finalize(self, normals: Normals) -> None:
        pass

    def score(self, images_BCHW: Tensor) -> Scores:
        """Reconstruction error plus the distance of the discriminator's features; the map is the absolute error."""
        x, discriminator = pixels(images_BCHW), self.nets["discriminator"]
        code = self.nets["encoder"](x)
        again = self.nets["generator"](code)
        image = mixed_distance(
            x, again, discriminator(x, code)[0], discriminator(again, code)[0], self.settings.feature_weight
        )
        return Scores(image, (x - again).abs().mean(dim=1))


def egbad(channels: int, settings: EgbadConfig) -> Egbad:
    return Egbad(channels, settings)
