"""Pages written from the code when the site is built: every verb with its options, every field with its default."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url
from pydantic import BaseModel
from pydantic_core import PydanticUndefined


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {"cli": command_line, "configuration": configuration, "formats": formats}
    for path, text in ((f"reference/{name}.md", write()) for name, write in pages.items()):
        files.append(File.generated(config, path, content=text))
    return files


SHIM = '<script src="https://unpkg.com/iframe-worker/shim"></script>'
"""What the theme loads from the network, so that the search works on a page from a disk."""
LOADED = re.compile(r"""<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=["']?https?://[^>]*>""")


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Nothing is loaded from a network: a plant has none."""
    return _offline(output, page.url)


def on_post_template(output_content: str, template_name: str, config: MkDocsConfig) -> str:
    """The same for pages of the theme's own."""
    return _offline(output_content, template_name) if template_name.endswith(".html") else output_content


def _offline(html: str, url: str) -> str:
    html = html.replace(SHIM, f'<script src="{get_relative_url("assets/search_worker.js", url)}"></script>')
    if outside := LOADED.search(html):
        raise PluginError(f"{url} loads from a network: {outside[0]}")
    return html


FIELDS = """`anomaly-gan VERB --help` says the same in the terminal.

Every field of the [configuration](configuration.md) that a verb with `--set` works with is an option of it too:
`--min-side 40` is short for `--set min_side=40`, `--place.strategy prior` for `--set place.strategy=prior`.
`--seed` and `--device` go with every verb that takes `--set`."""


def command_line() -> str:
    """Every verb: what it does, how long that takes, examples, its options with their help."""
    import typer

    from anomaly_gan.cli.main import app

    lines = ["# Command line", "", FIELDS, ""]
    for name, command in _verbs(typer.main.get_command(app), ""):
        lines += [f"## anomaly-gan {name}", "", inspect.cleandoc(command.help or ""), ""]
        lines += [f"Takes: {command.takes}.", "", "```", *command.examples(), "```", ""]
        rows = [(_spelling(one), getattr(one, "help", None) or "") for one in command.params if one.name != "help"]
        if rows:
            lines += ["| option | meaning |", "|---|---|"]
            lines += [f"| `{spelling}` | {_cell(words)} |" for spelling, words in rows]
        lines.append("")
    return "\n".join(lines)


def _verbs(command: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, child in command.commands.items():
        if hasattr(child, "commands"):
            yield from _verbs(child, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", child


def _spelling(parameter: Any) -> str:
    return ", ".join(parameter.opts) if parameter.param_type_name == "option" else str(parameter.name).upper()


def configuration() -> str:
    """Every section of every YAML and of every ``--set``, and every field with type and default."""
    from anomaly_gan.pipeline.config import RunConfig
    from anomaly_gan.synthesis.registry import METHODS
    from detection.one_class.registry import ONE_CLASS

    lines = ["# Configuration", "", "The sections of a run's YAML. `--set train.steps=400` changes one value.", ""]
    alone = {name: field for name, field in RunConfig.model_fields.items() if not _section(field)}
    said = _docstrings(RunConfig)
    lines += ["## The run itself", "", *HEAD, *(_row(name, field, said.get(name, "")) for name, field in alone.items())]
    for name, field in RunConfig.model_fields.items():
        if section := _section(field):
            lines += _chapter(f"## {name}", section, name)
    lines += ["", "## train_methods", "", "What one method alone reads; whatever of `train` may stand here too."]
    for name, row in METHODS.items():
        if row.trainable:
            lines += _chapter(f"### {name}", row.settings(), f"train_methods.{name}")
    lines += [
        "",
        "## one_class.settings",
        "",
        "By detector; also `one-class train --set KEY=VALUE`, without the prefix.",
    ]
    for name, one in ONE_CLASS.items():
        lines += _chapter(f"### {name}", one.settings_class(), f"one_class.settings.{name}")
    lines += ["", "## Other files and verbs"]
    for title, place in OTHERS.items():
        module, _, kind = place.partition(":")
        lines += _chapter(f"### {title}", getattr(import_module(module), kind), "")
    return "\n".join(lines) + "\n"


HEAD = ("| field | type | default | meaning |", "|---|---|---|---|")
OTHERS = {
    "A study (`compare STUDY.yaml`)": "anomaly_gan.study.config:StudyConfig",
    "A study of the lift (`lift`)": "anomaly_gan.study.lift.config:LiftConfig",
    "`detect train --set`": "detection.detectors.config:DetectConfig",
    "`pool rate --set`": "mask_pool.rating.config:RateConfig",
    "`pool evaluate --set`": "mask_pool.scoring.config:EvaluateConfig",
    "`one-class benchmark --set`": "detection.one_class.benchmark.config:BenchmarkConfig",
}


def _section(field: Any) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _chapter(title: str, section: type[BaseModel], prefix: str) -> list[str]:
    return ["", title, "", inspect.cleandoc(section.__doc__ or ""), "", *HEAD, *_fields(section, prefix)]


def _fields(section: type[BaseModel], prefix: str) -> Iterator[str]:
    """The rows of a section and of the sections within it."""
    said = _docstrings(section)
    for name, field in section.model_fields.items():
        place = f"{prefix}.{name}" if prefix else name
        if inner := _section(field):
            yield from _fields(inner, place)
        else:
            yield _row(place, field, said.get(name, ""))


def formats() -> str:
    """Every label format: what a source looks like, whether it is written, and what is kept."""
    from anomaly_gan.ingestion.formats.table import FORMATS

    lines = [
        "# Formats",
        "",
        "What `ingest --format` reads and `export --format` writes. How to: [own data](../own-data.md).",
        "",
    ]
    for name, row in FORMATS.items():
        verbs = " and ".join(word for word, has in (("read", row.reads), ("written", row.writes)) if has)
        lines += [f"## {name}", "", f"Is {verbs}. Sound photographs: {row.sound}.", "", "```", *row.tree, "```", ""]
        lines += [f"Written, it keeps {row.keeps}.", ""] if row.keeps else []
    return "\n".join(lines)


def _docstrings(section: type[BaseModel]) -> dict[str, str]:
    """The string that stands under a field's line, for every field that has one."""
    said: dict[str, str] = {}
    for one in reversed([base for base in section.__mro__ if issubclass(base, BaseModel) and base is not BaseModel]):
        body = ast.parse(inspect.getsource(one))
        (definition,) = body.body
        assert isinstance(definition, ast.ClassDef)
        for line, below in zip(definition.body, definition.body[1:], strict=False):
            words = below.value if isinstance(below, ast.Expr) else None
            if isinstance(line, ast.AnnAssign) and isinstance(words, ast.Constant) and isinstance(words.value, str):
                said[ast.unparse(line.target)] = words.value
    return said


def _row(name: str, field: Any, said: str) -> str:
    kind = getattr(field.annotation, "__name__", None)
    words = kind if kind and "[" not in str(field.annotation) else str(field.annotation).replace("typing.", "")
    default = "(required)" if field.default is PydanticUndefined and not field.default_factory else field.default
    return f"| `{name}` | {_cell(words)} | `{_cell(str(default))}` | {_cell(field.description or said)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
