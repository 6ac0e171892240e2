"""An exponential moving average of a generator's weights, among a task's nets as ``average``."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

Nets = dict[str, nn.Module]


def add_average(nets: Nets) -> None:
    """A copy of ``generator`` that takes no gradient."""
    nets["average"] = copy.deepcopy(nets["generator"]).requires_grad_(False)


def follow(nets: Nets, decay: float, step: int) -> None:
    """Move the average, where there is one, towards the generator after a step."""
    if "average" in nets:
        move_average(nets["average"], nets["generator"], decay, step)


def painting_net(nets: Nets) -> nn.Module:
    """The generator that paints: its average where there is one."""
    return nets.get("average", nets["generator"])


@contextmanager
def average_paints(nets: Nets) -> Iterator[None]:
    """Within the block ``generator`` is the net that paints, so that whatever a task shows is what it would keep."""
    learning = nets["generator"]
    nets["generator"] = painting_net(nets)
    try:
        yield
    finally:
        nets["generator"] = learning


@torch.no_grad()
def move_average(average: nn.Module, net: nn.Module, decay: float, step: int) -> None:
    """Move ``average`` towards ``net``; early averages forget fast so that they do not remember the start."""
    decay = min(decay, (step + 1) / (step + 10))
    for mean, value in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        mean.lerp_(value, 1 - decay) if mean.is_floating_point() else mean.copy_(value)
