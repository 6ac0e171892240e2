"""How fast this machine is, from a few seconds of the very nets that a run will train, at their very sizes."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.files import sha256_bytes, write_json
from ..core.json_files import note_as
from ..core.stage import LOGS

if TYPE_CHECKING:
    from detection.detectors.config import DetectConfig

    from ..synthesis.methods.config import TrainConfig

FILE = Path(LOGS) / "pace.json"
REFERENCE_CONVOLUTION = 0.0132
"""Seconds that :func:`_convolution` takes on the machine whose costs stand in ``costs``: one core with AVX2 and no
bf16 (an avx512 server core held to AVX2), float32."""
IN_NO_STEP = {"steps": 0, "time_budget": None}
"""What a single step does not depend on."""
PATIENCE = 6.0
"""Seconds after which nothing is timed once more, unless there was but the first go, which is the slowest ..."""
LONG = 25.0
"""... and took less than this."""
USUAL_SIDE = 320
LARGEST_ROWS = 16 * 64 * 64
"""Pixels a timed batch may have, four times over; a larger one is timed with two rows and scaled."""


@dataclass(frozen=True)
class Pace:
    """Seconds: ``steps`` of one training step by method, ``detector_steps`` by detector on one thread;
    ``slower``: than the reference machine, on one thread; ``cores`` this process may use."""

    slower: float = 1.0
    cores: int = 1
    steps: dict[str, float] = field(default_factory=dict)
    detector_steps: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """What stands on disk of a pace; ``key`` of what was timed."""

    key: str
    pace: Pace


@dataclass(frozen=True)
class Wanted:
    """What is to be timed."""

    trainings: dict[str, TrainConfig]
    detectors: dict[str, DetectConfig]
    device: str
    categories: int
    channels: int
    aspect: float

    def key(self) -> str:
        content = {
            "trainings": {name: item.keyed() | IN_NO_STEP for name, item in self.trainings.items()},
            "detectors": {
                name: item.keyed() | {"iterations": 0, "time_budget": None} for name, item in self.detectors.items()
            },
            "about": [self.device, self.channels, cores()],
        }
        return sha256_bytes(json.dumps(content, sort_keys=True, default=str).encode())


def side_of(config: DetectConfig) -> int:
    """The longest side a detector sees, in pixels; a usual one where that follows from the defects."""
    return config.image_size if isinstance(config.image_size, int) else USUAL_SIDE


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pace_of(run: Path, wanted: Wanted, say: Callable[[str], None]) -> Pace:
    """Measured now, or as this run has measured it before on as many cores."""
    path, key = run / FILE, wanted.key()
    known = note_as(path, Measured)
    if known is not None and known.key == key:
        return known.pace
    say("measuring this machine ...")
    pace = measure(wanted)
    write_json(path, asdict(Measured(key, pace)))
    return pace


def measure(wanted: Wanted) -> Pace:
    """Time one step of everything; torch's streams of chance and its number of threads are left as they were."""
    import torch

    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        try:
            torch.set_num_threads(1)
            slower = _best(_convolution(), 5) / REFERENCE_CONVOLUTION
            detectors = _each(wanted.detectors, lambda item: _detector_step(item, wanted))
            torch.set_num_threads(threads)
            steps = _each(wanted.trainings, lambda item: _training_step(item, wanted, threads))
        finally:
            torch.set_num_threads(threads)
    return Pace(round(slower, 3), cores(), steps, detectors)


def _each(items: Mapping[str, Any], seconds: Callable[[Any], float]) -> dict[str, float]:
    """Seconds of every item. One that cannot be built has none: its own stage will say why, if it comes to that."""
    found = {}
    for name, item in items.items():
        with contextlib.suppress(Exception):
            found[name] = seconds(item)
    return found


def _best(work: Callable[[], Any], times: int) -> float:
    """Seconds of the fastest of ``times`` goes after a first one to warm up, which counts where it takes long."""
    seconds: list[float] = []
    while len(seconds) <= times and (sum(seconds) < PATIENCE or (len(seconds) == 1 and seconds[0] < LONG)):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _convolution() -> Callable[[], Any]:
    import torch
    from torch.nn import functional

    x, w = torch.randn(8, 32, 64, 64), torch.randn(32, 32, 3, 3)

    def work() -> Any:
        with torch.no_grad():
            return functional.conv2d(x, w, padding=1)

    return work


