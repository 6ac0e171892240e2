"""What an owner of a GPU runs: tested here as far as there is none, and for real where there is one."""

import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
import gpu_check

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=CUDA)])
def test_a_detector_says_the_same_on_both(device):
    found = gpu_check.parity_of_detector(device)
    assert found["holds"] and found["outputs"] >= 1 and (device != "cpu" or found["largest_difference"] == 0)


@CUDA
def test_a_training_step_gives_the_same_losses_on_both():
    assert gpu_check.parity_of_training("cuda")["holds"]


def test_a_difference_is_found(monkeypatch):
    monkeypatch.setattr(gpu_check, "OUTPUT_TOLERANCE", -1.0)
    assert not gpu_check.parity_of_detector("cpu")["holds"]


def test_without_a_gpu_it_says_so_and_ends_with_4(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--out", str(tmp_path / "x.json")])
    assert gpu_check.main() == 4 and not (tmp_path / "x.json").exists()
    assert "torch sees no CUDA device" in capsys.readouterr().err


def test_the_page_shows_what_was_found_and_names_what_failed(tmp_path):
    text = gpu_check.table({"machine": {"gpu": "X"}, "train_step": {"failed": "out of memory"}, "seconds": 3})
    assert text.startswith("X: ") and "| train step | failed out of memory |" in text
    page = tmp_path / "README.md"
    page.write_text((BENCHMARKS.parent / "docs/results/benchmarks/README.md").read_text("utf-8"))
    for _ in range(2):
        gpu_check.show(text, page)
    assert page.read_text("utf-8").count("| train step | failed out of memory |") == 1
    assert "No figure of a GPU" not in page.read_text("utf-8") and "## How cost grows" in page.read_text("utf-8")
    gpu_check.show(text, tmp_path / "elsewhere.md")
    assert not (tmp_path / "elsewhere.md").exists()
