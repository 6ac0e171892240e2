"""What the owner of a GPU runs once (``make gpu-check``, under ten minutes): is the GPU right, and how fast is it?

* parity: one training step of the generator and one pass of the detector ``dense``, at float32 without TF32, on the
  GPU against the CPU from the same weights and batch: the largest difference of any loss and of any output;
* training: ``train_step.py`` (milliseconds, share of the peak of bare convolutions, peak memory);
* generation: ``generate.py`` (photographs a second, times the released generator's way);
* two processes that share a batch: over NCCL where there are two GPUs, else over gloo on the CPU, which is said;
* ``tests/engine/test_cuda.py``: every way of the program through a GPU.

Parts that fail or take more than their time are named with their reason, and the others go on. Exit code 1 where parity
does not hold. ``--device cpu`` is a rehearsal of the program itself and measures nothing worth keeping.

    python benchmarks/gpu_check.py --out docs/results/benchmarks/gpu_check.json

The JSON goes to ``--out``; where a ``README.md`` lies beside it, the same as a table into its section on GPUs.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import torch
from train_step import Ours, config_of, random_batch

from anomaly_gan.core.errors import EnvironmentFailure
from anomaly_gan.core.files import write_json, write_text
from detection.data import CategoryMap
from detection.detectors.config import DetectConfig
from detection.training.finetune import build_net

LOSS_TOLERANCE, OUTPUT_TOLERANCE = 2e-3, 2e-3
"""Float32 sums in another order; a wrong kernel is off by far more."""
PART_SECONDS = 140
BEGIN, END = "<!-- what make gpu-check found -->", "<!-- end of what it found -->"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu_check.json"))
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.stderr.write("gpu-check: torch sees no CUDA device here (torch.cuda.is_available() is false)\n")
        return EnvironmentFailure.exit_code
    began = time.perf_counter()
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "parity_of_training": lambda: parity_of_training(options.device),
        "parity_of_detector": lambda: parity_of_detector(options.device),
        "train_step": lambda: program("train_step.py", *_size(options.device)),
        "generate": lambda: program("generate.py", "--device", options.device, "--quick"),
        "shared_training": lambda: shared_training(options.device),
        "tests": lambda: tests(options.device),
    }
    result: dict[str, Any] = {"machine": machine(options.device)}
    for name, part in parts.items():
        sys.stdout.write(f"{name} ...\n")
        sys.stdout.flush()
        try:
            result[name] = part()
        except (RuntimeError, ValueError, OSError, subprocess.SubprocessError) as error:
            result[name] = {"failed": f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"}
    result["seconds"] = round(time.perf_counter() - began, 1)
    holds = all(result[name].get("holds", False) for name in ("parity_of_training", "parity_of_detector"))
    result["parity_holds"] = holds
    write_json(options.out, result)
    show(table(result), options.out.with_name("README.md"))
    sys.stdout.write(json.dumps(result) + "\n")
    return 0 if holds else 1


def machine(device: str) -> dict[str, Any]:
    found: dict[str, Any] = {"device": device, "torch": torch.__version__, "system": platform.system()}
    if device == "cuda":
        about = torch.cuda.get_device_properties(0)
        found |= {
            "gpu": about.name,
            "gpus": torch.cuda.device_count(),
            "memory_gib": round(about.total_memory / 2**30, 1),
            "capability": f"{about.major}.{about.minor}",
            "cuda": torch.version.cuda,
            "bf16": torch.cuda.is_bf16_supported(),
        }
    return found


def _size(device: str) -> tuple[str, ...]:
    if device == "cuda":
        return ("--device", "cuda", "--size", "256", "--batch", "16")
    return ("--device", "cpu", "--size", "64", "--batch", "2", "--depth", "4", "--quick", "--preset", "paper")


def without_tf32() -> None:
    """Float32 on a GPU as it is on the CPU, not with ten bits of mantissa."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def parity_of_training(device: str) -> dict[str, Any]:
    """Losses of one step, from the same weights and batch, here and on the CPU."""
    without_tf32()
    asked = argparse.Namespace(preset="paper", size=64, batch=2, depth=4, base_width=16)
    config = config_of(asked, "32-true")
    batch = random_batch(config, 0, torch.device("cpu"))
    losses = {}
    for where in ("cpu", device):
        losses[where] = Ours(config, where).step(copy.deepcopy(batch).to(torch.device(where)))
    off = {name: abs(value - losses["cpu"][name]) for name, value in losses[device].items()}
    worst = max(off, key=lambda name: off[name])
    return {
        "losses": len(off),
        "largest_difference": off[worst],
        "of": worst,
        "tolerance": LOSS_TOLERANCE,
        "holds": off[worst] <= LOSS_TOLERANCE,
    }