def _training_step(config: TrainConfig, wanted: Wanted, threads: int) -> float:
    import torch

    from ..engine.loop import plan_fabric, train_step
    from ..nets.aware import AwareNet, freeze
    from ..synthesis.methods.anomaly_gan.config import AnomalyGanConfig
    from ..synthesis.methods.config import TaskSetup
    from ..synthesis.registry import method

    torch.set_num_threads(config.threads or threads)
    fabric = plan_fabric(wanted.device, config.precision)
    fabric.launch()
    channels = wanted.channels if config.channels == "auto" else config.channels
    aware = None
    if method(config.method).aware:
        aware = AwareNet(channels, config.own(AnomalyGanConfig).aware_width)
        freeze(aware)
    rows = config.batch if config.batch * config.size**2 <= 4 * LARGEST_ROWS else 2
    task = method(config.method).build(TaskSetup(config, channels, wanted.categories, aware, 0, fabric.device))
    for net in task.nets.values():
        net.to(fabric.device)
    updates, batch = task.updates(), _batch(config, rows, channels, wanted.categories).to(fabric.device)
    return _best(lambda: train_step(task, updates, batch, fabric), 2) * config.batch / rows


def _batch(config: TrainConfig, rows: int, channels: int, categories: int) -> Any:
    import torch

    from ..synthesis.pairs.windows import Batch

    side = config.size
    masks = torch.zeros(rows, 1, side, side)
    masks[:, :, side // 4 : side // 2, side // 4 : side // 2] = 1
    pictures = [torch.rand(rows, channels, side, side) * 2 - 1 for _ in range(5)]
    exemplars = pictures[3:] if config.recipe.exemplars else [None, None]
    return Batch(
        pictures[0],
        masks,
        pictures[1],
        masks,
        torch.arange(rows) % categories,
        torch.randn(rows, 2, side, side),
        pictures[2],
        *exemplars,
    )


def _detector_step(config: DetectConfig, wanted: Wanted) -> float:
    from detection.detectors.config import OWN_CROPS

    return (_step_on_crops if config.detector in OWN_CROPS else _step_on_photographs)(config, wanted)


def _step_on_crops(config: DetectConfig, wanted: Wanted) -> float:
    import torch

    from detection.training.finetune import build_net

    from ..engine.loop import make_fabric

    fabric = make_fabric(wanted.device, config.precision)
    net = build_net(wanted.categories, config, 0).to(fabric.device).train()
    images = torch.rand(config.dense.batch, 3, config.dense.crop, config.dense.crop).to(fabric.device)

    def work() -> float:
        net.zero_grad(set_to_none=True)
        with fabric.autocast():
            maps = [value for value in vars(net(images)).values() if isinstance(value, torch.Tensor)]
        loss = torch.stack([value.float().square().mean() for value in maps]).sum()
        loss.backward()
        return float(loss.detach())

    return _best(work, 2)


def _step_on_photographs(config: DetectConfig, wanted: Wanted) -> float:
    import torch

    from detection.training.finetune import DetectorTask, build_net

    from ..engine.loop import make_fabric, train_step

    fabric = make_fabric(wanted.device)
    side = side_of(config)
    height, width = side, max(32, round(side * wanted.aspect))
    masks = torch.zeros(1, height, width, dtype=torch.uint8)
    masks[:, height // 4 : height // 2, width // 4 : width // 2] = 1
    box = torch.tensor([[width // 4, height // 4, width // 2, height // 2]], dtype=torch.float32)
    target = {"boxes": box, "labels": torch.ones(1, dtype=torch.int64), "masks": masks}
    images = [torch.rand(3, height, width).to(fabric.device) for _ in range(config.batch)]
    targets = [{name: value.to(fabric.device) for name, value in target.items()} for _ in images]
    task = DetectorTask(build_net(wanted.categories, config, 0), config)
    task.nets["detector"].to(fabric.device)
    updates = task.updates()
    return _best(lambda: train_step(task, updates, (images, targets), fabric), 2)
