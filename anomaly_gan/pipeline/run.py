"""The pipeline: a table of stages and a loop over it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from mask_pool.build.config import PoolConfig

from ..core.config import dump_yaml
from ..core.files import atomic_path, write_text
from ..core.stage import Context, read_manifest, run_stage
from ..ingest.stage import IngestConfig, source_key
from ..ingest.summary import summary_lines
from ..synthesis.feature_drift.config import FeaturesConfig
from ..synthesis.gate.config import GateConfig
from ..synthesis.gate.config import source_keys as gate_keys
from .config import RunConfig
from .plan import Step


def execute(config: RunConfig, run: Path, steps: list[Step], say: Callable[[str], None]) -> None:
    """Run the steps in order; what is fresh is skipped, what was cut off is resumed.

    Raises:
        InputError: a step's input stage has not finished (after ``--from``).
    """
    write_text(run / "run.yaml", dump_yaml(config))
    for step in steps:
        say(f"{step.name} ...")
        worked = run_step(config, run, step)
        say(f"{step.name}: {'done' if worked else 'fresh, skipped'} → {run / step.name}")
        if worked and step.name == "ingest":
            for line in summary_lines(run / step.name):
                say(line)
    if any(step.name == "report" for step in steps):
        publish_report(run)


def run_step(config: RunConfig, run: Path, step: Step, outside: dict[str, str] | None = None) -> bool:
    """Run one step unless it is fresh; True where work was done. ``outside``: its ``outside_keys``, where known."""
    module, _, function = step.stage.function.partition(":")
    return run_stage(
        step.name,
        getattr(import_module(module), function),
        step.config,
        context_of(config, run, step),
        run / step.name,
        outside_keys(step) if outside is None else outside,
    )


def context_of(config: RunConfig, run: Path, step: Step) -> Context:
    """What the step's stage is told besides its configuration."""
    inputs = {**step.inputs, **_asked_for(run, step)}
    return Context(config.seed, config.device, {name: run / folder for name, folder in inputs.items()})


def _asked_for(run: Path, step: Step) -> dict[str, str]:
    """What verbs of their own have laid into the run, for its report: its plan need not know of it."""
    if step.name != "report":
        return {}
    return {
        folder.name: folder.name
        for pattern in ("control@*", "features@*")
        for folder in sorted(run.glob(pattern))
        if read_manifest(folder)
    }


def outside_keys(step: Step) -> dict[str, str]:
    """Fingerprints of what lies outside the run: the user's photographs, the experts' drawings, the weights."""
    if isinstance(step.config, IngestConfig):
        return source_key(step.config)
    if isinstance(step.config, PoolConfig):
        from mask_pool.build.stage import source_keys

        return source_keys(step.config)
    if isinstance(step.config, GateConfig | FeaturesConfig):
        return gate_keys()
    return {}


def publish_report(run: Path) -> None:
    """Lay a copy of the finished report at the top of the run folder."""
    with atomic_path(run / "report.html") as temporary:
        temporary.write_bytes((run / "report" / "report.html").read_bytes())
