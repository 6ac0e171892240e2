"""What the documents name exists: commands, options, configurations, linked files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from anomaly_gan.cli.main import app
from anomaly_gan.pipeline.config import RunConfig, read_run_config
from anomaly_gan.study.config import is_study, read_study
from anomaly_gan.study.lift.config import read_lift
from anomaly_gan.study.lift.plan import curve_cells
from anomaly_gan.study.plan import plan_study

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data/*.md")])
CONFIGS = sorted((ROOT / "anomaly_gan" / "configs").glob("*.yaml"))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, str]]:
    found = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        fenced = [line for block in blocks(text, "") for line in block.splitlines() if "anomaly-gan " in line]
        prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        inline = re.findall(r"`([^`\n]*anomaly-gan [^`\n]*)`", prose)
        found += [(path.name, part) for part in [*fenced, *inline] if re.search(r"(^|\s)anomaly-gan [a-z-]", part)]
    return found


@pytest.mark.parametrize(("document", "line"), commands())
def test_every_command_in_the_documents_exists(document, line):
    words = shlex.split(line.partition("anomaly-gan ")[2], comments=True)
    place = typer.main.get_command(app)
    while words and hasattr(place, "commands"):
        verb = words.pop(0)
        if verb.startswith("-"):
            break
        assert verb in place.commands, f"{document}: no verb {verb!r} in: {line}"
        place = place.commands[verb]
    known = {name for parameter in place.params for name in parameter.opts} | {"--help"}
    known |= set(place.short()) if hasattr(place, "short") else set()
    for option in (word.partition("=")[0] for word in words if word.startswith("--")):
        assert option in known, f"{document}: no option {option} in: {line}"


def test_the_documents_name_every_verb():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for verb, command in typer.main.get_command(app).commands.items():
        for full in [f"{verb} {name}" for name in getattr(command, "commands", ())] or [verb]:
            assert f"anomaly-gan {full}" in text, f"README.md does not name {full}"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_configuration_and_preset_loads(path):
    if path.name.startswith("lift"):
        assert curve_cells(read_lift(path, []))
        return
    if is_study(path):
        assert plan_study(*read_study(path, []), Path("study"))
        return
    presets = yaml.safe_load(path.read_text(encoding="utf-8")).get("presets") or {}
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
