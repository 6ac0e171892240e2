"""Not a number: found before a step is taken or a checkpoint written, and told so that one can act on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from ..core.errors import NumericalFailure
from ..core.files import write_json
from .checkpoint import newest_path

SHOWN = 3
"""Rows of a batch that fit into a line; a file names all."""


def check_values(update: str, losses: Mapping[str, float], gradient_norm: float, step: int) -> None:
    """Raises:
    NumericalFailure: a loss, or the gradient, is not finite.
    """
    bad = [name for name, value in losses.items() if not math.isfinite(value)]
    if bad or not math.isfinite(gradient_norm):
        raise NumericalFailure(f"{update}: {', '.join(bad) or 'the gradient'} is not finite at step {step}")


def check_weights(nets: Mapping[str, nn.Module], step: int) -> None:
    """Averages of weights are nets too, and so are batch norm's running statistics looked at.

    Raises:
        NumericalFailure: a weight is not finite after ``step`` steps.
    """
    bad = [name for name, net in nets.items() if not _finite(net)]
    if bad:
        raise NumericalFailure(f"the weights of {', '.join(bad)} are not finite after step {step - 1}")


def _finite(net: nn.Module) -> bool:
    running = [value for name, value in net.named_buffers() if name.endswith(("running_mean", "running_var"))]
    flags = [torch.isfinite(value).all() for value in (*net.parameters(), *running)]
    return not flags or bool(torch.stack(flags).all())


def explained(failure: NumericalFailure, rows: Sequence[str], checkpoints: Path, logs: Path | None) -> NumericalFailure:
    """The failure with what was in the batch and from where the same command goes on, in one line.

    Args:
        rows: what each row of the batch holds; nothing where nobody knows.
        logs: folder for the list of all rows; None where this process writes nothing.
    """
    text = [str(failure)]
    if rows:
        listed = logs / "failed-batch.json" if logs else None
        if listed:
            write_json(listed, list(rows))
        more = f"; and {len(rows) - SHOWN} more rows" + (f", all in {listed}" if listed else "")
        text.append("the batch held " + "; ".join(rows[:SHOWN]) + (more if len(rows) > SHOWN else ""))
    healthy = newest_path(checkpoints)
    text.append(
        f"the last healthy state is {healthy}, the same command goes on from there"
        if healthy
        else "no checkpoint had been written yet, the same command starts again"
    )
    text.append("if it fails again, lower the learning rate")
    return NumericalFailure(": ".join(text))
