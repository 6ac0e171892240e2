"""CVGAD: a CVAE-GAN with an informative manifold, scored by its reconstruction.

Bian et al., "A novel and efficient CVAE-GAN-based approach with informative manifold for semi-supervised anomaly
detection", IEEE Access 2019.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anomaly_gan.engine.task import Losses, Update
from anomaly_gan.losses.adversarial import bce_d

from ..configs.cvgad import CvgadConfig
from ..interface import Normals, Phase, Scores
from . import cvgad_losses as terms
from .cvgad_nets import Critic, Decoder, Encoded, Encoder, FeatureDiscriminator, Kinds
from .parts import pixels
from .statistics import Statistics

CYCLE = 6
"""Algorithm 1 counts 0 to 5, a new batch each: the CVAE's own terms at 0-3, the critic at 0-4, its adversary at 5."""
RECENT = 64
LEAST_SPREAD = 1e-6


class Gate(nn.Module):
    """Lets negative training in where the latent loss is low: below a fixed T, or the median of the last 64."""

    recent: Tensor
    seen: Tensor

    def __init__(self, threshold: float | None) -> None:
        super().__init__()
        self._threshold = threshold
        self.register_buffer("recent", torch.zeros(RECENT))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    def opens(self, latent: Tensor, after: int) -> bool:
        """Take note of the latent loss (a scalar) of a step; True when at least ``after`` came before and it is low."""
        seen = int(self.seen)
        past = self.recent[: min(seen, RECENT)]
        threshold = self._threshold if self._threshold is not None else float(past.median()) if seen else None
        is_low = threshold is not None and float(latent) < threshold
        self.recent[seen % RECENT] = latent.detach()
        self.seen += 1
        return is_low and seen >= after


@dataclass
class Step:
    """What the updates of one step share: the batch, one pass of the CVAE, and losses that later updates look at."""

    x: Tensor
    encoded: Encoded
    again: Tensor
    reconstruction: Tensor | None = None
    latent: Tensor | None = None


@contextmanager
def frozen_statistics(*nets: nn.Module) -> Iterator[None]:
    """Within the block the nets use their running statistics and do not change them."""
    for net in nets:
        net.eval()
    try:
        yield
    finally:
        for net in nets:
            net.train()


def outlying_codes(means_KD: Tensor, count: int, distance: float) -> Tensor:
    """(count, latent) random codes, each at least ``distance`` from every mean, at most twice that from one of them.

    Where a code drawn round one mean comes too near to another, one on a sphere round all of them takes its place.
    """
    kinds, latent = means_KD.shape
    direction = nn.functional.normalize(torch.randn(count, latent, device=means_KD.device), dim=1)
    radius = distance * (1.001 + torch.rand(count, 1, device=means_KD.device))
    codes = means_KD[torch.randint(kinds, (count,), device=means_KD.device)] + radius * direction
    middle = means_KD.mean(dim=0)
    outside = middle + ((means_KD - middle).norm(dim=1).max() + radius) * direction
    nearest = (codes[:, None] - means_KD).norm(dim=2).amin(dim=1, keepdim=True)
    return torch.where(nearest > distance, codes, outside)


def decode(nets: dict[str, nn.Module], z_BD: Tensor, labelled: bool) -> Tensor:
    """x of q(x|z), or of q(x|z, y) with y the classifier's p(y|z).

    Deviation: the former unless ``literal.decoder_label``, as in the Keras code that the formulas come from; eq. 4
    has the latter.
    """
    return nets["decoder"](torch.cat([z_BD, nets["kinds"](z_BD).exp()], dim=1) if labelled else z_BD)


