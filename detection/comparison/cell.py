"""One cell of the comparison: arm × detector × fold × seed, trained, judged and written down on its own."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.errors import EnvironmentFailure, InputError
from anomaly_gan.core.files import sha256_bytes, write_json
from anomaly_gan.core.locks import claimed
from anomaly_gan.core.seeding import seed_for
from anomaly_gan.core.stage import LOGS, SCHEMA
from anomaly_gan.core.workfolder import begun, made_by, open_folder

from ..detectors.config import NO_AUGMENTATION, DetectConfig
from .result import RESULT, Cell, CellResult, key_of, read_result, write_result

ASIDE = Path(LOGS) / "set_aside"
"""Where finished cells of other plans and of other keys wait, among the logs of ``cells/``."""


@dataclass(frozen=True)
class CellJob:
    """All that a worker process needs to know. ``key`` is the hash of everything the result depends on."""

    cell: Cell
    config: DetectConfig
    ingest: Path
    train: Path
    folder: Path
    split_test: str
    seed: int
    device: str
    key: str
    defective: int
    """Real photographs with a defect on the training side, which a length in exposures follows."""

    @property
    def steps(self) -> int:
        """Of the training, at most: an early stop ends it before."""
        return self.config.steps(self.defective)

    @property
    def kind(self) -> str:
        """Cells of one kind take about equally long."""
        size = self.config
        return f"{self.cell.detector} {size.longest}px {self.steps}x{size.batch} {self.device}"

    @property
    def claim(self) -> Path:
        """The file that says who trains this cell; among the logs, which no manifest lists."""
        return self.folder.parent / LOGS / f"{self.folder.name}.claim"

    @property
    def clock(self) -> Path:
        """Where the seconds it took are kept."""
        return self.folder.parent / LOGS / f"{self.folder.name}.json"

    def run(self, on_step: Callable[[], None] = lambda: None) -> None:
        """Train and judge, unless that is done, or another process is at it."""
        with claimed(self.claim) as held:
            if held and not self.finished():
                timer = Timer(on_step)
                run_cell(self, timer.step, on_step)
                write_json(self.clock, {"seconds": round(timer.seconds() * self.steps / max(1, timer.steps), 3)})

    def finished(self) -> bool:
        return (self.folder / RESULT).is_file() and self.result().key == self.key

    def result(self) -> CellResult:
        """Of the finished cell."""
        return read_result(self.folder / RESULT)


@dataclass
class Timer:
    """Passes steps on, counts them, and knows the time since it was made."""

    on_step: Callable[[], None]
    steps: int = 0
    began: float = field(default_factory=time.monotonic)

    def step(self) -> None:
        self.steps += 1
        self.on_step()

    def seconds(self) -> float:
        return time.monotonic() - self.began


def cell_key(
    cell: Cell, config: DetectConfig, seed: int, split_test: str, device: str, backbone: str, inputs: Mapping[str, str]
) -> str:
    """Hash of a cell's coordinates, configuration, seed, device kind, backbone and the keys of its input stages.

    Args:
        cell: arm, detector and seed.
        config: of the detector.
        seed: of the run.
        split_test: split that is evaluated on.
        device: ``cpu`` or ``cuda``.
        backbone: name of the backbone chosen.
        inputs: input stage -> its key.

    Returns:
        The hash, as hexadecimal text.
    """
    content = {
        "schema": SCHEMA,
        "cell": asdict(cell),
        "config": config.keyed(),
        "seed": seed,
        "split": split_test,
        "device": device,
        "backbone": backbone,
        "inputs": dict(inputs),
    }
    return sha256_bytes(json.dumps(content, sort_keys=True).encode())


def run_cell(
    job: CellJob, on_step: Callable[[], None] = lambda: None, on_image: Callable[[], None] = lambda: None
) -> None:
    """Train and judge; ``detections.json`` and then ``result.json`` appear in ``job.folder``.

    ``on_step`` is called after each step of the training and ``on_image`` before each photograph of the test: either
    may end it. A test is whole or none, for photographs that were left out would flatter or harm.

    A cut-off cell goes on from its newest checkpoint; a folder begun under another key is cleared
    first, a finished one set aside. All cells of a comparison are trained in the arithmetic of the first one.
    """
    from anomaly_gan.engine.loop import make_fabric

    from ..detectors.backbones import backbone_of
    from ..detectors.registry import detector
    from ..evaluation.evaluate import evaluate_detections
    from ..evaluation.reading import read_detections
    from ..training.arithmetic import resolved
    from ..training.finetune import train_detector

    if job.finished():
        return
    _claim(job)
    config = job.config
    test = load_dataset(job.ingest).split(job.split_test)
    train = training_data(job.cell.arm, job.ingest, job.train, test)
    precision = resolved(config, job.device, job.folder.parent)
    fabric = make_fabric(job.device, precision)
    seed = seed_for(job.seed, "compare", job.cell.seed)
    trained = train_detector(train, config, fabric, job.folder, seed=seed, where=str(job.train), on_step=on_step)
    trained.categories.check(test, str(job.ingest))
    with fabric.autocast():
        seen = read_detections(trained.net, test, trained.categories, config.longest, fabric.device, on_image=on_image)
    # result.json comes last: a cell is finished where it lies, and its detections lie there by then
    segments = detector(config.detector).segments
    figures = evaluate_detections(test, seen.rows, segments, config.score_threshold, seen.scores, seen.pixels)
    write_json(job.folder / "detections.json", seen.rows)
    result = CellResult(
        job.cell,
        job.key,
        held_out_hash(test),
        figures,
        trained.report,
        n_real=sum(image.source == "real" for image in train.images),
        n_synthetic=sum(image.source == "synthetic" for image in train.images),
        precision=precision,
        backbone=backbone_of(config),
        **made_by(job.folder),
    )
    write_result(job.folder, result)


def _claim(job: CellJob) -> None:
    if job.folder.exists() and not begun(job.folder, {"key": job.key}, RESULT):
        set_aside(job.folder)
    open_folder(job.folder, {"key": job.key}, RESULT)


def set_aside(folder: Path) -> None:
    """Move a finished cell out of the table's sight, to be found by its key; remove an unfinished one."""
    key = key_of(folder / RESULT)
    try:
        if key:
            target = folder.parent / ASIDE / f"{folder.name}-{key[:12]}"
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                folder.rename(target)
                return
        shutil.rmtree(folder)
    except OSError as error:
        raise EnvironmentFailure(f"{folder}: cannot be set aside: {error.strerror or error}") from error


