"""Jobs on a real Ray cluster of two nodes on this machine: the same bytes as here, also where a node dies half-way."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
import torch

from anomaly_gan.core.errors import AnomalyGanError, ConfigError
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.engine import cluster
from anomaly_gan.engine.jobs import Sitting
from anomaly_gan.engine.workers import run_all
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.stage import run as gate
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig
from detection.comparison import stage as compare
from detection.detectors.config import CompareConfig

if "CLUSTER_COUNT" not in os.environ:
    pytest.skip("a target of its own: make cluster", allow_module_level=True)
ray = pytest.importorskip("ray")
COUNT = int(os.environ["CLUSTER_COUNT"])  # photographs of each of two kinds
pytestmark = pytest.mark.timeout(280)


@pytest.fixture(scope="module")
def nodes():
    """(cluster, the node that may be killed); one core each, and a head that computes nothing."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    os.environ["OMP_NUM_THREADS"] = "1"
    made.add_node(num_cpus=1)
    mortal = made.add_node(num_cpus=1)
    made.wait_for_nodes()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield made, mortal
    torch.set_num_threads(before)
    made.shutdown()


@pytest.fixture(scope="module")
def data(small_run):
    """A data set with sound photographs and two categories."""
    return small_run.folder / "ingest"


def painted(data: Path, out: Path) -> dict[str, bytes]:
    """Every file of the stage but its manifest and logs, which name times."""
    config = GenerateConfig(method="procedural", count=COUNT, threads=1)
    run_stage("generate", generate.run, config, Context(3, "cpu", {"ingest": data}), out)
    names = (path for path in out.rglob("*") if path.is_file() and "logs" not in path.parts)
    return {str(path.relative_to(out)): path.read_bytes() for path in names}


def test_photographs_are_the_same_bytes_though_a_node_is_killed_half_way(nodes, data, tmp_path, monkeypatch):
    made, mortal = nodes
    monkeypatch.setattr(generate, "PIECE", max(2, COUNT // 8))
    here = painted(data, tmp_path / "here")
    notes, killed = tmp_path / "there" / generate.NOTES, []

    def kill() -> None:
        while sum(1 for _ in notes.rglob("*.json")) < COUNT:
            time.sleep(0.01)
        made.remove_node(mortal, allow_graceful=False)
        killed.append(sum(1 for _ in notes.rglob("*.json")))

    killer = threading.Thread(target=kill, daemon=True)
    with cluster.engine("ray", made.address):
        killer.start()
        there = painted(data, tmp_path / "there")
    killer.join(30)
    assert killed and killed[0] < 2 * COUNT, "the node died only after the work"
    assert there == here
    assert sum(name.endswith(".png") for name in here) == 2 * COUNT


def test_a_gate_is_one_task_with_the_same_decisions(nodes, small_run, tmp_path):
    made, _ = nodes
    inputs = small_run.inputs()
    context = Context(1, "cpu", inputs)
    config = GenerateConfig(method="copy_paste", count=4, threads=1)
    run_stage("generate", generate.run, config, context, tmp_path / "generate")
    context = Context(1, "cpu", inputs | {"generate@copy_paste": tmp_path / "generate"})
    config = GateConfig(method="copy_paste", label_check=False, min_n=2, max_n=4, repeats=2, retries=1)
    run_stage("gate", gate, config, context, tmp_path / "here")
    with cluster.engine("ray", made.address):
        run_stage("gate", gate, config, context, tmp_path / "there")
    for name in ("decisions.jsonl", "metrics.json", "annotations.json"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes(), name


def test_cells_of_a_comparison_are_the_same_bytes(nodes, data, tmp_path):
    made, _ = nodes
    tiny = {"iterations": 2, "warmup": 1, "dense": {"crop": 64, "batch": 2, "widths": [16, 16, 8, 8], "looks": 0}}
    config = CompareConfig(arms=("none",), seeds=2, bootstrap=10, workers=1, detect=tiny)
    context = Context(1, "cpu", {"ingest": data})
    run_stage("compare", compare.run, config, context, tmp_path / "here")
    with cluster.engine("ray", made.address):
        run_stage("compare", compare.run, config, context, tmp_path / "there")
    for name in ("table.csv", "summary.json", "cells/none-dense-f0-s0/result.json"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes(), name


def test_an_error_of_a_job_comes_back_as_itself_and_is_not_tried_again(nodes, data, tmp_path):
    made, _ = nodes
    nowhere = GenerateConfig(method="procedural", count=2, threads=1)
    piece = generate.Piece(nowhere, Context(3, "cpu", {"ingest": tmp_path / "missing"}), tmp_path / "out", 0, 2, 1)
    with cluster.engine("ray", made.address), pytest.raises(AnomalyGanError, match="MISSING: no such file"):
        run_all([piece], 1)


def test_work_that_nobody_waits_for_any_longer_is_cancelled(nodes, data, tmp_path):
    made, _ = nodes
    config = GenerateConfig(method="procedural", count=500, threads=1)
    piece = generate.Piece(config, Context(3, "cpu", {"ingest": data}), tmp_path / "out", 0, 1000, 1)
    began = time.monotonic()
    with cluster.engine("ray", made.address):
        run_all([piece], 1, Sitting(over=lambda: (tmp_path / "out" / generate.NOTES).is_dir()))
    assert time.monotonic() - began < 60
    time.sleep(0.5)
    made_so_far = sum(1 for _ in (tmp_path / "out").rglob("*.png"))
    time.sleep(1)
    assert sum(1 for _ in (tmp_path / "out").rglob("*.png")) == made_so_far < 1000


def test_words_for_what_cannot_be():
    with pytest.raises(ConfigError, match="--engine spark: must be one of: local, ray"), cluster.engine("spark"):
        pass
    with pytest.raises(ConfigError, match="goes with --engine ray"), cluster.engine("local", "auto"):
        pass
    with pytest.raises(ConfigError, match="nobody answers there"), cluster.engine("ray", "127.0.0.1:1"):
        pass
    with cluster.engine():
        assert cluster.active() is None
