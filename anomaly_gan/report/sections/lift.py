"""The headline: did the detector get better, said in one plain sentence."""

from __future__ import annotations

from typing import Any

from ..config import ReportConfig
from ..folders import Run, StageFolder
from ..pictures import Album, Picture, load_file
from ..tables import metric_tables, table


def build(run: Run, album: Album, config: ReportConfig) -> dict[str, Any] | None:
    stage = run.get("compare")
    if stage is None:
        return None
    summary = stage.json("summary.json")
    rows = stage.table("table.csv")
    return {
        "sentence": summary.get("sentence"),
        "chart": chart(stage, album),
        "table": table(list(rows[0]), [list(row.values()) for row in rows]) if rows else None,
        "metrics": metric_tables(summary) + metric_tables(stage.metrics),
    }


def chart(stage: StageFolder, album: Album) -> Picture | None:
    pixels = load_file(stage.folder / "lift.png")
    if pixels is None:
        return None
    scale = min(1.0, 860 / pixels.shape[1])
    return album.file_png((stage.folder / "lift.png").read_bytes(), round(pixels.shape[1] * scale),
                          round(pixels.shape[0] * scale), "lift of each arm over real photographs alone")
