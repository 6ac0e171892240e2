"""Every verb twice, under other circumstances, and the same bytes: another folder, user's home, time zone, language,
hash seed and working directory, and a source whose files were written in another order.

    .venv/bin/python benchmarks/bit_for_bit.py

Every verb works on little data and small nets (``tests/support/small_verbs.py``). Exit code 1 where a file differs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1] / "tests" / "support"))

from kills import tree  # noqa: E402
from small_verbs import small_verbs, warm, write_source  # noqa: E402

CIRCUMSTANCES = (
    {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "0"},
    {"TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "4711", "LOGNAME": "somebody"},
)


def once(folder: Path, backwards: bool) -> None:
    """All verbs in ``folder``; prints what they leave as one line of JSON."""
    source = write_source(folder / "in" / "source")
    if backwards:
        shutil.copytree(source, folder / "first")
        shutil.rmtree(source)
        for path in sorted((folder / "first").rglob("*"), reverse=True):
            if path.is_file():
                target = source / path.relative_to(folder / "first")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    warm(source)
    home = folder / "base"
    home.mkdir()
    for verb in small_verbs(source):
        if verb.keeps:
            verb.work(home)
    sys.stdout.write("\n" + json.dumps(tree(home)) + "\n")


def main() -> int:
    found = []
    with tempfile.TemporaryDirectory() as name:
        for number, told in enumerate(CIRCUMSTANCES):
            folder = Path(name, f"place {number}" * (number + 1))
            (folder / "home").mkdir(parents=True)
            around = {**os.environ, **told, "HOME": str(folder / "home")}
            command = [sys.executable, str(HERE), str(folder), str(number)]
            done = subprocess.run(command, cwd=folder, env=around, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr[-3000:])
            found.append(json.loads(done.stdout.splitlines()[-1]))
    first, second = found
    unlike = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    sys.stdout.write(f"{len(first)} files, {len(unlike)} unlike: {', '.join(unlike[:9])}\n")
    return 1 if unlike else 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        once(Path(sys.argv[1]), sys.argv[2] == "1")
    else:
        sys.exit(main())
