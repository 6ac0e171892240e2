"""The structure of the code in figures: ``python benchmarks/structure.py [--markdown]``.

For each package: its boxes (modules and packages directly inside), the arrows between them (one imports the other,
also inside functions; imports for type checkers alone are left out), floors (the longest chain of arrows), arrows
upwards (the fewest, found greedily, that must go for the rest to run one way) and circles. Then: fields of the
configuration, options of the command line, and mentions of ``dict[str, Any]``; of this checkout also the options and
arguments that ``--help`` shows, over all verbs.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOP = ("anomaly_gan", "mask_pool", "detection")


def modules(root: Path) -> dict[str, Path]:
    """Dotted name -> file of every module."""
    found = {}
    for top in TOP:
        for path in sorted((root / top).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """The modules of ours that one module imports at run time."""
    found: set[str] = set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]

    def add(target: str) -> None:
        while target and target not in known:
            target = target.rpartition(".")[0]
        if target and target != name:
            found.add(target)

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            for alias in node.names:
                add(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                add(f"{base}.{alias.name}")
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def inside(package: str, arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """Box -> boxes it imports, directly inside ``package``."""
    prefix = f"{package}."
    graph: dict[str, set[str]] = defaultdict(set)
    for source, targets in arrows.items():
        if not source.startswith(prefix):
            continue
        box = source[len(prefix) :].split(".")[0]
        graph[box] |= set()
        for target in targets:
            if target.startswith(prefix) and (other := target[len(prefix) :].split(".")[0]) != box:
                graph[box].add(other)
                graph[other] |= set()
    return dict(graph)


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Sets of boxes that reach each other."""
    reach = {box: _reachable(box, graph) for box in graph}
    groups: list[set[str]] = []
    for box in graph:
        group = {other for other in reach[box] if box in reach[other]}
        if len(group) > 1 and group not in groups:
            groups.append(group)
    return groups


def _reachable(start: str, graph: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for other in graph[waiting.pop()]:
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen


def upwards(graph: dict[str, set[str]]) -> int:
    """Arrows that point up in the order that a greedy feedback-arc search finds (Eades et al. 1993)."""
    left = {box: set(targets) for box, targets in graph.items()}
    first: list[str] = []
    last: list[str] = []
    while left:
        entering = {box: sum(box in targets for targets in left.values()) for box in left}
        sinks = [box for box in sorted(left) if not left[box]]
        sources = [box for box in sorted(left) if not entering[box]]
        if sinks:
            last.append(sinks[0])
        elif sources:
            first.append(sources[0])
        else:
            first.append(max(sorted(left), key=lambda box: len(left[box]) - entering[box]))
        gone = (last if sinks else first)[-1]
        left = {box: targets - {gone} for box, targets in left.items() if box != gone}
    place = {box: at for at, box in enumerate([*first, *reversed(last)])}
    return sum(place[target] < place[box] for box in graph for target in graph[box])


def floors(graph: dict[str, set[str]]) -> int:
    """Boxes on the longest chain of arrows; a circle counts as one floor."""
    groups = circles(graph)
    name = {box: min(group) for group in groups for box in group}
    merged: dict[str, set[str]] = defaultdict(set)
    for box, targets in graph.items():
        own = name.get(box, box)
        merged[own] |= {name.get(target, target) for target in targets} - {own}
    depth: dict[str, int] = {}

    def height(box: str) -> int:
        if box not in depth:
            depth[box] = 1 + max((height(other) for other in merged[box]), default=0)
        return depth[box]

    return max((height(box) for box in list(merged)), default=0)


def measure(root: Path) -> list[dict[str, int | str]]:
    """One row for each package that has boxes."""
    known = modules(root)
    arrows = {name: imports(name, path, known) for name, path in known.items()}
    packages = sorted(name for name, path in known.items() if path.name == "__init__.py")
    rows: list[dict[str, int | str]] = []
    for package in packages:
        graph = inside(package, arrows)
        if graph:
            rows.append(
                {
                    "package": package,
                    "boxes": len(graph),
                    "arrows": sum(map(len, graph.values())),
                    "floors": floors(graph),
                    "upwards": upwards(graph),
                    "circles": len(circles(graph)),
                }
            )
    return rows


def counts(root: Path) -> dict[str, int]:
    """Fields of configurations, options of the command line, mentions of ``dict[str, Any]``."""
    fields = options = 0
    untyped = 0
    for path in modules(root).values():
        text = path.read_text(encoding="utf-8")
        untyped += text.count("dict[str, Any]")
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any("Config" in ast.unparse(base) for base in node.bases):
                fields += sum(
                    isinstance(item, ast.AnnAssign) and "ClassVar" not in ast.unparse(item.annotation)
                    for item in node.body
                )
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("typer.Option", "typer.Argument"):
                options += 1
    return {"configuration_fields": fields, "options_declared": options, "dict_str_any": untyped}


def options_shown() -> int:
    """Options and arguments that ``--help`` lists, over all verbs of the installed command line."""
    import typer

    from anomaly_gan.cli.main import app

    def shown(command: Any) -> int:
        inner = getattr(command, "commands", {}).values()
        return sum(one.name != "help" for one in command.params) + sum(map(shown, inner))

    return shown(typer.main.get_command(app))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="a checkout to measure; default: this one")
    parser.add_argument("--markdown", action="store_true", help="a table for docs/architecture.md instead of JSON")
    chosen = parser.parse_args()
    rows, totals = measure(chosen.root), counts(chosen.root)
    if chosen.root == ROOT:
        totals["options_shown"] = options_shown()
    if not chosen.markdown:
        sys.stdout.write(json.dumps({"packages": rows, **totals}) + "\n")
        return
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(row[column]) for column in columns) + " |" for row in rows]
    lines += ["", ", ".join(f"{name} {value}" for name, value in totals.items())]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
