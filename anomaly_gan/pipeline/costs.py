"""What each stage costs: seconds on the reference machine (see ``pace``), scaled to this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detection.detectors.config import OWN_CROPS

from ..core.manifest import read_manifest
from ..core.workfolder import CELLS, next_to
from ..synthesis.registry import training_of
from .pace import Pace, side_of
from .plan import Step
from .sizes import Sizes

SHARED_CORES = 1.2
"""Detectors trained side by side, one on each core, are so much slower than one alone."""
START_UP = 6.0
"""Reference seconds until a process has torch and its friends in memory."""


@dataclass(frozen=True)
class Work:
    """One step to be done, what there is to work on, and how fast this machine is."""

    step: Step
    run: Path
    sizes: Sizes
    pace: Pace
    generated: int
    """Photographs that one arm generates."""
    seeds: int = 1
    """Of the comparison."""

    @property
    def config(self) -> Any:
        return self.step.config


def seconds_of(work: Work) -> float:
    """Estimated seconds of the whole step, less what an interrupted one has done already."""
    return max(0.5, COSTS.get(work.step.stage.name, _flat(10))(work))


def _flat(reference: float) -> Callable[[Work], float]:
    return lambda work: reference * work.pace.slower


def _ingest(work: Work) -> float:
    return work.pace.slower * (0.3 + work.sizes.photographs * (0.002 + 0.02 * work.sizes.megapixels))


def _pool(work: Work) -> float:
    return work.pace.slower * (2 + 0.04 * work.config.count * work.sizes.categories)


def _train(work: Work) -> float:
    config = work.config
    step = work.pace.steps.get(config.method)
    if step is None:
        step = 0.1 * work.pace.slower * config.batch * config.size**2 / 64**2
    left = config.steps - _newest_step(work.run / work.step.name)
    aware = 0.06 * config.recipe.steps_before * step
    reading = 0.02 * work.sizes.train * work.sizes.megapixels * work.pace.slower
    return START_UP * work.pace.slower + reading + aware + 1.03 * step * left


def _newest_step(folder: Path) -> int:
    """Steps that an unfinished training has behind it, be it in its folder or beside a finished one."""
    places = (folder, next_to(folder)) if read_manifest(folder) else (folder,)
    found = [path for place in places for path in (place / "checkpoints").glob("step-*.pt")]
    return max((int(path.stem.rpartition("-")[2]) for path in found), default=0)


def _generate(work: Work) -> float:
    paints = training_of(work.config.method) is not None
    return work.pace.slower * (1 + work.generated * (0.015 if paints else 0.008))


def _choose(work: Work) -> float:
    painted = work.config.count * len(work.config.methods) * work.sizes.categories
    return work.pace.slower * (START_UP + 0.04 * painted)


def _label_check(work: Work) -> float:
    config = work.config
    step = 0.14 * config.batch / 16 * (config.size / 64) ** 2 * config.base_width / 24
    return work.pace.slower * (3 + config.folds * config.steps * step)


def _gate(work: Work) -> float:
    return work.pace.slower * (1 + 0.06 * work.generated + 0.025 * min(work.sizes.train, 400))


def _features(work: Work) -> float:
    return 60 * work.pace.slower


def _one_class(work: Work) -> float:
    return work.pace.slower * len(work.config.detectors) * (20 + 0.5 * work.sizes.train)


def _one_class_filter(work: Work) -> float:
    return work.pace.slower * (5 + 0.2 * work.generated)


def _export(work: Work) -> float:
    return work.pace.slower * (0.3 + (work.generated + work.sizes.train) * (0.0005 + 0.02 * work.sizes.megapixels))


def _compare(work: Work) -> float:
    return compare_seconds(work, work.config.seed_list())


def compare_seconds(work: Work, seeds: list[int], share: float = 1.0) -> float:
    """Of the cells of these seeds that are not finished, each with that share of its steps."""
    folder = work.run / work.step.name / CELLS
    config, total, longest = work.config, 0.0, 0.0
    for name in config.detector_list():
        one = cell_seconds(work, name, share)
        for seed in seeds:
            for arm in config.arms:
                if not (folder / f"{arm}-{name}-f{config.fold}-s{seed}" / "result.json").is_file():
                    total, longest = total + one, max(longest, one)
    workers = compare_workers(work)
    crowd = SHARED_CORES if workers > 1 else 1.0
    return START_UP * work.pace.slower + max(total * crowd / workers, longest) if total else 0.0


def compare_workers(work: Work) -> int:
    return work.config.workers or work.pace.cores


def cell_seconds(work: Work, detector: str, share: float = 1.0) -> float:
    """One training of a detector, of that share of its steps, and its test, alone on one thread."""
    detect = work.config.detect_config(detector)
    own = detector in OWN_CROPS
    seen = detect.dense.batch * detect.dense.crop**2 if own else detect.batch * side_of(detect) ** 2
    step = work.pace.detector_steps.get(detector)
    if step is None:
        step = 3.5e-6 * work.pace.slower * seen
    reading = 0.01 * (work.sizes.photographs + work.generated) * work.pace.slower
    shown = work.sizes.megapixels * 1e6 if own else side_of(detect) ** 2
    testing = 0.35 * step / seen * shown * work.sizes.test
    return 2 * work.pace.slower + reading + step * share * detect.steps(work.sizes.defective) + testing


def _report(work: Work) -> float:
    return work.pace.slower * 4


COSTS: dict[str, Callable[[Work], float]] = {
    "ingest": _ingest,
    "pool": _pool,
    "train": _train,
    "choose": _choose,
    "generate": _generate,
    "label_check": _label_check,
    "gate": _gate,
    "features": _features,
    "one_class": _one_class,
    "one_class_filter": _one_class_filter,
    "export": _export,
    "compare": _compare,
    "report": _report,
}
"""Measured on the demo's stages, float32, one core with AVX2 alone; ``train`` and ``compare`` go by this machine's own
steps. Rough by a factor of two: the plan is refined as stages finish."""
