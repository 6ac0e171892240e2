"""What each stage of ``make demo`` costs in a clean clone, on this processor and as on one with AVX2 alone.

For each setting the repository's last commit is cloned into an empty folder and ``make demo`` runs there, packages from
uv's cache: ``native`` as the machine is, ``avx2`` with oneDNN and ATen held to AVX2, which emulates an ordinary PC
(float32, since ``precision: auto`` finds no bf16). A stage's time is that between two manifests; processor time is that
of all processes together. The machine should have nothing else to do, and two cores (``taskset -c 0,1`` elsewhere).

    python benchmarks/demo_stages.py                      # both, and docs/results/benchmarks/demo_stages.md
    python benchmarks/demo_stages.py --settings avx2 --folder /tmp/timing

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results" / "benchmarks" / "demo_stages.md"
SETTINGS = {
    "avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "native": {},
}
LIMITS_MINUTES = {"avx2": 8, "native": 5}
"""What the demo may take, set-up from cached packages included: in float32 on AVX2, and with bf16."""


def processor() -> str:
    """The processor's name, and how many of its cores this process may use."""
    name = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        found = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        name = found[0] if found else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def busy() -> float:
    """Seconds of processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(setting: str, folder: Path) -> dict[str, Any]:
    """``make demo`` in a clean clone below ``folder``; seconds in all, of processor time, and of each stage."""
    clone = folder / setting
    shutil.rmtree(clone, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS["avx2"]}
    began, used = time.time(), busy()
    subprocess.run(["make", "demo"], cwd=clone, env=environment | SETTINGS[setting], check=False)
    ended = time.time()
    run = clone / "runs" / "demo"
    if not (run / "report.html").is_file():  # a failed category ends the demo with an error, but after its report
        raise SystemExit(f"{clone}: the demo did not reach its report")
    done = sorted((path.stat().st_mtime, path.parent.name) for path in run.glob("*/manifest.json"))
    ready = (clone / ".venv" / ".ready").stat().st_mtime
    stages, before = {"make setup": ready - began}, ready
    for at, name in done:
        stages[name], before = at - before, at
    trained = json.loads((run / "train@anomaly_gan" / "metrics.json").read_text())
    return {
        "commit": subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=clone, text=True).strip(),
        "seconds": round(ended - began, 1),
        "processor_seconds": round(busy() - used, 1),
        "precision": trained["precision"],
        "stages": {name: round(seconds, 1) for name, seconds in stages.items()},
    }


def page(measured: dict[str, dict[str, Any]]) -> str:
    """The table in Markdown."""
    names = list(measured)
    titles = [f"{name} ({measured[name]['precision']})" for name in names]
    rows = [["stage", *titles], ["---"] * (1 + len(names))]
    for stage in dict.fromkeys(stage for result in measured.values() for stage in result["stages"]):
        rows.append([stage, *(f"{measured[name]['stages'].get(stage, 0):.0f} s" for name in names)])
    rows.append(["**in all**", *(f"**{_minutes(measured[name]['seconds'])}**" for name in names)])
    rows.append(["may take", *(f"{LIMITS_MINUTES[name]} min" for name in names)])
    rows.append(["processor time", *(_minutes(measured[name]["processor_seconds"]) for name in names)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    commit = measured[names[0]]["commit"]
    return f"""# What the demo's stages take

```
python benchmarks/demo_stages.py
```

From `make demo` in a clean clone to the report, packages in uv's cache; {processor()}, no GPU, commit {commit}. \
`avx2`: `ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2`, an ordinary PC \
without bf16 emulated; `native`: as the machine is. Wall time; the first stage includes the program's start.

{table}
"""


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--folder", type=Path, help="where the clones lie; without it they are removed")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="demo_stages."))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        measured = {name: measure(name, folder) for name in options.settings}
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    if set(measured) == set(SETTINGS):
        PAGE.write_text(page(measured), encoding="utf-8")
        PAGE.with_suffix(".json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    else:
        sys.stdout.write(page(measured))
    sys.stdout.write(json.dumps({"processor": processor(), **measured}) + "\n")


if __name__ == "__main__":
    main()
