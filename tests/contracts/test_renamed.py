"""Older names of keys, words, options and verbs still work, with one line of notice each."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import pytest

import anomaly_gan
import detection
import mask_pool
from anomaly_gan.core import renamed
from anomaly_gan.core.config import Config, build
from anomaly_gan.core.errors import ConfigError


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


def test_the_later_of_two_names_counts_and_sections_are_laid_over_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    class Part(Config):
        a: int = 0
        b: int = 0

    class Whole(Config):
        part: Part = Part()
        many: int = 0

    monkeypatch.setitem(renamed.KEYS, "Whole", {"piece": "part", "much": "many"})
    laid = build(Whole, {"part": {"a": 1, "b": 1}, "many": 1, "piece": {"b": 2}, "much": 2}, "here")
    assert laid == Whole(part=Part(a=1, b=2), many=2)
    assert build(Whole, {"much": 1, "many": 2}, "here").many == 2
    with pytest.raises(ConfigError, match=r"part\.c: unknown key"):
        build(Whole, {"piece": {"c": 1}}, "here")
