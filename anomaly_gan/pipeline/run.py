"""One step of a run: what its stage is told, and the call."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from ..core.config import Config
from ..core.files import atomic_path
from ..core.lazy import named
from ..core.stage import Context, read_manifest, run_stage
from ..core.time_budget import TimeBudget
from ..synthesis.export.reviewed import review_key
from .config import RunConfig
from .plan import Step


def run_step(
    config: RunConfig,
    run: Path,
    step: Step,
    outside: dict[str, str] | None = None,
    deadline: TimeBudget | None = None,
    note: str = "",
) -> bool:
    """Run one step unless it is fresh.

    Args:
        config: of the whole run: seed and device.
        run: its folder.
        step: what to do, reading which folders.
        outside: the step's ``outside_keys``, where known.
        deadline: when it has to end with what is done.
        note: what a report says first.

    Returns:
        Whether work was done.
    """
    function, keys = partial(_work, step.stage.function), outside_keys(step) if outside is None else outside
    return run_stage(
        step.name,
        partial(function, note=note) if note else function,
        step.config,
        replace(context_of(config, run, step), deadline=deadline),
        run / step.name,
        keys | said_of(run, step) | ({"note": note} if note else {}),
    )


def _work(place: str, config: Config, context: Context, out: Path, **told: str) -> dict[str, object]:
    """The stage's work; its module, and torch with it, loads only where there is some to do."""
    return named(place)(config, context, out, **told)


def context_of(config: RunConfig, run: Path, step: Step) -> Context:
    """What the step's stage is told besides its configuration."""
    inputs = {**step.inputs, **asked_for(run, step)}
    return Context(config.seed, config.device, {name: run / folder for name, folder in inputs.items()})


def asked_for(run: Path, step: Step) -> dict[str, str]:
    """What verbs of their own have laid into the run, for its report: its plan need not know of it."""
    if step.name != "report":
        return {}
    return {
        folder.name: folder.name
        for pattern in ("control@*", "features@*")
        for folder in sorted(run.glob(pattern))
        if read_manifest(folder)
    }


def said_of(run: Path, step: Step) -> dict[str, str]:
    """Fingerprint of what people have decided on the photographs that an export would take."""
    if step.stage.name != "export":
        return {}
    return review_key(run / step.inputs[f"gate@{step.name.partition('@')[2].partition('@')[0]}"])


def outside_keys(step: Step) -> dict[str, str]:
    """Fingerprints of what lies outside the run: the user's photographs, the experts' drawings, the weights."""
    return {} if step.stage.outside is None else named(step.stage.outside)(step.config)


SO_FAR = "report_so_far.html"
"""A report that was made while the run worked."""


def publish_report(run: Path) -> None:
    """Lay copies of the finished report and of its verdict at the top of the run folder, in the place of a report made
    on the way."""
    for name in ("report.html", "verdict.json"):
        with atomic_path(run / name) as temporary:
            temporary.write_bytes((run / "report" / name).read_bytes())
    (run / SO_FAR).unlink(missing_ok=True)
