"""A training step of ``dense`` against one of Mask R-CNN, in turn, in one process.

    python benchmarks/detector_step.py [--rounds 9] [--threads 1] [--precision auto]

Mask R-CNN as the published tables trained it: lean heads, whole photographs with the longest side at 256 pixels, two a
step, in float32 (bf16 is no faster for it). ``dense`` with its defaults, in the arithmetic that the processor has.
Photographs are made up; what they show changes no time to speak of. Each time is the median over the rounds of a step's
processor time, per photograph or crop shown, drawing and augmenting included. An ordinary processor is emulated with
``ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2``.

The last line is JSON: ``dense_ms_per_image``, ``mask_rcnn_ms_per_image``, ``ratio``, ``precision``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.engine.loop import make_fabric, train_step
from anomaly_gan.engine.precision import decide
from detection.data import CategoryMap, load_examples
from detection.dense.net import DenseNet
from detection.dense.photographs import Photographs
from detection.dense.sampling import CropSampler
from detection.detectors.config import DetectConfig
from detection.training.dense_task import CropBatches, DenseTask, training_sources
from detection.training.finetune import Batches, DetectorTask, build_net
from detection.training.sampling import BatchSampler

HEIGHT, WIDTH, PHOTOGRAPHS = 330, 270, 24
CATEGORIES = [Category(1, "spot"), Category(2, "line"), Category(3, "patch")]


def photographs(folder: Path) -> Dataset:
    """Two thirds of them with one defect, of the size of a magnetic tile's photograph."""
    images, annotations = [], []
    for number in range(1, PHOTOGRAPHS + 1):
        rng = rng_for(0, "photograph", number)
        pixels = rng.normal(110, 12, (HEIGHT, WIDTH)).clip(0, 255).astype(np.uint8)
        mask = np.zeros_like(pixels)
        if number % 3:
            y, x = int(rng.integers(20, HEIGHT - 60)), int(rng.integers(20, WIDTH - 60))
            mask[y : y + (6, 40)[number % 2], x : x + 20] = 1
            pixels[mask == 1] = 20
            annotations.append(Annotation.from_mask(number, number, 1 + number % 3, mask))
        name = f"{number:03d}.png"
        content = write_png(folder / "images" / name, pixels)
        images.append(ImageRecord(number, name, WIDTH, HEIGHT, str(number), "train", "real", sha256_bytes(content)))
    return Dataset(images, annotations, CATEGORIES, {"mode": "L"}, folder)


def dense_step(data: Dataset, precision: str) -> tuple[Callable[[int], None], int]:
    """A step, and the crops it shows."""
    config, categories = DetectConfig(), CategoryMap.of(CATEGORIES)
    fabric = make_fabric("cpu", precision)
    source = Photographs(data, categories)
    sources, defects, painted = training_sources(source, None, config.dense.smallest)
    sampler = CropSampler(sources, config.dense, 0)
    batches = CropBatches(source, defects, painted, None, sampler, config, 1000, 0, fabric.device)
    net = build_net(len(categories), config, 0)
    assert isinstance(net, DenseNet)
    task = DenseTask(net, config)
    updates = task.updates()

    def step(number: int) -> None:
        train_step(task, updates, batches(number), fabric, number, config.clip_norm)
        task.after_step(number)

    return step, config.dense.batch


def mask_rcnn_step(data: Dataset) -> tuple[Callable[[int], None], int]:
    """The same of Mask R-CNN, and the photographs it shows."""
    config = DetectConfig(detector="mask_rcnn", backbone="efficientnet_lite0", view="whole", image_size=256)
    fabric, categories = make_fabric("cpu"), CategoryMap.of(CATEGORIES)
    examples = load_examples(data, categories, 256)
    sampler = BatchSampler(
        examples.indices("real", True),
        examples.indices("real", False),
        [],
        batch=config.batch,
        real_share=None,
        normal_share=config.normal_share,
        seed=0,
    )
    batches = Batches(examples, sampler, config, 0, fabric.device)
    task = DetectorTask(build_net(len(categories), config, 0), config)
    updates = task.updates()

    def step(number: int) -> None:
        train_step(task, updates, batches(number), fabric, number, config.clip_norm)

    return step, config.batch


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--precision", default="auto", help="of dense: auto, 32-true or bf16-mixed")
    chosen = options.parse_args()
    precision = decide(chosen.precision, "cpu").precision
    torch.set_num_threads(chosen.threads)
    cv2.setNumThreads(chosen.threads)
    times: dict[str, list[float]] = {"dense": [], "mask_rcnn": []}
    with tempfile.TemporaryDirectory() as folder:
        data = photographs(Path(folder))
        steps = {"dense": dense_step(data, precision), "mask_rcnn": mask_rcnn_step(data)}
        for number in range(chosen.rounds + 1):
            for name, (step, shown) in steps.items():
                began = time.process_time()
                step(number)
                if number:  # the first builds what later ones reuse
                    times[name].append(1000 * (time.process_time() - began) / shown)
            sys.stderr.write(f"round {number}\n")
    found: dict[str, float | str] = {
        f"{name}_ms_per_image": round(statistics.median(values), 2) for name, values in times.items()
    }
    found["ratio"] = round(statistics.median(times["mask_rcnn"]) / statistics.median(times["dense"]), 2)
    found["precision"] = precision
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
