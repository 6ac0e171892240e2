"""The nets of CVGAD (Bian et al., IEEE Access 2019, section II, Fig. 1), of the DCGAN family.

The paper gives no channel counts; these are 64, 128, 256 at the default width. Sizes are multiples of 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

SLOPE = 0.2
LARGEST_LOG_VAR = 10.0


def halvings(channels: int, width: int, norm: bool) -> nn.Sequential:
    """x_BCHW -> (B, 4 width, H/8, W/8): three halving 4x4 convolutions, batch norm where asked for, leaky ReLU."""
    layers: list[nn.Module] = []
    for before, after in ((channels, width), (width, 2 * width), (2 * width, 4 * width)):
        layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=not norm))
        layers += [nn.BatchNorm2d(after)] if norm else []
        layers.append(nn.LeakyReLU(SLOPE))
    return nn.Sequential(*layers)


@dataclass(frozen=True)
class Encoded:
    """p(z|x): ``features`` (B, 4 width, H/8, W/8), ``mean`` and ``log_var`` (B, latent) float32."""

    features: Tensor
    mean: Tensor
    log_var: Tensor

    def draw(self) -> Tensor:
        """z (B, latent) = mean + sigma * noise (eq. 1); the noise is from torch's global stream."""
        return self.mean + (0.5 * self.log_var).exp() * torch.randn_like(self.mean)


class Encoder(nn.Module):
    """x_BCHW in [-1, 1] -> p(z|x).

    The paper's "three identical pipelines" are read as three stages in a row. Deviation: log var is held within
    ± 10, so that a run without the latent term cannot overflow.
    """

    def __init__(self, channels: int, size: int, width: int, latent: int) -> None:
        super().__init__()
        self.body = halvings(channels, width, norm=True)
        flat = 4 * width * (size // 8) ** 2
        self.mean = nn.Linear(flat, latent)
        self.log_var = nn.Linear(flat, latent)

    def forward(self, x_BCHW: Tensor) -> Encoded:
        features = self.body(x_BCHW)
        flat = features.flatten(1)
        return Encoded(
            features, self.mean(flat).float(), self.log_var(flat).float().clamp(-LARGEST_LOG_VAR, LARGEST_LOG_VAR)
        )


class Decoder(nn.Module):
    """z (B, latent) -> x_BCHW in [-1, 1] float32: DCGAN's generator, a linear layer and three doublings."""

    def __init__(self, channels: int, size: int, width: int, latent: int) -> None:
        super().__init__()
        side = size // 8
        layers: list[nn.Module] = [
            nn.Linear(latent, 4 * width * side**2),
            nn.Unflatten(1, (4 * width, side, side)),
            nn.BatchNorm2d(4 * width),
            nn.ReLU(),
        ]
        for before, after in ((4 * width, 2 * width), (2 * width, width)):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.ConvTranspose2d(width, channels, 4, 2, 1))

    def forward(self, z_BD: Tensor) -> Tensor:
        return self.body(z_BD).float().tanh()


class Kinds(nn.Module):
    """The learnable means u_y (classes, latent) of q(z|y) = N(u_y, I) (eq. 5), and the classifier p(y|z)."""

    def __init__(self, classes: int, latent: int, start: Literal["normal", "zeros"]) -> None:
        super().__init__()
        self.means = nn.Parameter(torch.randn(classes, latent) if start == "normal" else torch.zeros(classes, latent))
        self.classifier = nn.Sequential(nn.Linear(latent, 256), nn.ReLU(), nn.Linear(256, classes))

    def forward(self, z_BD: Tensor) -> Tensor:
        """log p(y|z), (B, classes) float32."""
        return self.classifier(z_BD).float().log_softmax(dim=1)


class Critic(nn.Module):
    """x_BCHW -> (B,): the encoder's convolutions without batch norm and a linear layer."""

    def __init__(self, channels: int, size: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            halvings(channels, width, norm=False), nn.Flatten(), nn.Linear(4 * width * (size // 8) ** 2, 1)
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.body(x_BCHW).float().squeeze(1)


class FeatureDiscriminator(nn.Module):
    """Do this code and this feature map belong together? Logits (B, 1, H/8, W/8) at every place of the map.

    Two 1x1 convolutions on z, repeated at every place, beside the map. The first is written as a sum of its part on
    the map and its part on z, which is the same and reads the map once.
    """

    def __init__(self, channels: int, latent: int, hidden: int = 256) -> None:
        super().__init__()
        self.on_map = nn.Conv2d(channels, hidden, 1)
        self.on_code = nn.Linear(latent, hidden, bias=False)
        self.out = nn.Sequential(nn.LeakyReLU(SLOPE), nn.Conv2d(hidden, 1, 1))

    def forward(self, features_BDHW: Tensor, z_BD: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the true pairs and of each map with its neighbour's code (a draw of p(z) p(x))."""
        on_map, on_code = self.on_map(features_BDHW), self.on_code(z_BD)[:, :, None, None]
        return self.out(on_map + on_code), self.out(on_map + on_code.roll(1, dims=0))
