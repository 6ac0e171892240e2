"""Skip-GANomaly: a generator that must reproduce normal images, evaluated by a discriminator and by its features.

Akcay et al., "Skip-GANomaly: Skip Connected and Adversarially Trained Encoder-Decoder Anomaly Detection", IJCNN 2019.
Skip-GANomaly++ shares all of it but the generator and the range of the pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anomaly_gan.engine.task import Losses, Update
from anomaly_gan.losses.adversarial import bce_d, bce_g

from ..configs.skip_ganomaly import SkipGanomalyConfig
from ..interface import Normals, Phase, Scores
from .ganomaly_nets import FeatureDiscriminator, SkipUNet, scores_by_batch, start
from .parts import pixels
from .skip_losses import blended, contextual_loss, feature_loss, squared_distance, to_unit
from .statistics import Statistics


@dataclass(frozen=True)
class Passed:
    """One step's forward: the image, its reconstruction, and what the discriminator says of the image."""

    x_BCHW: Tensor
    fake_BCHW: Tensor
    real_logit_B: Tensor
    real_features_BD: Tensor


class SkipTask:
    """Generator, then discriminator, on one forward of each but for the discriminator's look at the fake.

    The weights of the published losses: 1 adversarial, 50 contextual (40 in the paper), 1 latent.
    """

    def __init__(
        self, nets: dict[str, nn.Module], settings: SkipGanomalyConfig, scaled: Callable[[Tensor], Tensor]
    ) -> None:
        self.nets = nets
        self._generator, self._discriminator = nets["generator"], nets["discriminator"]
        self._settings, self._scaled = settings, scaled
        self._loss = torch.inf

    def forward(self, batch: Tensor) -> Passed:
        x = self._scaled(batch)
        fake = self._generator(x)
        return Passed(x, fake, *self._discriminator(x))

    def updates(self) -> list[Update]:
        rate, betas = self._settings.lr, (self._settings.beta, 0.999)
        return [
            Update(
                "generator",
                torch.optim.Adam(self._generator.parameters(), rate, betas, fused=True),
                self._generator_losses,
                frozen=(self._discriminator,),
            ),
            Update(
                "discriminator",
                torch.optim.Adam(self._discriminator.parameters(), rate, betas, fused=True),
                self._discriminator_losses,
            ),
        ]

    def _generator_losses(self, passed: Passed) -> Losses:
        settings = self._settings
        logit, features = self._discriminator(passed.fake_BCHW)
        losses = {
            "adversarial": settings.adversarial * bce_g(logit),
            "contextual": settings.contextual * contextual_loss(passed.fake_BCHW, passed.x_BCHW),
        }
        if settings.features:
            losses["features"] = settings.features * feature_loss(features, passed.real_features_BD.detach())
        return losses

    def _discriminator_losses(self, passed: Passed) -> Losses:
        logit, features = self._discriminator(passed.fake_BCHW.detach())
        losses = {"adversarial": bce_d(passed.real_logit_B, logit)}
        if self._settings.features and self._settings.features_in_discriminator:
            losses["features"] = self._settings.features * feature_loss(features, passed.real_features_BD)
        self._loss = float(torch.stack(list(losses.values())).sum().detach())
        return losses

    def after_step(self, step: int) -> None:
        """A discriminator that has won teaches nothing any more: it starts anew (as in the authors' code)."""
        if self._loss < self._settings.reinitialise_below:
            self._discriminator.apply(start)


class SkipGanomaly:
    """``scaled`` turns uint8 images into the generator's range; ``nets`` hold the generator, the discriminator and the
    score's scales."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        settings: SkipGanomalyConfig,
        scaled: Callable[[Tensor], Tensor],
    ) -> None:
        self.nets: dict[str, nn.Module] = {
            "generator": generator.apply(start),
            "discriminator": discriminator.apply(start),
            "statistics": Statistics(),
        }
        self.settings = settings
        self._scaled = scaled

    def setup(self, normals: Normals) -> None:
        pass

    def phases(self) -> list[Phase]:
        return [
            Phase(
                "train",
                lambda: SkipTask(self.nets, self.settings, self._scaled),
                self.settings.epochs,
                self.settings.batch,
            )
        ]

    @torch.no_grad()
    def finalize(self, normals: Normals) -> None:
        """Mean and spread of both terms over the images it learned from, in evaluation mode."""
        for net in self.nets.values():
            net.eval()
        parts = [self._terms(chunk)[:2] for chunk in normals.chunks()]
        terms_N2 = torch.stack([torch.cat(term) for term in zip(*parts, strict=True)], dim=1)
        statistics = self.nets["statistics"]
        statistics.get_buffer("mean").copy_(terms_N2.mean(dim=0))
        statistics.get_buffer("spread").copy_(terms_N2.std(dim=0, correction=0).clamp_min(1e-8))

    def _terms(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B,) mean squared error of the pixels, (B,) of the features, (B, H, W) of the pixels."""
        x = self._scaled(images_BCHW)
        fake = self.nets["generator"](x)
        map_BHW = (fake - x).square().mean(dim=1)
        features = squared_distance(self.nets["discriminator"](fake)[1], self.nets["discriminator"](x)[1])
        return map_BHW.mean(dim=(1, 2)), features, map_BHW

    def score(self, images_BCHW: Tensor) -> Scores:
        """0.9 reconstruction + 0.1 features, each in spreads above the mean of the normals; the map is the error.

        Deviation: the paper scales the sum by the least and the greatest of the test set.
        """
        reconstruction, features, map_BHW = self._terms(images_BCHW)
        statistics = self.nets["statistics"]
        terms_B2 = torch.stack([reconstruction, features], dim=1)
        standard_B2 = (terms_B2 - statistics.get_buffer("mean")) / statistics.get_buffer("spread")
        return Scores(blended(standard_B2[:, 0], standard_B2[:, 1], self.settings.feature_share), map_BHW)

    def score_published(self, images_NCHW: Tensor) -> Tensor:
        """(N,): as the authors' code tests, batches of 64 in order with their own statistics, min-max over the test
        set. No trace remains in the nets."""

        def raw(images_BCHW: Tensor) -> Tensor:
            reconstruction, features, _ = self._terms(images_BCHW)
            return blended(reconstruction, features, self.settings.feature_share)

        return to_unit(scores_by_batch(self.nets, raw, images_NCHW))


def skip_ganomaly(channels: int, settings: SkipGanomalyConfig) -> SkipGanomaly:
    return SkipGanomaly(
        SkipUNet(channels, settings.size, settings.width),
        FeatureDiscriminator(channels, settings.size, settings.width, settings.latent),
        settings,
        pixels,
    )
