"""AnoGAN: a GAN of normal images; an image is as abnormal as the generator's best copy of it is bad.

Schlegl et al., "Unsupervised anomaly detection with generative adversarial networks to guide marker discovery",
IPMI 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anomaly_gan.engine.task import Losses, Update
from anomaly_gan.losses.adversarial import bce_d, bce_g

from ..configs.ano_gan import AnoGanConfig
from ..interface import Normals, Phase, Scores
from .cvgad_nets import Decoder, halvings
from .parts import dcgan_start, mixed_distance, pixels

ADAM = (0.9, 0.999)
TOGETHER = 32


class Discriminator(nn.Module):
    """x_BCHW in [-1, 1] -> the last feature map (B, D) and logits (B,), float32: DCGAN's discriminator."""

    def __init__(self, channels: int, size: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(halvings(channels, width, norm=True), nn.Flatten())
        self.out = nn.Linear(4 * width * (size // 8) ** 2, 1)

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(x_BCHW)
        return features.float(), self.out(features).float().squeeze(1)


class Start(nn.Module):
    """``code`` (1, latent): a draw of the prior, where every search begins.

    Not the prior's mean: there a generator with small biases has all its ReLUs at their corner and no gradient.
    """

    code: Tensor

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.register_buffer("code", torch.randn(1, latent))


@dataclass(frozen=True)
class Drawn:
    """Real images of the batch and generated ones."""

    real: Tensor
    fake: Tensor


class AnoGanTask:
    """The GAN's game: cross-entropy, the generator's in the form that does not saturate."""

    def __init__(self, nets: dict[str, nn.Module], settings: AnoGanConfig) -> None:
        self.nets = nets
        self._settings = settings

    def updates(self) -> list[Update]:
        def adam(name: str) -> torch.optim.Adam:
            return torch.optim.Adam(self.nets[name].parameters(), lr=self._settings.lr, betas=(0.5, 0.999), fused=True)

        return [
            Update("discriminator", adam("discriminator"), self._discriminator),
            Update("generator", adam("generator"), self._generator, (self.nets["discriminator"],)),
        ]

    def forward(self, batch: Tensor) -> Drawn:
        code = torch.randn(len(batch), self._settings.latent, device=batch.device)
        return Drawn(pixels(batch), self.nets["generator"](code))

    def after_step(self, step: int) -> None:
        pass

    def _discriminator(self, drawn: Drawn) -> Losses:
        discriminator = self.nets["discriminator"]
        return {"adversarial": bce_d(discriminator(drawn.real)[1], discriminator(drawn.fake.detach())[1])}

    def _generator(self, drawn: Drawn) -> Losses:
        return {"adversarial": bce_g(self.nets["discriminator"](drawn.fake)[1])}


class AnoGan:
    """Needs no settling: all it does after training is search."""

    def __init__(self, channels: int, settings: AnoGanConfig) -> None:
        self.settings = settings
        self.nets: dict[str, nn.Module] = {
            "generator": Decoder(channels, settings.size, settings.width, settings.latent),
            "discriminator": Discriminator(channels, settings.size, settings.width),
            "start": Start(settings.latent),
        }
        for net in self.nets.values():
            net.apply(dcgan_start)

    def setup(self, normals: Normals) -> None:
        pass

    def phases(self) -> list[Phase]:
        return [Phase("train", lambda: AnoGanTask(self.nets, self.settings), self.settings.epochs, self.settings.batch)]

    def finalize(self, normals: Normals) -> None:
        pass

    def score(self, images_BCHW: Tensor) -> Scores:
        """The distance at the end of the search, and the absolute residual there as the map.

        Images are searched 32 at a time, filled up where there are fewer: arithmetic rounds differently at other
        batch sizes, and a search of many steps would turn that into different scores.
        """
        missing = -len(images_BCHW) % TOGETHER
        filled = torch.cat([images_BCHW, images_BCHW[:1].expand(missing, -1, -1, -1)])
        found = [self._search(pixels(chunk)) for chunk in filled.split(TOGETHER)]
        image, residual = (torch.cat(parts)[: len(images_BCHW)] for parts in zip(*found, strict=True))
        return Scores(image, residual)

    def _distance(self, x: Tensor, features: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        again = self.nets["generator"](code)
        return mixed_distance(
            x, again, features, self.nets["discriminator"](again)[0], self.settings.feature_weight
        ), again

    def _search(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Adam on the code of each image by itself.

        Deviation: every search starts at the same code, drawn once and kept with the weights; the paper draws a start,
        and with it the score, anew for each image.
        """
        settings = self.settings
        features = self.nets["discriminator"](x)[0]
        code = self.nets["start"].get_buffer("code").expand(len(x), -1)
        first, second = torch.zeros_like(code), torch.zeros_like(code)
        for step in range(settings.search_steps):
            with torch.enable_grad():
                code = code.detach().requires_grad_()
                (gradient,) = torch.autograd.grad(self._distance(x, features, code)[0].sum(), code)
            first = ADAM[0] * first + (1 - ADAM[0]) * gradient
            second = ADAM[1] * second + (1 - ADAM[1]) * gradient**2
            bias = (1 - ADAM[1] ** (step + 1)) ** 0.5 / (1 - ADAM[0] ** (step + 1))
            code = code.detach() - self._rate(step) * bias * first / (second.sqrt() + 1e-8)
        score, again = self._distance(x, features, code)
        return score, (x - again).abs().mean(dim=1)

    def _rate(self, step: int) -> float:
        done = step / self.settings.search_steps
        return self.settings.search_lr * (1.0 if done < 0.4 else 0.1 if done < 0.6 else 0.05)


def ano_gan(channels: int, settings: AnoGanConfig) -> AnoGan:
    return AnoGan(channels, settings)
