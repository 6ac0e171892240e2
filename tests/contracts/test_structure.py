"""The shape of the code that docs/architecture.md promises: what is measured there is held here."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import structure  # noqa: E402

PACKAGES = structure.measure(ROOT)
MODULES = structure.modules(ROOT)
MOST_BOXES = {"anomaly_gan.synthesis": 16}
MOST_LINES, MOST_OF_A_BODY = 400, 50
LONG_WITHOUT_A_WORD = 25
"""Lines of a body from which a docstring or a comment must say what it is for, or why it is so."""


def bodies(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Name and lines of every function's body, its docstring left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body:
                yield node.name, (body[-1].end_lineno or 0) - body[0].lineno + 1


@pytest.mark.parametrize("package", PACKAGES, ids=lambda row: str(row["package"]))
def test_imports_run_one_way_in_every_package(package: dict[str, int | str]) -> None:
    assert (package["upwards"], package["circles"]) == (0, 0)
    assert int(package["boxes"]) <= MOST_BOXES.get(str(package["package"]), 99)


def test_no_file_and_no_body_is_too_long() -> None:
    long = []
    for name, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        if (lines := len(text.splitlines())) > MOST_LINES:
            long.append(f"{name}: {lines} lines")
        long += [f"{name}.{of}: a body of {size}" for of, size in bodies(ast.parse(text)) if size > MOST_OF_A_BODY]
    assert not long


def test_what_a_reader_must_learn_stays_less_than_before_the_move() -> None:
    counts, shown = structure.counts(ROOT), structure.options_shown()
    assert counts["configuration_fields"] <= 480 and counts["options_declared"] < 100 and shown < 179
    assert counts["dict_str_any"] <= 120


def test_no_long_body_goes_without_a_sentence() -> None:
    silent = []
    for name, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node) is None:
                inside = lines[node.body[0].lineno - 1 : node.body[-1].end_lineno]
                if len(inside) >= LONG_WITHOUT_A_WORD and not any("# " in line for line in inside):
                    silent.append(f"{name}.{node.name}")
    assert not silent


def test_a_long_body_is_seen() -> None:
    inside = "\n".join(f"    x{number} = {number}" for number in range(MOST_OF_A_BODY + 1))
    assert list(bodies(ast.parse(f'def f():\n    """Doc."""\n{inside}'))) == [("f", MOST_OF_A_BODY + 1)]


SHARED_PAINTING = {"painting", "painter", "adversaries", "config", "presets", "old_keys", "copy_paste"}
"""``copy_paste`` besides: its donors and its blending are those of all methods that paste."""
EXTENDS = {("iae_lstm_kl", "deep_svdd"), ("skip_ganomaly_pp", "skip_ganomaly")}
"""Detectors whose papers are another one's detector with parts changed."""


@pytest.mark.parametrize(
    ("folder", "shared"),
    [
        ("anomaly_gan.synthesis.methods", SHARED_PAINTING),
        ("detection.one_class.methods", {"parts", "gcn", "statistics", "deep_features", "backbones", "skip_losses"}),
    ],
)
def test_a_method_takes_nothing_from_a_rivals_file(folder: str, shared: set[str]) -> None:
    inner = {name: structure.imports(name, path, MODULES) for name, path in MODULES.items()}
    arrows = {
        (source, target)
        for source, targets in structure.inside(folder, inner).items()
        for target in targets - shared
        if source not in shared and not target.endswith(("_nets", "_losses"))
    }
    assert arrows <= EXTENDS


def test_no_two_folders_that_tests_import_from_share_a_name() -> None:
    """A worker keeps the first ``bolts`` it has imported, whichever folder the next test means."""
    seen: dict[str, str] = {}
    for folder in ("tests/support", "data/render", "benchmarks"):
        for path in sorted((ROOT / folder).glob("*.py")):
            assert path.stem.startswith("__") or path.stem not in seen, f"{seen[path.stem]} and {path}"
            seen[path.stem] = str(path)
