"""The site's reference is written from the code: every verb, option, field and format stands in it, with a meaning."""

from __future__ import annotations

import importlib.util
import re
import sys
from types import ModuleType
from typing import Any

import pytest
import typer
from doc_blocks import DOCS
from pydantic import BaseModel

from anomaly_gan.cli.main import app
from anomaly_gan.ingestion.formats.table import FORMATS
from anomaly_gan.pipeline.config import RunConfig


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """docs/site_hook.py, whether mkdocs is installed or not: it only names mkdocs' types."""
    parts = ("config", "config.defaults", "exceptions", "structure", "structure.files", "structure.pages", "utils")
    names = ("mkdocs", *(f"mkdocs.{part}" for part in parts))
    added = [name for name in names if name not in sys.modules]
    for name in added:
        stand_in = ModuleType(name)
        for what in ("MkDocsConfig", "File", "Files", "Page", "PluginError", "get_relative_url"):
            setattr(stand_in, what, object)
        sys.modules[name] = stand_in
    try:
        spec = importlib.util.spec_from_file_location("site_hook", DOCS / "site_hook.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        for name in added:
            del sys.modules[name]
    return module


def commands() -> list[tuple[str, Any]]:
    found = []
    for verb, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [(f"{verb} {name}", one) for name, one in inner.items()] if inner else [(verb, command)]
    return found


def test_every_verb_and_option_stands_on_the_page_with_its_help(hook: ModuleType) -> None:
    page = hook.command_line()
    for verb, command in commands():
        chapter = page.partition(f"## anomaly-gan {verb}\n")[2].partition("\n## ")[0]
        assert chapter, verb
        for one in command.params:
            if one.name != "help" and one.param_type_name == "option":
                row = re.search(rf"\| `[^`]*{re.escape(one.opts[0])}\b[^|]*\| (.+) \|", chapter)
                assert row and len(row[1]) > 3, f"{verb} {one.opts[0]}: no help"


def paths(section: type[BaseModel], prefix: str) -> list[str]:
    found = []
    for name, field in section.model_fields.items():
        kind = field.annotation
        inner = isinstance(kind, type) and issubclass(kind, BaseModel)
        found += paths(kind, f"{prefix}{name}.") if inner else [f"{prefix}{name}"]  # type: ignore[arg-type]
    return found


def test_every_field_of_a_run_stands_on_the_page(hook: ModuleType) -> None:
    page = hook.configuration()
    assert [path for path in paths(RunConfig, "") if f"| `{path}` |" not in page] == []
    without = re.findall(r"^\| `(\S+)` \|[^\n]*\|  \|$", page, re.MULTILINE)
    assert without == [], "fields of which nothing is said"
    for title in hook.OTHERS:
        assert f"### {title}\n" in page


def test_every_format_stands_on_the_page(hook: ModuleType) -> None:
    page = hook.formats()
    assert [name for name, row in FORMATS.items() if f"## {name}\n" not in page or row.tree[0] not in page] == []


def test_the_site_has_its_five_parts_and_every_page_is_in_one() -> None:
    text = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    nav = text.partition("\nnav:")[2]
    assert re.findall(r"^  - ([\w-]+):$", nav, re.MULTILINE) == [
        "Start",
        "How-to",
        "Reference",
        "Explanation",
        "Results",
    ]
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md") if "results" not in path.parts}
    assert sorted(page for page in pages if not re.search(rf"[ ]{re.escape(page)}$", nav, re.MULTILINE)) == []
