"""Stage ``choose``: per category, which method paints what is most like real defects that the probe has not seen.

Every method paints the same masks of the pool. What passes the gate's checks is put before a probe, real against
painted, fold by fold over whole objects: a painted defect belongs to the object that its mask or texture came from, so
that a probe that knows an object's defects is never asked about their copies. All methods know the training split alike
(the generator has learned from it, the others copy from it); the test split is never read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...core.errors import ConfigError
from ...core.files import write_json
from ...core.progress import say, track
from ...core.seeding import rng_for
from ...core.stage import Context
from ...core.time_budget import TimeBudget
from ...metrics.two_sample import Row, describe, real_against_made
from ..gate.candidate import Candidate, Setting
from ..gate.checks import check
from ..gate.config import GateConfig
from ..gate.defects import RealDefects
from ..gate.keeper import ancestors
from ..gate.window import window_around
from ..generate.stage import in_turns, method_inputs, pool_items
from ..interface import Generate, MethodInputs, PoolItem, Sample
from ..methods.best import FILE, open_part
from .config import ChooseConfig
from .decide import decide, sentence
from .result import Choice, Trial

LEAST = 6
"""Photographs of each category and method that are painted however short the time is."""


def run(config: ChooseConfig, context: Context, out: Path) -> dict[str, object]:
    """Write ``choice.json`` (category → method) and say what was taken. Where time ends it, fewer photographs are
    painted, as many of each category by each method.

    Raises:
        ConfigError: ``categories`` names one that the data set does not have.
    """
    inputs = method_inputs("anomaly_gan", context)
    items = pool_items(inputs.pool)
    unknown = sorted(set(config.categories) - set(items))
    if unknown:
        raise ConfigError(f"choose.categories: no category {unknown[0]!r}")
    asked = [item for name, own in items.items() if name not in config.categories for item in own[: config.count]]
    gate = GateConfig()
    setting = Setting(gate, real_defects=RealDefects(inputs.train, gate.max_n, context.seed))
    painters = {name: open_part(name, inputs) for name in config.methods}
    painted, accepted = _paint(asked, painters, setting, inputs, context.watch(config.time_budget))
    choices = []
    for name in items:
        given = config.categories.get(name)
        if given:
            choices.append(Choice(name, given, "set in choose.categories"))
        else:
            choices.append(decide(name, _trials(name, painted[name], accepted, config.methods, setting, inputs.seed)))
        say(f"choose {sentence(choices[-1])}")
    write_json(out / FILE, {choice.category: choice.method for choice in choices})
    done = sum(painted.values())
    return {
        **({} if done == len(asked) else {"ended_by": "time", "painted": done, "planned": len(asked)}),
        "categories": {choice.category: choice.to_json() for choice in choices},
    }


def _paint(
    items: Sequence[PoolItem],
    painters: Mapping[str, Generate],
    setting: Setting,
    inputs: MethodInputs,
    watch: TimeBudget | None,
) -> tuple[Counter[str], dict[tuple[str, str], list[Row]]]:
    """How many items of each category were painted, and by (category, method) what of it passes the checks. A category
    after the other in turns, each item by all methods, ``LEAST`` of each category however short the time is."""
    groups = {image.file_name: image.group_id for image in inputs.train.images}
    painted: Counter[str] = Counter()
    accepted: dict[tuple[str, str], list[Row]] = {}
    for item in track(in_turns(items), "choose"):
        name = item.image.extra["category"]
        if watch is not None and painted[name] >= LEAST and watch.over():
            break
        painted[name] += 1
        for method, paint in painters.items():
            sample = paint([item], 0)[0]
            if not check(_candidate(sample, item), setting).findings:
                row = _row(sample, item, groups[item.image.extra["normal_file"]])
                accepted.setdefault((name, method), []).append(row)
    return painted, accepted


def _trials(
    name: str,
    painted: int,
    accepted: Mapping[tuple[str, str], list[Row]],
    methods: Sequence[str],
    setting: Setting,
    seed: int,
) -> list[Trial]:
    """What the gate's checks and the two-sample test say of every method in one category, in their order."""
    assert setting.real_defects is not None
    real = [
        (describe(defect.window.pixels, defect.window.mask_01), defect.group)
        for defect in setting.real_defects.of(name)
        if defect.window.mask_01.any()
    ]
    return [
        _trial(method, painted, real, accepted.get((name, method), []), rng_for(seed, "choose", name, method))
        for method in methods
    ]


def _trial(method: str, painted: int, real: Sequence[Row], made: Sequence[Row], rng: np.random.Generator) -> Trial:
    accepted = len(made) / max(1, painted)
    found = real_against_made(real, made, rng)
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
