"""A generation of very many photographs, killed (-9) again and again: each once, in memory that does not grow.

    python benchmarks/generation_soak.py                            # 50,000 photographs, 20 kills: 15 minutes
    python benchmarks/generation_soak.py --count 2000 --kills 5

The stage ``generate@copy_paste`` of small photographs (72 x 90) in a process of its own, in memory where there is some
(``/dev/shm``). At ``--kills`` moments of its first half it is killed and started again. Compared: the photographs of
the finished data set with those that were asked for; every finished photograph before and after each sitting (none may
be made again); how many were under way at a kill. Of the second half, one sitting: resident memory and open files of
the process, at its last tenth against its second. The last line is JSON; exit code 1 where something is lost, doubled
or made again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE / "tests" / "support"))

from kills import in_memory  # noqa: E402
from small_run import build_run  # noqa: E402

from anomaly_gan.core.dataset import load_dataset  # noqa: E402

WORK = """
import sys
from pathlib import Path
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.synthesis.generate import stage
from anomaly_gan.synthesis.generate.config import GenerateConfig

root, each = Path(sys.argv[1]), int(sys.argv[2])
inputs = {"ingest": root / "ingest", "pool": root / "pool"}
config = GenerateConfig(method="copy_paste", count=each, threads=1)
run_stage("generate@copy_paste", stage.run, config, Context(3, "cpu", inputs), root / "made")
"""
CATEGORIES = ("spot", "scratch")


@dataclass
class Seen:
    """What a look at the folder and the process found; ``samples``: (finished, KiB resident, open files)."""

    samples: list[tuple[int, int, int]] = field(default_factory=list)
    again: int = 0
    under_way: list[int] = field(default_factory=list)


def finished(root: Path) -> dict[str, int]:
    """Name of every finished photograph -> its inode: a file made again has another."""
    found = {}
    for note in (root / "made" / "notes").rglob("*.png.json"):
        name = note.relative_to(root / "made" / "notes").as_posix().removesuffix(".json")
        found[name] = (root / "made" / "images" / name).stat().st_ino
    return found


def counted(folder: Path) -> int:
    return sum(sum(1 for _ in (folder / name).iterdir()) for name in CATEGORIES if (folder / name).is_dir())


def look(pid: int, done: int) -> tuple[int, int, int]:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return done, int(resident.split()[1]), sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def sitting(root: Path, each: int, until: int | None, seen: Seen, rng: random.Random) -> None:
    """Work to the end, or to a kill once ``until`` photographs are finished."""
    before = finished(root)
    child = subprocess.Popen([sys.executable, "-c", WORK, str(root), str(each)], cwd=HERE)
    notes = root / "made" / "notes"
    while child.poll() is None:
        time.sleep(0.3)
        done = counted(notes)
        try:
            seen.samples.append(look(child.pid, done))
        except (OSError, StopIteration):
            continue
        if until is not None and done >= until:
            time.sleep(rng.uniform(0, 0.05))
            child.send_signal(signal.SIGKILL)
            break
    code = child.wait()
    if until is None:
        assert code == 0, code
        return
    now = finished(root)
    seen.again += sum(now.get(name) != inode for name, inode in before.items())
    seen.under_way.append(counted(root / "made" / "images") - len(now))


def soak(count: int, kills: int) -> dict[str, object]:
    with in_memory() as root:
        each, rng, seen = count // 2, random.Random(0), Seen()
        asked = [image.file_name for image in build_run(root, per_category=each).pool.images]
        began = time.perf_counter()
        for kill in range(kills):
            sitting(root, each, int(each * (kill + 1) / kills), seen, rng)
        seen.samples.clear()
        sitting(root, each, None, seen, rng)
        seconds = time.perf_counter() - began
        got = [image.file_name for image in load_dataset(root / "made").images]
        files = counted(root / "made" / "images")
    return {
        "asked": len(asked),
        "in_the_data_set": len(got),
        "files": files,
        "lost": len(set(asked) - set(got)),
        "doubled": len(got) - len(set(got)),
        "kills": kills,
        "made_again": seen.again,
        "under_way_at_most": max(seen.under_way, default=0),
        "seconds": round(seconds, 1),
        **used(seen, 2 * each),
    }


def used(seen: Seen, count: int) -> dict[str, object]:
    """Memory and open files of the last sitting: after a tenth of its photographs, and at the last tenth."""
    tenth = count // 20
    parts = [
        [row for row in seen.samples if start <= row[0] < start + tenth and row[0] < count]
        for start in (count // 2 + tenth, count - tenth)
    ]
    kib = [sorted(row[1] for row in rows)[len(rows) // 2] for rows in parts]
    return {
        "mib": [round(value / 1024, 1) for value in kib],
        "growth": round(kib[1] / kib[0] - 1, 4),
        "open_files": [max(row[2] for row in rows) for rows in parts],
        "mib_at_most": round(max(row[1] for row in seen.samples) / 1024, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--kills", type=int, default=20)
    asked = parser.parse_args()
    result = soak(asked.count, asked.kills)
    sys.stdout.write(json.dumps(result) + "\n")
    return 1 if result["lost"] or result["doubled"] or result["made_again"] else 0


if __name__ == "__main__":
    sys.exit(main())
