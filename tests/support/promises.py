"""What a row of each table promises, as functions that say what is broken: for rows that are there, and for guests."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any

from pydantic import BaseModel

from anomaly_gan.core.config import Config

NAME = re.compile(r"[a-z][a-z0-9_]*")
LEVELS = ("pass", "too_few", "warn", "fail")


def named(place: str) -> Any:
    """What ``module:name`` names; None where it names nothing."""
    module, colon, name = place.partition(":")
    try:
        return getattr(import_module(module), name, None) if colon else None
    except ImportError:
        return None


def takes(function: Any, count: int) -> bool:
    """Whether a function can be called with this many arguments in order."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True


def _function(what: str, place: str, count: int) -> list[str]:
    found = named(place)
    if not callable(found):
        return [f"{what}: {place} names no function"]
    return [] if takes(found, count) else [f"{what}: {place} does not take {count} arguments"]


def method(name: str, row: Any, table: dict[str, Any]) -> list[str]:
    """``opener(inputs)``; ``builder(setup)`` with settings of its own; known names beside it."""
    from anomaly_gan.synthesis.interface import MethodConfig
    from anomaly_gan.synthesis.methods.presets import PRESETS

    broken = [] if NAME.fullmatch(name) else [f"name: {name}"]
    broken += _function("opener", row.opener, 1)
    if row.builder is not None:
        broken += _function("builder", row.builder, 1)
        kind = named(row.config or "")
        if not (inspect.isclass(kind) and issubclass(kind, MethodConfig)):
            broken.append(f"config: {row.config} is no MethodConfig")
        elif not _documented(kind):
            broken.append(f"config: {row.config} says nothing of itself")
    elif row.config is not None or row.aware:
        broken.append("it learns nothing, and has settings of a training")
    if row.trained_by is not None and (row.builder is not None or not table[row.trained_by].trainable):
        broken.append(f"trained_by: {row.trained_by} leaves no training for it")
    if row.draws_as is not None and row.draws_as not in table:
        broken.append(f"draws_as: {row.draws_as} is no row")
    return broken + ([] if row.preset in PRESETS else [f"preset: {row.preset}"])


def detector(name: str, row: Any) -> list[str]:
    """A builder of three arguments; a trainer, where there is one, with those of ``train_detector``."""
    from detection.training.finetune import train_detector

    broken = [] if NAME.fullmatch(name) else [f"name: {name}"]
    broken += _function("builder", row.builder, 3)
    if row.trainer:
        own, wanted = named(row.trainer), inspect.signature(train_detector).parameters
        if not callable(own) or list(inspect.signature(own).parameters) != list(wanted):
            broken.append(f"trainer: {row.trainer} does not take {', '.join(wanted)}")
    return broken + ([] if isinstance(row.segments, bool) else ["segments: says neither yes nor no"])


def one_class(name: str, row: Any) -> list[str]:
    """A builder of two arguments, settings of both presets, a few words."""
    from detection.one_class.configs.base import OneClassConfig
    from detection.one_class.registry import METHODS, SETTINGS

    def full(room: str, place: str) -> str:
        return place if "." in place.partition(":")[0] else f"{room}.{place}"

    broken = [] if NAME.fullmatch(name) else [f"name: {name}"]
    broken += _function("builder", full(METHODS, row.builder), 2)
    kind = named(full(SETTINGS, row.settings))
    if not (inspect.isclass(kind) and issubclass(kind, OneClassConfig)):
        broken.append(f"settings: {row.settings} is no OneClassConfig")
    elif unknown := set(kind.QUICK) - set(kind.model_fields):
        broken.append(f"settings: QUICK has unknown keys {sorted(unknown)}")
    return broken + ([] if 0 < len(row.words) <= 80 else ["words: none, or no few"])


def label_format(name: str, row: Any) -> list[str]:
    """Readers read and recognise, writers write and say what they keep."""
    broken = [] if re.fullmatch(r"[a-z][a-z0-9-]*", name) and name == row.name else [f"name: {name}"]
    try:
        module = row.load()
    except ImportError:
        return [*broken, "no module beside the table"]
    for verb, wanted, count in (("fits", row.reads, 1), ("read_items", row.reads, 3), ("write", row.writes, 2)):
        if wanted and not takes(getattr(module, verb, None), count):
            broken.append(f"{verb}: not there, or not with {count} arguments")
    if bool(row.keeps) != row.writes:
        broken.append("keeps: said of what is not written, or not said of what is")
    if not (row.reads or row.writes) or len(row.tree) != 3 or not row.sound:
        broken.append("tree, sound: what it looks like is not said")
    return broken


def check(row: Any, others: Sequence[Any]) -> list[str]:
    """A function of two arguments, measures that no other check declares."""
    broken = [] if NAME.fullmatch(row.name) else [f"name: {row.name}"]
    broken += [] if takes(row.function, 2) else ["function: does not take (candidate, setting)"]
    taken = {name for other in others if other is not row for name in (other.name, *other.measures)}
    return broken + [f"{name}: another row has it" for name in (row.name, *row.measures) if name in taken]


def category_metric(row: Any, others: Sequence[Any]) -> list[str]:
    """A function of one argument, a level that there is, a name of its own."""
    broken = [] if NAME.fullmatch(row.name) else [f"name: {row.name}"]
    broken += [] if takes(row.function, 1) else ["function: does not take the category's data"]
    broken += [] if row.worst in LEVELS else [f"worst: {row.worst} is no level"]
    return broken + [
        f"{row.name}: another row has it" for other in others if other is not row and other.name == row.name
    ]


def stages(rows: Iterable[Any], sections: type[BaseModel], costs: dict[str, Callable[..., float]]) -> list[str]:
    """Each once, after all that it needs, with a function (config, context, out), a section and an estimate."""
    broken: list[str] = []
    before: list[str] = []
    for row in rows:
        broken += [f"{row.name}: {one}" for one in _function("function", row.function, 3)]
        broken += [f"{row.name}: needs {need}, which is not made before" for need in row.needs if need not in before]
        broken += [f"{row.name}: twice"] if row.name in before else []
        field = sections.model_fields.get(row.section)
        kind = field.annotation if field is not None else None
        if not (inspect.isclass(kind) and issubclass(kind, Config)):
            broken.append(f"{row.name}: section {row.section} is no section of a run")
        elif row.per == "arm" and "method" not in kind.model_fields:
            broken.append(f"{row.name}: once per arm, and its section names no method")
        broken += [] if row.name in costs else [f"{row.name}: no estimate of its time"]
        before.append(row.name)
    return broken


def _documented(kind: type) -> bool:
    return bool((kind.__doc__ or "").strip())
