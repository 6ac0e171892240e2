"""What ``anomaly-gan detect train`` and ``anomaly-gan detect eval`` do."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomaly_gan.core.config import dump_yaml
from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.files import sha256_file, write_json, write_text
from anomaly_gan.core.json_files import read_as
from anomaly_gan.core.progress import say
from anomaly_gan.core.stage import LOGS
from anomaly_gan.core.workfolder import work_folder
from anomaly_gan.ingestion.reading import ReadingConfig

from .detectors.config import DetectConfig
from .scale import fitted

if TYPE_CHECKING:
    import torch

    from .evaluation.thresholds import Least
    from .inspection.alarm import SoundScores
    from .inspection.one_class_score import OneClassScore
    from .training.finetune import Trained


def detect_train(
    data: Path,
    out: Path,
    config: DetectConfig,
    seed: int = 0,
    device: str = "auto",
    false_alarm: float = 0.05,
    bank: Path | None = None,
) -> dict[str, Any]:
    """Train on the split ``train`` of a data set (an ingest, an export, or a run folder, whose ingest is taken);
    returns what training looked at, with the alarm ``threshold`` where sound objects could be held out to set it.

    Writes ``model.safetensors``, ``model.json``, ``losses.csv``, ``metrics.json`` and ``config.yaml`` to ``out``;
    a training that was cut off goes on from its checkpoint. Whatever arithmetic it is trained in, the sound
    photographs behind the threshold are looked at in float32, as ``detect predict`` does on every machine. Without a
    labelled defect ``dense`` learns from defects drawn by rule on the sound photographs.

    Args:
        data: an ingest, an export, or a run folder.
        out: folder to write.
        config: which detector, and how it is trained.
        seed: of every random choice made here.
        device: ``auto``, ``cpu`` or ``cuda``.
        false_alarm: share of sound photographs that may raise an alarm, in (0, 1).
        bank: folder of painted crops to draw from beside the photographs; ``dense.bank`` says what they are.

    Returns:
        What training looked at, and the ``threshold`` (None: too few sound objects).

    Raises:
        InputError: no training data; J6, ``out`` holds the work of another configuration or data set.
        ConfigError: ``false_alarm`` is no share; ``dense.bank`` without a bank.
    """
    if config.dense.bank != "none" and bank is None:
        raise ConfigError(
            f"dense.bank: {config.dense.bank}: `anomaly-gan detect train` paints it; here name its folder"
        )
    if not 0 < false_alarm < 1:
        raise ConfigError(f"--false-alarm {false_alarm:g}: must lie between 0 and 1, for example 0.05")
    data = data_folder(data)
    dataset = load_dataset(data).split("train")
    defective = len(dataset.images) - len(dataset.normals())
    say(f"detect train: {len(dataset.images)} photographs, {defective} of them with a defect → {out}")
    dataset, config, drawn = _with_something_to_learn(dataset, config)
    config = fitted(config, dataset)
    started = {"config": config.model_dump(mode="json"), "seed": seed, "data": _content_key(data), **_key_of(bank)}
    with work_folder(out, "detect train", {**started, "false_alarm": false_alarm}) as work:
        if work.fresh:
            return read_as(out / "metrics.json", dict)
        # loaded once it is known that there is work
        from anomaly_gan.engine.loop import make_fabric

        from .dense.inner import hold_out_sound
        from .detectors.registry import detector
        from .inspection.one_class_score import forget_one_class_score
        from .training.arithmetic import resolved
        from .training.checkpoint import save_detector
        from .training.finetune import train_detector

        held = None
        # a detector with a trainer of its own holds objects out itself
        if not detector(config.detector).trainer:
            dataset, held = hold_out_sound(dataset, config.dense, seed)
        precision = resolved(config, device, work.place)
        fabric = make_fabric(device, precision, work.place / LOGS)
        place = work.place
        trained = train_detector(dataset, config, fabric, place, seed=seed, where=str(data), bank=bank, drawn=drawn)
        held = held or trained.held_out
        second = _one_class_score(dataset, held, config, seed, fabric.device, work.place)
        least, sound, alone, second = _look_at(held, trained, config, fabric.device, second, false_alarm)
        if second is None:
            forget_one_class_score(work.place)
        threshold = _threshold(sound, false_alarm)
        auroc = second.summary.auroc if second else None
        found = {"precision": precision, "threshold": threshold, "one_class_auroc": auroc}
        report = trained.report.to_json() | found | {"least_scores": _by_name(least, trained)}
        chosen = {key: one.score for key, one in least.items()}
        reading, kept = ReadingConfig.of_dataset(dataset), sound.to_json()
        added = (second.hash, alone.to_json()) if second else (None, None)
        save_detector(work.place, trained, config, reading, kept, false_alarm, threshold, chosen, *added)
        write_text(work.place / "config.yaml", dump_yaml(config))
        write_json(work.place / "metrics.json", report)
    return report


def _check(config: DetectConfig, false_alarm: float, bank: Path | None) -> None:
    if config.dense.bank != "none" and bank is None:
        raise ConfigError(
            f"dense.bank: {config.dense.bank}: `anomaly-gan detect train` paints one; here name its folder"
        )
    if not 0 < false_alarm < 1:
        raise ConfigError(f"--false-alarm {false_alarm:g}: must lie between 0 and 1, for example 0.05")


def _by_name(least: dict[int, Least], trained: Trained) -> dict[str, object]:
    categories = trained.categories
    return {categories.names[categories.label(key) - 1]: asdict(one) for key, one in least.items()}


def _key_of(bank: Path | None) -> dict[str, str]:
    return {} if bank is None else {"bank": sha256_file(bank / "bank.jsonl")}


def _with_something_to_learn(dataset: Dataset, config: DetectConfig) -> tuple[Dataset, DetectConfig, bool]:
    """Both for a training from defects drawn by rule, where there is no labelled one and the detector can do that; and
    whether it is one."""
    if config.detector != "dense" or dataset.annotations or not dataset.images:
        return dataset, config, False
    from .dense.drawn import for_drawn, with_drawn_categories

    dataset = with_drawn_categories(dataset)
    kinds = ", ".join(category.name for category in dataset.categories)
    say(f"detect train: no labelled defect: learns from such as are drawn by rule on the sound photographs ({kinds})")
    return dataset, config.model_copy(update={"dense": for_drawn(config.dense)}), True


def _look_at(
    held: Dataset | None,
    trained: Trained,
    config: DetectConfig,
    device: torch.device,
    second: OneClassScore | None,
    false_alarm: float,
) -> tuple[dict[int, Least], SoundScores, SoundScores, OneClassScore | None]:
    """Of the objects that were not learnt from: each category's least score, and the scores of sound photographs, with
    the one-class score and without; and that score, if it does not harm there."""
    from .detectors.registry import detector
    from .evaluation.reading import read_detections
    from .evaluation.thresholds import least_scores
    from .inspection.alarm import SoundScores
    from .inspection.one_class_score import harm, with_one_class_score

    if held is None or not held.images:
        return {}, SoundScores(), SoundScores(), second
    seen = read_detections(trained.net, held, trained.categories, config.longest, device)
    segments = detector(config.detector).segments
    least = least_scores(held, seen.rows, segments, config.score_threshold, false_alarm)
    both = with_one_class_score(held, seen, second)
    if second is not None and (words := harm(held, seen, both)):
        say(f"detect train: {words}")
        both, second = seen, None
    return least, SoundScores.of(held, both), SoundScores.of(held, seen), second


def _one_class_score(
    learnt: Dataset, held: Dataset | None, config: DetectConfig, seed: int, device: torch.device, folder: Path
) -> OneClassScore | None:
    """Learnt from what the detector was trained on; None where it is not asked for or does not help."""
    from .detectors.config import OWN_CROPS
    from .inspection.one_class_score import learn_one_class_score, read_one_class_score

    if config.detector not in OWN_CROPS or not config.dense.one_class_score:
        return None
    out = {image.group_id for image in held.images} if held else set()
    written, words = learn_one_class_score(learnt.select(lambda image: image.group_id not in out), seed, device, folder)
    say(f"detect train: {words}")
    return read_one_class_score(folder, written, device)


def _threshold(sound: SoundScores, false_alarm: float) -> dict[str, object] | None:
    """The threshold and what it promises; None where too few sound photographs were held out."""
    try:
        found = sound.threshold(false_alarm)
    except InputError:
        return None
    return {**asdict(found), "words": found.words()}


def data_folder(data: Path) -> Path:
    """The data set that a path names: itself, or the ingest of a run folder.

    Raises:
        InputError: MISSING, there is none.
    """
    for folder in (data, data / "ingest"):
        if (folder / "annotations.json").is_file():
            return folder
    raise InputError(
        str(data),
        "MISSING",
        "holds no data set",
        "run `anomaly-gan ingest` first, or name an ingest, an export or a run",
    )


def detect_eval(model: Path, data: Path, out: Path, split: str = "test", device: str = "auto") -> dict[str, Any]:
    """Judge a trained detector on one split of a data set; writes ``detections.json`` and ``metrics.json`` to ``out``.

    Raises:
        InputError: no photographs in that split, or other categories than the detector's (K4).
    """
    data = data_folder(data)
    dataset = load_dataset(data).split(split)
    if not dataset.images:
        raise InputError(str(data), "K8", f"split {split!r} holds no photograph", "name another split with --split")
    say(f"detect eval: {len(dataset.images)} photographs of the split {split} → {out}")
    from anomaly_gan.engine.loop import make_fabric

    from .detectors.registry import detector
    from .evaluation.evaluate import evaluate_detections
    from .evaluation.reading import read_detections
    from .inspection.one_class_score import read_one_class_score, with_one_class_score
    from .training.checkpoint import read_model

    fabric = make_fabric(device)
    trained = read_model(model, fabric.device)
    categories, config = trained.categories, trained.config
    categories.check(dataset, str(data))
    segments = detector(config.detector).segments
    started = {"model": sha256_file(model / "model.json"), "data": _content_key(data), "split": split}
    with work_folder(out, "detect eval", started) as work:
        if work.fresh:
            return read_as(out / "metrics.json", dict)
        seen = read_detections(trained.net, dataset, categories, config.longest, fabric.device)
        second = read_one_class_score(model, trained.one_class_score, fabric.device)
        seen = with_one_class_score(dataset, seen, second)
        least = dict(zip(categories.ids, trained.least, strict=True))
        figures = evaluate_detections(dataset, seen.rows, segments, least, seen.scores, seen.pixels).to_json()
        write_json(work.place / "detections.json", seen.rows)
        write_json(work.place / "metrics.json", figures)
    return figures


def _content_key(data: Path) -> str:
    return sha256_file(data / "annotations.json")
