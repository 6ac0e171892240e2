"""What every one-class detector is: nets, phases of training, and a score of an image by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from anomaly_gan.engine.task import Task


@dataclass(frozen=True)
class Normals:
    """All photographs to learn from, at once on the device: ``images_NCHW`` uint8 (N, C, H, W)."""

    images_NCHW: Tensor

    def __len__(self) -> int:
        return len(self.images_NCHW)

    def chunks(self, size: int = 256) -> Iterator[Tensor]:
        """The photographs in order, (at most ``size``, C, H, W) uint8 at a time."""
        yield from self.images_NCHW.split(size)


@dataclass(frozen=True)
class Scores:
    """How abnormal: ``image`` (B,) float32, higher is more abnormal; ``map_BHW`` float32 of the input's size, the same
    sense for every pixel, where the detector can tell."""

    image: Tensor
    map_BHW: Tensor | None = None


def nothing(normals: Normals) -> None:
    """For a phase that needs no preparation."""


def constant_rate(epoch: int) -> float:
    return 1.0


@dataclass(frozen=True)
class Phase:
    """One training on the common loop. Phases run in order, each with optimisers of its own.

    ``begin(normals)`` runs before ``task()`` is called (a centre, a start from the phase before). ``rate(epoch)`` is
    the factor on the learning rates, epochs counted from 0. ``drop_last``: leave out an epoch's last, smaller batch.
    """

    name: str
    task: Callable[[], Task]
    epochs: int
    batch: int
    rate: Callable[[int], float] = constant_rate
    begin: Callable[[Normals], None] = nothing
    drop_last: bool = True
    clip_norm: float | None = None


class OneClassDetector(Protocol):
    """Learns from normal photographs alone. Batches are uint8 (B, C, H, W); each detector scales them itself.

    ``nets``: everything that scoring needs lies in their parameters and buffers, as that is what is saved.
    """

    nets: dict[str, nn.Module]

    def setup(self, normals: Normals) -> None:
        """Before any training: statistics of the normals. A detector without phases learns here."""
        ...

    def phases(self) -> list[Phase]: ...

    def finalize(self, normals: Normals) -> None:
        """After all training: centres and scales that the score needs, from the normals."""
        ...

    def score(self, images_BCHW: Tensor) -> Scores:
        """Scores of uint8 images by themselves: no image's score depends on its neighbours.

        The nets are in evaluation mode and no gradient is recorded when this is called.
        """
        ...


@torch.no_grad()
def score_all(detector: OneClassDetector, images_NCHW: Tensor, batch: int = 256) -> Scores:
    """Scores of many images on the CPU, in batches, nets in evaluation mode; maps where the detector has them."""
    for net in detector.nets.values():
        net.eval()
    parts = [detector.score(chunk) for chunk in images_NCHW.split(batch)]
    maps = [part.map_BHW for part in parts if part.map_BHW is not None]
    image = torch.cat([part.image.float().cpu() for part in parts]) if parts else torch.zeros(0)
    return Scores(image, torch.cat([item.float().cpu() for item in maps]) if maps else None)


@runtime_checkable
class PublishedScoring(Protocol):
    """A detector whose published figures come from scores that depend on the whole test set and its order.

    Only the protocol ``as_published`` asks for them; they are no use for a plant.
    """

    def score_published(self, images_NCHW: Tensor) -> Tensor:
        """(N,) scores of the test set in its published order (normals first), leaks included."""
        ...
