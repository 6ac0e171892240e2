"""Older names of keys, words, options and verbs still work, with one line of notice each."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import anomaly_gan
import detection
import mask_pool
from anomaly_gan.cli.pool_study import SUBJECTS
from anomaly_gan.core import renamed
from anomaly_gan.core.config import Config, apply_settings, build, dump_yaml, read_yaml
from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.resources import PACKAGE
from anomaly_gan.pipeline.config import RunConfig
from anomaly_gan.pipeline.plan import plan, select


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renamed, "_SAID", set())


def sections() -> list[type[Config]]:
    for package in (anomaly_gan, mask_pool, detection):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("config") or ".configs" in module.name or "rules" in module.name:
                importlib.import_module(module.name)
    kinds, queue = [], [Config]
    while queue:
        below = queue.pop().__subclasses__()
        queue += below
        kinds += below
    return [kind for kind in kinds if kind.__module__.partition(".")[0] in {"anomaly_gan", "mask_pool", "detection"}]


KINDS = {kind.__name__: kind for kind in sections()}
KEYS = [(KINDS[name], old, new) for name, keys in renamed.KEYS.items() for old, new in keys.items()]
WORDS = [
    (KINDS[name], key, old, new)
    for name, keys in renamed.WORDS.items()
    for key, words in keys.items()
    for old, new in words.items()
]


@pytest.mark.parametrize(("kind", "old", "new"), KEYS, ids=lambda value: getattr(value, "__name__", value))
def test_an_older_key_is_read_under_its_new_name(kind: type[Config], old: str, new: str, capsys: Any) -> None:
    assert old not in kind.model_fields and new in kind.model_fields
    default = kind.model_fields[new].get_default(call_default_factory=True)
    value = default.model_dump() if isinstance(default, Config) else default
    assert kind.renamed({old: value}) == {new: value}
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"the key {old} is now called {new}" in said
    kind.renamed({old: value})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("kind", "key", "old", "new"), WORDS, ids=lambda value: getattr(value, "__name__", value))
def test_an_older_word_is_read_as_its_new_one(kind: type[Config], key: str, old: str, new: str, capsys: Any) -> None:
    assert kind.renamed({key: old}) == {key: new}
    assert kind.renamed({key: [old]}) == {key: [new]}
    assert f"{key}: {old} is now called {new}" in capsys.readouterr().err


def test_older_stages_files_subjects_and_names_are_understood(tmp_path: Path, capsys: Any) -> None:
    steps = plan(RunConfig(data={"root": "x"}, gate={"label_check": True}, one_class={"detectors": ["knn"]}))
    for old, new in renamed.STAGES.items():
        chosen = select(steps, old, old)
        assert chosen and {step.stage.name for step in chosen} == {new}
    for old, new in renamed.FILES.items():
        (tmp_path / new).write_text("a: 1")
        assert read_yaml(tmp_path / old) == {"a": 1}
        assert (PACKAGE / "configs" / new).is_file() and not (PACKAGE / "configs" / old).exists()
    assert set(renamed.SUBJECTS.values()) <= set(SUBJECTS)
    for old, new in renamed.NAMES.items():
        assert getattr(anomaly_gan, old) is getattr(anomaly_gan, new) and old not in anomaly_gan.__all__
    told = [*renamed.STAGES, *renamed.FILES, *renamed.NAMES]
    said = capsys.readouterr().err
    assert [one for one in told if said.count(f" {one} is now called") != 1] == []


def test_an_older_run_and_older_settings_are_read_and_saved_anew() -> None:
    content = {"data": {"root": "x"}, "certify": {"steps": 3}, "gate": {"certificate": True}}
    settings = ["certify.folds=2", "export.opinion=drop", "one_class.detectors=knn", "compare.detect.warm_start=false"]
    config = build(RunConfig, apply_settings(content, settings), "run.yaml")
    assert (config.label_check.steps, config.label_check.folds, config.gate.label_check) == (3, 2, True)
    assert config.export.outliers == "drop" and not config.compare.detect.pretrained_heads
    assert build(RunConfig, yaml.safe_load(dump_yaml(config)), "again") == config


def test_the_later_of_two_names_counts_and_sections_are_laid_over_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    class Part(Config):
        a: int = 0
        b: int = 0

    class Whole(Config):
        part: Part = Part()
        many: int = 0

    monkeypatch.setitem(renamed.KEYS, "Whole", {"piece": "part", "much": "many"})
    built = build(Whole, {"part": {"a": 1, "b": 1}, "many": 1, "piece": {"b": 2}, "much": 2}, "here")
    assert built == Whole(part=Part(a=1, b=2), many=2)
    assert build(Whole, {"much": 1, "many": 2}, "here").many == 2
    with pytest.raises(ConfigError, match=r"part\.c: unknown key"):
        build(Whole, {"piece": {"c": 1}}, "here")
