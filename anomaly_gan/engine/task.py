"""What a trainable thing tells the training loop: its nets, one forward per step, and its ordered updates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

Losses = dict[str, Tensor]
"""Named, weighted scalar terms; their sum is minimised."""


@dataclass(frozen=True)
class Update:
    """One optimiser step: ``losses(outputs)`` gives named, weighted terms whose sum is minimised.

    Nets in ``frozen`` take part in the forward pass of the losses but receive no gradient.
    The update runs on those steps whose remainder by ``every`` is in ``phases``: with (1, (0,)) on every step.
    """

    name: str
    optimizer: Optimizer
    losses: Callable[[Any], Losses]
    frozen: tuple[nn.Module, ...] = ()
    every: int = 1
    phases: tuple[int, ...] = (0,)

    def runs_at(self, step: int) -> bool:
        return step % self.every in self.phases


class Task(Protocol):
    """Nets by name, a forward run once per step, and the updates that share its outputs, in order."""

    nets: dict[str, nn.Module]

    def forward(self, batch: Any) -> Any: ...

    def updates(self) -> list[Update]: ...

    def after_step(self, step: int) -> None: ...


@contextmanager
def frozen(modules: tuple[nn.Module, ...]) -> Iterator[None]:
    """Within the block the modules' parameters take no gradient; afterwards those that did, do again."""
    held = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    for parameter in held:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)


def learning_rate_factor(step: float, steps: int, warmup: int = 0, constant_share: float = 0.5) -> float:
    """Linear warm-up, then constant, then linear to zero: the factor for ``step`` in 0 .. steps - 1.

    Where time is what runs out, ``step`` may lie between two steps.
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    decay_from = constant_share * steps
    return 1.0 if step < decay_from else max(0.0, (steps - step) / max(1.0, steps - decay_from))
