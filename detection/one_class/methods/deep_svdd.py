"""Deep SVDD: normals are drawn to a fixed point of the code space; the score is the squared distance to it.

Ruff et al., "Deep one-class classification", ICML 2018; details as in github.com/lukasruff/Deep-SVDD-PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anomaly_gan.engine.task import Losses, Update

from ..configs.deep_svdd import DeepSvddConfig
from ..interface import Normals, Phase, Scores
from .gcn import ContrastNormalisation
from .iae_lstm_kl_nets import Encoder, Sphere, lenet_body, lenet_decoder, lenet_sizes
from .parts import away_from_zero, dropping, parameters_of


def boundary_loss(squared_B: Tensor, radius: Tensor, nu: float | None) -> Tensor:
    """Hard (``nu`` None): the mean squared distance (eq. 4). Soft: R² + mean(max(0, d² - R²)) / nu (eq. 3)."""
    if nu is None:
        return squared_B.mean()
    return radius**2 + F.relu(squared_B - radius**2).mean() / nu


def quantile_radius(squared_B: Tensor, nu: float) -> Tensor:
    """The radius that leaves the share ``nu`` of the distances outside."""
    return torch.quantile(squared_B.detach().float().sqrt(), 1 - nu)


def summed_squares(again_BCHW: Tensor, x_BCHW: Tensor) -> Tensor:
    """Squared error, summed over an image and averaged over the batch.

    Deviation: IAE-LSTM-KL's released code, which pre-trains so as well, takes the mean over pixels; under Adam the two
    differ by the weight decay's share alone.
    """
    return (again_BCHW.float() - x_BCHW).square().sum(dim=(1, 2, 3)).mean()


@dataclass
class Coded:
    """One forward pass: the input, its code and, where there is a decoder, what it makes of that."""

    x_BCHW: Tensor
    code_BD: Tensor
    again_BCHW: Tensor | None


class PretrainTask:
    """The auto-encoder that the sphere starts from: summed squared error."""

    def __init__(self, nets: dict[str, nn.Module], settings: DeepSvddConfig) -> None:
        self.nets = nets
        self._settings = settings

    def forward(self, batch: Tensor) -> Coded:
        encoder = self.nets["encoder"]
        assert isinstance(encoder, Encoder)
        x = self.nets["contrast"](batch)
        code = encoder.without_gate(x)
        return Coded(x, code, self.nets["decoder"](code))

    def updates(self) -> list[Update]:
        settings = self._settings
        adam = torch.optim.Adam(
            parameters_of(self.nets["encoder"], self.nets["decoder"]),
            lr=settings.pretrain_lr or settings.lr,
            weight_decay=settings.pretrain_weight_decay,
            amsgrad=settings.amsgrad,
            fused=True,
        )
        return [Update("auto_encoder", adam, self._losses)]

    def _losses(self, outputs: Coded) -> Losses:
        assert outputs.again_BCHW is not None
        return {"reconstruction": summed_squares(outputs.again_BCHW, outputs.x_BCHW)}

    def after_step(self, step: int) -> None:
        pass


class SphereTask:
    """The encoder, and the soft boundary's radius from epoch ``soft_from`` on; ``steps``: of an epoch."""

    def __init__(self, nets: dict[str, nn.Module], settings: DeepSvddConfig, steps: int) -> None:
        self.nets = nets
        self.settings = settings
        self._steps = steps
        self._squared: Tensor | None = None

    @property
    def sphere(self) -> Sphere:
        sphere = self.nets["sphere"]
        assert isinstance(sphere, Sphere)
        return sphere

    def forward(self, batch: Tensor) -> Coded:
        x = self.nets["contrast"](batch)
        return Coded(x, self.nets["encoder"](x), None)

    def updates(self) -> list[Update]:
        settings = self.settings
        adam = torch.optim.Adam(
            self.trained(), lr=settings.lr, weight_decay=settings.weight_decay, amsgrad=settings.amsgrad, fused=True
        )
        return [Update("sphere", adam, self.losses)]

    def trained(self) -> list[nn.Parameter]:
        return parameters_of(self.nets["encoder"])

    def losses(self, outputs: Coded) -> Losses:
        squared = self.sphere(outputs.code_BD)
        self._squared = squared.detach()
        nu = self.settings.nu if self.settings.objective == "soft" else None
        return {"svdd": boundary_loss(squared, self.sphere.radius, nu)}

    def new_radius(self, squared_B: Tensor) -> Tensor:
        return quantile_radius(squared_B, self.settings.nu)

    def after_step(self, step: int) -> None:
        if self.settings.objective == "soft" and step // self._steps >= self.settings.soft_from:
            assert self._squared is not None
            self.sphere.radius.copy_(self.new_radius(self._squared))


class DeepSvdd:
    """``decoder`` serves the training alone and is not kept."""

    def __init__(self, channels: int, settings: DeepSvddConfig) -> None:
        self.settings = settings
        features, code = lenet_sizes(settings.size, settings.width)
        encoder = Encoder(lenet_body(channels, settings.width), None, nn.Linear(features, code, bias=False))
        self._hold(encoder, code)
        self.decoder = lenet_decoder(channels, settings.size, settings.width)

    def _hold(self, encoder: Encoder, code: int) -> None:
        self.encoder, self.sphere = encoder, Sphere(code)
        self.contrast = ContrastNormalisation(self.settings.extremes)
        self.nets: dict[str, nn.Module] = {"encoder": encoder, "sphere": self.sphere, "contrast": self.contrast}

    def setup(self, normals: Normals) -> None:
        self.contrast.learn(normals)

    def phases(self) -> list[Phase]:
        settings = self.settings
        return [
            Phase(
                "pretrain",
                lambda: PretrainTask({**self.nets, "decoder": self.decoder}, settings),
                settings.pretrain_epochs,
                settings.batch,
                dropping(settings.pretrain_drop),
            ),
            Phase(
                "train",
                self._sphere_task,
                settings.epochs,
                settings.batch,
                dropping(settings.drop),
                begin=self._find_centre,
            ),
        ]

    def _sphere_task(self) -> SphereTask:
        return SphereTask(self.nets, self.settings, self._steps)

    @torch.no_grad()
    def _find_centre(self, normals: Normals) -> None:
        """The mean code of the normals, no entry nearer to zero than 0.1."""
        self._steps = max(1, len(normals) // self.settings.batch)
        self.sphere.radius.zero_()
        self.encoder.eval()
        codes = torch.cat([self.encoder(self.contrast(chunk)) for chunk in normals.chunks()])
        self.sphere.centre.copy_(away_from_zero(codes.float().mean(dim=0)))

    def finalize(self, normals: Normals) -> None:
        pass

    def score(self, images_BCHW: Tensor) -> Scores:
        """The squared distance to the centre; the soft boundary's score differs from it by R², the same for all."""
        return Scores(self.sphere(self.encoder(self.contrast(images_BCHW))))


def deep_svdd(channels: int, settings: DeepSvddConfig) -> DeepSvdd:
    return DeepSvdd(channels, settings)