def parity_of_detector(device: str) -> dict[str, Any]:
    """Outputs of an untrained ``dense`` net on the same photographs, here and on the CPU."""
    without_tf32()
    net = build_net(len(CategoryMap((1, 2), ("crack", "pit"))), DetectConfig(detector="dense"), 0).eval()
    images = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    outputs = []
    with torch.no_grad():
        for where in ("cpu", device):
            outputs.append(list(vars(copy.deepcopy(net).to(where)(images.to(where))).values()))
    off = max(float((one.cpu() - other.cpu()).abs().max()) for one, other in zip(*outputs, strict=True))
    return {
        "outputs": len(outputs[0]),
        "largest_difference": off,
        "tolerance": OUTPUT_TOLERANCE,
        "holds": off <= OUTPUT_TOLERANCE,
    }


def program(name: str, *arguments: str) -> dict[str, Any]:
    """The last line of another benchmark.

    Raises:
        RuntimeError: it failed.
        subprocess.TimeoutExpired: it took longer than its time.
    """
    done = subprocess.run(
        [sys.executable, str(HERE / name), *arguments], capture_output=True, text=True, timeout=PART_SECONDS
    )
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or f"{name} ended with {done.returncode}").splitlines()[-1])
    return json.loads(done.stdout.strip().splitlines()[-1])


def shared_training(device: str) -> dict[str, Any]:
    """Two processes that average one number each, through the launcher that shares a training.

    Raises:
        RuntimeError: they did not come to the mean.
    """
    several = device == "cuda" and torch.cuda.device_count() > 1
    kind = "cuda" if several else "cpu"
    began = time.perf_counter()
    command = [sys.executable, str(HERE / "shared_mean.py"), kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PART_SECONDS)
    if done.returncode or float(done.stdout.strip().splitlines()[-1]) != 1.5:
        raise RuntimeError((done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1])
    over = "NCCL on two GPUs" if several else "gloo on the CPU, for there are no two GPUs"
    return {"processes": 2, "over": over, "seconds": round(time.perf_counter() - began, 1), "holds": True}


def tests(device: str) -> dict[str, Any]:
    """How many of the tests that need a GPU passed, failed and were left out.

    Raises:
        RuntimeError: they did not run.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/engine/test_cuda.py"]
    around = {**os.environ, "CUDA_TESTS_ON": device}
    done = subprocess.run(command, cwd=HERE.parent, env=around, capture_output=True, text=True, timeout=PART_SECONDS)
    counts = {what: int(number) for number, what in re.findall(r"(\d+) (passed|failed|error|skipped)", done.stdout)}
    if not counts:
        raise RuntimeError((done.stderr or done.stdout or "no output").strip().splitlines()[-1])
    return counts


def show(table: str, page: Path) -> None:
    """Put the table between the marks of the page, where there is one."""
    text = page.read_text("utf-8") if page.is_file() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end:
        write_text(page, f"{before}{BEGIN}\n\n{table}\n{END}{after}")


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    where = result["machine"]
    title = where.get("gpu", "CPU (a rehearsal)")
    rows = "".join(
        f"| {part.replace('_', ' ')} | {', '.join(f'{name} {value}' for name, value in content.items())} |\n"
        for part, content in result.items()
        if isinstance(content, dict)
    )
    return f"{title}: `make gpu-check`, {result['seconds']} s.\n\n| part | measured |\n|---|---|\n{rows}"


if __name__ == "__main__":
    sys.exit(main())
