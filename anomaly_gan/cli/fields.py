"""Every field of a verb's configuration is an option too: ``--min-side 40`` is short for ``--set min_side=40``.

So no field needs an option of its own, and ``--seed`` and ``--device`` mean the same wherever a verb takes ``--set``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, get_origin

from typer.core import TyperCommand

from ..core.errors import ConfigError
from ..core.lazy import named
from ..core.renamed import notice

if TYPE_CHECKING:
    from ..core.config import Config

OF_ALL = ("seed", "device")
"""What no section has and every verb with ``--set`` takes."""
SECTIONS = {
    "demo": "anomaly_gan.pipeline.config:RunConfig",
    "run": "anomaly_gan.pipeline.config:RunConfig",
    "compare": "detection.detectors.config:CompareConfig",
    "report": "anomaly_gan.report.config:ReportConfig",
    "ingest": "anomaly_gan.ingestion.config:IngestConfig",
    "train": "anomaly_gan.synthesis.methods.config:TrainConfig",
    "generate": "anomaly_gan.synthesis.generate.config:GenerateConfig",
    "gate": "anomaly_gan.synthesis.gate.config:GateConfig",
    "export": "anomaly_gan.synthesis.gate.config:ExportConfig",
    "paint": "anomaly_gan.synthesis.paint.config:PaintConfig",
    "control-card": "anomaly_gan.synthesis.control_card.config:CardConfig",
    "features": "anomaly_gan.synthesis.feature_drift.config:FeatureDriftConfig",
    "lift": "anomaly_gan.study.lift.config:LiftConfig",
    "pool build": "mask_pool.build.config:PoolConfig",
    "pool rate": "mask_pool.rating.config:RateConfig",
    "studio": "mask_pool.rating.config:RateConfig",
    "pool evaluate": "mask_pool.scoring.config:EvaluateConfig",
    "pool study": "mask_pool.build.config:PoolConfig",
    "detect train": "detection.detectors.config:DetectConfig",
    "detect predict": "anomaly_gan.ingestion.reading:ReadingConfig",
    "one-class train": "anomaly_gan.ingestion.reading:ReadingConfig",
    "one-class score": "anomaly_gan.ingestion.reading:ReadingConfig",
    "one-class evaluate": "anomaly_gan.ingestion.reading:ReadingConfig",
    "one-class recalibrate": "anomaly_gan.ingestion.reading:ReadingConfig",
    "one-class benchmark": "detection.one_class.benchmark.config:BenchmarkConfig",
}
"""Verb -> the section that its ``--set`` changes (``one-class train``: besides its detector's); the others with
``--set`` take ``OF_ALL`` alone."""
ALSO = {"one-class train": ("detection.one_class.configs.features:FeaturesConfig", ("backbone", "frame", "region"))}
"""Verb -> another section, and which of its fields are options too."""
WITHOUT_CHANCE = frozenset({"detect predict", "one-class score", "one-class evaluate", "one-class recalibrate"})
"""Verbs that draw nothing, and so take no seed."""
OLD_NAMES = {"generate": {"category": "categories"}}
"""Verb -> an option of before -> the field that it is."""
ADDRESS = {"--address": "--engine=ray:{}"}
OLD_OPTIONS: dict[str, dict[str, str]] = {
    **dict.fromkeys(("run", "generate", "gate", "lift", "one-class benchmark"), ADDRESS),
    "compare": {**ADDRESS, "--run": "{}"},
    "export": {"--data": "--run={}", "--to": "--out={}"},
    "one-class study": {"--arm": "--method={}"},
    "weights fetch": {"--to": "--out={}"},
    "pool draw": {"--no-launch": "--labelme=none"},
    "pool export-scores": {"--drawings": "--what={}"},
    "pool rate": {"--drawings": "--what={}", "--no-token": "--token=none", "--token-file": "--token={}"},
}
"""Verb -> an option of before -> what says it now; ``{}`` is its value, and one without takes none."""


class Common(NamedTuple):
    """What ``--set`` said, and of it what is no field of a section."""

    settings: list[str]
    seed: int | None
    device: str | None


def common(settings: list[str]) -> Common:
    """Seed and device taken out of the settings.

    Raises:
        ConfigError: the seed is no whole number.
    """
    said = {key: value for key, _, value in (item.partition("=") for item in settings) if key.strip() in OF_ALL}
    rest = [item for item in settings if item.partition("=")[0].strip() not in OF_ALL]
    try:
        seed = int(said["seed"]) if "seed" in said else None
    except ValueError:
        raise ConfigError(f"--seed {said['seed']}: must be a whole number") from None
    device = said.get("device")
    if device == "mps":
        from ..core.devices import without_mps

        device = without_mps(device)
    return Common(rest, seed, device)


class Verb(TyperCommand):
    """A verb whose unknown options are looked up among the fields of its section."""

    verb: ClassVar[str] = ""
    takes: ClassVar[str] = ""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        declared = {spelling for one in self.params for spelling in (*one.opts, *one.secondary_opts)}
        args = renewed(self.verb, args)
        return super().parse_args(ctx, spelled_out(self.verb, declared, args) if "--set" in declared else args)

    def short(self) -> list[str]:
        """Spellings of the fields that are options of this verb without being declared."""
        if not any("--set" in one.opts for one in self.params):
            return []
        declared = {one.name for one in self.params}
        of_all = OF_ALL[1:] if self.verb in WITHOUT_CHANCE else OF_ALL
        names = dict.fromkeys((*of_all, *_fields(self.verb), *OLD_NAMES.get(self.verb, {})))
        return [f"--{name.replace('_', '-')}" for name in names if name not in declared]

    def examples(self) -> list[str]:
        """Whole command lines, ready to be copied."""
        return (self.epilog or "").splitlines()

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """What it does, how long it takes and an example come before the options: they stand on the first screen."""
        super().format_help_text(ctx, formatter)
        formatter.write_paragraph()
        with formatter.indentation():
            if self.takes:
                formatter.write_text(f"Takes: {self.takes}.")
                formatter.write_paragraph()
            for line in self.examples():
                formatter.write(f"  $ {line}\n")  # unwrapped: a line that is broken cannot be pasted

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        if names := self.short():
            with formatter.section("Short for --set NAME=VALUE"):
                formatter.write_text(", ".join(names))


def renewed(verb: str, args: list[str]) -> list[str]:
    """``args`` with every option of before said as it is said now, behind the others, and a line of notice each."""
    older, waiting = OLD_OPTIONS.get(verb, {}), list(args)
    result: list[str] = []
    new: list[str] = []
    while waiting and waiting[0] != "--":
        word = waiting.pop(0)
        option, equals, value = word.partition("=")
        if option not in older:
            result.append(word)
            continue
        if "{}" in older[option] and not equals:
            if not waiting:
                raise ConfigError(f"{option}: needs a value")
            value = waiting.pop(0)
        new.append(older[option].format(value))
        notice(option, new[-1])
    return [*result, *new, *waiting]


def spelled_out(verb: str, declared: set[str], args: list[str]) -> list[str]:
    """``args`` with every field given as an option under ``--set``; what is neither field nor option stays."""
    result: list[str] = []
    given: dict[str, list[str]] = {}
    waiting = list(args)
    while waiting:
        word = waiting.pop(0)
        option, equals, value = word.partition("=")
        if word == "--":
            return [*result, *_settings(verb, given), word, *waiting]
        if not word.startswith("--") or option in (*declared, "--help"):
            result.append(word)
            continue
        name = option[2:].replace("-", "_")
        name = OLD_NAMES.get(verb, {}).get(name, name)
        kinds = _kinds(verb, name)
        negated = not kinds and name.startswith("no_") and _kinds(verb, name[3:]) == {bool}
        if negated:
            given[name[3:]] = ["false"]
        elif not kinds:
            result.append(word)
        elif equals:
            given.setdefault(name, []).append(value)
        elif kinds == {bool} and not (waiting and waiting[0] in ("true", "false")):
            given[name] = ["true"]
        elif waiting:
            given.setdefault(name, []).append(waiting.pop(0))
        else:
            raise ConfigError(f"{option}: needs a value")
    return [*result, *_settings(verb, given)]


def _settings(verb: str, given: dict[str, list[str]]) -> Iterator[str]:
    """``--set`` of every field; text stays text, whatever YAML would make of it, and what stands twice is a list."""
    for name, values in given.items():
        kinds = _kinds(verb, name)
        if kinds <= {str, Path}:
            value = json.dumps(values[-1], ensure_ascii=False) if name not in OF_ALL else values[-1]
        else:
            several = len(values) > 1 and kinds & {list, tuple}
            value = f"[{', '.join(values)}]" if several else values[-1]
        yield from ("--set", f"{name}={value}")


def _fields(verb: str) -> list[str]:
    section = _section(verb)
    return [*(section.model_fields if section else ()), *ALSO.get(verb, ("", ()))[1]]


def _section(verb: str) -> type[Config] | None:
    return named(SECTIONS[verb]) if verb in SECTIONS else None


def _kinds(verb: str, name: str) -> set[Any]:
    """Types that the field ``a.b`` of the verb's section may have (``list`` of lists); none where it is no field."""
    from ..core.config import kinds_of

    if name in OF_ALL:
        return {str}
    annotation: Any = named(ALSO[verb][0]) if verb in ALSO and name in ALSO[verb][1] else _section(verb)
    for part in name.split("."):
        fields = getattr(annotation, "model_fields", None)
        if fields is None or part not in fields:
            return {object} if dict in (annotation, get_origin(annotation)) else set()
        annotation = fields[part].annotation
    return kinds_of(annotation) - {NoneType}
