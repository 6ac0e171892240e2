"""A gate as jobs of a cluster: each decides on some photographs as if every one stood alone.

What is left is whether one is a copy of another: the gate then goes through the jobs' notes in order. Where none of the
pictures that were decided on is another's, the note holds; else the photograph is decided on once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ...core.dataset import Dataset, ImageRecord, load_dataset
from ...core.devices import place_of
from ...core.stage import Context
from ...core.time_budget import TimeBudget
from ...engine.cluster import Cluster, run_on_cluster
from ...engine.jobs import Sitting
from ..generate.stage import method_inputs
from .candidate import Seen
from .config import GateConfig
from .inspector import Inspector
from .keeper import Keeper, control_of
from .looks import Asked, Look, note_of

PIECE = 64
"""Photographs of one job."""


def keeper_of(config: GateConfig, context: Context, out: Path) -> Keeper:
    """A gate that has seen nothing yet."""
    generated = load_dataset(context.inputs[f"generate@{config.method}"])
    inputs = method_inputs(config.method, context, control_of(generated.folder))
    keeper = Keeper(config, inputs, generated, out, context.seed)
    if config.label_check:
        keeper.inspector = Inspector(config, inputs.train, context.inputs["label_check"], place_of(context.device))
    return keeper


def in_order(generated: Dataset) -> list[ImageRecord]:
    return sorted(generated.images, key=lambda image: image.file_name)


@dataclass(frozen=True)
class Piece:
    """Some consecutive photographs of a gate as a job."""

    config: GateConfig
    context: Context
    out: Path
    start: int
    stop: int
    threads: int

    @property
    def steps(self) -> int:
        return self.stop - self.start

    @property
    def device(self) -> str:
        return self.context.device

    def run(self, on_step: Callable[[], None] = lambda: None) -> None:
        keeper = keeper_of(self.config, self.context, self.out)
        for image in in_order(keeper.generated)[self.start : self.stop]:
            if not note_of(self.out, image.file_name).is_file():
                asked = Asked()
                keeper.seen, keeper.decisions, keeper.rejected = Seen(asked), [], []
                row = keeper.decide_on(image)
                Look(keeper.decisions, keeper.rejected, row, asked.keys_asked).write(self.out, image.file_name)
            on_step()


def look_on_cluster(
    config: GateConfig, context: Context, out: Path, cluster: Cluster, until: TimeBudget | None = None
) -> None:
    """Leave a note of every photograph that ``generate`` wrote, as far as time goes.

    Raises:
        InputError: a generated file differs from its record (A24).
        EnvironmentFailure: a worker died again and again.
    """
    import torch

    images = in_order(load_dataset(context.inputs[f"generate@{config.method}"]))
    alone = replace(context, deadline=None)  # its clock is this machine's
    pieces = [
        Piece(config, alone, out, start, min(start + PIECE, len(images)), torch.get_num_threads())
        for start in range(0, len(images), PIECE)
        if not all(note_of(out, image.file_name).is_file() for image in images[start : start + PIECE])
    ]
    sitting = Sitting(
        f"gate {config.method}", "give its machine more memory", over=until.over if until else lambda: False
    )
    run_on_cluster(pieces, cluster, sitting)
