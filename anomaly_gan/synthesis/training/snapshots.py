"""Snapshots of a training: the painting generator's weights as they were after this many steps."""

from __future__ import annotations

import re
from pathlib import Path

from torch import nn

from ...core.files import link_file
from ...core.manifest import BOOKKEEPING, check_product
from ...engine.checkpoint import save_weights

FOLDER = "snapshots"
NAME = re.compile(r"step-(\d+)\.safetensors")


def keep_snapshot(net: nn.Module, step: int, trained: Path) -> None:
    """Write ``snapshots/step-000500.safetensors`` of a training's folder; the same snapshot again is the same bytes."""
    save_weights(net, trained / FOLDER / f"step-{step:06d}.safetensors")


def snapshots_of(trained: Path) -> list[tuple[int, Path]]:
    """(step, weights) of every kept snapshot, in order; none where none were kept."""
    found = [(NAME.fullmatch(path.name), path) for path in (trained / FOLDER).glob("step-*.safetensors")]
    return sorted((int(match[1]), path) for match, path in found if match)


def as_training(trained: Path, weights: Path, folder: Path) -> Path:
    """``folder`` as a training that ended at that snapshot: for opening a method with its generator of then.

    It is without the training's manifest, which knows another generator.

    Raises:
        InputError: A13, the kept weights have changed.
    """
    check_product(weights)
    for path in trained.glob("*"):
        if path.is_file() and path.name != "generator.safetensors" and path.name not in BOOKKEEPING:
            link_file(path, folder / path.name)
    link_file(weights, folder / "generator.safetensors")
    return folder
