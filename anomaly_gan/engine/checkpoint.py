"""Checkpoints that survive kill -9: written beside, checked by hash, the two newest kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from ..core.files import atomic_path, sha256_file, write_text
from ..core.progress import say


def save_checkpoint(folder: Path, step: int, state: dict[str, object], keep: int = 2) -> None:
    """Write ``step-NNNNNNN.pt`` and then its hash; a checkpoint without a matching hash does not count."""
    path = folder / f"step-{step:07d}.pt"
    with atomic_path(path) as temporary:
        torch.save(state, temporary)
    write_text(path.with_suffix(".sha256"), sha256_file(path) + "\n")
    for old in sorted(folder.glob("step-*.pt"))[:-keep]:
        old.with_suffix(".sha256").unlink(missing_ok=True)
        old.unlink()


def newest_path(folder: Path) -> Path | None:
    """The newest checkpoint whose bytes match their hash, or None."""
    for path in sorted(folder.glob("step-*.pt"), reverse=True):
        recorded = path.with_suffix(".sha256")
        if recorded.is_file() and recorded.read_text(encoding="ascii").strip() == sha256_file(path):
            return path
        say(f"{path}: damaged or cut off; the checkpoint before it is used")
    return None


def newest_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The newest whole state, or None. Nothing but tensors and plain values is unpickled."""
    path = newest_path(folder)
    return None if path is None else torch.load(path, map_location="cpu", weights_only=True)


def remove_checkpoints(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def save_weights(net: nn.Module, path: Path) -> None:
    """The net's weights as a safetensors file."""
    with atomic_path(path) as temporary:
        save_file({key: value.cpu().contiguous() for key, value in net.state_dict().items()}, temporary)