def held_out_hash(test: Dataset) -> str:
    """Hash of the photographs and instances that every arm is evaluated on."""
    content = [[image.sha256, image.file_name] for image in test.images]
    return sha256_bytes(json.dumps([content, [vars(item) for item in test.annotations]], sort_keys=True).encode())


def training_data(arm: str, ingest: Path, train: Path, test: Dataset) -> Dataset:
    """What an arm trains on: the real training split, or the export that adds its synthetic images.

    Raises:
        InputError: E4 (something of the test split, or made from it, is in there) or K8 (the real photographs of
            an export are not those of the training split).
    """
    real = load_dataset(ingest).split("train")
    if arm == NO_AUGMENTATION:
        data = real.select(lambda image: image.source == "real")
    else:
        data = load_dataset(train)
        given = sorted(image.sha256 for image in data.images if image.source == "real" and "copy_of" not in image.extra)
        if given != sorted(image.sha256 for image in real.images):
            raise InputError(
                str(train),
                "K8",
                "its real photographs are not those of the training split",
                "export again from this ingest",
            )
    held_out = {image.group_id for image in test.images}
    bytes_held_out = {image.sha256 for image in test.images}
    ancestors: dict[int, set[str]] = {}
    for annotation in data.annotations:
        ancestors.setdefault(annotation.image_id, set()).update(_groups(annotation.provenance))
    for image in data.images:
        groups = {image.group_id, *ancestors.get(image.id, set()), *_groups(image.extra)}
        if image.split != "train" or groups & held_out or image.sha256 in bytes_held_out:
            raise InputError(
                f"{train}[{image.file_name}]",
                "E4",
                "is, shows or was made from a test object",
                "split by object and export again",
            )
    return data


def _groups(provenance: Any) -> Iterator[str]:
    """Every group named anywhere in a record of ancestry."""
    if isinstance(provenance, dict):
        for name, value in provenance.items():
            if name.endswith(("group", "group_id")) and value is not None:
                yield str(value)
            else:
                yield from _groups(value)
    elif isinstance(provenance, list):
        for value in provenance:
            yield from _groups(value)
