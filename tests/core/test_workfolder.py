"""Lock first, then touch; what is finished stays until its successor is whole; any kill leaves a folder to go on in."""

from __future__ import annotations

import contextlib
import itertools
import json
import multiprocessing
import os
import shutil
from pathlib import Path

import pytest
from broken_files import sound_labelme
from kills import in_fork, in_memory, sweep, tree
from letters import Letters, stage, write_letters

from anomaly_gan.core import workfolder
from anomaly_gan.core.config import read_yaml
from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import ConfigError, EnvironmentFailure, InputError, RunBusy
from anomaly_gan.core.files import exchange, write_json, write_text
from anomaly_gan.core.manifest import damage, finished_key, read_manifest
from anomaly_gan.core.stage import CELLS, Context, begin_stage, link_stage, run_stage, stage_key
from anomaly_gan.core.workfolder import file_alone, folder_lock, next_to, read_marker, run_lock, work_folder
from anomaly_gan.ingestion.stage import IngestConfig, run, source_key

EVERY = bool(os.environ.get("ANOMALY_GAN_KILL_EVERY"))
"""Kill before every event, as `make kill-sweep` does."""


def sampled(at: int, events: int) -> bool:
    """The first events, where markers are made, the last, and every fifth between."""
    return EVERY or at <= 8 or at > events - 6 or at % 5 == 0


@pytest.fixture
def fresh():
    number = itertools.count()
    with in_memory() as memory:

        def make() -> Path:
            folder = memory / str(next(number))
            folder.mkdir()
            return folder

        yield make


def test_a_new_stage_survives_a_kill_at_every_event(fresh):
    assert sweep(stage, fresh, sampled) == []


def test_a_stage_made_anew_survives_a_kill_at_every_event(fresh):
    def finished():
        folder = fresh()
        stage(folder, "old", count=5)
        return folder

    assert sweep(lambda folder: stage(folder, "new"), finished, sampled) == []


def test_ingest_survives_a_kill_in_its_first_moments_and_later(fresh, tmp_path):
    sound_labelme(tmp_path / "source")
    config = IngestConfig(root=str(tmp_path / "source"), max_bad=0.5)

    def work(folder):
        run_stage("ingest", run, config, Context(0), folder / "ingest", source_key(config))

    assert sweep(work, fresh, sampled) == []


def test_the_finished_product_stays_while_its_successor_grows_and_where_that_fails(tmp_path):
    stage(tmp_path, "old")
    before = tree(tmp_path)
    seen = []

    def spy(config, context, out):
        write_letters(config, context, out)
        seen.append(finished_key(tmp_path / "letters"))
        assert (tmp_path / "letters" / "letters" / "0.txt").read_text() == "old"
        raise EnvironmentFailure("the disk is full")

    with pytest.raises(EnvironmentFailure):
        stage(tmp_path, "new", spy)
    assert seen == [finished_key(tmp_path / "letters")]
    assert {name: mark for name, mark in tree(tmp_path).items() if name.startswith("letters/")} == before
    assert stage(tmp_path, "new") and (tmp_path / "letters" / "letters" / "2.txt").read_text() == "new"
    assert {path.name for path in tmp_path.iterdir()} == {"letters"}
    assert not stage(tmp_path, "new")


def test_costly_pieces_go_over_to_the_successor_and_old_tables_do_not(fresh):
    def work(config, context, out):
        cell = out / CELLS / "one" / "result.json"
        if not cell.is_file():
            write_json(cell, {"made": config.text})
        write_text(out / f"table-{config.text}.csv", cell.read_text())
        return {}

    def finished():
        folder = fresh()
        stage(folder, "old", work)
        return folder

    folder = finished()
    begin_stage("letters", Letters(text="new"), Context(0), folder / "letters")
    assert (folder / "letters" / "table-old.csv").is_file() and (folder / "letters" / CELLS / "one").is_dir()
    stage(folder, "new", work)
    assert "old" in (folder / "letters" / "table-new.csv").read_text(), "the cell was kept"
    assert not (folder / "letters" / "table-old.csv").exists() and damage(folder / "letters") == []
    assert "cells/one/result.json" in {item["path"] for item in read_manifest(folder / "letters")["files"]}
    assert sweep(lambda folder: stage(folder, "new", work), finished, sampled) == []


