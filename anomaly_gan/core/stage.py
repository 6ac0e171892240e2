"""The stage contract: a stage reads finished folders and writes one folder, finished by its manifest.

A stage folder holds ``config.yaml`` (resolved), its products, ``metrics.json`` and, written last,
``manifest.json`` with a key = hash(stage, schema, config, seed, keys of the inputs). Key equal: fresh.
No manifest: unfinished; what is there belongs to the key in ``started.json`` and is resumed, or, where the
key differs, removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .config import Config, dump_yaml
from .errors import InputError, RunBusy
from .files import link_file, sha256_bytes, sha256_file, write_json, write_text

SCHEMA = 4
"""Of stage keys and manifests. Raised where a default changes its value, or where the same configuration and inputs
give other bytes: all finished stages are then stale."""

BOOKKEEPING = frozenset({"manifest.json", "started.json"})
LOGS = "logs"
"""A folder for what may differ from run to run (wall times); no manifest lists it."""
CELLS = "cells"
"""A folder of costly pieces that carry keys of their own: it outlives a change of the stage's key, as where an arm
or a seed is added, and the stage itself takes from it what still holds."""


@dataclass(frozen=True)
class Context:
    """What every stage is told besides its configuration: the seed, the device, and where its inputs lie.

    ``inputs`` maps the name of an upstream stage (``ingest``, ``generate@anomaly_gan`` ...) to its folder.
    """

    seed: int
    device: str = "auto"
    inputs: Mapping[str, Path] = field(default_factory=dict)


StageFunction = Callable[[Any, Context, Path], dict[str, Any]]
"""A stage: (its configuration section, context, output folder) -> metrics. It may find partial work there."""


def stage_key(stage: str, config: Config, seed: int, input_keys: Mapping[str, str]) -> str:
    """Hash of everything the stage's bytes depend on."""
    content = {
        "stage": stage,
        "schema": SCHEMA,
        "seed": seed,
        "config": config.keyed(),
        "inputs": dict(input_keys),
    }
    return sha256_bytes(json.dumps(content, sort_keys=True).encode())


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a finished stage, or None where the stage is unfinished or absent."""
    try:
        return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise InputError(
            str(folder / "manifest.json"), "FORMAT", "not JSON", "delete the folder and run again"
        ) from error


def is_fresh(folder: Path, key: str) -> bool:
    """True where the folder is finished under this key and still holds every file at its recorded size."""
    manifest = read_manifest(folder)
    if manifest is None or manifest["key"] != key:
        return False
    return all(
        (folder / item["path"]).is_file() and (folder / item["path"]).stat().st_size == item["size"]
        for item in manifest["files"]
    )


def run_stage(
    stage: str,
    function: StageFunction,
    config: Config,
    context: Context,
    folder: Path,
    input_keys: Mapping[str, str] | None = None,
) -> bool:
    """Run one stage into ``folder`` unless it is fresh. Returns True where work was done.

    The manifest's inputs are ``input_keys`` and the keys of the stages in ``context.inputs``.
    """
    keys = {**{name: finished_key(path) for name, path in context.inputs.items()}, **(input_keys or {})}
    key = stage_key(stage, config, context.seed, keys)
    if is_fresh(folder, key):
        return False
    _prepare(folder, key)
    metrics = function(config, context, folder)
    write_text(folder / "config.yaml", dump_yaml(config))
    write_json(folder / "metrics.json", metrics)
    write_json(
        folder / "manifest.json",
        {
            "stage": stage,
            "key": key,
            "schema": SCHEMA,
            "seed": context.seed,
            "inputs": keys,
            "files": [
                {"path": path.relative_to(folder).as_posix(), "size": path.stat().st_size, "sha256": sha256_file(path)}
                for path in sorted(folder.rglob("*"))
                if path.is_file() and path.name not in BOOKKEEPING and LOGS not in path.relative_to(folder).parts
            ],
        },
    )
    return True


def begin_stage(stage: str, config: Config, context: Context, folder: Path) -> bool:
    """Make the folder ready for work that several processes share; False where the stage is fresh.

    Work of the same key is left as it is, for another process may be at it this very moment. Once all of it is done,
    :func:`run_stage` closes the stage.
    """
    key = stage_key(stage, config, context.seed, {name: finished_key(path) for name, path in context.inputs.items()})
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if is_fresh(folder, key):
            return False
        if not _begun(folder, key):
            _prepare(folder, key)
    return True


def link_stage(source: Path, folder: Path, key: str) -> None:
    """Make ``folder`` the stage that ``source`` is, finished under ``key``: the same files by hard links.

    A link costs nothing and is safe, because a stage's files are replaced and never written into.
    """
    _prepare(folder, key)
    for path in folder.iterdir():  # also what a cut-off attempt of this key left: its notes are no product
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "started.json":
            path.unlink()
    link_tree(source, folder, last="manifest.json", leave_out=("started.json",))


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
    for path in [*paths, source / last]:
        link_file(path, target / path.relative_to(source))


def finished_key(folder: Path) -> str:
    """The key of a finished stage folder.

    Raises:
        InputError: the stage has not finished.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise InputError(str(folder), "UNFINISHED", "this stage has no manifest", "run it first")
    return manifest["key"]


def _begun(folder: Path, key: str) -> bool:
    """True where the folder holds unfinished work of this key."""
    started = folder / "started.json"
    if started.is_file() and not (folder / "manifest.json").exists():
        with contextlib.suppress(ValueError, KeyError):
            return json.loads(started.read_text(encoding="utf-8"))["key"] == key
    return False


def _prepare(folder: Path, key: str) -> None:
    """Keep unfinished work of the same key; remove everything else."""
    started = folder / "started.json"
    if folder.exists() and not _begun(folder, key):
        if not (started.is_file() or (folder / "manifest.json").is_file() or not any(folder.iterdir())):
            raise InputError(
                str(folder), "J6", "the output folder holds files that no stage wrote", "choose an empty or new folder"
            )
        # the markers go last: a kill in between must leave a folder we still know as ours
        for path in sorted(folder.iterdir()):
            if path.name == CELLS or path.name in BOOKKEEPING:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.rglob(".tmp-*"):
        leftover.unlink(missing_ok=True)
    write_json(started, {"key": key})
    (folder / "manifest.json").unlink(missing_ok=True)


@contextlib.contextmanager
def run_lock(run: Path) -> Iterator[None]:
    """Hold the run folder: a second process is refused. The lock dies with its process.

    Raises:
        RunBusy: another process works in this folder.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / ".lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunBusy(f"{run}: another process is working in this run folder") from error
        yield
