"""The command line as a newcomer meets it: order, times, lists, Ctrl-C."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args, get_origin

import pytest
import typer
from defaults import sections

from anomaly_gan.cli.fields import SECTIONS, _kinds, renewed, spelled_out
from anomaly_gan.cli.main import app
from anomaly_gan.cli.times import ORDER, TIMES
from anomaly_gan.core import renamed
from anomaly_gan.core.config import Config, _parts, apply_settings, build
from anomaly_gan.core.errors import ConfigError
from anomaly_gan.ingestion.config import IngestConfig
from detection.detectors.config import CompareConfig
from mask_pool.build.config import PoolConfig

VERBS = {
    f"{verb} {name}".strip(): inner
    for verb, command in typer.main.get_command(app).commands.items()
    for name, inner in (getattr(command, "commands", None) or {"": command}).items()
}


def test_the_first_screen_of_every_help_names_its_time_and_an_example():
    assert set(TIMES) == set(VERBS)
    for verb, command in VERBS.items():
        screen = command.get_help(typer.Context(command, info_name=f"anomaly-gan {verb}", terminal_width=80)).split(
            "\n"
        )
        words = "".join("".join(screen[:24]).split())  # lines break at hyphens too
        assert "".join(f"Takes: {TIMES[verb]}".split()) in words, verb
        assert any(line.strip().startswith(f"$ anomaly-gan {verb}") for line in screen[:24]), verb


def test_the_main_verbs_come_first_in_whole_sentences():
    done = subprocess.run([sys.executable, "-m", "anomaly_gan", "--help"], capture_output=True, text=True, check=True)
    listed = re.findall(r"^  ([a-z-]+)  ", done.stdout.partition("Commands:")[2], re.MULTILINE)
    assert tuple(listed[: len(ORDER)]) == ORDER
    assert "..." not in done.stdout.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("kind", "setting", "field", "value"),
    [
        (IngestConfig, "normal=good", "normal", ["good"]),
        (IngestConfig, "normal=good, ok", "normal", ["good", "ok"]),
        (IngestConfig, "normal=[good, 'a,b']", "normal", ["good", "a,b"]),
        (IngestConfig, "categories=crack", "categories", ["crack"]),
        (IngestConfig, "categories=null", "categories", None),
        (CompareConfig, "seeds=3", "seeds", 3),
        (CompareConfig, "seeds=1,2", "seeds", (1, 2)),
        (CompareConfig, "arms=none", "arms", ("none",)),
        (PoolConfig, "scale=0.8,1.2", "scale", (0.8, 1.2)),
        (PoolConfig, "anchor_scales=1", "anchor_scales", (1.0,)),
        (PoolConfig, "expert_dir=a,b", "expert_dir", "a,b"),
    ],
)
def test_lists_can_be_set_as_people_write_them(kind, setting, field, value):
    content = apply_settings({"root": "photos"} if kind is IngestConfig else {}, [setting])
    assert getattr(build(kind, content, "test"), field) == value


def listed(field):
    """Whether a field of a configuration holds a list of words or numbers, and nothing that is plain text."""
    parts = set(_parts(field.annotation)) - {type(None)}
    inner = {one for part in parts for one in get_args(part)} - {Ellipsis}
    lists = [part for part in parts if get_origin(part) in (list, tuple)]
    return (
        bool(lists)
        and not parts & {str, Path}
        and not any(issubclass(one, Config) for one in inner if type(one) is type)
    )


def test_every_list_of_every_section_is_taken_apart_at_its_commas():
    fields = [(kind, name) for kind in sections() for name, field in kind.model_fields.items() if listed(field)]
    assert len(fields) > 40
    for kind, name in fields:
        given = kind._one_is_a_list({name: "1,2"})[name]
        assert given == ["1", "2"], f"{kind.__name__}.{name}"


def test_ctrl_c_within_the_first_imports_is_one_line_too():
    script = (
        "import sys, importlib.abc\n"
        "class Impatient(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'anomaly_gan.cli.main': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Impatient())\n"
        "import anomaly_gan.__main__ as program\n"
        "program.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr == "interrupted: nothing is lost; the same command goes on from here\n"


def test_what_is_no_list_of_that_kind_is_still_refused():
    with pytest.raises(ConfigError, match="seeds"):
        build(CompareConfig, {"seeds": "one,two"}, "test")


def test_ctrl_c_says_that_nothing_is_lost(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "anomaly_gan", "demo", "--out", str(tmp_path / "run"), "--set", "preset=smoke"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # a shell's background leaves Ctrl-C ignored, which a child inherits
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None and process.stderr.readline()
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)  # within an import of C code; a shell says 130 to both
    assert said.splitlines()[-1] == "interrupted: nothing is lost; the same command goes on from here"


def test_help_starts_without_what_only_work_needs():
    script = (
        "import sys; sys.argv = ['anomaly-gan', '--help']\nimport anomaly_gan.cli.main as c\n"
        "try: c.main()\nexcept SystemExit: pass\n"
        "print('loaded:', *[m for m in ('rich', 'pydantic', 'numpy', 'yaml', 'tqdm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == ["loaded:"]


@pytest.mark.parametrize(
    ("verb", "given", "settings"),
    [
        (
            "ingest",
            ["photos", "--min-side", "40", "--strict"],
            ["photos", "--set", "min_side=40", "--set", "strict=true"],
        ),
        ("ingest", ["--mask-name={stem}_m.png"], ["--set", 'mask_name="{stem}_m.png"']),
        ("generate", ["--category", "a", "--category", "b"], ["--set", "categories=[a, b]"]),
        ("export", ["--no-normals", "--seed", "3"], ["--set", "normals=false", "--set", "seed=3"]),
        ("pool build", ["--place.strategy", "prior"], ["--set", "place.strategy=prior"]),
        ("train", ["--methd", "cyclegan"], ["--methd", "cyclegan"]),
    ],
)
def test_every_field_is_an_option_too(verb, given, settings):
    declared = {spelling for one in VERBS[verb].params for spelling in one.opts}
    assert sorted(spelled_out(verb, declared, given)) == sorted(settings)


@pytest.mark.parametrize("verb", VERBS)
def test_every_example_of_a_help_can_be_typed(verb):
    examples = VERBS[verb].examples()
    assert any(line.startswith(f"anomaly-gan {verb}") for line in examples)
    for line in examples:  # of ``features`` also what comes before it
        other = max((name for name in VERBS if line.startswith(f"anomaly-gan {name}")), key=len)
        given = VERBS[other].make_context(other, shlex.split(line.removeprefix(f"anomaly-gan {other}"))).params
        for key in (item.partition("=")[0] for item in given.get("settings", ()) if other in SECTIONS):
            assert _kinds(other, key), f"{line}: no field {key}"


@pytest.mark.parametrize(
    ("verb", "given", "now"),
    [
        ("gate", ["--engine", "ray", "--address", "auto"], ["--engine", "ray", "--engine=ray:auto"]),
        ("compare", ["--run", "runs/a", "--set", "seeds=5"], ["--set", "seeds=5", "runs/a"]),
        ("export", ["--data=made/it", "--out", "x"], ["--out", "x", "--run=made/it"]),
        ("weights fetch", ["--to", "x"], ["--out=x"]),
        ("one-class study", ["--arm", "cut_paste"], ["--method=cut_paste"]),
        ("pool draw", ["--no-launch", "--count", "2"], ["--count", "2", "--labelme=none"]),
        ("pool export-scores", ["--drawings", "{a}"], ["--what={a}"]),
        ("pool rate", ["--what", "drawings", "--drawings", "d"], ["--what", "drawings", "--what=d"]),
        ("pool rate", ["--no-token", "--", "--no-token"], ["--token=none", "--", "--no-token"]),
        ("pool rate", ["--token-file", "t"], ["--token=t"]),
        ("run", ["--data", "x"], ["--data", "x"]),
    ],
)
def test_an_option_of_before_says_what_it_is_now(verb, given, now, monkeypatch, capsys):
    monkeypatch.setattr(renamed, "_SAID", set())
    assert renewed(verb, given) == now
    assert capsys.readouterr().err.count("works until the next release") == (given != now)


def test_a_field_given_as_an_option_is_checked_as_the_field_is(tmp_path):
    started = [sys.executable, "-m", "anomaly_gan", "ingest", str(tmp_path), "--out", str(tmp_path / "out")]
    done = subprocess.run([*started, "--boxes", "never"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: ingest: boxes: ")
    done = subprocess.run([*started, "--boxxes", "fill"], capture_output=True, text=True)
    assert done.returncode == 2 and "--boxxes" in done.stderr


def test_help_lists_the_fields_that_are_options():
    words = VERBS["ingest"].get_help(typer.Context(VERBS["ingest"]))
    assert "--line-width" in words and "--seed" in words and "--groups" in words
    words = VERBS["one-class score"].get_help(typer.Context(VERBS["one-class score"]))
    assert "--colour" in words and "--device" in words and "--seed" not in words
