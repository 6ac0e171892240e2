"""What the documents name exists: commands, options, configurations, linked files."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from anomaly_gan.cli.fields import SECTIONS, _kinds
from anomaly_gan.cli.main import app
from anomaly_gan.core.config import read_yaml
from anomaly_gan.pipeline.config import RunConfig, read_run_config
from anomaly_gan.study.config import is_study, read_study
from anomaly_gan.study.lift.config import read_lift
from anomaly_gan.study.lift.plan import curve_cells
from anomaly_gan.study.plan import plan_study

ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = set(ROOT.glob("docs/results/archive/**/*.md"))
DOCUMENTS = sorted({*ROOT.glob("*.md"), *ROOT.glob("data/*.md"), *ROOT.glob("docs/**/*.md")} - ARCHIVE)
COMMAND = re.compile(r"(^|[\s/])anomaly-gan (?=[a-z-])")
CONFIGS = sorted((ROOT / "anomaly_gan" / "configs").glob("*.yaml"))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(path: Path) -> tuple[list[str], list[str]]:
    """(whole lines of blocks, which a reader pastes; what the prose names)."""
    text = path.read_text(encoding="utf-8")
    fenced = [line for block in blocks(text, "(?:bash)?") for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]*)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    whole, named = ([line for line in some if COMMAND.search(line)] for some in (fenced, inline))
    return whole, named


def words_of(line: str) -> list[str]:
    """The command's words, without what stands before it, behind it, or a shell does with it."""
    words = shlex.split(line[COMMAND.search(line).end() :], comments=True)
    return list(itertools.takewhile(lambda word: word not in {"&", "&&", "|", ";", ">"}, words))


def verb_of(words: list[str]) -> Any:
    """The verb that the words begin with, which are taken away from them."""
    place: Any = typer.main.get_command(app)
    while words and hasattr(place, "commands") and not words[0].startswith("-"):
        verb = words.pop(0)
        assert verb in place.commands, f"no verb {verb!r}"
        place = place.commands[verb]
    return place


def unknown_settings(verb: str, words: list[str]) -> list[str]:
    """What ``--set`` names and the verb's section does not hold."""
    keys = [after.partition("=")[0] for word, after in itertools.pairwise(words) if word == "--set"]
    return [key for key in keys if verb in SECTIONS and not _kinds(verb, key)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_in_the_documents_exists(path):
    whole, named = commands(path)
    for line in [*whole, *named]:
        words = words_of(line)
        place = verb_of(words)
        known = {name for parameter in place.params for name in parameter.opts} | {"--help"}
        known |= set(place.short()) if hasattr(place, "short") else set()
        said = [word.partition("=")[0] for word in words if word.startswith("--")]
        assert [option for option in said if option not in known] == [], line
        open_settings = any(word.endswith(".yaml") or word == "STUDY" for word in words) or place.name == "train"
        assert open_settings or unknown_settings(getattr(place, "verb", ""), words) == [], line
        if (line in whole or "runs/" in line) and "..." not in words:
            place.make_context(place.name, list(words))  # a line to paste: nothing required is missing


def test_the_documents_name_every_verb():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for verb, command in typer.main.get_command(app).commands.items():
        for full in [f"{verb} {name}" for name in getattr(command, "commands", ())] or [verb]:
            assert f"anomaly-gan {full}" in text, f"README.md does not name {full}"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_configuration_and_preset_loads_from_any_folder(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("anomaly_gan/configs") / path.name  # as the documents name it
    if path.name.startswith("lift"):
        assert curve_cells(read_lift(path, []))
        return
    if is_study(path):
        assert plan_study(*read_study(path, []), Path("study"))
        return
    presets = read_yaml(path).get("presets") or {}
    for preset in ["default", *presets]:
        assert isinstance(read_run_config(path, [f"preset={preset}"]), RunConfig)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_configuration_in_the_documents_loads(path, tmp_path):
    for number, block in enumerate(blocks(path.read_text(encoding="utf-8"), "yaml")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(block, encoding="utf-8")
        if is_study(file):
            for path_of_base in CONFIGS:
                (tmp_path / path_of_base.name).write_bytes(path_of_base.read_bytes())
            assert plan_study(*read_study(file, []), Path("study"))
        else:
            assert isinstance(read_run_config(file, []), RunConfig)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_linked_file_exists(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)", text):
        assert re.match(r"https?://", target) or (path.parent / target).exists(), f"{path.name}: {target}"


@pytest.mark.parametrize("path", [ROOT / "Makefile", ROOT / ".ci" / "run"], ids=lambda path: path.name)
def test_ci_runs_what_people_run(path):
    text = path.read_text(encoding="utf-8")
    wanted = {"run": ["make test"], "Makefile": ["ruff check", "mypy", "lint-imports", "pytest", "anomaly-gan demo"]}
    assert all(word in text for word in wanted[path.name])


def test_make_keeps_compiled_modules_where_the_environment_would_not():
    """Containers often set it; each start of a program would compile torch and all else anew."""
    said = subprocess.run(
        ["make", "--no-print-directory", "--eval", 'shown: ; @echo "$${PYTHONDONTWRITEBYTECODE-unset}"', "shown"],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "unset"
