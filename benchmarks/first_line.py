"""How soon the program speaks: ``--help``, and the first line of verbs that train, paint or judge.

Each verb runs as a user would run it, on a small run of the embedded sample set, and is stopped at its first line.
Seconds of processor time of the program until then, and by the clock; medians of the rounds.

    python benchmarks/first_line.py

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = "anomaly_gan/configs/demo.yaml"
SMALL = "--set pool.count=8 --set generate.count=4 --set train.steps=2 --set train_methods.anomaly_gan.aware_steps=2"
MOST = {"--help": 0.3}
"""Seconds; of every other verb ``PATIENCE``."""
PATIENCE = 2.0
VERBS = (
    "--help",
    "detect --help",
    "demo --out {out}/demo",
    f"run {CONFIG} --out {{out}}/run",
    "train --run {run}",
    "generate --run {run} --method copy_paste",
    "gate --run {run} --method copy_paste",
    "export --run {run} --method copy_paste",
    "detect train {run}/ingest --out {out}/detector",
    "detect eval --model {model} --data {run}/ingest --out {out}/eval",
    "detect predict data/sample/normal --model {model} --out {out}/found",
    "one-class train data/sample/normal --out {out}/one_class",
    "evaluate data/sample/normal data/sample/normal",
    "pool build --run {run}",
    "status {run}",
)
TICKS = os.sysconf("SC_CLK_TCK")


def first_line(words: list[str]) -> tuple[float, float, str]:
    """Processor and clock seconds until the first line, and the line."""
    around = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    begin = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "anomaly_gan", *words],
        cwd=ROOT,
        env=around,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        clock = time.monotonic() - begin
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        child.kill()
    return (int(fields[11]) + int(fields[12])) / TICKS, clock, line.strip()


def prepare(folder: Path) -> dict[str, Path]:
    """A run up to its generated photographs, and a detector of it."""
    run, model = folder / "run", folder / "detector"
    for words in (
        f"run {CONFIG} --out {run} --to generate {SMALL}",
        f"detect train {run}/ingest --out {model} --set iterations=2",
    ):
        done = subprocess.run(
            [sys.executable, "-m", "anomaly_gan", *words.split()], cwd=ROOT, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(done.stderr[-2000:])
    return {"run": run, "model": model}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prepared", type=Path, help="a folder with run/ and detector/ from an earlier call")
    given = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made = (
            {"run": given.prepared / "run", "model": given.prepared / "detector"} if given.prepared else prepare(folder)
        )
        for verb in VERBS:
            rows = []
            for number in range(given.rounds):
                words = verb.format(out=folder / f"out{number}", **made).split()
                rows.append(first_line(words))
            seconds = statistics.median(row[0] for row in rows)
            found[verb] = round(seconds, 2)
            late = "" if seconds <= MOST.get(verb, PATIENCE) else "  LATE"
            clock = statistics.median(row[1] for row in rows)
            sys.stdout.write(f"{seconds:6.2f} s, {clock:6.2f} by the clock: {verb}{late}: {rows[0][2][:70]}\n")
            sys.stdout.flush()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
