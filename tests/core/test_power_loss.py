"""After a loss of power at any sync the folder is readable, no manifest lies, and the same command ends the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from kills import in_memory, tree
from power import is_file, recorded

from anomaly_gan.core import files
from anomaly_gan.core.config import Config
from anomaly_gan.core.errors import EnvironmentFailure, InputError
from anomaly_gan.core.files import write_json, write_text
from anomaly_gan.core.manifest import MANIFEST, damage
from anomaly_gan.core.stage import Context, link_stage, run_stage, stage_key
from anomaly_gan.engine.checkpoint import newest_checkpoint, save_checkpoint


class Letters(Config):
    text: str = "a"


def write_letters(config, context, out):
    for number in range(3):
        write_text(out / "deep" / "letters" / f"{number}.txt", config.text * 50)
    return {}


def stage(run: Path, text: str = "a") -> None:
    run_stage("letters", write_letters, Letters(text=text), Context(0), run / "letters")


def broken(memory: Path, skip=lambda handle: False) -> list[str]:
    """What is wrong after a loss of power at each sync of: a stage, then the stage made anew, then linked elsewhere."""
    home = memory / "home"
    home.mkdir()
    with recorded(home, skip) as recorder:
        stage(home, "a")
        first = len(recorder.states)
        stage(home, "b")
        second = len(recorder.states)
        key = stage_key("letters", Letters(text="b"), 0, {})
        link_stage(home / "letters", home / "twin", key)
    found, wanted = [], tree(home)
    for state in range(len(recorder.states)):
        after = memory / f"after-{state}"
        recorder.build(state, after)
        for folder in ("letters", "twin"):
            if (after / folder / MANIFEST).is_file():
                try:
                    found += [f"sync {state}: {folder}/{line}" for line in damage(after / folder)]
                except InputError as error:
                    found.append(f"sync {state}: {error}")
            elif folder == "letters" and first <= state:
                found.append(f"sync {state}: the finished product has gone")
        try:
            stage(after, "b")
        except Exception as error:
            found.append(f"sync {state}: {error}")
            continue
        if state >= second:
            link_stage(after / "letters", after / "twin", key)
        left = {name: mark for name, mark in tree(after).items() if not name.startswith("twin") or state >= second}
        if left != (wanted if state >= second else {k: v for k, v in wanted.items() if k.startswith("letters")}):
            found.append(f"sync {state}: other bytes")
    return found


def test_a_stage_survives_a_loss_of_power_at_every_sync():
    with in_memory() as memory:
        assert broken(memory) == []


@pytest.mark.parametrize("fault", ["files", "folders", "new folders"])
def test_the_model_notices_a_sync_that_is_left_out(fault, monkeypatch):
    """Three faults put in: without them a test that finds nothing says nothing."""
    skip = {"files": is_file, "folders": lambda handle: not is_file(handle)}.get(fault, lambda handle: False)
    if fault == "new folders":
        monkeypatch.setattr(files, "make_folder", lambda folder: folder.mkdir(parents=True, exist_ok=True))
    with in_memory() as memory:
        assert broken(memory, skip)


def test_a_checkpoint_survives_a_loss_of_power_at_every_sync():
    with in_memory() as memory:
        home = memory / "home"
        home.mkdir()
        save_checkpoint(home / "training", 1, {"step": 1})
        with recorded(home) as recorder:
            for path in (home, home / "training"):  # what stood before is durable
                handle = files.os.open(path, files.os.O_RDONLY)
                files.os.fsync(handle)
                files.os.close(handle)
            for path in sorted((home / "training").iterdir()):
                with path.open("rb") as stream:
                    files.os.fsync(stream.fileno())
            start = len(recorder.states)
            for step in (2, 3, 4):
                save_checkpoint(home / "training", step, {"step": step, "weights": torch.ones(3)})
        for state in range(start, len(recorder.states)):
            recorder.build(state, memory / f"after-{state}")
            assert newest_checkpoint(memory / f"after-{state}" / "training") is not None, state


@pytest.mark.parametrize("damage_as", ["truncated", "zero-filled", "bit flipped", "hash gone"])
def test_a_damaged_newest_checkpoint_is_passed_over_and_said_so(tmp_path, damage_as, capsys):
    for step in (1, 2):
        save_checkpoint(tmp_path, step, {"step": step})
    newest = tmp_path / "step-0000002.pt"
    content = bytearray(newest.read_bytes())
    if damage_as == "truncated":
        content = content[: len(content) // 2]
    elif damage_as == "zero-filled":
        content = bytearray(len(content))
    elif damage_as == "bit flipped":
        content[len(content) // 2] ^= 16
    else:
        newest.with_suffix(".sha256").unlink()
    newest.write_bytes(content)
    state = newest_checkpoint(tmp_path)
    assert state is not None and state["step"] == 1
    assert "step-0000002.pt" in capsys.readouterr().err


def test_a_full_disk_keeps_the_checkpoint_before_and_prunes_nothing(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, 1, {"step": 1})
    save_checkpoint(tmp_path, 2, {"step": 2})

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("anomaly_gan.engine.checkpoint.torch.save", full)
        with pytest.raises(EnvironmentFailure, match="No space left") as refusal:
            save_checkpoint(tmp_path, 3, {"step": 3})
    assert refusal.value.exit_code == 4
    assert [path.name for path in sorted(tmp_path.glob("*.pt"))] == ["step-0000001.pt", "step-0000002.pt"]
    state = newest_checkpoint(tmp_path)
    assert state is not None and state["step"] == 2 and not list(tmp_path.glob(".tmp-*"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1.0, float("-inf")]])
def test_no_json_holds_nan_or_infinity(tmp_path, value):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"value": value})
    assert not list(tmp_path.iterdir()), "nothing is left behind"
    write_json(tmp_path / "x.json", {"value": 1.5})
    assert json.loads((tmp_path / "x.json").read_text()) == {"value": 1.5}
