"""Stage ``choose``: per category, which method paints what is most like real defects that the probe has not seen.

Every method paints the same masks of the pool. What passes the gate's checks is put before a probe, real against
painted, fold by fold over whole objects: a painted defect belongs to the object that its mask or texture came from, so
that a probe that knows an object's defects is never asked about their copies. All methods know the training split alike
(the generator has learned from it, the others copy from it); the test split is never read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import ConfigError
from ...core.files import write_json
from ...core.progress import say, track
from ...core.seeding import rng_for
from ...core.stage import Context
from ...core.time_budget import TimeBudget, while_time
from ...metrics.two_sample import describe, two_sample
from ..gate.candidate import Candidate, Setting
from ..gate.checks import check
from ..gate.config import GateConfig
from ..gate.defects import RealDefects
from ..gate.stage import ancestors
from ..gate.window import window_around
from ..generate.stage import method_inputs, pool_items
from ..interface import Generate, PoolItem, Sample
from ..methods.best import FILE, NONE, open_part
from .config import ChooseConfig
from .decide import Trial, decide

Row = tuple[np.ndarray, str]
"""What a probe is shown of a defect, and the object it belongs to."""


def run(config: ChooseConfig, context: Context, out: Path) -> dict[str, Any]:
    """Write ``choice.json`` (category → method) and say what was taken.

    Raises:
        ConfigError: ``categories`` names one that the data set does not have.
    """
    inputs = method_inputs("anomaly_gan", context)
    items = pool_items(inputs.pool)
    unknown = sorted(set(config.categories) - set(items))
    if unknown:
        raise ConfigError(f"choose.categories: no category {unknown[0]!r}")
    gate = GateConfig()
    reals = RealDefects(inputs.train, gate.max_n, context.seed)
    groups = {image.file_name: image.group_id for image in inputs.train.images}
    painters = {name: open_part(name, inputs) for name in config.methods}
    found = {}
    for name, own in items.items():
        given = config.categories.get(name)
        trials = (
            []
            if given
            else _trials(name, own[: config.count], painters, gate, reals, groups, inputs.seed, context.deadline)
        )
        taken, why = (given, "set in choose.categories") if given else decide(trials, config)
        say(f"choose {name}: {'nothing is generated' if taken == NONE else taken}; {why}")
        found[name] = {"method": taken, "why": why, "trials": [trial.to_json() for trial in trials]}
    write_json(out / FILE, {name: item["method"] for name, item in found.items()})
    return {"categories": found}


def _trials(
    name: str,
    items: Sequence[PoolItem],
    painters: dict[str, Generate],
    gate: GateConfig,
    reals: RealDefects,
    groups: Mapping[str, str],
    seed: int,
    watch: TimeBudget | None = None,
) -> list[Trial]:
    """What the gate's checks and the two-sample test say of every method in one category.

    Args:
        name: the category.
        items: the pool's items that are painted.
        painters: method -> how it paints.
        gate: limits of the checks.
        reals: real defects of the training split.
        groups: file of a training photograph -> its physical object.
        seed: of the run.
        watch: until when; None: all items.

    Returns:
        One trial a method, in their order.
    """
    real = [
        (describe(defect.window.pixels, defect.window.mask_01), defect.group)
        for defect in reals.of(name)
        if defect.window.mask_01.any()
    ]
    trials = []
    for method, paint in painters.items():
        made: list[Row] = []
        for item in while_time(track(items, f"choose {name}: {method}"), watch):
            sample = paint([item], 0)[0]
            if not check(_candidate(sample, item), Setting(gate, reals=reals)).findings:
                made.append(_row(sample, item, groups[item.image.extra["normal_file"]]))
        trials.append(_trial(method, len(items), real, made, rng_for(seed, "choose", name, method)))
    return trials


def _trial(method: str, painted: int, real: Sequence[Row], made: Sequence[Row], rng: np.random.Generator) -> Trial:
    accepted = len(made) / max(1, painted)
    if not (real and made):
        return Trial(method, painted, accepted)
    rows, truth = np.stack([row for row, _ in (*real, *made)]), np.repeat([0, 1], [len(real), len(made)])
    found = two_sample(rows, truth, [group for _, group in (*real, *made)], rng)
    if found is None:
        return Trial(method, painted, accepted)
    return Trial(method, painted, accepted, found.auroc, found.low, found.high)


def _candidate(sample: Sample, item: PoolItem) -> Candidate:
    kept = [instance for instance in sample.instances if instance[1].any()]
    support = int(sample.provenance.get("support_px", 0))
    return Candidate(sample.pixels, kept, sample.base, support, (), "donors" in sample.provenance)


def _row(sample: Sample, item: PoolItem, base_group: str) -> Row:
    """Of the largest defect."""
    masks = [mask for _, mask in sample.instances]
    at = int(np.argmax([np.count_nonzero(mask) for mask in masks]))
    owners = ancestors(sample.provenance, [one.provenance for one in item.annotations], base_group)
    window = window_around(sample.pixels, masks[at], masks[:at] + masks[at + 1 :])
    return describe(window.pixels, window.mask_01), owners[at] if at < len(owners) else base_group
