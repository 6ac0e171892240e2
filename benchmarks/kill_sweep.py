"""kill -9 before the I/O events of every stage of a small run, and the same bytes after the same command again.

    make kill-sweep                                        # every 10th event, and every one of the first and last
    .venv/bin/python benchmarks/kill_sweep.py --every 1 ingest pool      # every event of two stages

The run is the embedded sample set in its shortest form with a label check and a one-class detector. Each stage is done
in a fork that ends itself before its k-th call that changes a file system (``tests/support/kills.py``); then it is
done again, and the folder must hold the bytes of the undisturbed stage and no leftovers. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import sys
import time
from importlib import import_module
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from kills import in_fork, in_memory, sweep

from anomaly_gan.core.resources import PACKAGE
from anomaly_gan.pipeline.config import read_run_config
from anomaly_gan.pipeline.plan import Step, plan
from anomaly_gan.pipeline.run import outside_keys, run_step

SETTINGS = [
    "preset=smoke",
    "pool.count=6",
    "generate.count=3",
    "gate.certificate=true",
    "gate.repeats=2",
    "certify.steps=4",
    "compare.arms=[none,copy_paste,anomaly_gan]",
    "one_class.detectors=[knn]",
    "device=cpu",
]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("stages", nargs="*", help="stages to sweep; default all")
    parser.add_argument("--every", type=int, default=10, help="try every N-th event (and the first 12 and last 6)")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    asked = parser.parse_args()
    config = read_run_config(PACKAGE / "configs" / "demo.yaml", SETTINGS + asked.settings)
    failed = 0
    with in_memory() as memory:
        base, number = memory / "base", itertools.count()
        base.mkdir()
        for step in plan(config):
            import_module(step.stage.function.partition(":")[0])
            outside = outside_keys(step)

            def fresh() -> Path:
                folder = memory / f"try-{next(number)}"
                for old in memory.glob("try-*"):
                    shutil.rmtree(old)
                shutil.copytree(base, folder, copy_function=os.link)
                return folder

            def work(run: Path, step: Step = step, outside: dict[str, str] = outside) -> bool:
                return run_step(config, run, step, outside)

            if not asked.stages or step.stage.name in asked.stages or step.name in asked.stages:
                failed += _report(step, work, fresh, asked.every)
            code, _ = in_fork(lambda work=work: work(base), base)  # type: ignore[misc]
            if code:
                say(f"{step.name}: exit code {code}")
                return 1
    return 1 if failed else 0


def _report(step: Step, work, fresh, every: int) -> int:
    tried = [0, 0]

    def wanted(at: int, events: int) -> bool:
        take = at <= 12 or at > events - 6 or at % every == 0
        tried[0], tried[1] = tried[0] + take, events
        return take

    began = time.monotonic()
    found = sweep(work, fresh, wanted)
    say(f"{step.name}: {tried[0]} of {tried[1]} events, {len(found)} failed, {time.monotonic() - began:.0f} s")
    for line in found:
        say(f"  {line}")
    return len(found)


if __name__ == "__main__":
    sys.exit(main())
