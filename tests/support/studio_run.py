"""A real studio on a run folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rating_run import Running, served


def start_studio(run: Path, port: int = 0) -> Running:
    """``anomaly-gan studio RUN``; ready when this returns."""
    return served([sys.executable, "-m", "anomaly_gan", "studio", str(run), "--set", f"port={port}"])


def decisions(run: Path) -> list[dict[str, Any]]:
    """What the export would read."""
    path = run / "review" / "decisions.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.is_file() else []
