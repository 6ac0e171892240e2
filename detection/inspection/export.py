"""``detect export``: a trained dense detector as one ONNX graph, or as OpenVINO's, checked by running it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from anomaly_gan.core.errors import CheckFailed, ConfigError
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.core.workfolder import file_alone
from anomaly_gan.engine.graphs import check_installed, onnx_runner, write_traced

from ..dense.instances import STRONGEST
from ..dense.net import DenseNet
from ..training.checkpoint import PREPROCESSING, Model, read_model
from .alarm import SoundScores

Format = Literal["onnx", "openvino"]
PARITY = 1e-4
"""Greatest difference allowed between the graph's maps and the detector's, both in [0, 1]."""
PACKAGES = {"onnx": ("onnx", "onnxruntime"), "openvino": ("onnx", "openvino")}
THROUGH = {"onnx": "onnxruntime", "openvino": "openvino"}

SIZES = ((256, 256), (160, 320))
"""Heights and widths of the images on which graph and detector are compared."""
Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Exported:
    """``gap``: the greatest difference seen over ``images`` images."""

    out: Path
    detector: str
    images: int
    gap: float
    through: str

    def line(self) -> str:
        """The last line of ``detect export``."""
        return (
            f"{self.detector} written to {self.out}; greatest difference of the maps through {self.through} "
            f"on {self.images} images: {self.gap:.1e}"
        )


class _Graph(nn.Module):
    """Pixels to maps: uint8-valued floats (B, 3, H, W) in [0, 1] to (B, K, H, W)."""

    def __init__(self, net: DenseNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return self.net.shares(images_BCHW)


def export_detector(model: Path, out: Path, format: Format = "onnx") -> Exported:
    """Write the detector in ``model`` as the file ``out`` (``.onnx``, or ``.xml`` with its ``.bin`` for OpenVINO),
    after checking on images of two sizes that it says the same.

    The graph takes images (B, 3, H, W) in [0, 1], sides multiples of 32, and gives (B, K, H, W) in [0, 1]: a map for
    each category. How instances and scores follow from them stands in the metadata.

    Raises:
        ConfigError: packages are missing, or the detector gives no maps.
        CheckFailed: the graph differs; nothing is written.
    """
    check_installed(PACKAGES[format], format)
    loaded = read_model(model)
    net = graph_net(loaded)
    images = [_image(size, number) for number, size in enumerate(SIZES)]
    written = out.with_suffix(".onnx" if format == "onnx" else ".xml")
    with file_alone(written) as temporary:
        graph = temporary if format == "onnx" else temporary.with_suffix(".onnx")
        try:
            write_onnx(loaded, graph)
            gap = _gap(net, images, runner(graph, format))
            if not gap <= PARITY:
                raise CheckFailed(
                    f"the graph differs from the detector by {gap:.2g} (allowed: {PARITY:g}): not written"
                )
            if format == "openvino":
                _write_openvino(graph, temporary, written)
        finally:
            if graph != temporary:
                graph.unlink(missing_ok=True)
    return Exported(written, loaded.config.detector, len(images), gap, THROUGH[format])


def _write_openvino(graph: Path, temporary: Path, written: Path) -> None:
    """The graph as ``temporary`` (XML) and its weights beside ``written``, whose old XML goes first: it must not be
    read with weights of another detector."""
    import openvino

    # read_model, not convert_model: that one reports its use to a server
    openvino.save_model(openvino.Core().read_model(str(graph)), str(temporary), False)
    written.unlink(missing_ok=True)
    weights = temporary.with_suffix(".bin")
    with weights.open("rb") as stream:
        os.fsync(stream.fileno())
    weights.replace(written.with_suffix(".bin"))


def graph_net(model: Model) -> DenseNet:
    """The net that becomes one graph. Raises ConfigError where the detector has none."""
    if not isinstance(model.net, DenseNet):
        raise ConfigError(f"{model.config.detector} cannot be exported: only dense and cached give one graph")
    if model.config.dense.prior:
        raise ConfigError("a detector with a one-class map as input cannot be exported as one graph")
    return model.net


def _image(size_hw: tuple[int, int], number: int) -> np.ndarray:
    noise = rng_for(0, "detect export", number).random((1, 3, *size_hw), dtype=np.float32)
    noise[:, :, size_hw[0] // 4 : size_hw[0] // 2, size_hw[1] // 4 : size_hw[1] // 3] *= 0.1
    return noise


def _gap(net: DenseNet, images: list[np.ndarray], run: Run) -> float:
    worst = 0.0
    with torch.no_grad():
        for image in images:
            expected, found = net.shares(torch.from_numpy(image)).numpy(), run(image)
            if found.shape != expected.shape or not np.isfinite(found).all():
                return float("inf")
            worst = max(worst, float(np.abs(found - expected).max()))
    return worst


def runner(path: Path, format: Format) -> Run:
    """The ONNX graph in a file, ready to run on as many threads as torch computes on, in float32."""
    if format == "onnx":
        run = onnx_runner(path)
        return lambda image: run({"images": image})[0]
    import openvino

    # else it takes bf16 where the processor has it, and the maps differ in the third decimal
    how = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = openvino.Core().compile_model(str(path), "CPU", how)
    return lambda image: compiled(image)[0]


def write_onnx(loaded: Model, path: Path) -> None:
    """The ONNX graph: every side is a multiple of 32, so the trunk's paddings are the same at any size."""
    example = {"images": torch.from_numpy(_image((96, 128), 0))}
    axes = {0: "batch", 2: "rows", 3: "columns"}
    write_traced(_Graph(graph_net(loaded)).eval(), example, "maps", axes, _metadata(loaded), path)


def _metadata(loaded: Model) -> dict[str, object]:
    dense = loaded.config.dense
    facts: dict[str, object] = {
        "detector": loaded.config.detector,
        "categories": list(loaded.categories.names),
        "input": PREPROCESSING,
        "output": "(B, K, H, W) in [0, 1]: a map for each category",
        "instances": f"around every peak of {dense.faintest:g} or more, as far as the map is above {dense.reach:g} of "
        f"the peak; {dense.smallest} pixels or more; peaks that meet above that are one",
        "score": "of the photograph: 1 - product over the categories of "
        f"1 - mean of the map's {STRONGEST} strongest pixels",
        "mode": loaded.reading.mode,
    }
    # the graph gives the maps: its threshold is that of the score without the one-class score
    sound = SoundScores.from_json(loaded.sound_alone or loaded.sound)
    with contextlib.suppress(Exception):
        facts |= {"threshold": sound.threshold(loaded.false_alarm).value, "false_alarm": loaded.false_alarm}
    return facts
