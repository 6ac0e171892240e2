"""Pages written from the code when the site is built: every verb with its options, every field with its default."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url
from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_jsonable_python


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
    for name in command.list_commands(None):  # as ``--help`` lists them
        child = command.commands[name]
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


COMMON = {
    "method": "the generation method; a run sets it, arm by arm",
    "batch": "windows or photographs of one step",
    "steps": "of the training",
    "epochs": "passes over the training photographs",
    "learning_rate": "of the optimiser, at its highest",
    "lr": "learning rate, at its highest",
    "betas": "of Adam's two running means",
    "ema": "share of the moving average that each step keeps; 0: no average",
    "weight_decay": "of the optimiser",
    "checkpoint_every": "steps between two checkpoints, from which a cut-off training goes on",
    "sample_every": "steps between two sheets of samples; 0: none",
    "threads": "of the processor; 0: torch's choice",
    "size": "side of the square that a net sees, in pixels",
    "base_width": "channels of the net's first level",
    "depth": "levels of the net",
    "norm": "normalisation in the generators",
    "discriminator_norm": "normalisation in the discriminators",
    "adversarial": "form of the adversarial loss",
    "cycle": "weight of the cycle loss",
    "identity": "weight of the identity loss",
    "severity": "weight of the loss that asks for the severity",
    "preset": "a set of values under one name; what is given besides wins",
    "name": "of the run or study, whose folder is runs/NAME",
    "seed": "of everything that is drawn by chance",
    "device": "where nets compute; `auto`: a GPU where there is one",
    "arms": "ways of making training photographs; `none` is real ones alone",
    "seeds": "trainings of each kind: how many, or which",
    "detector": "a row of the table of detectors (`dense`, `mask_rcnn` ...)",
    "detectors": "rows of the table of detectors; none: the one that is set",
    "backbone": "pretrained net under the detector",
    "trunk": "pretrained net under the dense detector",
    "overlap": "pixels by which neighbouring windows overlap",
    "rpn_samples": "proposals that each photograph trains the first stage with (torchvision)",
    "roi_samples": "proposals that each photograph trains the second stage with (torchvision)",
    "proposals_before_nms": "proposals kept before overlapping ones are dropped (torchvision)",
    "proposals": "proposals kept after that (torchvision)",
    "held_out": "share of the objects kept for the threshold",
    "false_alarm": "share of sound parts that may raise an alarm",
    "time_budget": "the longest it may take, as 5m; null: no limit",
    "categories": "only these; null: all",
    "dataset": "a published data set, by name",
    "bootstrap": "resamplings behind each interval",
    "framing": "`window`: a square around each mask at the photograph's scale; `whole`: the photograph, shrunk",
    "scales": "windows are cut at these multiples of their size and shrunk",
    "channels": "1 gray, 3 colour; `auto`: as the photographs are",
    "flips": "windows are mirrored by chance",
    "generator": "the generator's net",
    "count": "photographs per category",
    "warn_ratio": "as `fail_ratio`, but a warning",
    "break_parts": "most parts that an element is broken in",
    "split_test": "the split that is tested on",
    "protocol": "`as_published`: the paper's own, its leaks included",
    "draws": "which objects are kept, where only a few are",
    "exposures": "how often each real defective photograph is shown",
    "objects": "defective objects per category; null: all",
    "folds": "test folds",
    "rounds": "what is trained, one round after another",
}
"""What a field means wherever it stands and its section says no more."""


def _section(field: Any) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _chapter(title: str, section: type[BaseModel], prefix: str) -> list[str]:
    return ["", title, "", _plain(_taken_apart(section)[""]), "", *HEAD, *_fields(section, prefix)]


def _taken_apart(section: type[BaseModel]) -> dict[str, str]:
    """A section's docstring by the fields that it names as "``name``: what it is"; under "" what stands before them."""
    text = inspect.cleandoc(section.__doc__ or "")
    names = "|".join(sorted(section.model_fields, key=len, reverse=True)) or "-"
    one = rf"``(?:{names})(?:: [^`]+)?``"
    marks = list(re.finditer(rf"(?:(?<=[.;:)] )|(?<=\n)|^)({one}(?:(?:, |,? and ){one})*):\s", text))
    said = {"": text[: marks[0].start()] if marks else text}
    for mark, after in zip_longest(marks, marks[1:]):
        words = text[mark.end() : after.start() if after else len(text)].strip().rstrip(";")
        for name, value in re.findall(rf"``({names})(?:: ([^`]+))?``", mark[1]):
            said[name] = f"{said[name]} " if name in said else ""
            said[name] += f"`{value}`: {words}" if value else words
    for sentence in re.split(r"(?<=\.)\s", text):  # a field that is only mentioned has the sentence that does
        for name in re.findall(r"``(\w+)``", sentence):
            if name in section.model_fields and name not in COMMON:
                said.setdefault(name, sentence)
    return said


def _plain(text: str) -> str:
    """Docstrings' markup as Markdown's."""
    return re.sub(r"``([^`]+)``", r"`\1`", re.sub(r":(?:class|func|meth|mod):`~?([^`]+)`", r"`\1`", text))


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
    """What the class's docstring, or the string under a field's line, says of each field."""
    said: dict[str, str] = dict(COMMON)
    for one in reversed([base for base in section.__mro__ if issubclass(base, BaseModel) and base is not BaseModel]):
        said |= {name: words for name, words in _taken_apart(one).items() if name}
        body = ast.parse(inspect.getsource(one))
        (definition,) = body.body
        assert isinstance(definition, ast.ClassDef)
        for line, below in zip(definition.body, definition.body[1:], strict=False):
            words = below.value if isinstance(below, ast.Expr) else None
            if isinstance(line, ast.AnnAssign) and isinstance(words, ast.Constant) and isinstance(words.value, str):
                said[ast.unparse(line.target)] = words.value
    return said


def _row(name: str, field: Any, said: str) -> str:
    required = field.default is PydanticUndefined and not field.default_factory
    default = "(required)" if required else _as_yaml(field.get_default(call_default_factory=True))
    meaning = _plain(field.description or said)
    return f"| `{name}` | {_cell(_kind(field.annotation))} | `{_cell(str(default))}` | {_cell(meaning)} |"


def _as_yaml(value: Any) -> str:
    """A default as a YAML file holds it: ``null``, ``true``, ``[1, 2]``."""
    return (
        yaml.safe_dump(to_jsonable_python(value), default_flow_style=True, width=10**6, allow_unicode=True)
        .removesuffix("\n...\n")
        .strip()
    )


def _kind(annotation: Any) -> str:
    """A type as people say it: ``text``, ``one of auto, cpu``, ``list of numbers``."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(inner[0])
    if origin is Literal:
        return "one of " + ", ".join(map(str, inner)) if len(inner) > 1 else str(inner[0])
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys("null" if part is type(None) else _kind(part) for part in inner))
    if origin in (list, tuple):
        return "list of " + " and ".join(dict.fromkeys(_kind(part) for part in inner if part is not Ellipsis))
    if origin is dict or annotation is dict:
        return "mapping"
    words = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path", Any: "anything"}
    return words.get(annotation) or getattr(annotation, "__name__", str(annotation))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