class CvgadTask:
    """Algorithm 1.

    Deviation: one Adam for all of the CVAE's terms, as the paper names no optimisers; with one each
    (``literal.optimisers``) Adam divides their weights out again.
    """

    def __init__(self, nets: dict[str, nn.Module], settings: CvgadConfig, negative_after: int) -> None:
        self.nets = nets
        self._settings, self._negative_after = settings, negative_after

    def updates(self) -> list[Update]:
        """The critic, the terms of the CVAE in the paper's order, each with an optimiser of its own (or all with one:
        ``literal.optimisers``), and the generator's term after the critic's steps; terms of weight 0 are left out."""
        settings, nets = self._settings, self.nets
        names = ("encoder", "decoder", "kinds", "feature_discriminator")
        parameters = [p for name in names for p in nets[name].parameters()]
        shared = self._adam(parameters)
        of_term = {"reconstruction_again": "reconstruction"}
        adams: dict[str, torch.optim.Adam] = {}

        def cvae(name: str) -> torch.optim.Adam:
            if settings.literal.optimisers == "one":
                return shared
            return adams.setdefault(of_term.get(name, name), self._adam(parameters))

        rebuilds = settings.weight_ssim > 0 or settings.weight_l1 > 0
        regular = [
            ("reconstruction", rebuilds, self._reconstruction),
            ("latent", settings.weight_latent > 0, self._latent),
            ("negative", rebuilds and settings.weight_negative > 0, self._negative),
            ("mutual_information", settings.weight_mutual > 0, self._mutual_information),
            ("reconstruction_again", rebuilds, self._reconstruction_again),
        ]
        updates = [
            Update(name, cvae(name), losses, every=CYCLE, phases=(0, 1, 2, 3)) for name, on, losses in regular if on
        ]
        if settings.weight_wasserstein == 0:
            return updates
        critic = Update(
            "critic", self._adam(list(nets["critic"].parameters())), self._critic, every=CYCLE, phases=(0, 1, 2, 3, 4)
        )
        generator = Update("generator", cvae("generator"), self._generator, (nets["critic"],), CYCLE, (5,))
        return [critic, *updates, generator]

    def _adam(self, parameters: list[nn.Parameter]) -> torch.optim.Adam:
        return torch.optim.Adam(parameters, lr=self._settings.lr, betas=(0.5, 0.999), fused=True)

    def forward(self, batch: Tensor) -> Step:
        """One pass for the critic and for the first update of the CVAE; the later ones look anew, the weights moved."""
        x = pixels(batch)
        return Step(x, *self._rebuild(x))

    def after_step(self, step: int) -> None:
        pass

    def _rebuild(self, x: Tensor) -> tuple[Encoded, Tensor]:
        encoded = self.nets["encoder"](x)
        return encoded, decode(self.nets, encoded.draw(), self._settings.literal.decoder_label)

    def _compare(self, x: Tensor, again: Tensor) -> Losses:
        settings, losses = self._settings, Losses()
        if settings.weight_ssim:
            losses["ssim"] = settings.weight_ssim * self._structural(x, again)
        if settings.weight_l1:
            losses["l1"] = settings.weight_l1 * terms.pixel_loss(x, again).mean()
        return losses

    def _structural(self, x: Tensor, again: Tensor) -> Tensor:
        settings = self._settings
        return terms.structural_loss(x, again, settings.window, settings.literal.ssim_constants).mean()

    def _critic(self, step: Step) -> Losses:
        critic, fake = self.nets["critic"], step.again.detach()
        real_B, fake_B = critic(torch.cat([step.x, fake])).chunk(2)
        share = torch.rand(len(fake), device=fake.device)
        return {
            "wasserstein": terms.wasserstein_gap(real_B, fake_B),
            "penalty": self._settings.penalty * terms.gradient_penalty(critic, step.x, fake, share),
        }

    def _generator(self, step: Step) -> Losses:
        return {"wasserstein": -self._settings.weight_wasserstein * self.nets["critic"](step.again).mean()}

    def _reconstruction(self, step: Step) -> Losses:
        losses = self._compare(step.x, step.again)
        step.reconstruction = torch.stack(list(losses.values())).sum().detach()
        return losses

    def _reconstruction_again(self, step: Step) -> Losses:
        return self._compare(step.x, self._rebuild(step.x)[1])

    def _manifold(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The latent and the categorical loss, batch means, unweighted."""
        encoded, kinds = self.nets["encoder"](x), self.nets["kinds"]
        z = encoded.draw()
        log_kinds = kinds(z)
        latent = terms.latent_loss(z, encoded.log_var, log_kinds, kinds.get_parameter("means"))
        share = 1 / self._settings.latent if self._settings.literal.latent == "mean" else 1
        return share * latent.mean(), terms.categorical_loss(log_kinds).mean()

    def _latent(self, step: Step) -> Losses:
        latent, categorical = self._manifold(step.x)
        step.latent = latent.detach()
        losses = {"latent": self._settings.weight_latent * latent}
        if self._settings.weight_categorical:
            losses["categorical"] = self._settings.weight_categorical * categorical
        return losses

    def _mutual_information(self, step: Step) -> Losses:
        """Encoder and discriminator both lower it: eq. 10 is a bound that both raise."""
        encoded = self.nets["encoder"](step.x)
        together, apart = self.nets["feature_discriminator"](encoded.features, encoded.draw())
        return {"bce": self._settings.weight_mutual * bce_d(together, apart)}

    def _negative(self, step: Step) -> Losses:
        """Where the gate is shut: a zero that hangs on no weight, so that Adam moves none.

        Deviation: the outliers pass through running statistics, which they neither set nor shift.
        """
        settings, encoder, decoder = self._settings, self.nets["encoder"], self.nets["decoder"]
        gate, kinds = self.nets["gate"], self.nets["kinds"]
        assert isinstance(gate, Gate) and step.reconstruction is not None
        if step.latent is None:
            with torch.no_grad():
                step.latent = self._manifold(step.x)[0]
        if not gate.opens(step.latent, self._negative_after):
            return {"hinge": torch.zeros((), device=step.x.device, requires_grad=True)}
        with frozen_statistics(encoder, decoder):
            with torch.no_grad():
                means = kinds.get_parameter("means")
                distance = settings.negative_distance * settings.latent**0.5
                codes = outlying_codes(means, len(step.x), distance)
                outliers = decode(self.nets, codes, settings.literal.decoder_label)
            level = torch.stack(list(self._compare(outliers, self._rebuild(outliers)[1]).values())).sum()
        return {
            "hinge": settings.weight_negative
            * terms.negative_loss(level, step.reconstruction, settings.negative_margin)
        }


class Cvgad:
    """Only encoder, decoder and the standard serve to score, and the kinds where the decoder sees them; the other nets
    serve to train and are not saved."""

    def __init__(self, channels: int, settings: CvgadConfig) -> None:
        size, width, latent = settings.size, settings.width, settings.latent
        self.settings = settings
        self.nets: dict[str, nn.Module] = {
            "encoder": Encoder(channels, size, width, latent),
            "decoder": Decoder(channels, size, width, latent + settings.literal.decoder_label * settings.classes),
            "standard": Statistics(),
        }
        kinds = Kinds(settings.classes, latent, settings.means)
        if settings.literal.decoder_label:
            self.nets["kinds"] = kinds
        self._only_training: dict[str, nn.Module] = {
            "kinds": kinds,
            "critic": Critic(channels, size, width).to(memory_format=torch.channels_last),  # type: ignore[call-overload]
            "feature_discriminator": FeatureDiscriminator(4 * width, latent),
            "gate": Gate(settings.negative_below),
        }
        self._steps = 1

    def setup(self, normals: Normals) -> None:
        self._steps = max(1, len(normals) // self.settings.batch)

    def phases(self) -> list[Phase]:
        settings = self.settings
        rounds = -(-settings.negative_after * self._steps * 4 // CYCLE)
        return [
            Phase(
                "train",
                lambda: CvgadTask(self.nets | self._only_training, settings, rounds),
                settings.epochs,
                settings.batch,
            )
        ]

    @torch.no_grad()
    def finalize(self, normals: Normals) -> None:
        """Take mean and spread of both terms on the normal images."""
        for name in ("encoder", "decoder"):
            self.nets[name].eval()
        parts = torch.cat([self._terms(chunk)[0] for chunk in normals.chunks()])
        standard = self.nets["standard"]
        standard.get_buffer("mean").copy_(parts.mean(dim=0))
        standard.get_buffer("spread").copy_(parts.std(dim=0, correction=0).clamp_min(LEAST_SPREAD))

    def _terms(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 2) SSIM and L1 terms, and the absolute error (B, H, W), of the reconstruction from the mean code."""
        x = pixels(images_BCHW)
        literal = self.settings.literal
        again = decode(self.nets, self.nets["encoder"](x).mean, literal.decoder_label)
        error = (again - x).abs().mean(dim=1)
        structural = terms.structural_loss(x, again, self.settings.window, literal.ssim_constants)
        return torch.stack([structural, error.mean(dim=(1, 2))], 1), error

    def score(self, images_BCHW: Tensor) -> Scores:
        """-log SSIM plus L1, each in standard deviations of the normal images it learned from.

        Deviation: the paper scales both by their least and largest value in the test set (``score_published``).
        """
        parts, error = self._terms(images_BCHW)
        standard = self.nets["standard"]
        return Scores(((parts - standard.get_buffer("mean")) / standard.get_buffer("spread")).sum(dim=1), error)

    @torch.no_grad()
    def score_published(self, images_NCHW: Tensor) -> Tensor:
        """As the paper scores (section II-F): both terms scaled to 0 .. 1 over the whole test set, and added."""
        for net in self.nets.values():
            net.eval()
        parts = torch.cat([self._terms(chunk)[0] for chunk in images_NCHW.split(256)])
        least, most = parts.amin(dim=0), parts.amax(dim=0)
        return ((parts - least) / (most - least).clamp_min(LEAST_SPREAD)).sum(dim=1).cpu()


def cvgad(channels: int, settings: CvgadConfig) -> Cvgad:
    return Cvgad(channels, settings)
