"""Jobs on a real Ray cluster of two nodes on this machine: the same bytes as here, also where a node dies half-way."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_verbs import DENSE, write_source

from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.errors import AnomalyGanError, ConfigError
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.engine import cluster
from anomaly_gan.engine.jobs import Sitting
from anomaly_gan.engine.workers import run_all
from anomaly_gan.study.lift.config import LiftConfig
from anomaly_gan.study.lift.run import run_lift
from anomaly_gan.synthesis.gate import pieces
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.stage import run as gate
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig
from detection.comparison import stage as compare
from detection.detectors.config import CompareConfig
from detection.one_class.benchmark.config import benchmark_config
from detection.one_class.benchmark.run import run_benchmark

if "CLUSTER_COUNT" not in os.environ:
    pytest.skip("a target of its own: make cluster", allow_module_level=True)
ray = pytest.importorskip("ray")
COUNT = int(os.environ["CLUSTER_COUNT"])  # photographs of each of two kinds
pytestmark = pytest.mark.timeout(1500)


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


def products(out: Path) -> dict[str, bytes]:
    """Every file of a stage but its logs."""
    paths = (path for path in out.rglob("*") if path.is_file() and "logs" not in path.parts)
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


def painted(data: Path, out: Path) -> dict[str, bytes]:
    config = GenerateConfig(method="procedural", count=COUNT, threads=1)
    run_stage("generate", generate.run, config, Context(3, "cpu", {"ingest": data}), out)
    return products(out)


def same_files(here: Path, there: Path, *names: str) -> None:
    for name in names:
        assert (here / name).read_bytes() == (there / name).read_bytes(), name


def strike_a_worker() -> None:
    """kill -9 of one process of this cluster that works on a task."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b"ray::_task" in path.read_bytes() and os.getpid() in ancestors(path.parent):
                os.kill(int(path.parent.name), signal.SIGKILL)
                return


def ancestors(process: Path) -> list[int]:
    """Parent, grandparent and so on of a process in /proc."""
    parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
    return [parent, *(ancestors(Path("/proc") / str(parent)) if parent > 1 else [])]


