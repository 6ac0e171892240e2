"""The devices that work may be asked to run on, by their names. No torch at import."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from .progress import say


def without_mps(device: Any) -> Any:
    """``cpu`` for ``mps``, which is said: the operators that trainings need are not all there on Apple's GPUs."""
    if device != "mps":
        return device
    say("device mps: Apple's GPUs are not used: computing on the processor instead")
    return "cpu"


Device = Annotated[Literal["auto", "cpu", "cuda"], BeforeValidator(without_mps)]
"""What a configuration may say."""


def place_of(device: str) -> str:
    """``cpu`` or ``cuda`` for ``auto`` (a CUDA device where there is one), ``cpu`` or ``cuda``."""
    import torch

    return device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
