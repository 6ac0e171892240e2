"""Every verb that writes files, on so little that its whole work takes a fraction of a second of processor time.

Four photographs of each of two categories and eight sound ones, 72 x 90 pixels; nets of a few channels, trainings of
two steps. The gate looks at coarse pictures in place of a net's features, and the cells of a comparison are trained in
this process: neither changes what is written, nor in which order. Verbs stand in the order in which each finds its
inputs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from small_run import HEIGHT, WIDTH, shape, texture

from anomaly_gan.core.images import write_png
from anomaly_gan.core.stage import run_lock
from anomaly_gan.pipeline.config import RunConfig
from anomaly_gan.pipeline.plan import plan

OBJECTS = 4
CAE = {"size": 16, "epochs": 2, "batch": 4, "precision": "32-true"}
DENSE = {"held_out": 0, "crop": 32, "batch": 2, "bank_per_batch": 1, "widths": [8, 8, 8, 8], "frozen_stages": 6}
LEAST = {
    "steps": 2,
    "batch": 2,
    "size": 32,
    "nets": {"base_width": 4, "depth": 2, "widths": [4, 4, 4], "patch_width": 4},
    "checkpoint_every": 1,
    "sample_every": 2,
    "keep_every": 1,
    "threads": 1,
    "precision": "32-true",
}
OWN = {"local_size": 8, "features": 4, "aware_width": 4, "aware_size": 8, "aware_steps": 1}
"""Of Anomaly-GAN alone."""
SETTINGS: dict[str, Any] = {
    "name": "small",
    "device": "cpu",
    "pool": {"count": 3},
    "train": LEAST,
    "train_methods": {"anomaly_gan": OWN},
    "generate": {"count": 2, "threads": 1},
    "label_check": {"steps": 1},
    "gate": {"label_check": True, "repeats": 1, "min_n": 2, "retries": 1, "max_spares": 1},
    "one_class": {"detectors": ["cae"], "settings": {"cae": CAE}, "held_out": 0.5, "false_alarm": 0.5},
    "compare": {
        "arms": ["none", "anomaly_gan"],
        "seeds": 1,
        "workers": 1,
        "bootstrap": 2,
        "detect": {"iterations": 2, "dense": DENSE},
    },
}


@dataclass(frozen=True)
class Verb:
    """``work(folder)`` is the command, in a folder that the verbs before it have left as they do.

    ``keeps``: what it makes stays for the verbs after it.
    """

    name: str
    work: Callable[[Path], Any]
    keeps: bool = True


def write_source(folder: Path) -> Path:
    """Photographs with masks beside them, by category; sound ones of the same objects."""
    rng = np.random.default_rng(3)
    for number in range(OBJECTS):
        for kind, name in ((1, "spot"), (2, "scratch")):
            pixels, mask = texture(rng), shape(kind, rng)
            pixels[mask != 0] = 200
            write_png(folder / name / f"g{number}_{kind}.png", pixels)
            write_png(folder / name / f"g{number}_{kind}_mask.png", mask * np.uint8(255))
        for sound in (0, 9):
            write_png(folder / "good" / f"g{number}_{sound}.png", texture(rng))
    for number in range(3):
        write_png(folder.parent / "new" / f"n{number}.png", texture(rng))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[30:36, 40:52] = 255
    write_png(folder.parent / "mask.png", mask)
    return folder


PASTED: dict[str, Any] = {
    "gate": {**SETTINGS["gate"], "label_check": False},
    "one_class": {},
    "compare": {**SETTINGS["compare"], "arms": ["none", "copy_paste"]},
}
"""The shortest run that generates: no generator is trained, nobody is asked for a second opinion."""


def config_of(source: Path, **changes: Any) -> RunConfig:
    data = {"root": str(source), "format": "mask-png", "group_regex": r"g(\d+)_"}
    return RunConfig(**{"data": data, **SETTINGS, **changes})


def small_verbs(source: Path, device: str = "cpu", **changes: Any) -> list[Verb]:
    """The whole table; ``source`` as :func:`write_source` left it, ``changes`` of the run's configuration."""
    changes |= {"device": device}
    config = config_of(source, **changes)
    anew = config_of(source, **changes, seed=1)
    stages = [Verb(step.name, partial(_step, config, step.name)) for step in plan(config)]
    new, mask = source.parent / "new", source.parent / "mask.png"
    return [
        *stages,
        Verb("report to the run folder", _publish),
        Verb("export --format labelme", partial(_write, "labelme", "ingest")),
        Verb("export --format yolo-seg", partial(_write, "yolo-seg", "ingest")),
        Verb("export --shards", _shards),
        Verb("pool export-scores", _sheet),
        Verb("paint", partial(_paint, new / "n0.png", mask, device)),
        Verb("control-card", partial(_card, device)),
        Verb("detect train", partial(_detect_train, device)),
        Verb("detect eval", partial(_detect_eval, device)),
        Verb("detect predict", partial(_predict, new, 0.01, device)),
        Verb("detect export", _detect_export),
        Verb("one-class train", partial(_one_class_train, source / "good", 0.5, device)),
        Verb("one-class score", partial(_score, new, True, device)),
        Verb("one-class recalibrate", partial(_recalibrate, new, device)),
        Verb("one-class export", _one_class_export),
        Verb("ingest, made anew", partial(_step, anew, "ingest"), keeps=False),
        Verb("export, made anew", partial(_step, anew, "export@anomaly_gan"), keeps=False),
        Verb("compare, made anew", partial(_step, anew, "compare"), keeps=False),
        Verb("export --out, made anew", partial(_write, "labelme", "export@anomaly_gan"), keeps=False),
        Verb("one-class train, made anew", partial(_one_class_train, source / "good", 0.6, device), keeps=False),
        Verb("one-class score, made anew", partial(_score, new, False, device), keeps=False),
        Verb("detect predict, made anew", partial(_predict, new, 0.02, device), keeps=False),
    ]


