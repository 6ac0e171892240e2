"""The training step of Anomaly-GAN as published against a plain one of the same equations, in one run.

``--preset paper_released`` (the default) has the ResNet generators of the released code, ``paper`` the U-Nets of the
text; the discriminators are narrower than at 512 px.

Both sides start from the same weights and see the same batches. Ours is the step that ``train`` takes: one forward
shared by all updates, discriminators frozen in the generators' step, batched crops, and, where the device computes it
natively (``precision: auto``; ``precision`` says which), bf16 and channels last. The plain side is
``reference_step.py``. Sides take turns, round by round; medians, on one thread of a CPU of processor time, so that
other work on the machine changes little. ``largest_loss_difference`` is between the losses of both sides' first step at
float32, on one photograph. The share of the peak is the step's counted floating-point operations over its time and over
what a 3x3 convolution alone reaches here, at the same precision, in the same run.

    python benchmarks/train_step.py --device cpu --quick      # under five minutes on one thread, with AVX2 too
    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 python benchmarks/train_step.py --device cpu --quick
    python benchmarks/train_step.py --device cuda --size 256 --batch 16
    python benchmarks/train_step.py --upstream CHECKOUT       # and the step of a pytorch-CycleGAN-and-pix2pix at hand

The upstream step is CycleGAN's own, with its own defaults, at the same size and batch: other equations (two
discriminators, an identity loss, no local view), the generators of the same build as ``paper_released``.

The last line is JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

if "cuda" not in sys.argv:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parent))
from reference_step import reference_step

from anomaly_gan.engine.loop import make_fabric, train_step
from anomaly_gan.engine.precision import BF16, decide
from anomaly_gan.nets.aware import AwareNet, freeze
from anomaly_gan.synthesis.methods.anomaly_gan.build import build_task
from anomaly_gan.synthesis.methods.anomaly_gan.config import AnomalyGanConfig
from anomaly_gan.synthesis.methods.anomaly_gan.task import AnomalyGanTask
from anomaly_gan.synthesis.methods.config import TaskSetup, TrainConfig
from anomaly_gan.synthesis.pairs.windows import Batch

SEED = 7
STARTED, PATIENCE = time.monotonic(), 150.0
"""Seconds after which no further round begins: what is still to come takes about as long again."""
FEATURES, WIDTHS = 192, (32, 64, 128, 256, 256, 256, 256)
"""Of the discriminators."""


def config_of(options: argparse.Namespace, precision: str) -> TrainConfig:
    """The published recipe at the benchmark's size: at 128 px 46 M parameters in all with the released generator."""
    unet = {} if options.preset == "paper_released" else {"depth": options.depth, "base_width": options.base_width}
    return TrainConfig(
        preset=options.preset,
        size=options.size,
        batch=options.batch,
        precision=precision,
        nets={**unet, "widths": WIDTHS},
        recipe={"features": FEATURES},
    )


def make_task(config: TrainConfig, device: torch.device) -> AnomalyGanTask:
    torch.manual_seed(SEED)
    aware = AwareNet(config.channels if config.channels != "auto" else 3, config.own(AnomalyGanConfig).aware_width)
    freeze(aware)
    return build_task(TaskSetup(config, 3, 1, aware, SEED, device))


