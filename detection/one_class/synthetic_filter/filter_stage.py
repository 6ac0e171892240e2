"""Stage ``one_class_filter@METHOD``: what the one-class detectors say of the accepted synthetic photographs.

A photograph is an outlier where no detector finds its defect unusual, or one finds its background unusual that did
not find it so before the painting. Nothing is removed here; ``export.outliers: drop`` leaves outliers out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anomaly_gan.core.dataset import Annotation, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import write_text
from anomaly_gan.core.json_files import read_as, understood
from anomaly_gan.core.manifest import read_product
from anomaly_gan.core.masks import union
from anomaly_gan.core.progress import track
from anomaly_gan.core.stage import Context
from anomaly_gan.core.time_budget import TimeBudget, while_time

from ..inspection.calibration import calibrate
from ..inspection.checkpoint import Model, load_model
from ..inspection.scoring import choose_device
from ..interface import Scores, score_all
from .config import OneClassFilterConfig
from .learn import part_normals, read_square
from .rules import BACKGROUND, DEFECT, Finding, Level, compare_map, compare_score, grown, reasons


@dataclass(frozen=True)
class Learned:
    """What of the ``metrics.json`` of stage ``one_class`` is asked for here: the detectors it trained."""

    detectors: list[str]


@dataclass(frozen=True)
class Subject:
    """A photograph to look at, its category, the instances that count as its defect, and the normal photograph it was
    painted on, where there is one."""

    dataset: Dataset
    image: ImageRecord
    category: str
    instances: Sequence[Annotation]
    base: ImageRecord | None = None

    def mask(self) -> np.ndarray:
        masks = [item.mask() for item in self.instances]
        return union(masks, *masks[0].shape)


def run(config: OneClassFilterConfig, context: Context, out: Path) -> dict[str, object]:
    """Write ``outliers.jsonl``, a line per accepted photograph; the metrics give shares beside two references: real
    training defects findings alike, and held-out normals under the same masks with nothing painted.

    Raises:
        InputError: a base photograph is not in the training split (E4).
    """
    folder = context.inputs["one_class"]
    ingest, accepted = load_dataset(context.inputs["ingest"]), load_dataset(context.inputs[f"gate@{config.method}"])
    learned = read_as(folder / "metrics.json", Learned, "run one_class again")
    threads = read_setting(folder, "threads")
    if threads:
        torch.set_num_threads(threads)
    models = {name: load_model(folder / name, choose_device(context.device)) for name in learned.detectors}
    made = synthetic(accepted, ingest)
    train = ingest.split("train")
    held_out = part_normals(ingest, read_setting(folder, "held_out"), context.seed).held_out
    sets = {"synthetic": made, "real_defects": labelled(train), "held_out_normals": borrowed(ingest, held_out, made)}
    findings = compare_sets(sets, models, ingest, held_out, config, context.deadline)
    why = [reasons(item) for item in findings["synthetic"]]
    lines = [_line(subject, item, found) for subject, item, found in zip(made, findings["synthetic"], why, strict=True)]
    write_text(
        out / "outliers.jsonl", "".join(json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n" for line in lines)
    )
    counted = {name: shares(sets[name], findings[name], config) for name in sets}
    return {
        "method": config.method,
        "detectors": list(models),
        "sentence": sentence(counted),
        **counted.pop("synthetic"),
        "references": counted,
    }


def read_setting(folder: Path, name: str) -> Any:
    """A value of the finished stage's ``config.yaml``."""
    import yaml

    path = folder / "config.yaml"
    with understood(path, "run one_class again"):
        return yaml.safe_load(read_product(path))[name]


def synthetic(accepted: Dataset, ingest: Dataset) -> list[Subject]:
    """The accepted photographs in the order of their names, each with its base.

    Raises:
        InputError: E4, a base that is not a training photograph.
    """
    files = {image.file_name: image for image in ingest.images if image.split == "train"}
    names, of_image = accepted.category_names(), accepted.by_image()
    found = []
    for image in sorted(accepted.images, key=lambda image: image.file_name):
        instances = of_image.get(image.id, [])
        base = image.extra.get("provenance", {}).get("base")
        if base and base not in files:
            raise InputError(
                f"{accepted.folder}[{image.file_name}]",
                "E4",
                f"its base {base} is not in the training split",
                "run generate and gate again",
            )
        if instances:
            category = image.extra.get("category") or names[instances[0].category_id]
            found.append(Subject(accepted, image, category, instances, files[base] if base else None))
    return found


