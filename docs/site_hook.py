"""Pages written from the code when the site is built: every verb with its options, every field with its default."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic_core import PydanticUndefined


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for path, text in (("reference/cli.md", command_line()), ("reference/configuration.md", configuration())):
        files.append(File.generated(config, path, content=text))
    return files


def command_line() -> str:
    """Every verb: what it does, its options with their help, its example."""
    import typer

    from anomaly_gan.cli.main import app

    lines = ["# Command line", "", "`anomaly-gan VERB --help` says the same in the terminal.", ""]
    for name, command in _verbs(typer.main.get_command(app), ""):
        lines += [f"## anomaly-gan {name}", "", inspect.cleandoc(command.help or ""), ""]
        rows = [(_spelling(one), getattr(one, "help", None) or "") for one in command.params if one.name != "help"]
        if rows:
            lines += ["| option | meaning |", "|---|---|"]
            lines += [f"| `{spelling}` | {_cell(words)} |" for spelling, words in rows]
        if command.epilog:
            lines += ["", "```", command.epilog, "```"]
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
    """Every section of a run's YAML, and every field with type and default."""
    from anomaly_gan.pipeline.config import RunConfig
    from anomaly_gan.synthesis.registry import METHODS

    lines = ["# Configuration", "", "The sections of a run's YAML. `--set train.steps=400` changes one value.", ""]
    for name, field in RunConfig.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            lines += [f"## {name}", "", inspect.cleandoc(section.__doc__ or ""), "", *_fields(section, name), ""]
    lines += ["## train_methods", "", "What one method alone reads; whatever of `train` may stand here too.", ""]
    for name, row in METHODS.items():
        if row.trainable:
            section = row.settings()
            words = inspect.cleandoc(section.__doc__ or "")
            lines += [f"### {name}", "", words, "", *_fields(section, f"train_methods.{name}"), ""]
    return "\n".join(lines)


def _fields(section: type[BaseModel], prefix: str) -> Iterator[str]:
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    said = _docstrings(section)
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            inner_said = _docstrings(kind)
            for inner, one in kind.model_fields.items():
                yield _row(f"{prefix}.{name}.{inner}", one, inner_said.get(inner, ""))
        else:
            yield _row(f"{prefix}.{name}", field, said.get(name, ""))


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
