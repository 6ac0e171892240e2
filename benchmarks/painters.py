"""How large is each method's generator, and how long does it take for a photograph?

    python benchmarks/painters.py RUN --photographs 32

``RUN`` holds stages ``ingest`` and ``pool``. Each method of Table 4 is trained for one step (weights change no time)
at ``--size``, windows or whole photographs as the table has them, and paints the pool's first masks: the stage
``generate`` as ``anomaly-gan run`` calls it, from file to file. Processor time, the median of ``--rounds`` after one to
warm up, so that other work on the machine changes little. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from safetensors.torch import load_file

import anomaly_gan
from anomaly_gan.core.config import read_yaml
from anomaly_gan.core.stage import Context
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig
from anomaly_gan.synthesis.methods.config import TrainConfig
from anomaly_gan.synthesis.registry import training_of
from anomaly_gan.synthesis.training import stage as train

METHODS = ("copy_paste", "cgan", "lsgan", "cyclegan", "fd_cyclegan", "pix2pix", "anomaly_gan_paper", "anomaly_gan")
TABLE4 = Path(anomaly_gan.__file__).parent / "configs" / "table4.yaml"
WIDTHS = (16, 32, 64, 96, 96, 96)
"""Of discriminators, which halve a window until it is small; none of them paints."""


def trained(name: str, size: int, context: Context, out: Path) -> tuple[int, Path]:
    """(parameters of the painting generator, folder of a training of one step)."""
    smaller = read_yaml(TABLE4)["set"]["train_methods"]
    own = smaller.get(name, {"nets": {"widths": WIDTHS[: size.bit_length() - 3]}})
    own = own | ({"aware_steps": 1} if name.startswith("anomaly_gan") else {})
    config = TrainConfig.model_validate(
        {**own, "method": name, "steps": 1, "batch": 2, "threads": 1, "size": size, "sample_every": 0}
    )
    train.run(config, context, out)
    return sum(tensor.numel() for tensor in load_file(out / "generator.safetensors").values()), out


def measured(name: str, options: argparse.Namespace, inputs: dict[str, Path], folder: Path) -> dict[str, object]:
    context, parameters, needs = Context(0, "cpu", inputs), 0, training_of(name)
    if needs:
        parameters, place = trained(needs, options.size, context, folder / f"train@{needs}")
        context = Context(0, "cpu", {**inputs, f"train@{needs}": place})
    config = GenerateConfig(method=name, count=options.photographs, threads=1)
    took, made = [], 0
    for turn in range(options.rounds + 1):
        begin = time.process_time()
        generate.run(config, context, folder / f"{name}{turn}")
        took.append(time.process_time() - begin)
        made = len(list((folder / f"{name}{turn}" / "images").rglob("*.png")))
    each = statistics.median(took[1:]) / made
    return {"parameters": parameters, "photographs": made, "ms_a_photograph": round(1000 * each, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument(
        "--size", type=int, default=128, help="side of the window, or of the whole photograph, in pixels"
    )
    parser.add_argument("--photographs", type=int, default=32, help="of each category, a round")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    inputs = {name: options.run / name for name in ("ingest", "pool")}
    found: dict[str, object] = {"size": options.size, "capability": torch.backends.cpu.get_cpu_capability()}
    for name in METHODS:
        with tempfile.TemporaryDirectory() as temporary:
            found[name] = measured(name, options, inputs, Path(temporary))
        sys.stdout.write(f"{name}: {found[name]}\n")
        sys.stdout.flush()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
