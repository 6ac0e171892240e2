"""Stage ``gate@METHOD``: generated photographs -> the accepted ones, the rejected ones with reasons, and figures.

A photograph whose label is not true (nothing painted, paint beside the mask, a copy) is rejected and its item tried
again; after that, spare items of the pool take its place. What is still missing is reported as a shortfall.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ...core.dataset import Dataset, ImageRecord
from ...core.files import write_text
from ...core.progress import track
from ...core.seeding import rng_for
from ...core.stage import Context
from ...core.time_budget import TimeBudget, TimeUp
from ...engine.cluster import active, call
from ...metrics.backbones import build_extractors
from ..generate.stage import Row, assemble
from .artefacts import artefacts
from .category_metrics.data import CategoryData
from .config import REJECTED, GateConfig
from .defects import RealDefects, defects_of
from .looks import forget
from .pasted import Pasted, far_off
from .pieces import in_order, keeper_of, look_on_cluster
from .results import Counts, GateResult
from .verdict import decide, undecided
from .views import CategoryViews

LOOKING_SHARE = 0.6
"""Of a limited time, what looking at photographs one by one may take; the rest is for the categories' figures."""


def run(config: GateConfig, context: Context, out: Path) -> dict[str, object]:
    """Judge ``generate@METHOD``; write accepted photographs, ``decisions.jsonl`` and, as a data set of its own,
    ``rejected/``.

    Photographs that time leaves no look at are neither accepted nor rejected, and not wanted; they are counted. Of a
    category that it leaves unmeasured nothing is said.

    The verdict is in the metrics; nothing is raised for a bad one. The bytes depend on the inputs and the seed alone.

    Raises:
        InputError: a generated file differs from its record (A24), a weight file is damaged (I6).
    """
    watch = context.watch(config.time_budget)
    if (cluster := active()) is not None:
        look_on_cluster(config, context, out, cluster, watch.part(LOOKING_SHARE) if watch else None)
        return call(run, config, context, out, device=context.device)
    keeper = keeper_of(config, context, out)
    for image in keeper.inputs.train.images:
        if image.id in keeper.train_annotated:
            keeper.seen.add(keeper.read_train(image), f"training photograph {image.file_name}")
    by_category: dict[str, list[ImageRecord]] = {}
    for image in in_order(keeper.generated):
        by_category.setdefault(image.extra["category"], []).append(image)
    rows: dict[str, list[Row]] = {}
    counts: dict[str, tuple[Counts, dict[str, object]]] = {}
    for place, (name, images) in enumerate(by_category.items(), start=1):
        until = watch.part(LOOKING_SHARE * place / len(by_category)) if watch else None
        rows[name], count, labels = keeper.category(name, images, until)
        counts[name] = count, labels
    traces = artefacts(config, keeper.inputs, [item for name in by_category for item in keeper.items[name]], out, watch)
    counts = {name: (count, {**labels, **traces.get(name, {})}) for name, (count, labels) in counts.items()}
    write_text(
        out / "decisions.jsonl",
        "".join(json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n" for line in keeper.decisions),
    )
    accepted = assemble([row for name in rows for row in rows[name]], keeper.inputs.train)
    accepted.save(out)
    if keeper.rejected:
        assemble(keeper.rejected, keeper.inputs.train).save(out / REJECTED)
    result = measure(config, context, keeper.real_defects, replace(accepted, folder=out), counts, watch)
    forget(out)
    unmeasured = [name for name, item in result.categories.items() if "time" in item.metrics]
    cut = {"not_judged": keeper.not_judged, "not_measured": unmeasured}
    return result.to_json() | ({"ended_by": "time", **cut} if any(cut.values()) else {})


def measure(
    config: GateConfig,
    context: Context,
    real_defects: RealDefects,
    accepted: Dataset,
    counts: Mapping[str, tuple[Counts, dict[str, object]]],
    watch: TimeBudget | None = None,
) -> GateResult:
    """Every category's figures and verdict.

    Args:
        config: the section of the configuration.
        context: seed, device and the folders it reads.
        real_defects: real defects of the training split.
        accepted: the photographs that passed their checks.
        counts: by category its counts and, where asked, its label checks.
        watch: once it is over, no further category is measured; None: all are.

    Returns:
        What the gate says, category by category.
    """
    extractors = build_extractors(context.device)
    views = CategoryViews(real_defects.train, accepted, extractors, config, context.seed)
    categories = {}
    for name in track(list(counts), f"figures {config.method}"):
        count, labels = counts[name]
        made = defects_of(accepted, name, config.max_n, rng_for(context.seed, "gate", name, "fake"))
        data = CategoryData(name, config, count, real_defects, made, labels, extractors.names, context.seed)
        try:
            seen = views.figures(name, watch)
            figures: dict[str, object] = {**labels, **seen}
            if far_off(seen["defect"], extractors.names["kernel"], config):
                crops = Pasted(context, config.max_n).crops(name)
                figures |= {"pasted": {"n": len(crops), "over_p95": views.over_p95(name, crops)}} if crops else {}
            categories[name] = decide(replace(data, figures=figures), watch)
        except TimeUp:
            categories[name] = undecided(data)
    failed = [name for name, item in categories.items() if item.level == "fail"]
    return GateResult(config.method, extractors.names, categories, failed if config.on_fail == "drop" else ())
