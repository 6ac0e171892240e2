"""A trained detector on disk: ``model.safetensors`` and ``model.json``."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from anomaly_gan.core.config import build
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import write_bytes, write_json
from anomaly_gan.core.manifest import check_product

from ..data import CategoryMap
from ..detectors.backbones import choose_backbone
from ..detectors.config import DetectConfig
from ..detectors.registry import detector
from .finetune import Trained

SCHEMA = 1


def save_detector(folder: Path, trained: Trained, config: DetectConfig, mode: str) -> None:
    """Write the weights and, last, what is needed to read them: categories, configuration, backbone, image mode."""
    write_bytes(
        folder / "model.safetensors",
        save({name: tensor.detach().cpu().contiguous() for name, tensor in trained.net.state_dict().items()}),
    )
    write_json(
        folder / "model.json",
        {
            "schema": SCHEMA,
            "mode": mode,
            "categories": [
                {"label": label, "id": key, "name": name}
                for label, (key, name) in enumerate(
                    zip(trained.categories.ids, trained.categories.names, strict=True), start=1
                )
            ],
            "config": {**config.model_dump(mode="json"), "backbone": choose_backbone(config.backbone)},
        },
    )


def load_detector(folder: Path, device: torch.device | None = None) -> tuple[nn.Module, CategoryMap, DetectConfig]:
    """The net in evaluation mode, the categories its labels stand for, and the configuration it was trained with.

    Raises:
        InputError: a file is missing or is not one of ours.
    """
    path = folder / "model.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise ValueError(f"schema {content['schema']}, this version reads {SCHEMA}")
        check_product(path)
        check_product(folder / "model.safetensors")
        categories = CategoryMap(
            tuple(item["id"] for item in content["categories"]), tuple(item["name"] for item in content["categories"])
        )
        config = build(DetectConfig, content["config"], str(path))
        weights = load_file(folder / "model.safetensors")
    except FileNotFoundError as error:
        raise InputError(
            str(error.filename or folder), "MISSING", "no such file", "train with `anomaly-gan detect train`"
        ) from error
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise InputError(str(path), "FORMAT", f"not a detector of this project ({error})", "train again") from error
    net: nn.Module = detector(config.detector).build(len(categories), config, pretrained=False)
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            str(folder / "model.safetensors"), "FORMAT", "the weights do not fit model.json", "train again"
        ) from error
    return net.to(device or torch.device("cpu")).eval(), categories, config
