"""Which steps of a run will have work to do, known before any of them starts: keys follow from configurations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.stage import is_fresh, read_manifest, stage_key
from .config import RunConfig
from .plan import Step
from .run import asked_for, outside_keys, said_of


@dataclass(frozen=True)
class Foreseen:
    """A step's key to be, whether its folder is already finished under it, and the fingerprints that went in."""

    key: str
    fresh: bool
    outside: Mapping[str, str]


def foresee(
    config: RunConfig,
    run: Path,
    steps: Sequence[Step],
    outside_of: Callable[[Step], dict[str, str]] = outside_keys,
    known: Mapping[str, Foreseen] | None = None,
) -> dict[str, Foreseen]:
    """What becomes of each step; ``steps`` in order. Stages before the first one are taken as they lie there.

    ``known``: what an earlier look has found of steps that have not changed since.

    Raises:
        InputError: what a step reads from outside the run is missing or cannot be read.
    """
    found: dict[str, Foreseen] = {}
    for step in steps:
        keys = {
            name: found[folder].key if folder in found else str((read_manifest(run / folder) or {"key": ""})["key"])
            for name, folder in {**step.inputs, **asked_for(run, step)}.items()
        }
        outside = dict(known[step.name].outside) if known and step.name in known else outside_of(step)
        key = stage_key(step.name, step.config, config.seed, keys | outside | said_of(run, step), run / step.name)
        found[step.name] = Foreseen(key, is_fresh(run / step.name, key), outside)
    return found
