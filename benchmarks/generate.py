"""Making labelled photographs: the stage ``generate`` against the released code's way of working, in one run.

Both sides paint the same masks into the same 512-pixel colour photographs, from file to file. The released way: the
photograph is read, the whole of it goes through the ResNet generator of nine blocks (float32, one at a time), and PIL
writes a PNG. Ours is the stage as ``anomaly-gan run`` calls it: two exemplars warped to each mask, the window around
it through the default generator, labels with their ancestry, every file written safely. Weights are drawn, not
trained; that changes no time. Sides take turns; medians, on a CPU of processor time, so that other work on the machine
changes little. ``ratio`` is of seconds per photograph; one photograph has one defect.

    python benchmarks/generate.py --device cpu --quick
    python benchmarks/generate.py --device cuda --photographs 512

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

if "cuda" not in sys.argv:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.files import sha256_bytes, write_json
from anomaly_gan.core.images import write_png
from anomaly_gan.core.stage import Context
from anomaly_gan.nets.resnet import ResNetGenerator
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig
from anomaly_gan.synthesis.methods.config import TrainConfig
from anomaly_gan.synthesis.methods.painting.networks import build_generator
from anomaly_gan.synthesis.pairs.exemplar import FILE as EXEMPLARS_FILE
from anomaly_gan.synthesis.pairs.exemplar import Exemplar, save_exemplars

SIDE, CATEGORY = 512, Category(1, "spot")
EXEMPLARS = 64  # as a training leaves for each category


def photograph(rng: np.random.Generator) -> np.ndarray:
    """Grainy colour that a PNG cannot shrink to nothing."""
    coarse = rng.uniform(60, 190, (8, 8, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return (smooth + rng.normal(0, 4, smooth.shape)).clip(0, 255).astype(np.uint8)


def spot(side: int, centre: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros((side, side), np.uint8)
    cv2.ellipse(mask, centre, (int(rng.integers(6, 24)), int(rng.integers(4, 12))), 30, 0, 360, 1, -1)
    return mask


def build_inputs(folder: Path, count: int) -> dict[str, Path]:
    """``ingest`` (normals), ``pool`` (a spot on each) and ``train@anomaly_gan`` as finished stages leave them."""
    rng = np.random.default_rng(3)
    normals, masks, annotations = [], [], []
    for number in range(1, count + 1):
        name = f"{number:06d}.png"
        digest = sha256_bytes(write_png(folder / "ingest" / "images" / name, photograph(rng)))
        normals.append(ImageRecord(number, name, SIDE, SIDE, f"g{number}", "train", "real", digest))
        centre = tuple(int(value) for value in rng.integers(64, SIDE - 64, 2))
        mask = spot(SIDE, centre, rng)
        write_png(folder / "pool" / "images" / CATEGORY.name / name, mask * np.uint8(255))
        masks.append(
            ImageRecord(
                number,
                f"{CATEGORY.name}/{name}",
                SIDE,
                SIDE,
                f"g{number}",
                "train",
                "synthetic",
                name,
                {"normal_file": name, "category": CATEGORY.name, "index": number - 1},
            )
        )
        annotations.append(Annotation.from_mask(number, number, 1, mask, {"kind": "prior", "parent": 1}))
    Dataset(normals, [], [CATEGORY], {"mode": "RGB"}).save(folder / "ingest")
    Dataset(masks, annotations, [CATEGORY], {"mode": "RGB"}).save(folder / "pool")
    config = TrainConfig()
    torch.manual_seed(0)
    trained = folder / "train@anomaly_gan"
    write_json(
        trained / "model.json",
        {
            "config": config.model_dump(mode="json"),
            "channels": 3,
            "categories": [CATEGORY.name],
            "severity": {CATEGORY.name: [[0.1, 0.1]] * EXEMPLARS},
        },
    )
    windows = []
    for _ in range(EXEMPLARS):
        mask = spot(config.size, (config.size // 2, config.size // 2), rng)
        windows.append(Exemplar(photograph(rng)[: config.size, : config.size], mask))
    save_exemplars({CATEGORY.name: windows}, trained / EXEMPLARS_FILE)
    save_file(build_generator(config, 3, 1).state_dict(), trained / "generator.safetensors")
    return {"ingest": folder / "ingest", "pool": folder / "pool", "train@anomaly_gan": trained}


def released_way(
    inputs: dict[str, Path], net: torch.nn.Module, device: torch.device, names: list[str], out: Path
) -> None:
    """Whole photographs, one by one, through the released generator; PIL reads and writes."""
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        pixels = np.array(Image.open(inputs["ingest"] / "images" / name).convert("RGB"))
        mask = np.array(Image.open(inputs["pool"] / "images" / CATEGORY.name / name).convert("L"))
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
        shown = torch.cat([image, torch.from_numpy(mask)[None, None].float() / 255], dim=1).to(device)
        with torch.no_grad():
            painted = net(shown)[0].cpu()
        content = ((painted.permute(1, 2, 0).numpy() + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
        Image.fromarray(content).save(out / name)


def seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    begin = clock()
    work()
    return clock() - begin


def measure(options: argparse.Namespace) -> dict[str, object]:
    device = torch.device(options.device)
    torch.manual_seed(0)
    net = ResNetGenerator(4, 3).to(device).eval()
    times: dict[str, list[float]] = {"ours": [], "released": []}
    clock = time.process_time if options.device == "cpu" else time.perf_counter
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        inputs = build_inputs(folder, options.photographs)
        names = [f"{number:06d}.png" for number in range(1, options.released + 1)]
        context = Context(1, options.device, inputs)
        for turn in range(options.rounds + 1):
            took = {
                "released": seconds(lambda: released_way(inputs, net, device, names, folder / "released"), clock),
                "ours": seconds(
                    lambda turn=turn: generate.run(
                        GenerateConfig(count=options.photographs, threads=options.threads),
                        context,
                        folder / f"ours{turn}",
                    ),
                    clock,
                ),
            }
            for side, number in (("released", options.released), ("ours", options.photographs)):
                each = took[side] / number
                sys.stdout.write(f"{'warm-up' if turn == 0 else f'round {turn}':>8} {side:>9}: {1000 * each:9.1f} ms\n")
                sys.stdout.flush()
                if turn:
                    times[side].append(each)
    middle = {side: statistics.median(values) for side, values in times.items()}
    return {
        "device": options.device,
        "time": "processor" if options.device == "cpu" else "wall",
        "threads": torch.get_num_threads(),
        "side": SIDE,
        "photographs": options.photographs,
        "ours_ms": round(1000 * middle["ours"], 2),
        "released_ms": round(1000 * middle["released"], 1),
        "ratio": round(middle["released"] / middle["ours"], 1),
        "photographs_per_s": round(1 / middle["ours"], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--photographs", type=int, default=64, help="of ours a round")
    parser.add_argument("--released", type=int, default=2, help="photographs a round of the released way")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="32 photographs against one, two rounds")
    options = parser.parse_args()
    if options.quick:
        options.photographs, options.released, options.rounds = 32, 1, 2
    if options.device == "cpu":
        torch.set_num_threads(options.threads)
    sys.stdout.write(json.dumps(measure(options)) + "\n")


if __name__ == "__main__":
    main()
