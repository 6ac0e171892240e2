"""What the verbs take, in processor time of one thread, on the embedded sample set: behind the times in ``--help``.

Each verb runs as a user would run it, on an ordinary PC as it is emulated here (``ONEDNN_MAX_CPU_ISA=AVX2
ATEN_CPU_CAPABILITY=avx2``: no bf16). Processor time, for it means the same on a busy machine; the time by the clock
stands beside it. The start of the program is measured alone and taken off where a rate is given. Small work, and no
verb longer than ``PATIENCE``: some five minutes of processor time in all.

    python benchmarks/verb_times.py                # docs/results/benchmarks/verb_times.md
    python benchmarks/verb_times.py --folder /tmp/verbs --only "detect predict"

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results" / "benchmarks" / "verb_times.md"
ENVIRONMENT = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "OMP_NUM_THREADS": "1"}
CONFIG = "anomaly_gan/configs/demo.yaml"
STEPS = 20
PHOTOGRAPHS = 12
"""Generated per category (of four) and method (of two)."""
GENERATED = 2 * 4 * PHOTOGRAPHS
SETTINGS = (
    f"train.steps={STEPS}",
    "train_methods.anomaly_gan.aware_steps=10",
    "train.threads=1",
    f"pool.count={2 * PHOTOGRAPHS}",
    f"generate.count={PHOTOGRAPHS}",
    "generate.threads=1",
    "compare.workers=1",
    "compare.seeds=1",
)
SAMPLE = "data/sample"
PATIENCE = 900.0
"""Seconds by the clock after which a verb is stopped: its row then says so, and what follows goes on without."""


@dataclass(frozen=True)
class Measured:
    """A command line (``{run}`` and ``{out}`` are folders) and how many of what it works on."""

    verb: str
    arguments: str
    count: int = 0
    unit: str = ""
    torch: bool = True
    """Whether it starts torch, whose start a rate leaves out."""


def stage(name: str) -> str:
    return f"run {CONFIG} --out {{run}} --from {name} --to {name} " + " ".join(f"--set {one}" for one in SETTINGS)


VERBS = (
    Measured("start of the program, without torch", "one-class list"),
    Measured("ingest", stage("ingest"), 200, "photographs of 256 x 256", False),
    Measured("pool build", stage("pool"), 8 * PHOTOGRAPHS, "masks", False),
    Measured("train", stage("train"), STEPS, "steps of 6 windows of 64 x 64"),
    Measured("generate", stage("generate"), GENERATED, "photographs (two methods)"),
    Measured("gate", stage("gate"), GENERATED, "photographs (two methods)"),
    Measured("export", stage("export"), GENERATED, "generated photographs (two methods)", False),
    Measured("report", "report {run}"),
    Measured("status", "status {run}"),
    Measured("pool stats", "pool stats --run {run}"),
    Measured("pool show", "pool show screws_A/000003.png --run {run}"),
    Measured(
        "evaluate",
        f"evaluate {{run}}/gate@copy_paste/images {SAMPLE}/normal",
        64 + 4 * PHOTOGRAPHS,
        "pictures, both sides",
    ),
    Measured("detect train", "detect train {run}/ingest --out {out}/detector --set iterations=20", 20, "steps"),
    Measured(
        "detect eval", "detect eval --model {out}/detector --data {run}/ingest --out {out}/eval", 76, "photographs"
    ),
    Measured(
        "detect predict",
        f"detect predict {SAMPLE}/normal --model {{out}}/detector --threshold 0.5 --out {{out}}/found",
        64,
        "photographs",
    ),
    Measured(
        "one-class train",
        f"one-class train {SAMPLE}/normal --detector patch_memory --preset quick --false-alarm 0.1 --out {{out}}/sound",
        64,
        "photographs (patch_memory)",
    ),
    Measured(
        "one-class score",
        f"one-class score {SAMPLE}/normal --model {{out}}/sound --out {{out}}/scores",
        64,
        "photographs",
    ),
    Measured("explain", "explain B14"),
    Measured("weights check", "weights check"),
)


def main() -> None:
    """Run them in order, for later ones use what earlier ones wrote."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to work; default a temporary folder")
    parser.add_argument("--only", action="append", default=[], help="this verb alone (its inputs must lie in --folder)")
    parser.add_argument("--page", type=Path, default=PAGE)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        start, clock = seconds_of([sys.executable, "-c", "import torch, lightning_fabric, timm, anomaly_gan.api"])
        plain, _ = seconds_of([sys.executable, "-m", "anomaly_gan", "one-class", "list"])
        rows = [{"verb": "start of the program, with torch", "seconds": round(start, 2), "clock": round(clock, 1)}]
        for item in VERBS:
            if not given.only or item.verb in given.only:
                rows.append(measure(item, folder, start if item.torch else plain))
                sys.stderr.write(f"{rows[-1]}\n")
    if not given.only:
        given.page.write_text(page(rows), encoding="utf-8")
    sys.stdout.write(json.dumps(rows) + "\n")


def measure(item: Measured, folder: Path, start: float) -> dict[str, Any]:
    run, out = folder / "run", folder / "out"
    if item.verb == "ingest":
        shutil.rmtree(run, ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
    words = item.arguments.format(run=run, out=out).split()
    try:
        seconds, clock = seconds_of([sys.executable, "-m", "anomaly_gan", *words])
    except Unmeasured as error:
        return {"verb": item.verb, "not_measured": str(error)}
    row: dict[str, Any] = {"verb": item.verb, "seconds": round(seconds, 2), "clock": round(clock, 1)}
    if item.count:
        row |= {"count": item.count, "unit": item.unit, "a_second": round(item.count / max(0.1, seconds - start), 2)}
    return row


class Unmeasured(Exception):
    """A verb that failed or took too long."""


def seconds_of(command: list[str]) -> tuple[float, float]:
    """Processor time of a command and all its children, and the time by the clock; exit code 1 is a failed check, and
    no failure here.

    Raises:
        Unmeasured: it failed, or took longer than ``PATIENCE``.
    """
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    try:
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        raise Unmeasured(f"not done after {PATIENCE:.0f} s") from error
    if done.returncode not in (0, 1) or "Traceback" in done.stderr:
        raise Unmeasured(f"exit code {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.monotonic() - began


def page(rows: list[dict[str, Any]]) -> str:
    lines = [
        "# What the verbs take",
        "",
        "```",
        "python benchmarks/verb_times.py",
        "```",
        "",
        "An x86-64 server (two cores) held to AVX2 without bf16, an ordinary PC emulated: `ONEDNN_MAX_CPU_ISA=AVX2",
        "ATEN_CPU_CAPABILITY=avx2`, float32, one thread. Seconds of processor time on the embedded sample set, and by",
        "the clock on a machine that others used. Rates are of processor time, without the start of the program. These",
        "stand behind the times that `--help` names.",
        "",
        "| verb | processor, s | clock, s | works on | a second |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        if "not_measured" in row:
            lines.append(f"| {row['verb']} | | | {row['not_measured']} | |")
            continue
        work = f"{row['count']} {row['unit']}" if "count" in row else ""
        lines.append(
            f"| {row['verb']} | {row['seconds']:.1f} | {row['clock']:.0f} | {work} | {row.get('a_second', '')} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