def without_heavy_nets(put: Callable[[Any, str, Any], None] = setattr) -> None:
    """Put coarse pictures in the place of the gate's nets, and this process in the place of a comparison's workers."""
    from anomaly_gan.metrics.backbones import Extractors
    from anomaly_gan.metrics.features import Backbone
    from anomaly_gan.synthesis.control_card import stage as card
    from anomaly_gan.synthesis.feature_drift import stage as drift
    from anomaly_gan.synthesis.gate import stage as gate

    workers = import_module("anomaly_gan.engine.workers")

    def network(images_BCHW: Any) -> Any:
        return images_BCHW.mean(dim=1).flatten(1), [images_BCHW / 255]

    toy = Backbone("Toy", 8, network)
    found = Extractors(toy, toy, None, {"frechet": "FD-Toy", "kernel": "KID-Toy", "perceptual": "PD-Toy"})
    for module in (gate, drift):
        put(module, "build_extractors", lambda device: found)
    put(card, "embedded_backbone", lambda place: toy)

    put(workers, "run_in_processes", lambda jobs, count, sitting: workers.run_here(jobs, sitting))


def warm(source: Path) -> None:
    """Import everything that a verb will import, so that forks need not."""
    import torch

    torch.set_num_threads(1)
    for step in plan(config_of(source)):
        import_module(step.stage.function.partition(":")[0])
    for name in (
        "detection.commands",
        "detection.inspection.predict",
        "detection.inspection.export",
        "detection.training.finetune",
        "detection.training.checkpoint",
        "detection.comparison.plots",
        "detection.comparison.summary",
        "anomaly_gan.engine.workers",
        "detection.one_class.inspection.train",
        "detection.one_class.inspection.score",
        "detection.one_class.inspection.recalibrate",
        "detection.one_class.inspection.onnx_export",
        "anomaly_gan.synthesis.paint.stage",
        "anomaly_gan.synthesis.control_card.stage",
        "anomaly_gan.report.verdict.build",
        "anomaly_gan.ingestion.writing",
        "matplotlib.pyplot",
    ):
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in (name, "onnx", "onnxruntime"):
                raise
    without_heavy_nets()


