"""``anomaly-gan one-class`` as a user types it: train, score, export, recalibrate, benchmark; and mistyped."""

import csv

import numpy as np
import pytest

from anomaly_gan.cli import main as cli
from anomaly_gan.core.images import write_png
from anomaly_gan.core.seeding import rng_for
from detection.one_class.registry import ONE_CLASS

SMALL = (
    "--detector",
    "cae",
    "--preset",
    "quick",
    "--set",
    "size=16",
    "--set",
    "epochs=2",
    "--set",
    "batch=16",
    "--set",
    "precision=32-true",
    "--device",
    "cpu",
)


@pytest.fixture
def call(monkeypatch, capsys):
    """Run a command line; gives (exit code, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["anomaly-gan", "one-class", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out, said.err

    return run


def good_parts(folder, count=60):
    for number in range(count):
        pixels = (120 + rng_for(0, number).normal(0, 4, (24, 24))).clip(0, 255).astype(np.uint8)
        write_png(folder / f"p{number // 2}_{number}.png", pixels)
    return folder


@pytest.fixture
def model(tmp_path, call):
    code, said, noted = call(
        "train",
        good_parts(tmp_path / "good"),
        "--out",
        tmp_path / "model",
        "--false-alarm",
        "0.1",
        "--group-regex",
        r"p(\d+)_",
        *SMALL,
    )
    assert code == 0 and "threshold" in said and "cae is here to reproduce its paper" in noted
    return tmp_path / "model"


def test_from_good_parts_to_scores_and_onnx(tmp_path, call, model):
    """Trained again it says what stands; a stained part is abnormal; a broken file is named and the exit code is 1."""
    new = tmp_path / "new"
    stained = np.full((24, 24), 120, np.uint8)
    stained[:, ::2] = 0
    write_png(new / "stained.png", stained)
    write_png(new / "fine.png", (120 + rng_for(1, 0).normal(0, 4, (24, 24))).clip(0, 255).astype(np.uint8))
    code, said, _ = call("score", new, "--model", model, "--out", tmp_path / "scored", "--device", "cpu")
    assert code == 0 and "1 of 2 photographs are abnormal" in said
    rows = {row["file"]: row for row in csv.DictReader((tmp_path / "scored" / "scores.csv").open())}
    assert rows["stained.png"]["abnormal"] == "1" and rows["fine.png"]["abnormal"] == "0"
    (new / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    code, _, problem = call("score", new, "--model", model, "--out", tmp_path / "again", "--device", "cpu")
    assert (
        code == 1
        and "could not be scored" in problem
        and "broken.png" in (tmp_path / "again" / "rejects.jsonl").read_text()
    )
    code, said, _ = call("export", "--model", model, "--out", tmp_path / "part.onnx")
    assert code == 0 and (tmp_path / "part.onnx").stat().st_size > 10_000


def test_a_new_threshold_without_training(tmp_path, call, model):
    code, said, _ = call(
        "recalibrate",
        good_parts(tmp_path / "more", 40),
        "--model",
        model,
        "--out",
        tmp_path / "other",
        "--false-alarm",
        "0.2",
        "--device",
        "cpu",
    )
    assert code == 0 and "calibrated anew" in said
    assert (tmp_path / "other" / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()


def test_every_detector_is_listed_with_a_few_words(call):
    code, said, _ = call("list")
    assert code == 0
    for name, row in ONE_CLASS.items():
        assert any(line.split()[0] == name and row.words in line for line in said.splitlines())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("train", "GOOD", "--out", "OUT", "--detector", "patchcore"), "no one-class detector"),
        (("train", "NOWHERE", "--out", "OUT", "--detector", "cae"), "no such folder"),
        (("train", "GOOD", "--out", "OUT", "--detector", "cae", "--false-alarm", "2"), "between 0 and 1"),
        (("train", "GOOD", "--out", "OUT", "--detector", "cae", "--set", "epoch=3"), "did you mean 'epochs'"),
        (("train", "GOOD", "--out", "OUT", "--detector", "cae", "--preset", "fast"), "quick or full"),
        (("score", "GOOD", "--model", "NOWHERE", "--out", "OUT"), "one-class train"),
        (("export", "--model", "NOWHERE", "--out", "OUT"), "one-class train"),
        (("benchmark", "--detector", "cae", "--dataset", "mnits", "--out", "OUT"), "dataset"),
        (("benchmark", "--detector", "cae", "--dataset", "mnist", "--out", "OUT"), "data.root"),
        (("benchmark", "--detector", "cae", "--dataset", "mnist", "--out", "OUT", "--protocol", "fair"), "protocol"),
        (("study", "--run", "NOWHERE", "--out", "OUT"), "NOWHERE"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_line_and_nothing_is_written(tmp_path, call, arguments, complaint):
    good = good_parts(tmp_path / "good", 4)
    places = {"GOOD": good, "OUT": tmp_path / "out", "NOWHERE": tmp_path / "NOWHERE"}
    code, _, problem = call(*(places.get(word, word) for word in arguments))
    *before, mistake = problem.strip().splitlines()
    assert code == 2 and complaint in mistake
    assert before in ([], [f"one-class train: {good} → {tmp_path / 'out'}"]), "at most what is read and written"
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").rglob("*.safetensors"))
