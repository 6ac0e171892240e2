"""The state of every step of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, InputError
from ..core.stage import is_fresh, read_manifest, stage_key
from .config import RunConfig, read_run_config
from .plan import Step, plan
from .run import asked_for, outside_keys


def status(run: Path) -> Iterator[tuple[str, str]]:
    """(step, state) for every step of a run: fresh, stale, unfinished or missing.

    Raises:
        InputError: the folder is no run.
    """
    path = run / "run.yaml"
    if not path.is_file():
        raise InputError(str(run), "MISSING", "no run.yaml in this folder", "start it with `anomaly-gan run`")
    config = read_run_config(path, [])
    for step in plan(config):
        yield step.name, _state(config, run, step)


def _state(config: RunConfig, run: Path, step: Step) -> str:
    folder = run / step.name
    manifest = read_manifest(folder)
    if manifest is None:
        return "unfinished" if (folder / "started.json").is_file() else "missing"
    keys: dict[str, Any] = {}
    for name, folder_name in {**step.inputs, **asked_for(run, step)}.items():
        upstream = read_manifest(run / folder_name)
        if upstream is None:
            return "stale"
        keys[name] = upstream["key"]
    try:
        keys |= outside_keys(step)
    except (InputError, ConfigError):
        return "stale"
    return "fresh" if is_fresh(folder, stage_key(step.name, step.config, config.seed, keys)) else "stale"