def test_photographs_are_the_same_bytes_though_a_worker_and_a_node_are_killed_on_the_way(
    nodes, data, tmp_path, monkeypatch
):
    made, mortal = nodes
    monkeypatch.setattr(generate, "PIECE", max(2, COUNT // 8))
    here = painted(data, tmp_path / "here")
    notes, killed = tmp_path / "there" / generate.NOTES, []

    def kill() -> None:
        while sum(1 for _ in notes.rglob("*.json")) < COUNT // 2:
            time.sleep(0.01)
        (tmp_path / "there" / "images" / ".tmp-cut.png").write_bytes(b"what a struck one may leave")
        strike_a_worker()
        while sum(1 for _ in notes.rglob("*.json")) < COUNT:
            time.sleep(0.01)
        made.remove_node(mortal, allow_graceful=False)
        killed.append(sum(1 for _ in notes.rglob("*.json")))

    killer = threading.Thread(target=kill, daemon=True)
    with cluster.engine(f"ray:{made.address}"):
        killer.start()
        there = painted(data, tmp_path / "there")
    killer.join(30)
    assert killed and killed[0] < 2 * COUNT, "the node died only after the work"
    assert there == here
    assert sum(name.endswith(".png") for name in here) == 2 * COUNT


def test_a_gate_comes_to_the_same_decisions(nodes, small_run, tmp_path, monkeypatch):
    made, _ = nodes
    inputs = small_run.inputs()
    context = Context(1, "cpu", inputs)
    config = GenerateConfig(method="copy_paste", count=4, threads=1)
    run_stage("generate", generate.run, config, context, tmp_path / "generate")
    spoil(tmp_path / "generate", small_run.ingest)
    context = Context(1, "cpu", inputs | {"generate@copy_paste": tmp_path / "generate"})
    config = GateConfig(method="copy_paste", label_check=False, min_n=2, max_n=4, repeats=2, retries=1)
    run_stage("gate", gate, config, context, tmp_path / "here")
    told = []
    monkeypatch.setattr(pieces, "PIECE", 3)
    monkeypatch.setattr(cluster, "counted_elsewhere", lambda: contextlib.nullcontext(told.append))
    with cluster.engine(f"ray:{made.address}"):
        run_stage("gate", gate, config, context, tmp_path / "there")
    assert products(tmp_path / "here") == products(tmp_path / "there")
    assert b"H6" in (tmp_path / "here" / "decisions.jsonl").read_bytes()
    assert b"H7" in (tmp_path / "here" / "decisions.jsonl").read_bytes()
    assert any(told), "nobody heard how far it is"


def spoil(generated: Path, ingest: Dataset) -> None:
    """Of one category the second photograph is the first once more, and on the third nothing is painted."""
    made = load_dataset(generated)
    first, second, third = made.images[:3]
    bare = ingest.folder / "images" / third.extra["provenance"]["base"]
    contents = {second.id: made.path_of(first).read_bytes(), third.id: bare.read_bytes()}
    for image in (second, third):
        made.path_of(image).write_bytes(contents[image.id])
    records = [
        replace(image, sha256=sha256_bytes(contents[image.id])) if image.id in contents else image
        for image in made.images
    ]
    replace(made, images=records).save(generated)
    manifest = json.loads((generated / "manifest.json").read_text())  # nothing to hold the spoilt files to
    (generated / "manifest.json").write_text(json.dumps({**manifest, "files": []}))


def test_cells_of_a_comparison_are_the_same_bytes(nodes, data, tmp_path):
    made, _ = nodes
    tiny = {"iterations": 2, "warmup": 1, "dense": {"crop": 64, "batch": 2, "widths": [16, 16, 8, 8], "looks": 0}}
    config = CompareConfig(arms=("none",), seeds=2, bootstrap=10, workers=1, detect=tiny)
    context = Context(1, "cpu", {"ingest": data})
    run_stage("compare", compare.run, config, context, tmp_path / "here")
    with cluster.engine(f"ray:{made.address}"):
        run_stage("compare", compare.run, config, context, tmp_path / "there")
    cell = "cells/none-dense-f0-s0/result.json"
    same_files(tmp_path / "here", tmp_path / "there", "table.csv", "summary.json", cell)


def test_a_study_of_the_lift_is_the_same_and_a_cell_that_fails_is_said(nodes, tmp_path):
    made, _ = nodes
    photos = write_source(tmp_path / "photos")
    lines = [f"{path.name},{path.name[:2]},{int(path.name[1] < '2')}" for path in sorted(photos.rglob("g?_?.png"))]
    (photos / "groups.csv").write_text("\n".join(["file,group,fold", *lines]) + "\n")
    data = {"root": str(photos), "format": "mask-png", "groups": str(photos / "groups.csv")}
    config = LiftConfig(
        dataset="bolts",
        data=data,
        pool={"count": 2, "plausibility": {"enabled": False}},
        bank={"count": 2, "size": 40, "sham_sets": 1},
        detect={"detector": "dense", "exposures": 0.5, "warmup": 0, "dense": {**DENSE, "looks": 0}},
        curve={"exposures": [0.5], "objects": [1], "folds": [0]},
        arms={
            "none": {},
            "copy_paste": {"bank": "copy_paste"},
            "wrong": {"prior": True, "detect": {"detector": "mask_rcnn"}},
        },
        rounds=[{"objects": [1, 2]}],
        bootstrap=10,
    )
    here = run_lift(config, tmp_path / "here", lambda line: None)
    said = []
    with cluster.engine(f"ray:{made.address}"):
        there = run_lift(config, tmp_path / "there", said.append)
    assert (here.cells, here.failed) == (there.cells, there.failed) == (4, 2)
    cells = [f"cells/fold0-k2-d0/{arm}-e0.5-s0/detections.json" for arm in ("none", "copy_paste")]
    same_files(tmp_path / "here", tmp_path / "there", "table.csv", "curve.png", "lift.png", "failed.json", *cells)
    assert sum("failed: " in line for line in said) == 2 and sum("ap50" in line for line in said) == 4
    assert not list((tmp_path / "there").glob("data/*/bank@*")), "they can be made again"


def test_cells_of_a_one_class_benchmark_are_the_same(nodes, tmp_path):
    made, _ = nodes
    rng, labels = np.random.default_rng(0), (np.arange(60) % 10).astype(np.uint8)
    pixels = rng.integers(0, 60, (60, 28, 28), np.uint8) + 15 * labels[:, None, None]
    np.savez(tmp_path / "mnist.npz", x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)
    settings = ["epochs=1", "batch=8", "precision=32-true", "size=16"]
    told = [f"data.root={tmp_path}", *(f"settings.{one}" for one in settings)]
    config = benchmark_config("cae", "mnist", "honest", "quick", ["0", "1"], 1, told)
    run_benchmark(config, tmp_path / "here")
    with cluster.engine(f"ray:{made.address}"):
        run_benchmark(config, tmp_path / "there")
    same_files(tmp_path / "here", tmp_path / "there", "categories.csv", "settings.json")
    for cell in (tmp_path / "here" / "cells").iterdir():
        one, other = (np.load(tmp_path / side / "cells" / cell.name / "scores.npz") for side in ("here", "there"))
        assert all((one[name] == other[name]).all() for name in one.files)


def test_an_error_of_a_job_comes_back_as_itself_and_is_not_tried_again(nodes, data, tmp_path):
    made, _ = nodes
    nowhere = GenerateConfig(method="procedural", count=2, threads=1)
    piece = generate.Piece(nowhere, Context(3, "cpu", {"ingest": tmp_path / "missing"}), tmp_path / "out", 0, 2, 1)
    with cluster.engine(f"ray:{made.address}"), pytest.raises(AnomalyGanError, match="MISSING: no such file"):
        run_all([piece], 1)


def test_work_that_nobody_waits_for_any_longer_is_cancelled(nodes, data, tmp_path):
    made, _ = nodes
    config = GenerateConfig(method="procedural", count=500, threads=1)
    piece = generate.Piece(config, Context(3, "cpu", {"ingest": data}), tmp_path / "out", 0, 1000, 1)
    began = time.monotonic()
    with cluster.engine(f"ray:{made.address}"):
        run_all([piece], 1, Sitting(over=lambda: (tmp_path / "out" / generate.NOTES).is_dir()))
    assert time.monotonic() - began < 60
    time.sleep(0.5)
    made_so_far = sum(1 for _ in (tmp_path / "out").rglob("*.png"))
    time.sleep(1)
    assert sum(1 for _ in (tmp_path / "out").rglob("*.png")) == made_so_far < 1000


def test_ctrl_c_ends_the_command_and_what_runs_elsewhere(nodes, data, tmp_path):
    made, _ = nodes
    shutil.copytree(data, tmp_path / "run" / "ingest")
    asked = ["generate", "--run", str(tmp_path / "run"), "--method", "procedural", "--count", "3000"]
    command = [sys.executable, "-m", "anomaly_gan", *asked, "--set", "threads=1", "--engine", f"ray:{made.address}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        while not list((tmp_path / "run").rglob("*.png.json")):
            assert program.poll() is None, program.stderr.read()
            time.sleep(0.1)
        program.send_signal(signal.SIGINT)
        assert program.wait(60) == 130
    time.sleep(2)
    made_so_far = sum(1 for _ in (tmp_path / "run").rglob("*.png"))
    time.sleep(1)
    assert sum(1 for _ in (tmp_path / "run").rglob("*.png")) == made_so_far < 6000


def test_what_no_machine_has_is_said_at_once_and_what_one_has_is_given(nodes, data, tmp_path):
    made, _ = nodes
    config = GenerateConfig(method="procedural", count=1, threads=1)
    piece = generate.Piece(config, Context(3, "cpu", {"ingest": data}), tmp_path / "out", 0, 2, 1)
    lacks = pytest.raises(ConfigError, match="no machine of the cluster has CPU 1, GPU 1, which one task takes")
    with cluster.engine(f"ray:{made.address},gpus=1"), lacks:
        run_all([piece], 1)
    with cluster.engine(f"ray:{made.address},cpus=0.5,memory=16M"):
        run_all([piece], 1)
    assert sum(1 for _ in (tmp_path / "out").rglob("*.png")) == 2
    with pytest.raises(ConfigError, match="nobody answers there"), cluster.engine("ray:127.0.0.1:1"):
        pass
