"""A training by two processes that torchrun started: the weights of two that the command itself starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

if "CLUSTER_COUNT" not in os.environ:
    pytest.skip("a target of its own: make cluster", allow_module_level=True)
pytestmark = pytest.mark.timeout(900)
TINY = [
    "steps=3",
    "batch=4",
    "size=32",
    "local_size=8",
    "nets.base_width=4",
    "nets.depth=2",
    "nets.widths=[8,8,8]",
    "features=8",
    "nets.patch_width=4",
    "aware_width=4",
    "aware_size=8",
    "aware_steps=2",
    "sample_every=0",
    "scales=[1,2]",
    "threads=1",
    "checkpoint_every=2",
    "precision=32-true",
    "devices=2",
]


def train(starter, run):
    settings = [word for setting in TINY for word in ("--set", setting)]
    command = [*starter, "anomaly_gan", "train", "--run", str(run), "--device", "cpu", *settings]
    around = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=around, capture_output=True, text=True, timeout=600)


def test_the_same_weights_and_one_voice(small_run, tmp_path):
    shared = [f"{sys.prefix}/bin/torchrun", "--nproc-per-node", "2", "-m", "--"]
    starters = {"own": [sys.executable, "-m"], "torchrun": shared}
    for name, starter in starters.items():
        for stage in ("ingest", "pool"):
            shutil.copytree(small_run.folder / stage, tmp_path / name / stage)
        done = train(starter, tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("train@anomaly_gan: done") == 1
    one, other = (tmp_path / name / "train@anomaly_gan" for name in starters)
    for name in ("generator.safetensors", "losses.csv", "model.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    again = train(starters["torchrun"], tmp_path / "torchrun")
    assert again.returncode == 0 and "fresh, nothing to do" in again.stdout


def test_what_torchrun_does_not_share_is_said(small_run, tmp_path):
    shutil.copytree(small_run.folder / "ingest", tmp_path / "ingest")
    starter = [f"{sys.prefix}/bin/torchrun", "--nproc-per-node", "2", "-m", "--", "anomaly_gan", "generate"]
    done = subprocess.run(
        [*starter, "--run", str(tmp_path), "--method", "procedural", "--count", "1"], capture_output=True, text=True
    )
    assert done.returncode and "torchrun shares a training: start it with `train`" in done.stderr
