"""Reading finished stage folders for the report: tolerant of what is absent, strict about what is broken."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from ..core.dataset import Dataset, load_dataset
from ..core.errors import InputError
from ..core.stage import Context, read_manifest

ABSOLUTE = re.compile(r"^(?:/|~|[A-Za-z]:[\\/]|\\\\)")


@dataclass(frozen=True)
class StageFolder:
    """One finished stage: its folder, figures, manifest and resolved configuration (absolute paths shortened)."""

    name: str
    folder: Path
    metrics: dict[str, Any] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)

    def dataset(self) -> Dataset | None:
        """The stage's data set, read once, or None where it wrote none."""
        return self._dataset

    @cached_property
    def _dataset(self) -> Dataset | None:
        return load_dataset(self.folder) if (self.folder / "annotations.json").is_file() else None

    def json(self, name: str) -> dict[str, Any]:
        """A JSON object of the stage, or {} where the file is absent."""
        return _read_mapping(self.folder / name, json.loads)

    def json_lines(self, name: str) -> Iterator[dict[str, Any]]:
        """The objects of a ``.jsonl`` file, none where the file is absent.

        Raises:
            InputError: a line is not a JSON object.
        """
        path = self.folder / name
        if not path.is_file():
            return
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise _broken(f"{path}[{number}]", "not JSON") from error
                if not isinstance(row, dict):
                    raise _broken(f"{path}[{number}]", "not a JSON object")
                yield tidy(row)

    def table(self, name: str) -> list[dict[str, str]]:
        """The rows of a CSV file with a header, none where the file is absent."""
        path = self.folder / name
        if not path.is_file():
            return []
        with path.open(encoding="utf-8", newline="") as stream:
            return [
                {key or "": value or "" for key, value in row.items() if isinstance(value, str | None)}
                for row in csv.DictReader(stream)
            ]

    def files(self, pattern: str) -> list[Path]:
        """The stage's files matching a glob, in name order."""
        return sorted(path for path in self.folder.glob(pattern) if path.is_file())


@dataclass(frozen=True)
class Run:
    """The finished stages of a run, by name (``ingest``, ``gate@copy_paste`` ...)."""

    stages: Mapping[str, StageFolder]
    note: str = ""
    """What a reader must know first, such as that the run still works."""

    def get(self, name: str) -> StageFolder | None:
        return self.stages.get(name)

    def methods(self, stage: str) -> list[str]:
        """Methods for which ``stage@METHOD`` has finished: those that were trained first, then those that paint with
        a training, each in the run's order."""
        found = [name.partition("@")[2] for name in self.stages if name.startswith(f"{stage}@")]
        return sorted(found, key=lambda method: (f"train@{method}" not in self.stages, not self._trained(method)))

    def _trained(self, method: str) -> bool:
        """Whether its generation read a training, its own or another method's."""
        made = self.get(f"generate@{method}")
        return made is not None and any(name.startswith("train@") for name in made.manifest.get("inputs") or ())


def open_run(context: Context, note: str = "") -> Run:
    """The stages among ``context.inputs`` that have finished; the others are simply not in the run."""
    stages = {}
    for name, folder in context.inputs.items():
        manifest = read_manifest(folder)
        if manifest is not None:
            metrics = _read_mapping(folder / "metrics.json", json.loads)
            config = _read_mapping(folder / "config.yaml", yaml.safe_load)
            stages[name] = StageFolder(name, folder, metrics, tidy(manifest), config)
    return Run(stages, note)


def tidy(value: Any) -> Any:
    """JSON-like ``value`` with NaN and infinity as None, and absolute paths cut to their last part."""
    if isinstance(value, dict):
        return {str(key): tidy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [tidy(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str) and ABSOLUTE.match(value):
        return "…/" + re.split(r"[\\/]", value.rstrip("\\/"))[-1]
    return value


def _read_mapping(path: Path, parse: Any) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise _broken(str(path), "does not parse") from error
    if not isinstance(content, dict):
        raise _broken(str(path), "is not a mapping")
    return tidy(content)


def _broken(where: str, reason: str) -> InputError:
    return InputError(where, "FORMAT", reason, "delete the stage's folder and run it again")
