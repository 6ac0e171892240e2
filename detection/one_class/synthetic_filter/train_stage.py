"""Stage ``one_class``: the training split's normals -> trained and calibrated one-class detectors."""

from __future__ import annotations

from pathlib import Path

import torch

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.stage import Context
from anomaly_gan.engine.loop import time_ended

from .config import OneClassStageConfig
from .learn import learn, part_normals, threshold_words


def run(config: OneClassStageConfig, context: Context, out: Path) -> dict[str, object]:
    """Write ``DETECTOR/model.json``, ``model.safetensors`` and the losses of each training.

    Raises:
        InputError: K5, too few normals or objects.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    ingest = load_dataset(context.inputs["ingest"])
    normal = part_normals(ingest, config.held_out, context.seed)
    watch, many = context.watch(config.time_budget), len(config.detectors)
    models = {
        name: learn(
            name,
            ingest,
            normal,
            config,
            context.seed,
            context.device,
            out / name,
            watch.part((place + 1) / many) if watch else None,
        )
        for place, name in enumerate(config.detectors)
    }
    return {
        "detectors": list(config.detectors),
        **time_ended(out),
        "precision": {name: model.precision for name, model in models.items()},
        "thresholds": threshold_words(models),
        "learned_from": {"photographs": len(normal.learn), "objects": len({i.group_id for i in normal.learn})},
        "held_out": {"photographs": len(normal.held_out), "objects": len(set(normal.held_out_groups()))},
    }