def random_batch(config: TrainConfig, step: int, device: torch.device) -> Batch:
    """Smooth noise with one square mask each."""
    rng = torch.Generator().manual_seed(SEED + step)
    side, number = config.size, config.batch

    def images() -> Tensor:
        coarse = torch.rand(number, 3, side // 8, side // 8, generator=rng) * 2 - 1
        return nn.functional.interpolate(coarse, size=side, mode="bilinear").to(device)

    def masks() -> Tensor:
        mask = torch.zeros(number, 1, side, side)
        for row in range(number):
            top, left = (int(value) for value in torch.randint(side // 8, side // 2, (2,), generator=rng))
            mask[row, :, top : top + side // 4, left : left + side // 3] = 1
        return mask.to(device)

    abnormal = images()
    return Batch(
        images(),
        masks(),
        abnormal,
        masks(),
        torch.zeros(number, dtype=torch.long, device=device),
        torch.zeros(number, 2, side, side, device=device),
        abnormal,
    )


class Ours:
    """The step of the one training loop."""

    def __init__(self, config: TrainConfig, device: str) -> None:
        self.fabric = make_fabric(device, config.precision)
        self.task = make_task(config, self.fabric.device)
        self.updates = self.task.updates()

    def step(self, batch: Batch) -> dict[str, float]:
        return train_step(self.task, self.updates, batch, self.fabric)


class Plain:
    """The reference, from the same starting weights."""

    def __init__(self, config: TrainConfig, device: str) -> None:
        where = torch.device("cuda" if device == "cuda" else "cpu")
        self.config, task = config, make_task(config, where)
        self.nets = {name: net.to(memory_format=torch.contiguous_format) for name, net in task.nets.items()}
        self.optimizers = task.optimizers

    def step(self, batch: Batch) -> dict[str, float]:
        recipe = self.config.own(AnomalyGanConfig)
        return reference_step(self.nets, self.optimizers, batch, recipe.local_size, recipe.aware_size)


class Upstream:
    """CycleGAN's training step as a checkout of its authors' code takes it, on our pictures."""

    def __init__(self, checkout: Path, config: TrainConfig, device: str) -> None:
        asked = [
            "--dataroot",
            str(checkout),
            "--model",
            "cycle_gan",
            "--batch_size",
            str(config.batch),
            "--crop_size",
            str(config.size),
            "--gpu_ids",
            "0" if device == "cuda" else "-1",
        ]
        with as_upstream(checkout, asked), contextlib.redirect_stdout(io.StringIO()):
            settings = importlib.import_module("options.train_options").TrainOptions().gather_options()
            settings.isTrain, settings.gpu_ids = True, [0] if device == "cuda" else []
            settings.device = torch.device(device)
            self.model = importlib.import_module("models").create_model(settings)

    def step(self, batch: Batch) -> None:
        self.model.set_input({"A": batch.normal_BCHW, "B": batch.abnormal_BCHW, "A_paths": "", "B_paths": ""})
        self.model.optimize_parameters()


@contextlib.contextmanager
def as_upstream(checkout: Path, arguments: list[str]) -> Iterator[None]:
    """The checkout's folder first to import from, and its own command line: it reads both."""
    path, given = list(sys.path), sys.argv
    sys.path.insert(0, str(checkout))
    sys.argv = ["train.py", *arguments]
    try:
        yield
    finally:
        sys.path[:], sys.argv = path, given


def checkout(text: str) -> Path:
    path = Path(text)
    if not (path / "models" / "cycle_gan_model.py").is_file():
        raise argparse.ArgumentTypeError(f"{text} holds no models/cycle_gan_model.py")
    return path


def timed(work: Callable[[], Any], device: torch.device) -> float:
    """Milliseconds: of processor time where one thread computes, else by the clock."""
    clock = time.process_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    if device.type == "cuda":
        torch.cuda.synchronize()
    begin = clock()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return 1000 * (clock() - begin)


def convolution_peak(dtype: torch.dtype, device: torch.device) -> float:
    """FLOP/s that 3x3 convolutions forward and backward reach on this machine: the best of several shapes, laid out
    channels last and, at float32 on a CPU, channels first, where that is faster without AVX-512."""
    best = 0.0
    both = (torch.channels_last, torch.contiguous_format)
    for layout in both if device.type == "cpu" and dtype == torch.float32 else both[:1]:
        for channels, side, number in ((128, 64, 4), (256, 32, 4), (256, 64, 4 if device.type == "cpu" else 64)):
            net = nn.Conv2d(channels, channels, 3, padding=1).to(device, memory_format=layout)
            image = torch.randn(number, channels, side, side, device=device).to(memory_format=layout)
            image.requires_grad_()

            def work(net: nn.Module = net, image: Tensor = image) -> None:
                with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                    net(image).float().sum().backward()

            operations = 3 * 2 * 9 * channels**2 * side**2 * number
            times = [timed(work, device) for _ in range(4)]
            best = max(best, 1000 * operations / min(times[1:]))
    return best


def first_step(config: TrainConfig, batch: Batch, device: str) -> tuple[float, int, int]:
    """Of the first step of both sides at float32 from the same weights: the largest absolute difference of any loss,
    and the floating-point operations of ours and of the plain one, as torch counts them (two per multiply-add)."""
    with FlopCounterMode(display=False) as counted:
        plain = Plain(config, device).step(batch)
    with FlopCounterMode(display=False) as counter:
        ours = {name.split("/")[-1]: value for name, value in Ours(config, device).step(batch).items()}
    gap = max(abs(ours[name] - value) for name, value in plain.items())
    return gap, int(counter.get_total_flops()), int(counted.get_total_flops())


def measure(options: argparse.Namespace) -> dict[str, Any]:
    device = torch.device(options.device)
    chosen = decide("auto", options.device)
    exact, fast = config_of(options, "32-true"), config_of(options, chosen.precision)
    batches = [random_batch(exact, step, device) for step in range(options.rounds + 1)]
    difference, operations, plain = (
        value * (options.batch if place else 1)
        for place, value in enumerate(first_step(exact, batches[0].rows(0, 1), options.device))
    )
    sides: dict[str, Any] = {"ours": Ours(fast, options.device), "reference": Plain(exact, options.device)}
    if options.float32:
        sides["ours_float32"] = Ours(exact, options.device)
    if options.upstream:
        sides["upstream"] = Upstream(options.upstream, exact, options.device)
    times: dict[str, list[float]] = {name: [] for name in sides}
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for turn, batch in enumerate(batches):
        if turn > 1 and time.monotonic() - STARTED > PATIENCE:
            break  # a slow machine: what has been measured must do
        for name, side in sides.items():
            shown = batch if turn or not options.quick else batch.rows(0, 1)
            elapsed = timed(lambda side=side, shown=shown: side.step(shown), device)
            sys.stdout.write(f"{'warm-up' if turn == 0 else f'round {turn}':>8} {name:>13}: {elapsed:9.1f} ms\n")
            sys.stdout.flush()
            if turn:
                times[name].append(elapsed)
    middle = {name: statistics.median(values) for name, values in times.items()}
    kinds = {"float32": torch.float32, **({"bf16": torch.bfloat16} if chosen.precision == BF16 else {})}
    peaks = {name: convolution_peak(dtype, device) for name, dtype in kinds.items()}
    reached = 1000 * operations / middle["ours"]
    result = {
        "preset": options.preset,
        "device": options.device,
        "threads": torch.get_num_threads(),
        "precision": chosen.precision,
        "precision_reason": chosen.reason,
        "size": options.size,
        "batch": options.batch,
        "parameters": sum(p.numel() for net in sides["reference"].nets.values() for p in net.parameters()),
        "ours_ms": round(middle["ours"], 1),
        "reference_ms": round(middle["reference"], 1),
        "ratio": round(middle["reference"] / middle["ours"], 2),
        "fraction_of_peak": round(reached / list(peaks.values())[-1], 3),
        "gflops_per_step": round(operations / 1e9, 1),
        "reference_gflops_per_step": round(plain / 1e9, 1),
        "reached_gflops_per_s": round(reached / 1e9, 1),
        "peak_gflops_per_s": {name: round(value / 1e9, 1) for name, value in peaks.items()},
        "largest_loss_difference": float(f"{difference:.2g}"),
    }
    if "ours_float32" in middle:
        result |= {
            "ours_float32_ms": round(middle["ours_float32"], 1),
            "float32_ratio": round(middle["reference"] / middle["ours_float32"], 2),
        }
    if "upstream" in middle:
        result |= {
            "upstream_ms": round(middle["upstream"], 1),
            "upstream_ratio": round(middle["upstream"] / middle["ours"], 2),
        }
    if device.type == "cuda":
        result["peak_memory_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--preset", choices=("paper_released", "paper"), default="paper_released")
    parser.add_argument("--depth", type=int, default=6, help="of the U-Net")
    parser.add_argument("--base-width", type=int, default=32, help="of the U-Net")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--float32", action="store_true", help="also time our step at float32")
    parser.add_argument(
        "--upstream",
        type=checkout,
        metavar="CHECKOUT",
        help="folder of a pytorch-CycleGAN-and-pix2pix, whose step is timed beside",
    )
    parser.add_argument("--quick", action="store_true", help="two rounds")
    options = parser.parse_args()
    if options.device == "cpu":
        torch.set_num_threads(options.threads)
    options.rounds = 2 if options.quick else options.rounds
    sys.stdout.write(json.dumps(measure(options)) + "\n")


if __name__ == "__main__":
    main()
