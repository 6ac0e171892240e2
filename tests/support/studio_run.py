"""A real studio on a run folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rating_run import Running


def start_studio(run: Path, port: int = 0) -> Running:
    """``anomaly-gan studio RUN``; ready when this returns."""
    process = subprocess.Popen(
        [sys.executable, "-m", "anomaly_gan", "studio", str(run), "--set", f"port={port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "http://" in line:
            return Running(process, line[line.index("http://") :].strip())
    raise AssertionError(process.communicate()[1])


def decisions(run: Path) -> list[dict[str, Any]]:
    """What the export would read."""
    path = run / "review" / "decisions.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.is_file() else []
