"""What computes a trained net fastest on a processor: torch, ONNX Runtime or OpenVINO; nets in use, one thread.

The dense detector on one photograph, as ``detect predict`` runs it, and the default generator on one window, as
``generate`` runs it, all in float32. Weights are drawn, not trained; that changes no time. The programs take turns;
medians of processor time. Needs the extras ``onnx`` and ``openvino``.

    python benchmarks/runtimes.py
    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 python benchmarks/runtimes.py   # a processor without bf16

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn

from anomaly_gan.engine.graphs import write_traced
from anomaly_gan.synthesis.methods.config import TrainConfig
from anomaly_gan.synthesis.methods.painting.networks import build_generator
from detection.data import CategoryMap
from detection.dense.net import DenseNet
from detection.detectors.config import DetectConfig
from detection.inspection.export import runner, write_onnx
from detection.training.checkpoint import Model

PHOTOGRAPHS = ((288, 352), (512, 512))
"""Heights and widths."""
WINDOW = 64
FORMATS = ("onnx", "openvino")

Run = Callable[[np.ndarray], np.ndarray]


def by_torch(net: Callable[[torch.Tensor], torch.Tensor]) -> Run:
    def run(image: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return net(torch.from_numpy(image)).numpy()

    return run


def detector(folder: Path) -> dict[str, Run]:
    config = DetectConfig()
    net = DenseNet(4, config.dense, pretrained=False).eval()
    model = Model(
        net,
        CategoryMap((1, 2, 3, 4), ("a", "b", "c", "d")),
        config,
        "RGB",
        {"scores": [], "objects": []},
        0.05,
        (0.5,) * 4,
    )
    begin = time.process_time()
    write_onnx(model, folder / "detector.onnx")
    sys.stdout.write(f"detector's graph made in {time.process_time() - begin:.1f} s\n")
    return {"torch": by_torch(net.shares)} | {name: runner(folder / "detector.onnx", name) for name in FORMATS}


def generator(folder: Path) -> tuple[dict[str, Run], np.ndarray]:
    config, path = TrainConfig(), folder / "generator.onnx"
    net = build_generator(config, 3, 1).eval()
    first = next(module for module in net.modules() if isinstance(module, nn.Conv2d))
    window = np.random.default_rng(1).random((1, first.in_channels, WINDOW, WINDOW), dtype=np.float32)
    write_traced(net, {"images": torch.from_numpy(window)}, "painted", {}, {}, path)
    return {"torch": by_torch(net)} | {name: runner(path, name) for name in FORMATS}, window


def compare(runs: dict[str, Run], image: np.ndarray, rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds and the greatest difference from torch, by program."""
    expected = runs["torch"](image)
    gaps = {name: float(np.abs(run(image) - expected).max()) for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            begin = time.process_time()
            run(image)
            times[name].append(time.process_time() - begin)
    return {name: {"ms": round(1000 * statistics.median(times[name]), 2), "gap": gaps[name]} for name in runs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    torch.manual_seed(0)
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        runs = detector(Path(temporary))
        for height, width in PHOTOGRAPHS:
            image = np.random.default_rng(0).random((1, 3, height, width), dtype=np.float32)
            found[f"detector {width} x {height}"] = compare(runs, image, rounds)
        runs, window = generator(Path(temporary))
        found[f"generator {WINDOW} x {WINDOW}"] = compare(runs, window, rounds)
    for name, rows in found.items():
        for program, row in rows.items():
            sys.stdout.write(f"{name:>20} {program:>9}: {row['ms']:7.2f} ms, {row['gap']:.1e} from torch\n")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
