"""What a study is: a run's configuration, folds, and variants laid over it. Nothing here imports torch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from ..core.config import Config, apply_settings, build, merge, nearest, read_yaml
from ..core.errors import ConfigError
from ..core.resources import PACKAGE
from ..pipeline.config import RunConfig

MAIN = "main"
"""The variant that is always there: the base with ``set``, and nothing else."""
OF_THE_STUDY = frozenset({"name", "base", "folds", "variants", "first_seed", "repeats", "until", "quality"})
"""What ``--set`` changes in the study itself; every other key is one of the run."""


class StudyConfig(Config):
    """Many runs with one table: folds × variants.

    ``base``: a run's YAML beside the study's file, or ``embedded:NAME.yaml`` for one of the package. ``set``: values
    laid over it, its ``preset`` among them. ``folds``: the test folds, one run each; none: the base's own split.
    ``variants``: by name, what differs from ``main`` (which is always there); each may have ``folds`` of its own.
    Names with a meaning to the statistics are ``leak`` and ``ungated``. ``first_seed``: the number of the first of
    ``compare.seeds`` seeds, so that a second study continues where a first one ended. ``repeats``: every variant is
    trained that often from other seeds of its generators, the later ones as variants ``NAME.r1``, ``NAME.r2``; with
    ``data.objects`` each learns from another draw of the few objects.
    ``until``: the last stage of every run; before ``compare`` no detector is trained. ``quality``: measure every
    variant's photographs against the real ones of ``main``, of which a variant may have seen but few.
    """

    name: str = "study"
    base: str
    set: dict[str, Any] = Field(default_factory=dict)
    folds: tuple[int, ...] = ()
    variants: dict[str, dict[str, Any]] = Field(default_factory=dict)
    first_seed: int = Field(0, ge=0)
    repeats: int = Field(1, ge=1)
    until: Literal["ingest", "pool", "train", "generate", "gate", "export", "compare"] = "compare"
    quality: bool = False

    @field_validator("name")
    @classmethod
    def _a_folder(cls, name: str) -> str:
        return folder_name(name)

    @field_validator("folds")
    @classmethod
    def _folds_once(cls, folds: tuple[int, ...]) -> tuple[int, ...]:
        return checked_folds(folds)

    @model_validator(mode="after")
    def _known_keys(self) -> StudyConfig:
        if self.quality and self.until in ("ingest", "pool", "train"):
            raise ValueError(f"quality: until {self.until} no photograph is made; say until: gate, or later")
        _check_overrides("set", self.set, ())
        for name, overrides in self.variants.items():
            folder_name(name)
            if name == MAIN:
                raise ValueError(f"variants: {MAIN!r} is the study without overrides; give the variant another name")
            if split_repeat(name)[1]:
                raise ValueError(
                    f"variants: {name!r} is how the study calls a repeat; give it another name, or use repeats"
                )
            _check_overrides(f"variants.{name}", overrides, ("folds",))
            folds = overrides.get("folds", [])
            if not isinstance(folds, list | tuple) or not all(type(fold) is int for fold in folds):
                raise ValueError(f"variants.{name}.folds: must be a list of whole numbers")
            checked_folds(tuple(folds))
        return self

    def variant_names(self) -> list[str]:
        first = [MAIN, *self.variants]
        return [*first, *(repeat_name(name, number) for number in range(1, self.repeats) for name in first)]

    def folds_of(self, variant: str) -> tuple[int, ...]:
        return tuple(self.variants.get(split_repeat(variant)[0], {}).get("folds", self.folds))


def split_repeat(variant: str) -> tuple[str, int]:
    """``NAME.r2`` as (NAME, 2); a variant that is no repeat as (its name, 0)."""
    found = re.fullmatch(r"(.+)\.r([1-9]\d*)", variant)
    return (found[1], int(found[2])) if found else (variant, 0)


def repeat_name(name: str, number: int) -> str:
    """The other way round."""
    return f"{name}.r{number}" if number else name


def folder_name(name: str) -> str:
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f"{name!r} cannot name a folder: use letters, digits, _, - and .")
    return name


def checked_folds(folds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(folds)) != len(folds) or any(fold < 0 for fold in folds):
        raise ValueError("folds: each once, from 0 up")
    return folds


def _check_overrides(where: str, overrides: dict[str, object], more: tuple[str, ...]) -> None:
    known = [*RunConfig.model_fields, *more]
    for key in overrides:
        if key not in known:
            raise ValueError(f"{where}: unknown key {key!r}{nearest(key, known)}")


def read_study(
    path: Path, settings: list[str], seed: int | None = None, device: str | None = None
) -> tuple[StudyConfig, dict[str, Any]]:
    """A study and the content of its base, from YAML and ``--set``.

    Raises:
        ConfigError: one line naming file and field.
    """
    content = read_yaml(path)
    if "base" not in content and "data" in content:
        raise ConfigError(f"{path}: describes a run, not a study (it has no base); start it with `anomaly-gan run`")
    own = [item for item in settings if item.partition("=")[0].strip().partition(".")[0] in OF_THE_STUDY]
    content = apply_settings(content, own)
    over = content.get("set") or {}
    if not isinstance(over, dict):
        raise ConfigError(f"{path}: set: must be a mapping of a run's sections")
    # a study asks what methods are worth as they generate; a run drops what its gate fails
    over["gate"] = {"on_fail": "keep"} | (over.get("gate") or {})
    content["set"] = apply_settings(over, [item for item in settings if item not in own])
    content["set"] |= {key: value for key, value in (("seed", seed), ("device", device)) if value is not None}
    study = build(StudyConfig, content, str(path))
    return study, read_yaml(base_path(study, path))


def base_path(study: StudyConfig, path: Path) -> Path:
    """Where the base of the study in the file ``path`` lies."""
    if study.base.startswith("embedded:"):
        return PACKAGE / "configs" / study.base.removeprefix("embedded:")
    return path.parent / study.base


def is_study(path: Path) -> bool:
    """Whether a YAML file describes a study and not a run: only a study has a base."""
    return "base" in read_yaml(path)


def dump_study(study: StudyConfig, base: dict[str, object]) -> tuple[str, str]:
    """(``study.yaml``, ``base.yaml``): a study's folder describes itself, wherever its files came from."""
    moved = study.model_copy(update={"base": "base.yaml"})
    return (
        yaml.safe_dump(moved.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        yaml.safe_dump(base, sort_keys=False, allow_unicode=True),
    )


def variant_content(study: StudyConfig, base: dict[str, Any], variant: str) -> dict[str, Any]:
    """The run of a variant: base, its preset, ``set``, the variant's own values, each laid over the one before."""
    name, repeat = split_repeat(variant)
    over = study.variants.get(name, {})
    own = {key: value for key, value in over.items() if key not in ("folds", "preset")}
    given = {key: value for key, value in study.set.items() if key != "preset"}
    preset = over.get("preset", study.set.get("preset"))
    presets = {"default": {}, **(base.get("presets") or {})}
    chosen = preset if preset is not None else base.get("preset", "default")
    content = {key: value for key, value in base.items() if key != "presets"}
    if "presets" in base or preset is not None:
        if chosen not in presets:
            raise ConfigError(f"preset: no preset {chosen!r}{nearest(str(chosen), presets)}")
        content = merge(content, presets[chosen] or {})
    laid = merge(merge(content, given), own)
    return merge(laid, _repeated(laid, repeat)) | {"preset": chosen}


def _repeated(content: dict[str, Any], repeat: int) -> dict[str, Any]:
    """What another repeat changes: the seed of every generator and, where few objects are drawn, which ones."""
    data = content.get("data") or {}
    again = {"data": {"draw": data.get("draw", 0) + repeat}} if data.get("objects") is not None else {}
    return again | {"train": {"repeat": repeat}} if repeat else {}