def test_costly_pieces_of_the_finished_product_stay_what_they_are_while_the_successor_grows(tmp_path):
    def work(config, context, out):
        cells = out / CELLS
        if config.text == "new":
            assert {path.name for path in cells.iterdir()} == {"one", "two"}, "the successor begins with all of them"
            shutil.rmtree(cells / "two")
            write_json(cells / "one" / "result.json", {"made": "anew"})
            raise EnvironmentFailure("the disk is full")
        for name in ("one", "two"):
            write_json(cells / name / "result.json", {"made": config.text})
        return {}

    stage(tmp_path, "old", work)
    before = tree(tmp_path / "letters")
    with pytest.raises(EnvironmentFailure, match="disk is full"):
        stage(tmp_path, "new", work)
    assert tree(tmp_path / "letters") == before and damage(tmp_path / "letters") == []
    assert (next_to(tmp_path / "letters") / CELLS / "one" / "result.json").is_file()
    assert not stage(tmp_path, "old", work), "it is as fresh as ever"


def test_what_a_killed_process_left_at_the_top_of_a_run_or_of_one_file_goes_at_the_next_start(fresh, tmp_path):
    def publish(folder):
        with run_lock(folder):
            for name in ("report.html", "verdict.json"):
                write_text(folder / name, name)

    def export(folder):
        with file_alone(folder / "net.onnx") as temporary:
            temporary.write_text("graph")

    assert sweep(publish, fresh, lambda at, events: True) == []
    assert sweep(export, fresh, lambda at, events: True) == []
    (tmp_path / ".tmp-of-somebody").write_text("theirs")
    with file_alone(tmp_path / "net.onnx") as temporary:
        temporary.write_text("graph")
        with pytest.raises(RunBusy), file_alone(tmp_path / "net.onnx"):
            pass
    assert {path.name for path in tmp_path.iterdir()} == {"net.onnx", ".tmp-of-somebody"}


def test_a_linked_stage_survives_a_kill_at_every_event(fresh, tmp_path):
    source = tmp_path / "twin"
    stage(source, "new")
    key = stage_key("letters", Letters(text="new"), 0, {})

    def finished():
        folder = fresh()
        stage(folder, "old")
        return folder

    def link(folder):
        link_stage(source / "letters", folder / "letters", key)

    assert sweep(link, finished, sampled) == []


@pytest.mark.parametrize("name", [".tmp-abc.json", ".lock", "rejects.jsonl"])
def test_our_own_leftovers_never_make_a_folder_somebody_elses(tmp_path, name):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / name).write_text("half")
    assert stage(tmp_path)
    assert not list(tmp_path.rglob(".tmp-*"))


def test_files_of_somebody_else_and_the_work_of_another_verb_are_left_alone(tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="J6"):
        stage(tmp_path)
    with work_folder(tmp_path / "model", "train", {"seed": 1}) as work:
        write_text(work.place / "model.json", "{}")
    for again in ({"seed": 2}, {"data": "x"}):
        with pytest.raises(InputError, match="J6"), work_folder(tmp_path / "model", "train", again):
            pass
    with pytest.raises(InputError, match="J6: holds the work of `train`"):
        run_stage("letters", write_letters, Letters(), Context(0), tmp_path / "model")
    assert (tmp_path / "model" / "model.json").is_file()


def test_input_that_was_refused_does_not_keep_the_folder(tmp_path):
    with pytest.raises(InputError, match="A1"), work_folder(tmp_path / "out", "train", {"data": 1}):
        raise InputError("x", "A1", "no")
    with work_folder(tmp_path / "out", "train", {"data": 2}) as work:
        write_text(work.place / "model.json", "{}")
    assert (tmp_path / "out" / "model.json").is_file()


def hold(folder, ready, done):
    with folder_lock(folder):
        ready.set()
        done.wait(20)


def test_a_second_process_is_refused_before_it_touches_anything(tmp_path, monkeypatch):
    monkeypatch.setattr("anomaly_gan.core.stage.PATIENCE", 0.0)
    stage(tmp_path, "old")
    fork = multiprocessing.get_context("fork")
    ready, done = fork.Event(), fork.Event()
    other = fork.Process(target=hold, args=(tmp_path / "letters", ready, done))
    other.start()
    assert ready.wait(20)
    before = tree(tmp_path)
    with pytest.raises(RunBusy, match="another process is writing this folder"):
        stage(tmp_path, "new")
    assert tree(tmp_path) == before
    done.set()
    other.join()
    assert stage(tmp_path, "new") and not list(tmp_path.glob(".*"))


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    code, _ = in_fork(lambda: stage(tmp_path, function=lambda *_: os._exit(137)), tmp_path)
    assert code == 137 and list(tmp_path.glob(".letters.lock"))
    assert stage(tmp_path) and not list(tmp_path.glob(".letters.lock"))


