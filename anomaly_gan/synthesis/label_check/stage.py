"""Stage ``label_check``: real training photographs -> segmenters by folds of objects, and their reference.

Once per run; every gate reads it. No synthetic photograph and no test photograph comes in.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from ...core.dataset import Dataset, load_dataset
from ...core.errors import InputError
from ...core.files import write_json, write_text
from ...core.masks import mask_box_xywh
from ...core.progress import track
from ...core.seeding import seed_for
from ...core.stage import Context
from ...core.time_budget import TimeBudget
from ...engine.checkpoint import save_weights
from ...engine.loop import Schedule, finish, fit, make_fabric, time_ended
from ...engine.precision import resolve
from ...metrics.seam import seam_score
from .config import LabelCheckConfig
from .segmenter import EMPTY, Reference, SegmenterTask, build_segmenter, look, probabilities
from .windows import Shown, Stock, WindowSource, assign_folds, learned, normal_windows, real_defects, scale_for

YARDSTICK_SHARE = 0.5
"""Of a limited time, what measuring the real defects gets, where each fold's training gets 1."""
MOST_NORMALS = 300
"""Normal photographs that are looked at; more of them teach such small nets nothing more."""


def _net(config: LabelCheckConfig, train: Dataset) -> dict[str, object]:
    """What a reader needs to build the segmenters anew."""
    return {
        "size": config.size,
        "base_width": config.base_width,
        "depth": config.depth,
        "categories": [category.name for category in train.categories],
        "category_ids": [category.id for category in train.categories],
    }


