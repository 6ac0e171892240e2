"""A trained one-class detector on disk: ``model.safetensors`` and ``model.json``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import load_file, save

from anomaly_gan.core.cards import Card, write_card
from anomaly_gan.core.config import build
from anomaly_gan.core.errors import AnomalyGanError, InputError
from anomaly_gan.core.files import sha256_bytes, sha256_file, write_bytes, write_json
from anomaly_gan.core.json_files import read_as, understood
from anomaly_gan.ingestion.reading import ReadingConfig

from ..configs.base import OneClassConfig
from ..interface import OneClassDetector
from ..registry import one_class
from ..training import build_detector, load_state, state_of
from .calibration import Threshold
from .images import View

SCHEMA = 1
SQUARE, FLATTENED = "square", "square-flattened"
"""How a photograph becomes the detector's input: ``images.to_square``, without or with ``flatten``."""


@dataclass(frozen=True)
class Model:
    """A trained detector and all that using it needs.

    ``reading``: how the photographs that it learned from were read, and new ones are. ``held_out``: scores (n,) of the
    normals it was calibrated on, of the objects ``held_out_groups``. ``preprocess``: ``square`` or
    ``square-flattened``. ``map_threshold``: of the greatest values in the held-out normals' maps, ``held_out_highest``
    (n,); ``map_scale``: the map values shown as the least and the greatest colour. ``precision``: what it was trained
    in (``settings`` may say ``auto``).
    """

    detector: OneClassDetector
    name: str
    settings: OneClassConfig
    channels: int
    reading: ReadingConfig
    threshold: Threshold | None = None
    held_out: np.ndarray = field(default_factory=lambda: np.zeros(0))
    preprocess: str = SQUARE
    held_out_groups: tuple[str, ...] | None = None
    map_threshold: Threshold | None = None
    map_scale: tuple[float, float] | None = None
    held_out_highest: np.ndarray | None = None
    precision: str | None = None

    @property
    def mode(self) -> Literal["L", "RGB"]:
        return self.reading.mode

    @property
    def flatten(self) -> bool:
        return self.preprocess == FLATTENED

    @property
    def view(self) -> View:
        return View.of(self.settings, self.flatten)


def save_model(folder: Path, model: Model) -> None:
    """Write the weights and, last, what is needed to read them."""
    weights = save(state_of(model.detector))
    write_bytes(folder / "model.safetensors", weights)
    write_json(
        folder / "model.json",
        {
            "schema": SCHEMA,
            "detector": model.name,
            "settings": model.settings.model_dump(mode="json"),
            "precision": model.precision,
            "channels": model.channels,
            "mode": model.mode,
            "preprocess": model.preprocess,
            "reading": model.reading.model_dump(mode="json"),
            "threshold": asdict(model.threshold) if model.threshold else None,
            "map_threshold": asdict(model.map_threshold) if model.map_threshold else None,
            "map_scale": list(model.map_scale) if model.map_scale else None,
            "held_out": {
                "scores": [float(score) for score in model.held_out],
                "highest": [float(value) for value in model.held_out_highest]
                if model.held_out_highest is not None
                else None,
                "groups": list(model.held_out_groups) if model.held_out_groups is not None else None,
            },
            "weights_sha256": sha256_bytes(weights),
        },
    )
    write_card(folder, _card(model))


def _card(model: Model) -> Card:
    """``README.md`` of a one-class detector."""
    held_out, groups = len(model.held_out), model.held_out_groups
    return Card(
        "model",
        f"One-class detector ({model.name})",
        "image-feature-extraction",
        "Learned from photographs of sound parts alone; gives a score of how unusual a photograph is, and where the "
        "detector can, a map of it.",
        {
            "photographs": "grey" if model.mode == "L" else "colour",
            "precision of the training": model.precision,
            "alarm threshold": model.threshold.value if model.threshold else None,
            "held-out sound photographs": held_out or None,
            "held-out parts": len(set(groups)) if groups else None,
        },
        [
            "anomaly-gan one-class score PHOTOS --model THIS_FOLDER --out scored",
            "anomaly-gan one-class evaluate --model THIS_FOLDER --good DIR --defects DIR",
        ],
        ["What differs from the sound parts it saw is unusual to it, a defect or not: light and camera included."],
        ["anomaly-detection"],
    )


def load_model(folder: Path, device: torch.device | None = None) -> Model:
    """The detector with its nets in evaluation mode, on ``device`` (None: the CPU).

    Raises:
        InputError: a file is missing, is not one of ours, or the two do not belong together.
    """
    path, weights = folder / "model.json", folder / "model.safetensors"
    remedy = "train with `anomaly-gan one-class train`"
    content = read_as(path, dict, remedy)
    with understood(path, remedy):
        model = _read(content, str(path))
        if sha256_file(weights) != content["weights_sha256"]:
            raise InputError(str(weights), "FORMAT", "is not the file that model.json was written with", "train again")
        _load(model, weights)
    for net in model.detector.nets.values():
        net.to(device or torch.device("cpu")).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    return model


def _load(model: Model, weights: Path) -> None:
    try:
        load_state(model.detector, load_file(weights))
    except RuntimeError as error:
        raise ValueError("the weights do not fit it") from error


def _read(content: dict[str, Any], where: str) -> Model:
    """A model with fresh weights, from what its ``model.json`` says.

    Raises:
        ValueError, KeyError, TypeError: it is not what this version writes.
        InputError: FORMAT its settings are none of the detector's.
    """
    if content["schema"] != SCHEMA:
        raise ValueError(f"schema {content['schema']}, this version reads {SCHEMA}")
    name, channels, mode = content["detector"], content["channels"], content["mode"]
    if mode not in ("L", "RGB") or channels not in (1, 3) or content["preprocess"] not in (SQUARE, FLATTENED):
        raise ValueError(f"mode {mode}, {channels} channels, preprocess {content['preprocess']}")
    try:
        settings = build(one_class(name).settings_class(), content["settings"], where)
    except AnomalyGanError as error:
        raise InputError(where, "FORMAT", str(error), "train again, or use the version that trained it") from error
    held_out = content["held_out"]
    groups, scale, highest = held_out["groups"], content["map_scale"], held_out["highest"]
    return Model(
        build_detector(name, channels, settings, seed=0),
        name,
        settings,
        channels,
        ReadingConfig.of(content),
        Threshold(**content["threshold"]) if content["threshold"] else None,
        np.array(held_out["scores"], np.float64),
        content["preprocess"],
        tuple(groups) if groups is not None else None,
        Threshold(**content["map_threshold"]) if content["map_threshold"] else None,
        (float(scale[0]), float(scale[1])) if scale else None,
        np.array(highest, np.float64) if highest is not None else None,
        content.get("precision"),
    )
