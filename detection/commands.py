"""What ``anomaly-gan detect train`` and ``anomaly-gan detect eval`` do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from anomaly_gan.core.config import dump_yaml
from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import sha256_file, write_json, write_text
from anomaly_gan.core.workfolder import work_folder

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
    with work_folder(out, "detect train", started) as work:
        if work.fresh:
            return json.loads((out / "metrics.json").read_text(encoding="utf-8"))
        trained = train_detector(dataset, config, make_fabric(device), work.place, seed=seed, where=str(data))
        save_detector(work.place, trained, config, dataset.info.get("mode", "RGB"))
        write_text(work.place / "config.yaml", dump_yaml(config))
        write_json(work.place / "metrics.json", trained.report)
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
    segments = detector(config.detector).segments
    started = {"model": sha256_file(model / "model.safetensors"), "data": _content_key(data), "split": split}
    with work_folder(out, "detect eval", started) as work:
        if work.fresh:
            return json.loads((out / "metrics.json").read_text(encoding="utf-8"))
        seen = read_detections(net, dataset, categories, config.longest, fabric.device)
        figures = judge(dataset, seen.rows, segments, config.score_threshold, seen.scores, seen.pixels)
        write_json(work.place / "detections.json", seen.rows)
        write_json(work.place / "metrics.json", figures)
    return figures


def _content_key(data: Path) -> str:
    return sha256_file(data / "annotations.json")
