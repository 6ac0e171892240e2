"""A trained detector on disk: ``model.safetensors`` and ``model.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import nn

from anomaly_gan.core.cards import Card, write_card
from anomaly_gan.core.config import build
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import sha256_bytes, write_bytes, write_json
from anomaly_gan.core.json_files import read_as, understood
from anomaly_gan.core.manifest import check_product
from anomaly_gan.ingestion.reading import ReadingConfig

from ..data import CategoryMap
from ..detectors.backbones import backbone_of, choose_backbone
from ..detectors.config import DetectConfig
from ..detectors.registry import detector
from .finetune import Trained

SCHEMA = 4
"""Rises where photographs are scored in another way too: the kept scores of sound photographs would not fit."""
PREPROCESSING = "RGB in [0, 1], (B, 3, H, W); gray as three equal channels; sides mirrored out to multiples of 32"


@dataclass(frozen=True)
class Model:
    """A trained detector as it lies on disk: the net in evaluation mode, the categories its labels stand for, the
    configuration it was trained with, how its photographs were read (and new ones are), and the scores of the sound
    photographs that were held out, from which thresholds follow; ``false_alarm`` is the rate it was trained for.
    ``least``: the score from which on an instance of each label counts. ``one_class_score``: the SHA-256 of what is
    kept of its one-class score (``inspection.one_class_score``), to which ``sound`` then belongs; None: it has none.
    ``sound_alone``: the same photographs' scores without it.
    """

    net: nn.Module
    categories: CategoryMap
    config: DetectConfig
    reading: ReadingConfig
    sound: dict[str, object]
    false_alarm: float
    least: tuple[float, ...]
    one_class_score: str | None = None
    sound_alone: dict[str, object] | None = None


def save_detector(
    folder: Path,
    trained: Trained,
    config: DetectConfig,
    reading: ReadingConfig,
    sound: dict[str, object] | None = None,
    false_alarm: float = 0.05,
    threshold: dict[str, object] | None = None,
    least: Mapping[int, float] | None = None,
    one_class_score: str | None = None,
    sound_alone: dict[str, object] | None = None,
) -> None:
    """Write the weights and, last, what is needed to read them: their hash, categories, configuration, backbone, how
    photographs are read, preprocessing, the scores of held-out sound photographs with the threshold they give, and by
    category id from which score on an instance counts (``least``; without it ``score_threshold``).

    Args:
        folder: folder to write.
        trained: net and categories.
        config: it was trained with.
        reading: how its photographs were read.
        sound: scores of held-out sound photographs; None: none were held out.
        false_alarm: rate it was trained for, in (0, 1).
        threshold: what that rate gives, for people; None: too few.
        least: category id -> least score of an instance; None: ``score_threshold``.
        one_class_score: SHA-256 of what is kept of its one-class score; None: it has none.
        sound_alone: scores of the held-out sound photographs without it.
    """
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in trained.net.state_dict().items()})
    write_bytes(folder / "model.safetensors", content)
    write_json(
        folder / "model.json",
        {
            "schema": SCHEMA,
            "mode": reading.mode,
            "reading": reading.model_dump(mode="json"),
            "weights_sha256": sha256_bytes(content),
            "preprocessing": PREPROCESSING,
            "categories": [
                {
                    "label": label,
                    "id": key,
                    "name": name,
                    "least_score": (least or {}).get(key, config.score_threshold),
                }
                for label, (key, name) in enumerate(
                    zip(trained.categories.ids, trained.categories.names, strict=True), start=1
                )
            ],
            "config": {**config.model_dump(mode="json"), "backbone": choose_backbone(config.backbone)},
            "sound": sound or {"scores": [], "objects": []},
            "false_alarm": false_alarm,
            "threshold": threshold,
            "one_class_score": one_class_score,
            "sound_alone": sound_alone,
        },
    )
    write_card(folder, _card(trained, config, reading, sound, false_alarm, threshold))


def _card(
    trained: Trained,
    config: DetectConfig,
    reading: ReadingConfig,
    sound: dict[str, object] | None,
    false_alarm: float,
    threshold: dict[str, object] | None,
) -> Card:
    """``README.md`` of a detector."""
    scores = (sound or {}).get("scores")
    held_out = len(scores) if isinstance(scores, list) else 0
    return Card(
        "model",
        f"Defect detector ({config.detector})",
        "image-segmentation",
        "Finds defects on photographs of parts: instances with masks and scores, and a score for the photograph.",
        {
            "categories": list(trained.categories.names),
            "photographs": "grey" if reading.mode == "L" else "colour",
            "backbone": backbone_of(config),
            "alarm threshold": (threshold or {}).get("value"),
            "set for a false-alarm rate of": false_alarm if threshold else None,
            "on held-out sound photographs": held_out or None,
        },
        [
            "anomaly-gan detect predict PHOTOS --model THIS_FOLDER --out found",
            "anomaly-gan detect export --model THIS_FOLDER --out detector.onnx",
        ],
        [
            "It knows the categories above, on photographs taken as those it learned from; evaluate it on held-out "
            "parts of your own with `anomaly-gan detect eval` before anything depends on it.",
            *([] if held_out else ["No sound photographs were held out: the alarm threshold is not calibrated."]),
        ],
        ["instance-segmentation"],
    )


@dataclass(frozen=True)
class _Known:
    id: int
    name: str
    least_score: float | None = None


@dataclass(frozen=True)
class _Sound:
    scores: list[float] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Written:
    """``model.json``, as far as it is read; what has a default was not written by older versions."""

    schema: int
    categories: list[_Known]
    config: dict[str, Any]
    mode: str | None = None
    reading: Mapping[str, Any] | None = None
    weights_sha256: str | None = None
    sound: _Sound = _Sound()
    false_alarm: float = 0.05
    one_class_score: str | None = None
    sound_alone: _Sound | None = None


def load_detector(folder: Path, device: torch.device | None = None) -> tuple[nn.Module, CategoryMap, DetectConfig]:
    """Net, categories and configuration of :func:`read_model`."""
    model = read_model(folder, device)
    return model.net, model.categories, model.config


def read_model(folder: Path, device: torch.device | None = None) -> Model:
    """The detector in a folder that ``detect train`` wrote.

    Raises:
        InputError: a file is missing or is not one of ours; A13 the weights are not those that were written.
    """
    path, weights_path = folder / "model.json", folder / "model.safetensors"
    remedy = "train with `anomaly-gan detect train`"
    with understood(path, remedy):
        written = read_as(path, Written, remedy)
        if written.schema != SCHEMA:
            raise ValueError(f"schema {written.schema}, this version reads {SCHEMA}")
        check_product(weights_path)
        known = written.categories
        categories = CategoryMap(tuple(item.id for item in known), tuple(item.name for item in known))
        config = build(DetectConfig, written.config, str(path))
        raw = weights_path.read_bytes()
        weights = load(raw)
        reading = ReadingConfig.of({name: value for name, value in vars(written).items() if value is not None})
    least = tuple(config.score_threshold if item.least_score is None else item.least_score for item in known)
    if written.weights_sha256 not in (None, sha256_bytes(raw)):
        raise InputError(str(weights_path), "A13", "is not the file that model.json describes", "copy the model again")
    net: nn.Module = detector(config.detector).build(len(categories), config, pretrained=False)
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(str(weights_path), "FORMAT", "the weights do not fit model.json", "train again") from error
    net = net.to(device or torch.device("cpu")).eval()
    alone = asdict(written.sound_alone) if written.sound_alone else None
    return Model(
        net,
        categories,
        config,
        reading,
        asdict(written.sound),
        written.false_alarm,
        least,
        written.one_class_score,
        alone,
    )
