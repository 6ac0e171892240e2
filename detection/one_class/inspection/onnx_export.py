"""A saved detector as one ONNX graph: uint8 (B, C, S, S) -> score (B,) and, where it has one, map (B, S, S)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from anomaly_gan.core.errors import CheckFailed, ConfigError, EnvironmentFailure
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.core.workfolder import file_alone
from anomaly_gan.engine.graphs import check_installed, onnx_runner, quiet

from ..interface import OneClassDetector
from ..registry import ONE_CLASS, one_class
from .checkpoint import Model, load_model
from .scoring import score_batch

PARITY = 1e-4
"""Greatest difference allowed between graph and detector, relative to values above 1."""
SPREAD_SHARE = 0.01
"""Greatest difference of scores allowed as a share of the held-out normals' standard deviation: where all scores are
tiny, 1e-4 would let anything pass."""
INPUTS = {
    "square": "uint8 (B, C, size, size), RGB or gray, resized without cropping, shrinking by area",
    "kept": "uint8 (B, C, size, size), RGB or gray, the longer side resized to size, the rest right and below mirrored",
    "tiles": "uint8 (B, C, size, size), RGB or gray, tiles at the photograph's own scale that overlap by a quarter, of "
    "which the highest score counts",
}
"""What the graph is to be given, by frame."""
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True)
class Exported:
    """``score_gap``, ``map_gap``: the greatest differences seen over ``images`` squares, relative to values above 1."""

    out: Path
    detector: str
    images: int
    score_gap: float
    map_gap: float | None

    def line(self) -> str:
        """The last line of ``one-class export``."""
        gaps = f"score {self.score_gap:.1e}" + ("" if self.map_gap is None else f", map {self.map_gap:.1e}")
        return (
            f"{self.detector} written to {self.out}; greatest difference to the detector through onnxruntime on "
            f"{self.images} pictures: {gaps}"
        )


class _Graph(nn.Module):
    """The score as a module whose only input is the images."""

    def __init__(self, detector: OneClassDetector, maps: bool) -> None:
        super().__init__()
        self.nets = nn.ModuleDict(detector.nets)
        self._detector, self._maps = detector, maps

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        scores = self._detector.score(images_BCHW)
        if not self._maps or scores.map_BHW is None:
            return (scores.image.float(),)
        return scores.image.float(), scores.map_BHW.float()


def export_onnx(model: Path, out: Path) -> Exported:
    """Write the detector in ``model`` as the file ``out``, after checking that it says the same.

    The graph takes squares: what ``preprocess`` in its metadata names has to be done before. Metadata: detector, size,
    mode, preprocess, threshold and its false-alarm rate (``score > threshold`` is abnormal), map_threshold.

    Raises:
        ConfigError: the extra ``onnx`` is not installed, or this detector's score is not one graph.
        CheckFailed: the graph differs by more than 1e-4, or by what could change a verdict; nothing is written.
    """
    check_installed(PACKAGES, "onnx")
    loaded = load_model(model)
    if not one_class(loaded.name).exports:
        able = ", ".join(name for name, row in ONE_CLASS.items() if row.exports)
        raise ConfigError(
            f"{loaded.name} cannot be written as ONNX: its score is not one graph of tensor operations "
            f"(those that can: {able})"
        )
    squares = _examples(model, loaded)
    expected = score_batch(loaded.detector, squares)
    with file_alone(out) as temporary:
        _write(loaded, squares[:2], expected.map_BHW is not None, temporary)
        score_gap, map_gap = _gaps(temporary, squares, expected.image, expected.map_BHW)
        worst = max(score_gap, map_gap or 0.0)
        spread = float(loaded.held_out.std()) if len(loaded.held_out) > 1 else 0.0
        largest = max(1.0, float(expected.image.abs().max()))
        if not worst <= PARITY or (spread > 0 and score_gap * largest > SPREAD_SHARE * spread + 1e-6 * largest):
            raise CheckFailed(
                f"{loaded.name}: the ONNX graph differs from the detector by {worst:.2g} (allowed: "
                f"{PARITY:g} and {SPREAD_SHARE:.0%} of the normals' spread {spread:.2g}): nothing is "
                "written"
            )
    return Exported(out, loaded.name, len(squares), score_gap, map_gap)


def _write(model: Model, example_BCHW: np.ndarray, maps: bool, path: Path) -> None:
    names = ["score", "map"] if maps else ["score"]
    with quiet(), torch.no_grad():
        try:
            program: Any = torch.onnx.export(
                _Graph(model.detector, maps).eval(),
                (torch.from_numpy(example_BCHW),),
                dynamo=True,
                verbose=False,
                input_names=["images"],
                output_names=names,
                external_data=False,
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            )
        except (RuntimeError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise EnvironmentFailure(
                f"{model.name}: torch {torch.__version__} cannot write it as ONNX ({reason})"
            ) from error
        program.model.metadata_props.update(_metadata(model))
        program.save(str(path), external_data=False)


def _metadata(model: Model) -> dict[str, str]:
    facts: dict[str, object] = {
        "detector": model.name,
        "size": model.settings.size,
        "mode": model.mode,
        "preprocess": model.preprocess,
        "input": INPUTS[model.settings.frame],
        "frame": model.settings.frame,
        "region": list(model.settings.region) if model.settings.region else None,
    }
    if model.threshold is not None:
        facts |= {
            "threshold": model.threshold.value,
            "false_alarm_asked": model.threshold.asked,
            "false_alarm_expected": model.threshold.expected,
            "false_alarm_interval": [model.threshold.low, model.threshold.high],
        }
    if model.map_threshold is not None:
        facts["map_threshold"] = model.map_threshold.value
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}


def _gaps(path: Path, squares: np.ndarray, scores: Tensor, maps: Tensor | None) -> tuple[float, float | None]:
    """Greatest differences of score and map, the pictures given alone and in batches of three."""
    run = onnx_runner(path)
    score_gap, map_gap = 0.0, None if maps is None else 0.0
    for batch in (1, 3):
        parts = [run({"images": squares[start : start + batch]}) for start in range(0, len(squares), batch)]
        score_gap = max(score_gap, _gap(np.concatenate([part[0] for part in parts]), scores.numpy()))
        if maps is not None and map_gap is not None:
            map_gap = max(map_gap, _gap(np.concatenate([part[1] for part in parts]), maps.numpy()))
    return score_gap, map_gap


def _gap(found: np.ndarray, wanted: np.ndarray) -> float:
    """Greatest difference, relative to values above 1; infinite where a value is not finite."""
    if found.shape != wanted.shape or not np.isfinite(found).all():
        return float("inf")
    return float((np.abs(found - wanted) / np.maximum(1.0, np.abs(wanted))).max())


def _examples(folder: Path, model: Model) -> np.ndarray:
    """Squares (N, C, S, S) to check on: held-out normals kept beside the model, and made-up pictures (blurred noise),
    dark and bright, that are surely abnormal."""
    size, channels = model.settings.size, model.channels
    squares = []
    for path in sorted((folder / "examples").glob("*.png")):
        pixels = read_pixels(path, gray=channels == 1)
        if pixels.shape[:2] == (size, size):
            squares.append(pixels[None] if channels == 1 else pixels.transpose(2, 0, 1))
    for number, level in enumerate((30, 128, 220)):
        noise = rng_for(0, "onnx", number).normal(level, 60, (size, size, channels)).clip(0, 255).astype(np.uint8)
        blurred = cv2.GaussianBlur(noise, (0, 0), 1 + number).reshape(size, size, channels)
        squares.append(blurred.transpose(2, 0, 1))
    return np.ascontiguousarray(np.stack(squares))
