"""The state of every step of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import CheckFailed, ConfigError, InputError
from ..core.fingerprints import remembered
from ..core.json_files import read_as
from ..core.live import clock_words, in_words
from ..core.manifest import damage, is_fresh, read_manifest
from ..core.stage import stage_key
from ..core.versions import written
from .budget import open_budget
from .config import RunConfig, read_run_config
from .course import Progress, read_progress
from .plan import Step, plan
from .run import asked_for, outside_keys, said_of


def status(run: Path, deep: bool = False) -> Iterator[tuple[str, str]]:
    """(step, state) for every step of a run: fresh, stale, unfinished or missing; ``source not found`` where it cannot
    be told from here. ``deep``: every product is hashed, and ``damaged`` names what is not as its stage wrote it.

    Raises:
        InputError: the folder is no run.
    """
    path = run / "run.yaml"
    if not path.is_file():
        raise InputError(str(run), "MISSING", "no run.yaml in this folder", "start it with `anomaly-gan run`")
    config = read_run_config(path, [])
    with remembered(run):
        states = {step.name: _state(config, run, step) for step in plan(config)}
    for name, state in states.items():
        harmed = damage(run / name) if deep and (run / name).is_dir() else []
        yield name, _damaged(harmed) if harmed else state


def _damaged(harmed: list[str]) -> str:
    more = f" and {len(harmed) - 3} more" if len(harmed) > 3 else ""
    return f"damaged ({', '.join(harmed[:3])}{more}); delete the folder and run again"


def makers(run: Path) -> list[str]:
    """What made the finished stages, a line for each set of versions; several mean that the run mixes them."""
    stages: dict[str, list[str]] = {}
    for folder in sorted(path for path in run.iterdir() if path.is_dir() and not path.name.startswith(".")):
        manifest = read_manifest(folder)
        if manifest is not None:
            told = written(manifest["versions"]) if manifest.get("versions") else "versions not told"
            begun = f", begun by {written(manifest['begun_by'])}" if "begun_by" in manifest else ""
            stages.setdefault(told + begun, []).append(folder.name)
    if len(stages) == 1:
        return [f"made by {told}" for told in stages]
    return [f"made by {told}: {', '.join(names)}" for told, names in stages.items()]


def _state(config: RunConfig, run: Path, step: Step) -> str:
    folder = run / step.name
    manifest = read_manifest(folder)
    if manifest is None:
        return "unfinished" if (folder / "started.json").is_file() else "missing"
    keys: dict[str, str] = {}
    for name, folder_name in {**step.inputs, **asked_for(run, step)}.items():
        upstream = read_manifest(run / folder_name)
        if upstream is None:
            return "stale"
        keys[name] = upstream["key"]
    try:
        keys |= outside_keys(step) | said_of(run, step)
    except (InputError, ConfigError) as error:
        return "source not found" if getattr(error, "code", "") == "MISSING" else "stale"
    return "fresh" if is_fresh(folder, stage_key(step.name, step.config, config.seed, keys, folder)) else "stale"


def status_lines(run: Path, deep: bool = False) -> Iterator[str]:
    """A line for every step, and what made them; where a process works on the run, also how far it is and how long it
    will still take.

    Raises:
        CheckFailed: ``deep``, and a product is not as its stage wrote it.
    """
    now, damaged, states = read_progress(run), [], list(status(run, deep))
    if now and (now.stage, "fresh") in states:
        now = None  # it has finished since it last told how far it is
    for name, state in states:
        damaged += [name] if state.startswith("damaged") else []
        working = now is not None and now.stage == name
        yield f"{name:24} {_working(now) if working and now else state}"
    if now:
        total = f" of {now.total}" if now.total else ""
        yield f"{'whole run':24} {clock_words(now.spent)}{total}, about {in_words(now.left)} left"
    elif budget := open_budget(run):
        spent = clock_words(budget.spent)
        yield f"{'time budget':24} {spent} of {budget.total} used; the same command goes on with the rest"
    yield from _cells_left(run)
    yield from makers(run)
    if damaged:
        raise CheckFailed(f"{run}: damaged: {', '.join(damaged)}")


def _working(now: Progress) -> str:
    left = f"about {in_words(now.stage_left)} left" if now.stage_left else ""
    return "working: " + ", ".join(part for part in (now.count, clock_words(now.seconds), left) if part)


@dataclass(frozen=True)
class CutOff:
    """Of a comparison's ``metrics.json``: the cells that its time did not reach."""

    missing: list[str] | None = None


def _cells_left(run: Path) -> Iterator[str]:
    """What a time budget has cut off a finished comparison."""
    path = run / "compare" / "metrics.json"
    if path.is_file():
        missing = read_as(path, CutOff).missing
        if missing:
            yield f"{'compare':24} {len(missing)} trainings of a detector were not reached within its time"