def test_a_lock_that_its_holder_removes_while_another_waits_is_no_lock(tmp_path):
    """The one who waits must not hold a file that nobody else can find."""
    with folder_lock(tmp_path / "out"):
        waiting = os.open(tmp_path / ".out.lock", os.O_RDWR)
    assert not (tmp_path / ".out.lock").exists()
    with folder_lock(tmp_path / "out"):
        assert os.fstat(waiting).st_ino != (tmp_path / ".out.lock").stat().st_ino or os.fstat(waiting).st_nlink == 0
    os.close(waiting)


def test_an_exchange_cut_off_after_it_leaves_the_new_product(tmp_path):
    """The predecessor lies where the successor grew: it must not come back."""
    stage(tmp_path / "a", "old")
    stage(tmp_path / "b", "new")
    home = tmp_path / "a" / "letters"
    shutil.copytree(tmp_path / "b" / "letters", next_to(home))
    exchange(next_to(home), home)
    assert not stage(tmp_path / "a", "new")
    assert (home / "letters" / "0.txt").read_text() == "new" and not next_to(home).exists()


def test_folders_are_exchanged_where_the_system_has_no_such_call(tmp_path, monkeypatch):
    monkeypatch.setattr("anomaly_gan.core.files.ctypes.CDLL", lambda *_, **__: object())
    for name in ("one", "other"):
        write_text(tmp_path / name / "x", name)
    exchange(tmp_path / "one", tmp_path / "other")
    assert (tmp_path / "one" / "x").read_text() == "other" and (tmp_path / "other" / "x").read_text() == "one"


def test_what_cannot_be_written_is_said_before_anything_is_removed(tmp_path, monkeypatch):
    stage(tmp_path, "old")
    before = tree(tmp_path / "letters")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(workfolder, "make_folder", full)
    with pytest.raises(EnvironmentFailure, match="No space left"):
        stage(tmp_path, "new")
    assert tree(tmp_path / "letters") == before


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"key": "x"}', '{"key": 1, "files": []}', "\x00\x01", "[" * 99999]
)
def test_a_half_written_manifest_is_named_not_a_traceback(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=r"manifest\.json: FORMAT"):
        read_manifest(tmp_path)
    for name, read in (("annotations.json", load_dataset), ("run.yaml", lambda folder: read_yaml(folder / "run.yaml"))):
        (tmp_path / name).write_text(content)
        with contextlib.suppress(InputError, ConfigError):  # nothing else: what YAML and a data set may be is theirs
            read(tmp_path)
    (tmp_path / "started.json").write_text(content)
    assert read_marker(tmp_path) in (None, {}, {"key": "x"}, {"key": 1, "files": []})


def test_a_manifest_of_a_newer_version_is_refused(tmp_path):
    write_json(tmp_path / "manifest.json", {"key": "k", "files": [], "schema": 99})
    with pytest.raises(InputError, match="SCHEMA: has schema 99"):
        finished_key(tmp_path)


def test_versions_stand_in_the_manifest_and_unfinished_work_of_others_stops_with_the_choice(tmp_path, monkeypatch):
    def cut(config, context, out):
        write_letters(config, context, out)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage(tmp_path, function=cut)
    now = workfolder.versions()
    assert set(now) == {"anomaly-gan", "torch", "opencv", "pillow", "numpy"} and "?" not in now.values()
    marker = json.loads((tmp_path / "letters" / "started.json").read_text())
    write_json(tmp_path / "letters" / "started.json", {**marker, "versions": {**now, "torch": "2.11.0"}})
    with pytest.raises(InputError, match=r"G8: was begun under other versions \(torch 2.11.0 -> .*MIX_VERSIONS=1"):
        stage(tmp_path)
    monkeypatch.setenv("ANOMALY_GAN_MIX_VERSIONS", "1")
    assert stage(tmp_path)
    manifest = read_manifest(tmp_path / "letters")
    assert manifest["versions"] == now and manifest["begun_by"]["torch"] == "2.11.0"
