"""``export --format onnx``: a trained generator as one ONNX graph, checked by running it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import CheckFailed, ConfigError, InputError
from ...core.seeding import rng_for
from ...core.workfolder import file_alone
from ...engine.graphs import check_installed, onnx_runner, write_traced
from ..methods.config import TrainConfig
from ..methods.from_noise.config import NoiseConfig
from ..methods.from_noise.task import LATENT, build_noise_generator
from ..methods.painting.generator import load_net
from ..methods.painting.networks import build_generator, build_painter, painter_settings
from ..methods.trained import FILE, read_trained
from ..pairs.compositing import Painter

PARITY = 1e-4
"""Greatest difference allowed between the graph's pictures and the generator's, both in [-1, 1]."""
INPUTS = {
    "image": "float (B, C, H, W) in [-1, 1]: the photograph, or a window of it",
    "mask": "float (B, 1, H, W), 0 or 1: where the defect is to be",
    "category": "int64 (B), counted from 0 in the order of `categories`",
    "severity": "float (B, 2): log((mean inside the mask + 0.25) / (mean around it + 0.25)) of intensities in [0, 1], "
    "and their standard deviation inside; `severities` holds those of the training defects",
    "noise": "float (B, 2, H, W), normal: grain, and one number for the whole window",
    "exemplar": "float (B, C, H, W) in [-1, 1]: the photograph with a training defect laid under the mask",
    "z": f"float (B, {LATENT}), normal",
}


@dataclass(frozen=True)
class Exported:
    """``gap``: the greatest difference seen over ``pictures`` pictures."""

    out: Path
    method: str
    inputs: tuple[str, ...]
    pictures: int
    gap: float

    def line(self) -> str:
        """The last line of ``export --format onnx``."""
        return (
            f"generator of {self.method} written to {self.out}, inputs {', '.join(self.inputs)}; greatest difference "
            f"of its pictures through onnxruntime on {self.pictures} examples: {self.gap:.1e}"
        )


class _Painting(nn.Module):
    """From a photograph, a mask and what steers the generator to the painted photograph."""

    def __init__(self, net: nn.Module, painter: Painter) -> None:
        super().__init__()
        self.net, self.painter = net, painter

    def forward(self, image: Tensor, mask: Tensor, *steering: Tensor) -> Tensor:
        painter, more = self.painter, list(steering)
        maps = [painter.mask_maps(mask, more.pop(0) if painter.categories else mask)]
        if painter.controls:
            maps.append(painter.control_maps(mask, more.pop(0), more.pop(0)))
        return painter.paint(self.net, image, mask, torch.cat(maps, dim=1), *more)


@dataclass(frozen=True)
class _Graph:
    """``inputs``: names in order; ``sizes``: heights and widths to try; one size: the graph takes no other."""

    net: nn.Module
    inputs: tuple[str, ...]
    channels: int
    categories: int
    sizes: tuple[tuple[int, int], ...]

    def example(self, rows: int, size_hw: tuple[int, int]) -> dict[str, Tensor]:
        """Noise of the inputs' ranges, and a mask in its middle."""
        rng, sides = rng_for(0, "export onnx", rows, *size_hw), (rows, 1, *size_hw)
        mask = np.zeros(sides, np.float32)
        mask[..., size_hw[0] // 4 : size_hw[0] // 2, size_hw[1] // 4 : size_hw[1] // 2] = 1
        made: dict[str, np.ndarray] = {
            "image": rng.uniform(-1, 1, (rows, self.channels, *size_hw)),
            "mask": mask,
            "category": np.arange(rows) % self.categories,
            "severity": rng.uniform(-0.3, 0.3, (rows, 2)),
            "noise": rng.standard_normal((rows, 2, *size_hw)),
            "exemplar": rng.uniform(-1, 1, (rows, self.channels, *size_hw)),
            "z": rng.standard_normal((rows, LATENT)),
        }
        return {
            name: torch.from_numpy(made[name] if name == "category" else made[name].astype(np.float32))
            for name in self.inputs
        }


def export_generator(trained: Path, out: Path) -> Exported:
    """Write the generator of the training folder ``trained`` as the file ``out``, after checking on pictures of two
    sizes that it paints the same. Inputs, categories and the training defects' severities stand in the metadata.

    Raises:
        InputError: the folder holds no finished training.
        ConfigError: the extra ``onnx`` is not installed, or the generator draws its chance by itself.
        CheckFailed: the graph differs; nothing is written.
    """
    check_installed(("onnx", "onnxruntime"), "onnx")
    for name in (FILE, "generator.safetensors"):
        if not (trained / name).is_file():
            raise InputError(str(trained), "MISSING", f"no {name} in this folder", "train first: anomaly-gan train")
    model = read_trained(trained)
    config = model.config
    graph = _graph_of(trained, config, model.channels, len(model.categories))
    examples = [graph.example(1 + number, size) for number, size in enumerate(graph.sizes)]
    facts = {
        "method": config.method,
        "categories": model.categories,
        "severities": model.severity,
        "size": config.size,
        "output": "float (B, C, H, W) in [-1, 1]; of lsgan the mask is one channel more",
        **{f"input {name}": INPUTS[name] for name in graph.inputs},
    }
    with file_alone(out) as temporary:
        axes = {0: "batch", 2: "height", 3: "width"} if len(graph.sizes) > 1 else {0: "batch"}
        write_traced(graph.net, examples[0], "painted", axes, facts, temporary)
        gap = _gap(graph.net, examples, temporary)
        if not gap <= PARITY:
            raise CheckFailed(f"the graph differs from the generator by {gap:.2g} (allowed: {PARITY:g}): not written")
    return Exported(out, config.method, graph.inputs, sum(range(1, 1 + len(examples))), gap)


def _graph_of(trained: Path, config: TrainConfig, channels: int, categories: int) -> _Graph:
    side = (config.size, config.size)
    if isinstance(config.recipe, NoiseConfig):
        masked = config.method == "cgan"
        net: nn.Module = build_noise_generator(config, channels, categories, masked)
        load_net(net, trained, "cpu")
        return _Graph(net, ("z", "category", *(["mask"] if masked else [])), channels, categories, (side,))
    if painter_settings(config).dropout:
        raise ConfigError(f"{config.method} cannot be exported: dropout is its chance, and a graph has none of its own")
    painter = build_painter(config, categories)
    net = build_generator(config, channels, categories)
    load_net(net, trained, "cpu")
    inputs = ["image", "mask", *(["category"] if painter.categories else [])]
    inputs += ["severity", "noise"] if painter.controls else []
    inputs += ["exemplar"] if painter.painting == "exemplar" else []
    return _Graph(
        _Painting(net, painter).eval(), tuple(inputs), channels, categories, (side, (config.size, 2 * config.size))
    )


def _gap(net: nn.Module, examples: list[dict[str, Tensor]], path: Path) -> float:
    """Greatest difference over the examples; infinite where a value is not finite."""
    run, worst = onnx_runner(path), 0.0
    for example in examples:
        with torch.no_grad():
            expected = net(*example.values()).numpy()
        (found,) = run({name: value.numpy() for name, value in example.items()})
        if found.shape != expected.shape or not np.isfinite(found).all():
            return float("inf")
        worst = max(worst, float(np.abs(found - expected).max()))
    return worst
