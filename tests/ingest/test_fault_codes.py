"""Every fault code that a message can carry stands in one table, and no other: docs/faults.md is made from it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import anomaly_gan
from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.faults import CHAPTERS, FAULTS, explain, page

ROOT = Path(anomaly_gan.__file__).parent.parent
CODE_AT = {"InputError": 1, "refuse": 1, "ShapeFault": 0, "repair": 0, "warn": 0}
"""Which argument of a call is the code."""


def sources() -> Iterator[tuple[Path, str]]:
    for room in ("anomaly_gan", "mask_pool", "detection"):
        for path in sorted((ROOT / room).rglob("*.py")):
            if path.name != "faults.py":
                yield path, path.read_text(encoding="utf-8")


def raised() -> dict[str, str]:
    """Codes that are written in a call that raises, refuses, repairs or warns, each with a place."""
    found: dict[str, str] = {}
    for path, text in sources():
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            at = CODE_AT.get(name, len(node.args))
            given = node.args[at : at + 1] + [word.value for word in node.keywords if word.arg == "code"]
            for code in given:
                for value in (code.body, code.orelse) if isinstance(code, ast.IfExp) else (code,):
                    if isinstance(value, ast.Constant) and isinstance(value.value, str):
                        found.setdefault(value.value, f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def test_every_code_that_is_raised_stands_in_the_table() -> None:
    found = raised()
    assert len(found) > 100, "the search finds what it looks for"
    missing = {code: place for code, place in found.items() if code not in FAULTS}
    assert not missing, "add the new code to anomaly_gan/core/faults.py"


def test_every_code_of_the_table_is_raised_somewhere() -> None:
    text, found = "\n".join(content for _, content in sources()), raised()
    dead = {code for code in FAULTS if code not in found and f'"{code}"' not in text and f"{code}: " not in text}
    assert not dead, "take the row out of anomaly_gan/core/faults.py"


def test_the_page_is_made_from_the_table_and_the_verb_prints_a_row() -> None:
    assert (ROOT / "docs/faults.md").read_text(encoding="utf-8") == page(), "run `make faults`"
    assert "--classes" in explain("b14")
    for code, fault in FAULTS.items():
        assert fault.code == code and fault.chapter in CHAPTERS.values() and fault.what
        assert code in explain(code) and fault.todo in explain(code)
    with pytest.raises(ConfigError, match="did you mean"):
        explain("MISING")
