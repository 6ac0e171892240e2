"""Which program computes a detector's maps on a processor: torch, or the detector's graph, which is faster there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from anomaly_gan.core.errors import CheckFailed, ConfigError
from anomaly_gan.core.progress import say
from anomaly_gan.engine.graphs import check_installed

from ..dense.instances import Inspected
from ..dense.predict import Seen, Shares, look
from ..evaluation.reading import inspect_pixels
from ..training.checkpoint import Model
from .export import PACKAGES, PARITY, THROUGH, Format, graph_net, runner, write_onnx

TORCH = "torch"
PAYS_FROM = 40
"""Photographs from which on, of 350 pixels, the time of making the graph (half a second) is earned back."""

Look = Callable[[np.ndarray], Inspected]


def split_device(device: str) -> tuple[str, str]:
    """``cpu:onnx`` as device and runtime; without one the runtime is ``auto``.

    Raises:
        ConfigError: no such runtime, or not on that device.
    """
    kind, _, runtime = device.partition(":")
    known = (TORCH, *get_args(Format))
    if runtime and (kind != "cpu" or runtime not in known):
        raise ConfigError(f"--device {device}: after cpu: comes one of {', '.join(known)}")
    return kind, runtime or "auto"


def choose_look(model: Model, device: torch.device, runtime: str, photographs: int) -> Look:
    """What looks at photographs, uint8 (H, W) or (H, W, 3) in the model's colours.

    ``auto`` takes the graph on a processor where its packages are installed and there are enough photographs, and goes
    back to torch, with a line, where the graph cannot be made or run, or its maps differ by more than ``PARITY``
    from torch's on the first photograph.

    Args:
        model: the detector.
        device: where torch computes.
        runtime: ``auto``, ``torch``, ``onnx`` or ``openvino``.
        photographs: how many there are to look at.

    Raises:
        ConfigError: a runtime asked for by name is not installed, or the detector has no graph.
    """

    def by_torch(pixels: np.ndarray) -> Inspected:
        return inspect_pixels(model.net, pixels, model.config.longest, device)

    named = [format for format in get_args(Format) if format == runtime]
    if not named and (runtime == TORCH or device.type != "cpu" or photographs < PAYS_FROM):
        return by_torch
    for format in named or get_args(Format):
        try:
            check_installed(PACKAGES[format], format)
            graph_net(model)
        except ConfigError:
            if named:
                raise
            continue
        return _ByGraph(model, device, format, by_torch, bool(named))
    return by_torch


@dataclass
class _ByGraph:
    """The graph, made and compared with torch at the first photograph; ``named``: nothing else will do."""

    model: Model
    device: torch.device
    format: Format
    by_torch: Look
    named: bool
    shares: Shares | None = None
    given_up: bool = False

    def __call__(self, pixels: np.ndarray) -> Inspected:
        if self.given_up:
            return self.by_torch(pixels)
        try:
            seen = self._first(pixels) if self.shares is None else self._seen(self.shares, pixels)
        except Exception as error:  # of three programs, each with errors of its own
            if self.named:
                raise
            self.given_up = True
            reason = " ".join(str(error).split())[:200]
            say(f"detect predict: torch computes, {THROUGH[self.format]} does not: {reason}")
            return self.by_torch(pixels)
        return seen.read(self.model.config.dense)

    def _first(self, pixels: np.ndarray) -> Seen:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "detector.onnx"
            write_onnx(self.model, path)
            run = runner(path, self.format)

        def shares(images_BCHW: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(run(images_BCHW.numpy()))

        seen, expected = self._seen(shares, pixels), self._seen(graph_net(self.model).shares, pixels)
        gap = float(np.abs(seen.maps_KHW - expected.maps_KHW).max())
        if not gap <= PARITY:
            raise CheckFailed(f"its maps of the first photograph differ by {gap:.2g} (allowed: {PARITY:g})")
        self.shares = shares
        say(f"detect predict: {THROUGH[self.format]} computes, {gap:.1e} from torch on the first photograph")
        return seen

    def _seen(self, shares: Shares, pixels: np.ndarray) -> Seen:
        return look(shares, self.model.config.dense, len(self.model.categories), pixels, self.device)
