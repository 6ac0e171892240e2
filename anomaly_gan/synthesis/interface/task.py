"""What the training stage asks of every method's task."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from ...engine.task import Losses, Task, Update
from ..pairs.windows import Batch


class MethodTask(Task, Protocol):
    """What the stage ``train`` asks of every method's task beside the loop's own contract (``engine.task.Task``).

    ``forward`` gets a ``windows.Batch``. The nets' modes and gradients are the stage's business in ``previews``.
    """

    def previews(self, batch: Batch) -> dict[str, Tensor]:
        """Columns of the sample sheet: title -> pictures_BCHW in [-1, 1], row i of each from row i of the batch."""
        ...

    def products(self) -> dict[str, nn.Module]:
        """The nets to keep: each is saved as ``NAME.safetensors``; generation reads ``generator``."""
        ...


class Contest(Protocol):
    """A task of generators against discriminators; ``optimizers``: the generators' first, then the others'."""

    optimizers: dict[str, Optimizer]

    def generator_losses(self, out: Any) -> Losses: ...

    def discriminator_losses(self, out: Any) -> Losses: ...


def opposed(contest: Contest, discriminators: tuple[nn.Module, ...]) -> list[Update]:
    """The generators' update, for which the discriminators hold still, and then theirs."""
    (making, generators), (telling, discriminating) = contest.optimizers.items()
    return [
        Update(making, generators, contest.generator_losses, frozen=discriminators),
        Update(telling, discriminating, contest.discriminator_losses),
    ]


def cycle_previews(batch: Batch, fake_abnormal: Tensor, fake_normal: Tensor) -> dict[str, Tensor]:
    """The columns of a method with a cycle: what either generator was given and made of it, in [-1, 1]."""
    return {
        "normal": batch.normal_BCHW,
        "mask": batch.normal_mask_B1HW * 2 - 1,
        "generated": fake_abnormal,
        "real": batch.abnormal_BCHW,
        "restored": fake_normal,
    }
