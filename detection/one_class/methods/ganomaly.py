"""GANomaly: encoder, decoder, encoder; an image is abnormal whose reconstruction has another latent vector.

Akcay et al., "GANomaly: Semi-Supervised Anomaly Detection via Adversarial Training", ACCV 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anomaly_gan.engine.task import Losses, Update
from anomaly_gan.losses.adversarial import bce_d

from ..configs.skip_ganomaly import GanomalyConfig
from ..interface import Normals, Phase, Scores
from .ganomaly_nets import Decoder, Encoder, PyramidDiscriminator, scores_by_batch, start
from .parts import pixels
from .skip_losses import contextual_loss, feature_loss, to_unit

Passed = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]
"""x, its reconstruction, z, z of the reconstruction, the discriminator's logit and features of x."""


class GanomalyTask:
    """Generator (encoder, decoder, second encoder), then discriminator.

    Weights of the published losses: 1 adversarial, 50 contextual, 1 encoding. The adversarial term is the distance of
    the discriminator's features (eq. 1), not the fooling of its verdict.
    """

    def __init__(self, nets: dict[str, nn.Module], settings: GanomalyConfig) -> None:
        self.nets = nets
        self._settings = settings
        self._discriminator = nets["discriminator"]
        self._loss = torch.inf

    def forward(self, batch: Tensor) -> Passed:
        x = pixels(batch)
        z = self.nets["encoder"](x)
        fake = self.nets["decoder"](z)
        return x, fake, z, self.nets["second_encoder"](fake), *self._discriminator(x)

    def updates(self) -> list[Update]:
        rate, betas = self._settings.lr, (self._settings.beta, 0.999)
        generator = [p for name in ("encoder", "decoder", "second_encoder") for p in self.nets[name].parameters()]
        return [
            Update(
                "generator",
                torch.optim.Adam(generator, rate, betas, fused=True),
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
        x, fake, z, z_again, _, features = passed
        settings = self._settings
        losses = {
            "contextual": settings.contextual * contextual_loss(fake, x),
            "encoding": settings.encoding * feature_loss(z_again, z),
        }
        if settings.adversarial:
            losses["adversarial"] = settings.adversarial * feature_loss(self._discriminator(fake)[1], features.detach())
        return losses

    def _discriminator_losses(self, passed: Passed) -> Losses:
        fake_logit, _ = self._discriminator(passed[1].detach())
        loss = 0.5 * bce_d(passed[4], fake_logit)
        self._loss = float(loss.detach())
        return {"adversarial": loss}

    def after_step(self, step: int) -> None:
        """A discriminator that has won teaches nothing any more: it starts anew (as in the authors' code)."""
        if self._loss < self._settings.reinitialise_below:
            self._discriminator.apply(start)


class Ganomaly:
    """Scored by the distance of the two latent vectors; the map is the reconstruction error."""

    def __init__(self, channels: int, settings: GanomalyConfig) -> None:
        size, width, latent = settings.size, settings.width, settings.latent
        self.nets: dict[str, nn.Module] = {
            "encoder": Encoder(channels, size, width, latent),
            "decoder": Decoder(channels, size, width, latent),
            "second_encoder": Encoder(channels, size, width, latent),
            "discriminator": PyramidDiscriminator(channels, size, width),
        }
        for net in self.nets.values():
            net.apply(start)
        self.settings = settings

    def setup(self, normals: Normals) -> None:
        pass

    def phases(self) -> list[Phase]:
        return [
            Phase("train", lambda: GanomalyTask(self.nets, self.settings), self.settings.epochs, self.settings.batch)
        ]

    def finalize(self, normals: Normals) -> None:
        pass

    def _distance(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """(B,) ||z - z_hat||, and (B, H, W) mean absolute error of the pixels."""
        x = pixels(images_BCHW)
        z = self.nets["encoder"](x)
        fake = self.nets["decoder"](z)
        distance = (z - self.nets["second_encoder"](fake)).norm(p=1 if self.settings.distance == "l1" else 2, dim=1)
        return distance, (fake - x).abs().mean(dim=1)

    def score(self, images_BCHW: Tensor) -> Scores:
        """||z - z_hat|| (eq. 5; its square in the code, which orders the images alike)."""
        return Scores(*self._distance(images_BCHW))

    def score_published(self, images_NCHW: Tensor) -> Tensor:
        """(N,): as the authors' code tests, batches of 64 in order with their own statistics, min-max over the test
        set (eq. 6). No trace remains in the nets."""
        return to_unit(scores_by_batch(self.nets, lambda images_BCHW: self._distance(images_BCHW)[0], images_NCHW))


def ganomaly(channels: int, settings: GanomalyConfig) -> Ganomaly:
    return Ganomaly(channels, settings)
