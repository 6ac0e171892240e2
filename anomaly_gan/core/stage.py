"""The stage contract: a stage reads finished folders and writes one folder, finished by its manifest.

A stage folder holds ``config.yaml`` (resolved), its products, ``metrics.json`` and, written last,
``manifest.json`` with a key = hash(stage, schema, config, seed, keys of the inputs). Key equal: fresh.
No manifest: unfinished; what is there belongs to the key in ``started.json`` and is resumed, or, where the
key differs, removed. A finished folder stays as it is until its successor is whole (``core.workfolder``).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .config import Config, keep_config
from .durations import canonical, seconds_of
from .errors import ConfigError
from .files import link_file, sha256_bytes, sync_folder, write_json
from .manifest import BOOKKEEPING, LOGS, SCHEMA, STARTED, check_product, finished_key, is_fresh, read_manifest
from .ranks import follows, launched
from .time_budget import TimeBudget
from .workfolder import (
    CELLS,
    close_folder,
    finish,
    folder_lock,
    leftovers,
    mend,
    open_folder,
    run_lock,
)

__all__ = [
    "BOOKKEEPING",
    "CELLS",
    "LOGS",
    "SCHEMA",
    "Context",
    "StageFunction",
    "begin_stage",
    "check_product",
    "finished_key",
    "is_fresh",
    "link_stage",
    "link_tree",
    "read_manifest",
    "run_lock",
    "run_stage",
    "stage_key",
]


@dataclass(frozen=True)
class Context:
    """What every stage is told besides its configuration: the seed, the device, and where its inputs lie.

    ``inputs`` maps the name of an upstream stage (``ingest``, ``generate@anomaly_gan`` ...) to its folder.
    ``deadline``: what is left for the stage of a whole run's time.
    """

    seed: int
    device: str = "auto"
    inputs: Mapping[str, Path] = field(default_factory=dict)
    deadline: TimeBudget | None = None

    def watch(self, time_budget: str | None) -> TimeBudget | None:
        """What a stage goes by that can end before all is done: its configured ``time_budget``, or the run's time.

        A stage that it ends says ``ended_by: time`` in its metrics, and leaves what is done by then as its product.
        """
        return TimeBudget(seconds_of(time_budget)) if time_budget else self.deadline


StageFunction = Callable[[Any, Context, Path], dict[str, object]]
"""A stage: (its configuration section, context, output folder) -> metrics. It may find partial work there."""
PATIENCE = 5.0
"""Seconds for which a stage waits for a shard that is just making its folder ready."""


def stage_key(
    stage: str, config: Config, seed: int, input_keys: Mapping[str, str], finished: Path | None = None
) -> str:
    """Hash of everything the stage's bytes depend on.

    ``finished``: a folder that stays fresh where it was finished when keys still held the places of files.
    """

    def key(kept: Mapping[str, object]) -> str:
        content = {"stage": stage, "schema": SCHEMA, "seed": seed, "config": kept, "inputs": dict(input_keys)}
        return sha256_bytes(json.dumps(content, sort_keys=True).encode())

    told, whole = config.keyed(), config.model_dump(mode="json", exclude_defaults=True)
    if finished is not None and told != whole and is_fresh(finished, key(whole)):
        return key(whole)
    return key(told)


def run_stage(
    stage: str,
    function: StageFunction,
    config: Config,
    context: Context,
    folder: Path,
    input_keys: Mapping[str, str] | None = None,
) -> bool:
    """Run one stage into ``folder`` unless it is fresh. Returns True where work was done.

    The manifest's inputs are ``input_keys`` and the keys of the stages in ``context.inputs``. The folder is locked for
    as long as this works; a finished product in it stays until the new one is whole. What ``context.deadline`` ended
    is the product of another configuration (:func:`ended`): asked for without, it is made anew.

    Args:
        stage: its name, as its key has it (``gate@anomaly_gan``).
        function: the stage.
        config: the section of the configuration.
        context: seed, device, and the folders it reads.
        folder: folder to write.
        input_keys: keys of what it depends on besides those folders.

    Returns:
        Whether work was done.

    Raises:
        RunBusy: another process writes this folder.
        ConfigError: ``torchrun`` started this, and it is no training.
    """
    keys = {**{name: finished_key(path) for name, path in context.inputs.items()}, **(input_keys or {})}
    key = stage_key(stage, config, context.seed, keys, folder)
    if is_fresh(folder, key) and not leftovers(folder):
        return False
    if launched() and not stage.startswith("train@"):
        raise ConfigError(f"{stage}: torchrun shares a training: start it with `train`, and other verbs without it")
    if follows():
        function(config, context, folder)
        return True
    home = Path(os.path.realpath(folder))
    with folder_lock(home, PATIENCE):
        mend(home, key)
        if is_fresh(home, key):
            return False
        place = open_folder(home, {"stage": stage, "key": key})
        metrics = function(config, context, folder if place == home else place)
        if context.deadline is not None and metrics.get("ended_by") == "time":
            config = ended(config, context.deadline, metrics)
            key = stage_key(stage, config, context.seed, keys)
        keep_config(config, place)
        write_json(place / "metrics.json", metrics)
        finish(place, home, {"stage": stage, "key": key, "seed": context.seed, "inputs": keys})
    return True


def ended(config: Config, deadline: TimeBudget, metrics: Mapping[str, Any]) -> Config:
    """The configuration whose product a stage is that was ended by this deadline: a pool is that of a smaller
    ``count``, everything else that of a ``time_budget``."""
    if "time_budget" not in type(config).model_fields:
        return config.model_copy(update={"count": metrics["count"]})
    given = getattr(config, "time_budget", None) or canonical(f"{deadline.seconds:.0f}s")
    return config.model_copy(update={"time_budget": given})


def begin_stage(stage: str, config: Config, context: Context, folder: Path) -> bool:
    """Make the folder ready for work that several processes share; False where the stage is fresh.

    Work of the same key is left as it is, for another process may be at it this very moment. Once all of it is done,
    :func:`run_stage` closes the stage.
    """
    key = stage_key(stage, config, context.seed, {name: finished_key(path) for name, path in context.inputs.items()})
    home = Path(os.path.realpath(folder))
    with folder_lock(home, 60.0):
        mend(home, key)
        if is_fresh(home, key):
            return False
        open_folder(home, {"stage": stage, "key": key}, shared=True)
    return True


def link_stage(source: Path, folder: Path, key: str) -> None:
    """Make ``folder`` the stage that ``source`` is, finished under ``key``: the same files by hard links.

    A link costs nothing and is safe, because a stage's files are replaced and never written into.
    """
    home = Path(os.path.realpath(folder))
    with folder_lock(home, PATIENCE):
        mend(home, key)
        if is_fresh(home, key):
            return
        place = open_folder(home, {"key": key})
        for path in place.iterdir():  # also what a cut-off attempt of this key left: its notes are no product
            if path.is_symlink() or path.is_file():
                if path.name != STARTED:
                    path.unlink()
            else:
                shutil.rmtree(path)
        link_tree(source, place, last="manifest.json", leave_out=(STARTED,))
        close_folder(place, home)


def link_tree(source: Path, target: Path, last: str, leave_out: Sequence[str] = ()) -> None:
    """All files of ``source`` also in ``target``, by hard links (copies where a file system has none), ``last`` last:
    its presence says that all are there."""
    paths = [
        path
        for path in sorted(source.rglob("*"))
        if path.is_file()
        and path.relative_to(source).as_posix() not in (last, *leave_out)
        and not path.name.startswith(".tmp-")
    ]
    for path in paths:
        link_file(path, target / path.relative_to(source))
    for folder in sorted({target / path.relative_to(source).parent for path in paths}):
        sync_folder(folder)
    link_file(source / last, target / last)
    sync_folder(target)
