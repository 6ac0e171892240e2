"""What ``anomaly-gan detect train`` and ``anomaly-gan detect eval`` do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from anomaly_gan.core.config import dump_yaml
from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import sha256_file, write_json, write_text

from .detectors.config import DetectConfig
from .scale import fitted


def detect_train(data: Path, out: Path, config: DetectConfig, seed: int = 0, device: str = "auto") -> dict[str, Any]:
    """Train on the split ``train`` of a data set folder (an ingest or an export); returns what training looked at.

    Writes ``model.safetensors``, ``model.json``, ``losses.csv``, ``metrics.json`` and ``config.yaml`` to ``out``;
    a training that was cut off goes on from its checkpoint.

    Raises:
        InputError: no training data; J6, ``out`` holds the work of another configuration or data set.
    """
    from anomaly_gan.engine.loop import make_fabric

    from .training.checkpoint import save_detector
    from .training.finetune import train_detector

    dataset = load_dataset(data).split("train")
    config = fitted(config, dataset)
    started = {"config": config.model_dump(mode="json"), "seed": seed, "data": _content_key(data)}
    _claim(out, started)
    trained = train_detector(dataset, config, make_fabric(device), out, seed=seed, where=str(data))
    save_detector(out, trained, config, dataset.info.get("mode", "RGB"))
    write_text(out / "config.yaml", dump_yaml(config))
    write_json(out / "metrics.json", trained.report)
    return trained.report


def detect_eval(model: Path, data: Path, out: Path, split: str = "test", device: str = "auto") -> dict[str, Any]:
    """Judge a trained detector on one split of a data set; writes ``detections.json`` and ``metrics.json`` to ``out``.

    Raises:
        InputError: no photographs in that split, or other categories than the detector's (K4).
    """
    from anomaly_gan.engine.loop import make_fabric

    from .detectors.registry import detector
    from .evaluation.evaluate import judge
    from .evaluation.reading import read_detections
    from .training.checkpoint import load_detector

    fabric = make_fabric(device)
    net, categories, config = load_detector(model, fabric.device)
    dataset = load_dataset(data).split(split)
    if not dataset.images:
        raise InputError(str(data), "K8", f"split {split!r} holds no photograph", "name another split with --split")
    categories.check(dataset, str(data))
    seen = read_detections(net, dataset, categories, config.longest, fabric.device)
    segments = detector(config.detector).segments
    figures = judge(dataset, seen.rows, segments, config.score_threshold, seen.scores, seen.pixels)
    write_json(out / "detections.json", seen.rows)
    write_json(out / "metrics.json", figures)
    return figures


def _content_key(data: Path) -> str:
    return sha256_file(data / "annotations.json")


def _claim(out: Path, started: dict[str, Any]) -> None:
    """Go on in a folder begun for the same training; refuse any other that is not empty."""
    marker = out / "started.json"
    if (
        out.is_dir()
        and any(out.iterdir())
        and not (marker.is_file() and json.loads(marker.read_text(encoding="utf-8")) == started)
    ):
        raise InputError(str(out), "J6", "the output folder holds other files", "choose an empty or new folder")
    write_json(marker, started)
