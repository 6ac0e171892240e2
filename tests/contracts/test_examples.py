"""The example scripts and the notebook run as they stand."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import anomaly_gan as ag
from anomaly_gan.core.images import read_pixels, write_png

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def start(name: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_every_example_is_run_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.iterdir() if path.is_file() and path.name not in text] == []


def test_photographs_become_coco_and_one_defect_is_painted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    start("photographs_to_coco.py", monkeypatch, "--count", "2", "--out", str(run))
    exported = ag.load_dataset(run / "export@copy_paste")
    assert any(image.source == "synthetic" for image in exported.images)
    assert str(run / "export@copy_paste") in capsys.readouterr().out
    tiny = ag.TrainConfig(
        steps=2, sample_every=0, size=32, batch=2, nets={"base_width": 8}, recipe={"aware_steps": 2, "local_size": 16}
    )
    ag.train(ag.load_dataset(run / "ingest"), ag.load_dataset(run / "pool"), run / "train@anomaly_gan", config=tiny)
    start("paint_one_defect.py", monkeypatch, "--run", str(run), "--out", str(tmp_path / "strip.png"))
    strip = read_pixels(tmp_path / "strip.png", gray=False)
    sound, *painted = np.split(strip, 4, axis=1)
    assert all((one != sound).any() and (one == sound).mean() > 0.5 for one in painted)


def test_two_sets_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(0)
    for folder, spread in (("first", 10), ("second", 60)):
        for index in range(6):
            noise = draw.normal(120, spread, (32, 32)).clip(0, 255).astype(np.uint8)
            write_png(tmp_path / folder / f"{index}.png", noise)
    start("compare_two_sets.py", monkeypatch, str(tmp_path / "first"), str(tmp_path / "second"))
    apart, halves = (float(part.split()[-1]) for part in capsys.readouterr().out.splitlines()[0].split(";"))
    assert apart > halves


def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((EXAMPLES / "look_into_a_data_set.ipynb").read_text(encoding="utf-8"))
    space: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), "notebook", "exec"), space)
    assert space["mask"].any()