def labelled(train: Dataset) -> list[Subject]:
    """Every real photograph with a defect; several categories in one count under the first."""
    names, of_image = train.category_names(), train.by_image()
    return [
        Subject(train, image, names[of_image[image.id][0].category_id], of_image[image.id])
        for image in train.images
        if image.id in of_image
    ]


def borrowed(ingest: Dataset, normals: Sequence[ImageRecord], made: Sequence[Subject]) -> list[Subject]:
    """Each normal photograph with the mask of a synthetic one: what the rule says where nothing was painted."""
    if not made:
        return []
    step = max(1, len(made) // max(1, len(normals)))
    chosen = [made[(index * step) % len(made)] for index in range(len(normals))]
    return [
        Subject(ingest, normal, item.category, item.instances, normal)
        for normal, item in zip(normals, chosen, strict=True)
    ]


@dataclass(frozen=True)
class HeldOut:
    """Maps of held-out normals (N, size, size), their objects, and the rate at which they may be called unusual."""

    maps_NHW: np.ndarray
    groups: list[str]
    false_alarm: float

    def threshold(self, inside_01: np.ndarray) -> float:
        """What the greatest value in this mask must exceed to be unusual there."""
        inside = inside_01 != 0
        if not inside.any():
            return float("inf")
        return calibrate(self.maps_NHW[:, inside].max(axis=1), self.false_alarm, self.groups).value


def hold(
    model: Model, ingest: Dataset, held_out: Sequence[ImageRecord], config: OneClassFilterConfig
) -> HeldOut | None:
    """What ``same_mask`` compares with; None where it is not asked for or the detector has no map."""
    if config.against == "whole_map" or model.map_threshold is None:
        return None
    count = min(len(held_out), config.normals)
    chosen = [held_out[index * len(held_out) // count] for index in range(count)]
    maps = score(model, read_square(ingest, chosen, model.settings.size, model.flatten)).map_BHW
    assert maps is not None
    return HeldOut(maps.numpy(), [image.group_id for image in chosen], model.map_threshold.asked)


def compare_sets(
    sets: Mapping[str, Sequence[Subject]],
    models: Mapping[str, Model],
    ingest: Dataset,
    held_out: Sequence[ImageRecord],
    config: OneClassFilterConfig,
    watch: TimeBudget | None = None,
) -> dict[str, list[dict[str, Finding]]]:
    """By set and subject, what each detector says.

    Args:
        sets: what is looked at, by the set's name.
        models: the trained detectors by name.
        ingest: the real data set.
        held_out: sound photographs that no detector was trained with.
        config: the section of the configuration.
        watch: the time for all of it; None: as long as it takes.

    Returns:
        One row for each subject, by the set's name: a finding of each detector.

    Raises:
        TimeUp: the time is over before all is looked at.
    """
    found: dict[str, list[dict[str, Finding]]] = {key: [{} for _ in subjects] for key, subjects in sets.items()}
    for name, model in models.items():
        held = hold(model, ingest, held_out, config)
        for key, subjects in sets.items():
            chunks = track(range(0, len(subjects), config.batch), f"one-class filter {name} {key}")
            for start in while_time(chunks, watch):
                part = subjects[start : start + config.batch]
                for place, findings in enumerate(_compare_chunk(part, model, ingest, held, config), start=start):
                    found[key][place][name] = findings
    return found


def _compare_chunk(
    part: Sequence[Subject], model: Model, ingest: Dataset, held: HeldOut | None, config: OneClassFilterConfig
) -> Iterator[Finding]:
    size = model.settings.size
    scores = score(model, torch.cat([read_square(item.dataset, [item.image], size, model.flatten) for item in part]))
    level = level_of(model)
    if scores.map_BHW is None:
        yield from (compare_score(float(value), level) for value in scores.image)
        return
    # each photograph that was painted on is scored once, however many defects were painted on it
    bases = {item.base.file_name: item.base for item in part if item.base}
    before: dict[str, np.ndarray] = {}
    if bases:
        maps = score(model, read_square(ingest, list(bases.values()), size, model.flatten)).map_BHW
        assert maps is not None
        before = dict(zip(bases, maps.numpy(), strict=True))
    for item, map_HW in zip(part, scores.map_BHW.numpy(), strict=True):
        mask_01 = item.mask()
        inside, reach = grown(mask_01, size, config.grow)
        outside = 1 - grown(mask_01, size, max(config.halo, config.grow))[0]
        yield compare_map(
            map_HW,
            inside,
            level,
            before[item.base.file_name] if item.base else None,
            config.margin,
            reach,
            held.threshold(inside) if held else None,
            outside,
        )


def score(model: Model, images_NCHW: torch.Tensor) -> Scores:
    """Scores on the CPU, wherever the nets are."""
    parameters = [p for net in model.detector.nets.values() for p in (*net.parameters(), *net.buffers())]
    device = parameters[0].device if parameters else torch.device("cpu")
    return score_all(model.detector, images_NCHW.to(device), 64)


def level_of(model: Model) -> Level:
    """The threshold of maps where the detector has them, else that of the photograph's score.

    Raises:
        InputError: the model was saved without thresholds.
    """
    if model.map_threshold is not None:
        return Level(model.map_threshold.value, model.map_scale[0] if model.map_scale else 0.0)
    if model.threshold is None:
        raise InputError(model.name, "FORMAT", "the model has no threshold", "run one_class again")
    return Level(model.threshold.value)


def shares(
    subjects: Sequence[Subject], findings: Sequence[dict[str, Finding]], config: OneClassFilterConfig
) -> dict[str, object]:
    """Counts and shares of outliers, over all and by category."""

    def row(places: list[int]) -> dict[str, object]:
        why = [reasons(findings[i]) for i in places]
        count = len(places)
        told = [i for i in places if any(item.background_unusual is not None for item in findings[i].values())]
        return {
            "photographs": count,
            "outlier": sum(map(bool, why)),
            "share": _share(sum(map(bool, why)), count),
            DEFECT: _share(sum(DEFECT in found for found in why), count),
            BACKGROUND: _share(sum(BACKGROUND in found for found in why), len(told)),
            "background_compared": len(told),
            "background_above_threshold": _share(
                sum(any(item.background_above for item in findings[i].values()) for i in places), count
            ),
        }

    names = sorted({item.category for item in subjects})
    return {
        "all": row(list(range(len(subjects)))),
        "categories": {name: row([i for i, item in enumerate(subjects) if item.category == name]) for name in names},
    }


def sentence(counted: Mapping[str, Any]) -> str:
    """What the shares say, in plain words, with a warning where the detectors see little of real defects."""
    found = {name: 1 - row["all"][DEFECT] for name, row in counted.items() if row["all"][DEFECT] is not None}
    if "synthetic" not in found:
        return "There is no synthetic photograph to look at."
    words = {
        "synthetic": "of the synthetic defects",
        "real_defects": "of the real training defects",
        "held_out_normals": "of the same places on normals with nothing painted",
    }
    said = "Found unusual: " + ", ".join(f"{found[name]:.0%} {text}" for name, text in words.items() if name in found)
    if found.get("real_defects", 1) < 0.5:
        return f"{said}. These detectors miss most real defects: being called an outlier says little here."
    return f"{said}."


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _line(subject: Subject, findings: dict[str, Finding], why: list[str]) -> dict[str, object]:
    detectors = {name: {key: _plain(value) for key, value in vars(item).items()} for name, item in findings.items()}
    return {
        "file_name": subject.image.file_name,
        "category": subject.category,
        "outlier": bool(why),
        "reasons": why,
        "base": subject.base.file_name if subject.base else None,
        "detectors": detectors,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
