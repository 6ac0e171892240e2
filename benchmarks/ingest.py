"""What ingest costs: processor time with all child processes, and the memory of the largest process.

Each checkout in turn (this one, and ``--against`` an older one), so that both meet the same machine; the least of the
rounds counts. The set: photographs of 256 px with grain, PNG and JPEG by turns, one in ten with a mask beside it; or a
folder of your own with ``--source``.

    git worktree add /tmp/before 86b6a3f
    python benchmarks/ingest.py --against /tmp/before
    python benchmarks/ingest.py --against /tmp/before --source ~/magnetic_tile --normal free

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

SIDE = 256
COMPILED = Path(tempfile.gettempdir()) / "anomaly_gan_compiled"
DEFECTIVE = 10
"""One photograph in N has a mask."""


def make(root: Path, count: int) -> None:
    """``count`` photographs in ``good`` and ``crack``."""
    rng = np.random.default_rng(0)
    for number in range(count):
        folder = root / ("crack" if number % DEFECTIVE == 0 else "good")
        folder.mkdir(parents=True, exist_ok=True)
        ground = cv2.GaussianBlur(rng.normal(0, 20, (SIDE, SIDE)), (0, 0), 2) * 4
        pixels = (120 + ground + rng.normal(0, 3, (SIDE, SIDE))).clip(0, 255).astype(np.uint8)
        # defects by halves as PNG and as JPEG too
        suffix = ".png" if number // DEFECTIVE % 2 == 0 else ".jpg"
        cv2.imwrite(str(folder / f"{number:05d}{suffix}"), pixels)
        if number % DEFECTIVE == 0:
            mask = np.zeros((SIDE, SIDE), np.uint8)
            x, y = (int(value) for value in rng.integers(30, SIDE - 30, 2))
            cv2.ellipse(mask, (x, y), (20, 6), float(rng.uniform(0, 180)), 0, 360, 255, -1)
            cv2.imwrite(str(folder / f"{number:05d}_mask.png"), mask)


def once(checkout: Path, source: Path, told: list[str]) -> tuple[float, float, list[int]]:
    """(processor seconds, MiB, [accepted, annotations]) of one ingest by the program in ``checkout``."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "anomaly_gan", "ingest", str(source), "--out", f"{folder}/out", *told]
        # compiled once, as on a user's machine
        around = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(COMPILED)}
        child = subprocess.Popen(command, cwd=checkout, env=around, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, status, used = os.wait4(child.pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            assert child.stderr is not None
            sys.exit(f"{checkout}: {child.stderr.read().decode()[-2000:]}")
        content = json.loads(Path(folder, "out", "annotations.json").read_text())
        figures = [len(content["images"]), len(content["annotations"])]
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, figures


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--against", type=Path, help="another checkout")
    arguments.add_argument("--source", type=Path, help="a folder of your own instead of photographs made here")
    arguments.add_argument("--normal", help="its folder of sound parts")
    arguments.add_argument("--count", type=int, default=3000)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    here = Path(__file__).resolve().parents[1]
    checkouts = {"here": here} | ({"against": options.against.resolve()} if options.against else {})
    folder = Path(tempfile.mkdtemp())
    source = options.source.resolve() if options.source else folder / "photos"
    if not options.source:
        make(source, options.count)
    told = ["--format", "mask-png"] + (["--set", f"normal=[{options.normal}]"] if options.normal else [])
    found: dict[str, list[tuple[float, float, list[int]]]] = {name: [] for name in checkouts}
    try:
        for checkout in checkouts.values():
            subprocess.run([sys.executable, "-m", "anomaly_gan", "ingest", "--help"], cwd=checkout, capture_output=True)
        for _ in range(options.rounds):
            for name, checkout in checkouts.items():
                found[name].append(once(checkout, source, told))
                seconds, memory, figures = found[name][-1]
                sys.stdout.write(f"{name}: {seconds:.2f} s, {memory:.0f} MiB, {figures}\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result = {
        name: {
            "seconds": round(min(row[0] for row in rows), 2),
            "mib": round(max(row[1] for row in rows)),
            "photographs": rows[0][2][0],
            "annotations": rows[0][2][1],
        }
        for name, rows in found.items()
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
