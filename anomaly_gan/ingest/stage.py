"""The first stage: foreign photographs and labels in, one COCO data set with groups and a fixed split out.

Every photograph found is accepted, refused with a code of the fault catalogue, or skipped with a reason; the
counts are proved to add up. A refusal never stops the run; a share of more than ``max_bad`` does, at the end, when
all are listed in ``rejects.jsonl``. Some faults stop at once, because no photograph alone is to blame: A4, A5 (the
way the labels are turned), A22 (twin names), D6, D13 (ids that are not unique), E1, E3 and E7 (no honest split).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.config import nearest
from ..core.errors import ConfigError, InputError
from ..core.files import sha256_bytes, sha256_file
from ..core.progress import track
from ..core.resources import expand
from ..core.stage import Context
from .builder import Intake
from .config import IngestConfig
from .formats.base import ReadOptions
from .formats.registry import FORMATS, open_source
from .groups import read_grouping
from .ledger import Ledger
from .splits import counts

__all__ = ["IngestConfig", "run", "source_key"]


def source_key(config: IngestConfig) -> dict[str, str]:
    """Content fingerprints of what ingest reads, for the stage key: a changed source makes the stage stale.

    Raises:
        InputError: the source or the groups file is missing, or cannot be read.
    """
    tree, _ = open_source(expand(config.root), config.format, Ledger())
    lines = [f"{sha256_bytes(tree.read(name, 2**40))}  {name}" for name in tree.files]
    keys = {"source": sha256_bytes("\n".join(lines).encode())}
    if config.groups is not None:
        table = expand(config.groups)
        if not table.is_file():
            raise InputError(str(table), "MISSING", "no such groups file", "check the path")
        keys["groups"] = sha256_file(table)
    return keys


def run(config: IngestConfig, context: Context, out: Path) -> dict[str, Any]:
    """Write ``annotations.json``, ``images/`` and ``rejects.jsonl`` into ``out``; returns the counts.

    Raises:
        InputError: the source cannot be read as a whole, a stopping fault, or more refusals than ``max_bad``.
        ConfigError: ``out`` lies in the source, or ``categories`` names none of the source's.
    """
    ledger = Ledger()
    tree, format_name = open_source(expand(config.root), config.format, ledger)
    if out.resolve().is_relative_to(tree.root):
        raise ConfigError(f"ingest: {out} lies inside the source {tree.root}: choose an output folder elsewhere")
    grouping = read_grouping(
        expand(config.groups) if config.groups else None,
        config.group_column,
        config.group_regex,
        config.fold is not None and config.split == "objects",
    )
    options = ReadOptions(frozenset(name.casefold() for name in config.normal), config.strict, config.line_width)
    items = FORMATS[format_name](tree, options, ledger)
    intake = Intake(config, tree, grouping, ledger, out, [item.file for item in items])
    for item in track(items, "ingest"):
        intake.take(item)
    ledger.close(out / "rejects.jsonl")
    _stop_at_too_many(config, tree.root, ledger)
    _check_categories(config, intake.categories())
    dataset = intake.dataset(format_name)
    dataset.save(out)
    return {
        "format": format_name,
        **ledger.counts(),
        "splits": counts(dataset),
        "duplicates_joined": intake.joins,
        "annotations_left_out": dict(sorted(intake.left_out.items())),
        "groups_rows_unused": len(set(grouping.rows or ()) - grouping.used),
        **intake.asked,
    }


def _stop_at_too_many(config: IngestConfig, root: Path, ledger: Ledger) -> None:
    bad = ledger.rejected
    if ledger.found == 0:
        raise InputError(str(root), "MISSING", "holds no photographs (.png, .jpg, .bmp, .tif)", "check the path")
    if ledger.accepted == 0:
        why = f"the first: {bad[0]['message']}" if bad else "all were skipped; check `categories`"
        raise InputError(str(root), "MAX-BAD", f"none of {ledger.found} records can be used; {why}")
    if len(bad) > config.max_bad * ledger.found:
        codes = ", ".join(f"{code} {count}" for code, count in ledger.counts()["rejected"].items())
        raise InputError(
            str(root),
            "MAX-BAD",
            f"{len(bad)} of {ledger.found} records are refused ({codes}); the first: {bad[0]['message']}",
            "all are in rejects.jsonl; mend them, or raise max_bad",
        )


def _check_categories(config: IngestConfig, found: list[str]) -> None:
    for name in config.categories or ():
        if name not in found:
            raise ConfigError(f"ingest.categories: no photograph of {name!r} was accepted{nearest(name, found)}")