def _step(config: RunConfig, name: str, folder: Path) -> None:
    from anomaly_gan.pipeline.run import run_step

    step = next(step for step in plan(config) if step.name == name)
    with run_lock(folder):
        run_step(config, folder, step)


def _publish(folder: Path) -> None:
    from anomaly_gan.pipeline.run import publish_report

    with run_lock(folder):
        publish_report(folder)


def _write(name: str, data: str, folder: Path) -> None:
    from anomaly_gan.core.dataset import load_dataset
    from anomaly_gan.ingestion.writing import write_format

    write_format(load_dataset(folder / data), name, folder / f"as-{name}")


def _shards(folder: Path) -> None:
    from anomaly_gan.core.dataset import load_dataset
    from anomaly_gan.ingestion.shards import write_shards

    write_shards(load_dataset(folder / "ingest"), str(folder / "shards"), per_shard=9)


def _sheet(folder: Path) -> None:
    from mask_pool.scoring.ratings import RatedMask
    from mask_pool.scoring.score_sheet import write_blank_sheet

    write_blank_sheet(folder / "sheet.csv", [RatedMask("g0_1.png", 0, "spot", "ff")], ["ann"], ["shape"])


def _paint(photograph: Path, mask: Path, device: str, folder: Path) -> None:
    from anomaly_gan.synthesis.paint.config import PaintConfig
    from anomaly_gan.synthesis.paint.stage import Sources, paint

    sources = Sources(photograph, mask, folder / "train@anomaly_gan")
    paint(sources, PaintConfig(category="spot", count=2), 0, device, folder / "painted")


def _card(device: str, folder: Path) -> None:
    from anomaly_gan.synthesis.control_card.config import CardConfig
    from anomaly_gan.synthesis.control_card.stage import make_card

    config = CardConfig(method="anomaly_gan", masks=2, levels=3)
    make_card(folder, config, 0, device, folder / "control@anomaly_gan")


def _detect_train(device: str, folder: Path) -> None:
    from detection.commands import detect_train
    from detection.detectors.config import DetectConfig

    config = DetectConfig(iterations=3, dense={**DENSE, "held_out": 0.3})  # type: ignore[arg-type]
    detect_train(folder / "ingest", folder / "detector", config, 0, device, 0.5)


def _detect_eval(device: str, folder: Path) -> None:
    from detection.commands import detect_eval

    detect_eval(folder / "detector", folder / "ingest", folder / "judged", "test", device)


def _predict(photographs: Path, threshold: float, device: str, folder: Path) -> None:
    from detection.inspection.predict import predict_folder

    predict_folder(
        folder / "detector", photographs, folder / "predicted", threshold=threshold, min_score=0.01, device=device
    )


def _detect_export(folder: Path) -> None:
    from detection.inspection.export import export_detector

    export_detector(folder / "detector", folder / "detector.onnx")


def _one_class_train(good: Path, false_alarm: float, device: str, folder: Path) -> None:
    from detection.one_class.inspection.train import train_folder

    train_folder(
        good, folder / "model", "cae", "quick", CAE, false_alarm, group_regex=r"g(\d+)_", held_out=0.5, device=device
    )


def _score(photographs: Path, everything: bool, device: str, folder: Path) -> None:
    from detection.one_class.inspection.score import score_folder

    score_folder(folder / "model", photographs, folder / "scored", overlay_all=everything, device=device)


def _recalibrate(photographs: Path, device: str, folder: Path) -> None:
    from detection.one_class.inspection.recalibrate import recalibrate_folder

    recalibrate_folder(folder / "model", photographs, folder / "recalibrated", 0.4, device=device)


def _one_class_export(folder: Path) -> None:
    from detection.one_class.inspection.onnx_export import export_onnx

    export_onnx(folder / "model", folder / "model.onnx")


def copied(base: Path, folder: Path) -> Path:
    """The base as a new folder: hard links, since no write of ours changes a file in place."""
    shutil.copytree(base, folder, copy_function=_link, symlinks=True)
    return folder


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)
