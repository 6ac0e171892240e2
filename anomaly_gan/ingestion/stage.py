"""The first stage: foreign photographs and labels in, one COCO data set with groups and a fixed split out.

Every photograph found is accepted, refused with a code of the fault catalogue, or skipped with a reason; the
counts are proved to add up. A refusal never stops the run; a share of more than ``max_bad`` does, at the end, when
all are listed in ``rejects.jsonl``. Some faults stop at once, because no photograph alone is to blame: A4, A5 (the
way the labels are turned), A22 (twin names), D6, D13 (ids that are not unique), E1, E3 and E7 (no honest split).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..core.config import nearest
from ..core.errors import ConfigError, InputError
from ..core.files import sha256_bytes, sha256_file
from ..core.fingerprints import fingerprint
from ..core.live import in_words
from ..core.progress import track
from ..core.resources import expand
from ..core.stage import Context
from ..core.time_budget import TimeBudget, TimeUp
from .builder import NOT_ASKED, Intake
from .classes import read_classes
from .config import IngestConfig
from .depth import Depth, find_depth
from .formats.base import Item, ReadOptions
from .formats.registry import open_source, reader, relative
from .groups import read_grouping
from .labels import LabelMap, read_labels
from .ledger import Ledger
from .source_tree import LABELS, SourceTree, suffix_of
from .splits import counts

__all__ = ["IngestConfig", "run", "source_key"]
EARLIEST = 0.1
"""Share of the time after which it is told whether all photographs can be read in it."""


def source_key(config: IngestConfig) -> dict[str, str]:
    """Content fingerprints of what ingest reads, for the stage key: a changed source makes the stage stale.

    Raises:
        InputError: the source or the groups file is missing, or cannot be read.
    """
    tree, _ = open_source(expand(config.root), config.told_format, Ledger(), images_folder(config))
    lines = [f"{_fingerprint(tree, name)}  {name}" for name in tree.files]
    keys = {"source": sha256_bytes("\n".join(lines).encode())}
    for name, told in (("groups", config.groups), ("classes", config.classes), ("labels", config.labels)):
        if told is None or (name != "groups" and not expand(told).is_file()):
            continue
        if not expand(told).is_file():
            raise InputError(str(expand(told)), "MISSING", f"no such {name} file", "check the path")
        keys[name] = sha256_file(expand(told))
    return keys


def _fingerprint(tree: SourceTree, name: str) -> str:
    """Of a file that some reader may read, in pieces; of videos, archives and the like the name is enough. One that
    cannot be read is refused by name when its turn comes."""
    if not tree.is_photo(name) and suffix_of(name) not in LABELS:
        return "not read"
    try:
        return fingerprint(tree.path(name))
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def images_folder(config: IngestConfig) -> Path | None:
    """The folder of ``images``, seen from the root where it is there."""
    if config.images is None:
        return None
    root = expand(config.root)
    inside = (root if root.is_dir() else root.parent) / config.images
    return inside if inside.is_dir() else expand(config.images)


def run(config: IngestConfig, context: Context, out: Path) -> dict[str, object]:
    """Write ``annotations.json``, ``images/`` and ``rejects.jsonl`` into ``out``; returns the counts.

    Raises:
        TimeUp: the photographs cannot all be read by the context's deadline.
        InputError: the source cannot be read as a whole, a stopping fault, or more refusals than ``max_bad``.
        ConfigError: ``out`` lies in the source, or ``categories`` names none of the source's.
    """
    ledger = Ledger()
    images = images_folder(config)
    tree, format_name = open_source(expand(config.root), config.told_format, ledger, images)
    _refuse_inside(out, expand(config.root), images)
    grouping = read_grouping(
        expand(config.groups) if config.groups else None,
        config.group_column,
        config.group_regex,
        config.fold is not None and config.split == "objects",
        config.group_on == "path",
    )
    labels = read_labels(config.labels)
    items = reader(format_name)(tree, read_options(config, tree, images), ledger)
    depth = find_depth([item.file for item in items if item.content is None], tree.head, tree.read_photo, config.bits)
    intake = Intake(config, tree, grouping, ledger, out, items, labels, depth)
    for item in _in_time(track(items, "ingest"), len(items), context.deadline):
        intake.take(item)
    intake.finalize()
    _remark(ledger, depth, labels)
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


def _in_time(items: Iterable[Item], total: int, watch: TimeBudget | None) -> Iterator[Item]:
    """The items while all of them fit into the time: a half-read data set must not pass for the data set.

    Raises:
        TimeUp: so many are not read in that time; said as soon as it can be told.
    """
    for done, item in enumerate(items):
        if watch is not None and done and watch.share() >= EARLIEST and watch.spent() / done * total > watch.seconds:
            needed = watch.spent() / done * total
            raise TimeUp(
                f"{done} of {total} photographs were read in {in_words(watch.spent())}, so all of them take about "
                f"{in_words(needed)}, and {in_words(watch.seconds)} were left. A data set is not read by halves: give "
                "the run more time, or read them once without a budget (`run ... --to ingest`) and then give the same "
                "command with it."
            )
        yield item


def _refuse_inside(out: Path, *sources: Path | None) -> None:
    for source in sources:
        folder = source if source is None or source.is_dir() else source.parent
        if folder is not None and out.resolve().is_relative_to(folder.resolve()):
            raise ConfigError(f"ingest: {out} lies inside the source {source}: choose an output folder elsewhere")


def read_options(config: IngestConfig, tree: SourceTree, images: Path | None) -> ReadOptions:
    """What the readers need of the configuration.

    Raises:
        InputError: MISSING, B15 the classes of masks cannot be read.
    """
    classes = read_classes(None if config.classes is None else str(config.classes), tree.root, tree.files)
    return ReadOptions(
        frozenset(name.casefold() for name in config.normal),
        config.strict,
        config.line_width,
        classes,
        config.mask_name,
        relative(images, tree.root),
        config.object,
        config.boxes,
        config.unlabelled,
        config.bits,
        config.run_order,
    )


def _remark(ledger: Ledger, depth: Depth, labels: LabelMap) -> None:
    if depth.files:
        ledger.remark(
            f"{depth.files} photographs of more than 8 bits: the brightest pixel is {depth.brightest}, so all are read "
            f"as {depth.bits} bits (--set bits=16 for the full range)."
        )
    unused = sorted(set(labels.names) - labels.used)
    if unused:
        ledger.remark(f"--labels names {', '.join(unused[:8])}, which no photograph has.")


def _stop_at_too_many(config: IngestConfig, root: Path, ledger: Ledger) -> None:
    bad = ledger.rejected
    if ledger.found == 0:
        raise InputError(str(root), "MISSING", "holds no photographs", "check the path")
    if ledger.accepted == 0:
        skipped = ledger.counts()["skipped"]
        reasons = ", ".join(f"{reason} ({count})" for reason, count in skipped.items())
        why = f"the first: {bad[0]['message']}" if bad else f"all were skipped: {reasons}"
        remedy = "check `categories`" if NOT_ASKED in skipped else "check --format" if not bad else ""
        raise InputError(str(root), "MAX-BAD", f"none of {ledger.found} records can be used; {why}", remedy)
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
