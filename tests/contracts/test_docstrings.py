"""A public function of six or more parameters says what each is and what comes back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MANY = 6


def public_functions(tree: ast.Module | ast.ClassDef, where: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node, f"{where}:{node.name}")
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield f"{where}:{node.name}", node


def missing(function: ast.FunctionDef) -> list[str]:
    """What the docstring leaves out: parameters under ``Args``, and ``Returns``."""
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs) if one.arg not in ("self", "cls")]
    if len(names) < MANY:
        return []
    text = ast.get_docstring(function) or ""
    told = text.partition("Args:\n")[2]
    left_out = [name for name in names if not re.search(rf"^    (\w+, )*{name}(, \w+)*: \S", told, re.MULTILINE)]
    nothing = function.returns is None or ast.unparse(function.returns) == "None"
    return left_out + ([] if nothing or "Returns:\n" in text else ["Returns"])


@pytest.mark.parametrize("package", ["anomaly_gan", "mask_pool", "detection"])
def test_functions_of_many_parameters_say_what_each_is(package: str) -> None:
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        if "cli" in path.relative_to(ROOT).parts:  # their parameters carry the help of the command line
            continue
        where = path.relative_to(ROOT).as_posix()
        for name, function in public_functions(ast.parse(path.read_text(encoding="utf-8")), where):
            if left_out := missing(function):
                found[name] = left_out
    assert not found, "say them under Args: and Returns: (shapes, ranges, units)"


def test_the_check_sees_what_is_left_out() -> None:
    text = (
        "class A:\n"
        "    def f(self, a: int, b: int, c: int, d: int, e: int, g: int) -> int:\n"
        '        """Add.\n\n        Args:\n            a: first.\n            b: second.\n            c: third.\n'
        '            d: fourth.\n            e: fifth.\n        """\n'
        "    def h(self, a, b): ...\n"
        "    def _private(self, a, b, c, d, e, f): ...\n"
    )
    assert [(name, missing(one)) for name, one in public_functions(ast.parse(text), "x")] == [
        ("x:A:f", ["g", "Returns"]),
        ("x:A:h", []),
    ]
