"""The nets of Deep SVDD, IAE-LSTM-KL and the variational auto-encoder.

No convolution and no linear layer has a bias (but the gate's), and LeNet's normalisation has neither scale nor shift: a
net with biases can map everything to one point.
"""

from __future__ import annotations

from itertools import pairwise
from math import log2

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.01
"""Of LeNet's LeakyReLU."""
STRIDED_SLOPE = 0.2
CODE_CHANNELS = 8
"""The code is read as an 8-channel image by LeNet's decoder: 128 numbers at 32 pixels, as in the paper."""


def _conv(before: int, after: int) -> nn.Conv2d:
    layer = nn.Conv2d(before, after, 5, padding=2, bias=False)
    nn.init.xavier_uniform_(layer.weight, gain=nn.init.calculate_gain("leaky_relu"))
    return layer


def lenet_sizes(size: int, width: int) -> tuple[int, int]:
    """(features, code) of the LeNet pair: 2048 and 128 at 32 pixels and width 32."""
    return 4 * width * (size // 8) ** 2, CODE_CHANNELS * (size // 8) ** 2


def lenet_body(channels: int, width: int) -> nn.Sequential:
    """x_BCHW -> features (B, 4 width (H/8)²): three times 5x5 convolution, normalisation, LeakyReLU, maximum of 2x2."""
    layers: list[nn.Module] = []
    for before, after in ((channels, width), (width, 2 * width), (2 * width, 4 * width)):
        layers += [
            _conv(before, after),
            nn.BatchNorm2d(after, eps=1e-4, affine=False),
            nn.LeakyReLU(SLOPE),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(*layers, nn.Flatten())


def lenet_decoder(channels: int, size: int, width: int) -> nn.Sequential:
    """code (B, 8 (H/8)²) -> x_BCHW in [0, 1].

    A transposed 5x5 convolution of stride 1 is a convolution with another order of the weights, so these are plain.
    """
    side, code = size // 8, lenet_sizes(size, width)[1]
    layers: list[nn.Module] = [
        nn.BatchNorm1d(code, eps=1e-4, affine=False),
        nn.Unflatten(1, (CODE_CHANNELS, side, side)),
        nn.LeakyReLU(SLOPE),
    ]
    for before, after in ((CODE_CHANNELS, 4 * width), (4 * width, 2 * width), (2 * width, width)):
        layers += [
            _conv(before, after),
            nn.BatchNorm2d(after, eps=1e-4, affine=False),
            nn.LeakyReLU(SLOPE),
            nn.Upsample(scale_factor=2),
        ]
    return nn.Sequential(*layers, _conv(width, channels), nn.Sigmoid())


def strided_widths(size: int, width: int) -> list[int]:
    """Channels after every halving down to 4x4: 96, 128, 256, 256 at 64 pixels and width 32."""
    return ([3 * width, 4 * width] + [8 * width] * int(log2(size)))[: int(log2(size // 4))]


def strided_body(channels: int, size: int, width: int) -> nn.Sequential:
    """x_BCHW -> features (B, 8 width * 16), 4096 as in the paper's MVTec net: 3x3 convolutions of stride 2."""
    layers: list[nn.Module] = []
    before = channels
    for after in strided_widths(size, width):
        layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(STRIDED_SLOPE)]
        before = after
    return nn.Sequential(*layers, nn.Flatten())


def strided_decoder(channels: int, size: int, width: int) -> nn.Sequential:
    """features -> x_BCHW, the mirror image of ``strided_body``, with nothing after the last convolution."""
    widths = strided_widths(size, width)[::-1]
    layers: list[nn.Module] = [nn.Unflatten(1, (widths[0], 4, 4))]
    for before, after in pairwise(widths):
        layers += [
            nn.ConvTranspose2d(before, after, 3, 2, 1, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(STRIDED_SLOPE),
        ]
    return nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], channels, 3, 2, 1, 1, bias=False))


class LstmGate(nn.Module):
    """An LSTM cell's first step from an empty state (eq. 12): sigmoid(o) * tanh(sigmoid(i) * tanh(g)) in (-1, 1).

    i, g and o are linear in the features. The recurrent weights and the forget gate of a whole LSTM never take part in
    one step, so they are not here.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.gates = nn.Linear(features, 3 * features)
        for part in self.gates.weight.data.chunk(3):
            nn.init.orthogonal_(part)
        nn.init.zeros_(self.gates.bias)

    def forward(self, x_BD: Tensor) -> Tensor:
        i, g, o = self.gates(x_BD).chunk(3, dim=1)
        return o.sigmoid() * (i.sigmoid() * g.tanh()).tanh()

    def along_batch(self, x_BD: Tensor) -> Tensor:
        """The gate has no memory: the same as for every image by itself."""
        return self(x_BD)


class RecurrentGate(nn.Module):
    """The released code's LSTM. ``forward`` takes every image as a sequence of its own, ``along_batch`` the batch as
    one sequence, so that every image's features depend on those before it."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, features)
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("weight"):
                nn.init.orthogonal_(parameter)
            else:
                nn.init.zeros_(parameter)

    def forward(self, x_BD: Tensor) -> Tensor:
        bias = self.lstm.get_parameter("bias_ih_l0") + self.lstm.get_parameter("bias_hh_l0")
        i, _, g, o = F.linear(x_BD, self.lstm.get_parameter("weight_ih_l0"), bias).chunk(4, dim=1)
        return o.sigmoid() * (i.sigmoid() * g.tanh()).tanh()

    def along_batch(self, x_BD: Tensor) -> Tensor:
        with torch.autocast(x_BD.device.type, enabled=False):  # 100 steps of rounding to bf16 add up
            return self.lstm(x_BD.float())[0]


class Encoder(nn.Module):
    """x_BCHW -> code (B, D): convolutions, the gate, a linear layer. ``gate`` or ``head`` None: left out."""

    def __init__(self, body: nn.Module, gate: LstmGate | RecurrentGate | None, head: nn.Linear | None) -> None:
        super().__init__()
        self.body = body
        self.gate = gate
        self.head = head

    def forward(self, x_BCHW: Tensor) -> Tensor:
        features = self.body(x_BCHW)
        return self._code(features if self.gate is None else self.gate(features))

    def along_batch(self, x_BCHW: Tensor) -> Tensor:
        """As ``forward``, the recurrent gate running along the batch."""
        features = self.body(x_BCHW)
        return self._code(features if self.gate is None else self.gate.along_batch(features))

    def without_gate(self, x_BCHW: Tensor) -> Tensor:
        """The code while pre-training: the gate comes in only afterwards."""
        return self._code(self.body(x_BCHW))

    def _code(self, features: Tensor) -> Tensor:
        return features if self.head is None else self.head(features)


class Sphere(nn.Module):
    """``centre`` (D,) and ``radius`` (), the latter 0 for the hard boundary."""

    centre: Tensor
    radius: Tensor

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(dimensions))
        self.register_buffer("radius", torch.zeros(()))

    def forward(self, code_BD: Tensor) -> Tensor:
        """(B,): squared distance to the centre."""
        return (code_BD.float() - self.centre).square().sum(dim=1)