def run(config: LabelCheckConfig, context: Context, out: Path) -> dict[str, object]:
    """Write ``segmenter-K.safetensors``, ``segmenters.json`` and ``reference.jsonl``.

    A training that was cut off goes on from its checkpoint; finished folds are kept. The bytes are the same.

    Raises:
        InputError: G13, the defects are of one object only, so none can be evaluated by who has not seen it.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    train = load_dataset(context.inputs["ingest"]).split("train")
    gray, seed = train.gray, seed_for(context.seed, "certify")
    shown = real_defects(train, gray)
    objects = {one.image.group_id for one in shown}
    if len(objects) < 2:
        raise InputError(
            str(context.inputs["ingest"]),
            "G13",
            f"training defects of {len(objects)} object only",
            "label another object, or set gate.label_check=false",
        )
    # by whole objects: each defect is looked at by a segmenter that has not seen its object
    folds = min(config.folds, len(objects))
    fold_of = assign_folds(train, folds)
    stocks = make_stocks(train, shown, config, gray, seed)
    precision = resolve(config.precision, context.device, out, "label check").precision
    fabric = make_fabric(context.device, precision)
    watch = context.watch(config.time_budget)
    until = [watch.part((fold + 1) / (folds + YARDSTICK_SHARE)) if watch else None for fold in range(folds)]
    nets = [
        _train(fold, stocks, fold_of, 1 if gray else 3, train, config, seed, fabric, out, until[fold])
        for fold in range(folds)
    ]
    device = fabric.device.type
    lines = reference(nets, train, shown, fold_of, config, device)
    names = [category.name for category in train.categories]
    write_text(
        out / "reference.jsonl", "".join(json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n" for line in lines)
    )
    write_json(
        out / "segmenters.json",
        {"folds": folds, "fold_of": fold_of, "channels": 1 if gray else 3, **_net(config, train)},
    )
    normals = [stock for stock in stocks if stock.category is None]
    return {
        "folds": folds,
        "objects": len(objects),
        "steps": config.steps,
        **time_ended(out / "training"),
        "precision": precision,
        "parameters": sum(parameter.numel() for parameter in nets[0].parameters()),
        "objects_per_fold": [sum(fold_of[group] == fold for group in sorted(objects)) for fold in range(folds)],
        "categories": summary(lines, names),
        "normals": {"windows": len(normals), "found_in": _false_alarms(nets, normals, fold_of, config, device)},
    }


def make_stocks(train: Dataset, shown: Sequence[Shown], config: LabelCheckConfig, gray: bool, seed: int) -> list[Stock]:
    """Windows with slack around every defect, and windows of normal photographs at the same scales."""
    defects = [
        Stock(window, one.image.group_id, index)
        for one in shown
        for index, mask in one.instances
        for window in learned(one.pixels, one.labels, mask, config.size)
    ]
    scales = [scale_for(mask_box_xywh(mask), config.size) for one in shown for _, mask in one.instances]
    return defects + normal_windows(train, scales, config.size, MOST_NORMALS, gray, seed)


def _train(
    fold: int,
    stocks: Sequence[Stock],
    fold_of: dict[str, int],
    channels: int,
    train: Dataset,
    config: LabelCheckConfig,
    seed: int,
    fabric: Any,
    out: Path,
    until: TimeBudget | None = None,
) -> nn.Module:
    """The segmenter that sees no object of ``fold``."""
    net = build_segmenter(channels, len(train.categories), config.base_width, config.depth, seed_for(seed, "net", fold))
    saved = out / f"segmenter-{fold}.safetensors"
    if saved.is_file():
        net.load_state_dict(load_file(saved))
    else:
        source = WindowSource(
            stocks, fold_of, fold, config.size, config.batch, config.normal_share, seed_for(seed, "fold", fold)
        )

        def batches(step: int) -> tuple[torch.Tensor, ...]:
            return tuple(tensor.to(fabric.device) for tensor in source.batch(step))

        schedule = Schedule(
            config.steps,
            seed_for(seed, "fit", fold),
            checkpoint_every=config.checkpoint_every,
            clip_norm=5.0,
            label=f"segmenter {fold + 1}",
            until=until,
        )
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        folder = out / "training" / f"fold-{fold}"
        fit(SegmenterTask(net, config.learning_rate), batches, schedule, fabric, folder)
        save_weights(net, saved)
        finish(folder)
    return net.to(fabric.device).eval()


def reference(
    nets: Sequence[nn.Module],
    train: Dataset,
    shown: Sequence[Shown],
    fold_of: dict[str, int],
    config: LabelCheckConfig,
    device: str,
) -> list[Reference]:
    """One line per real training defect: what the segmenter that has not seen its object finds, and its seam.

    Args:
        nets: a segmenter per fold.
        train: the training split.
        shown: the real training defects.
        fold_of: object -> its fold.
        config: the section of the configuration.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        A line per defect: category, IoU, whether the category agrees, seam.
    """
    lines: list[Reference] = []
    for one in track(shown, "reference"):
        fold = fold_of[one.image.group_id]
        for index, mask in one.instances:
            seen = look(nets[fold], one.pixels, one.labels, index, mask, config.size, device)
            seam = seam_score(one.pixels, mask, one.labels)
            lines.append(
                {
                    "file": one.image.file_name,
                    "group": one.image.group_id,
                    "fold": fold,
                    "category": train.categories[index].name,
                    "iou": round(seen.iou, 4),
                    "agrees": seen.agrees,
                    "seam": None if seam is None else round(seam, 4),
                }
            )
    return lines


def summary(lines: Sequence[Reference], names: Sequence[str]) -> dict[str, dict[str, object]]:
    """What each category reaches, over its real defects."""
    result: dict[str, dict[str, object]] = {}
    for name in names:
        own = [line for line in lines if line["category"] == name]
        ious = [line["iou"] for line in own]
        found = Counter(line["agrees"] for line in own)
        seams = [line["seam"] for line in own if line["seam"] is not None]
        result[name] = {
            "defects": len(own),
            "objects": len({line["group"] for line in own}),
            "median": round(float(np.median(ious)), 4) if ious else None,
            "p10": round(float(np.percentile(ious, 10)), 4) if ious else None,
            "missed": round(float(np.mean([iou < EMPTY for iou in ious])), 4) if ious else None,
            "category_right": round(found[True] / (found[True] + found[False]), 4)
            if found[True] + found[False]
            else None,
            "seam_median": round(float(np.median(seams)), 4) if seams else None,
        }
    return result


def _false_alarms(
    nets: Sequence[nn.Module], normals: Sequence[Stock], fold_of: dict[str, int], config: LabelCheckConfig, device: str
) -> float | None:
    """Share of normal windows of unseen objects in which anything is found."""
    hits = []
    for stock in normals:
        window = stock.window.pixels[: config.size, : config.size]
        hits.append(bool((probabilities(nets[fold_of[stock.group]], window, device)[0] < 0.5).any()))
    return round(float(np.mean(hits)), 4) if hits else None
