"""How the generator was trained: loss curves and its last samples."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..charts import loss_curves
from ..config import ReportConfig
from ..folders import Run, StageFolder
from ..pictures import Album, Picture, load_file
from ..tables import evenly, metric_tables, table

POINTS = 1500
WIDEST_SHEET_PX = 1400


def build(run: Run, album: Album, config: ReportConfig) -> list[dict[str, object]]:
    """One entry per trained method."""
    found = []
    for method in run.methods("train"):
        stage = run.stages[f"train@{method}"]
        found.append(
            {
                "method": method,
                "curves": curves(stage, album, "losses.csv", "loss terms"),
                "quality": curves(stage, album, "quality.csv", "distance of painted to real defects"),
                "last_step": last_step(stage),
                "sample": last_sample(stage, album),
                **features(run, method, album),
                "metrics": metric_tables(stage.metrics),
            }
        )
    return found


def last_step(stage: StageFolder) -> int | None:
    rows = stage.table("losses.csv")
    value = number(rows[-1].get("step", "")) if rows else math.nan
    return int(value) if math.isfinite(value) else None


def curves(stage: StageFolder, album: Album, file: str, what: str) -> Picture | None:
    """The columns of a CSV over its steps, or None where there is none."""
    rows = evenly(stage.table(file), POINTS)
    if not rows:
        return None
    names = [name for name in rows[0] if name and name != "step"]
    terms = {name: [number(row.get(name, "")) for row in rows] for name in names}
    # a curve needs two points: what was logged once is a figure, and stands in the table
    drawn = {name: values for name, values in terms.items() if sum(map(math.isfinite, values)) > 1}
    if not drawn:
        return None
    content, width, height = loss_curves([number(row.get("step", "")) for row in rows], drawn)
    return album.file_png(content, width, height, f"{what} over training steps: " + ", ".join(drawn))


def last_sample(stage: StageFolder, album: Album) -> Picture | None:
    """The last sample sheet that training wrote."""
    files = stage.files("samples/*.png")
    pixels = load_file(files[-1]) if files else None
    if pixels is None or max(pixels.shape[:2]) > 4 * WIDEST_SHEET_PX:
        return None
    return album.photo(pixels, f"samples of the last sheet, {files[-1].stem}")


def features(run: Run, method: str, album: Album) -> dict[str, object]:
    """The figure of features over training and its distances, where the run has them."""
    stage = run.get(f"features@{method}")
    pixels = load_file(stage.folder / "features.png") if stage else None
    if stage is None or pixels is None:
        return {"features": None, "distances": None}
    scale = min(1.0, WIDEST_SHEET_PX / pixels.shape[1])
    picture = album.file_png(
        (stage.folder / "features.png").read_bytes(),
        round(pixels.shape[1] * scale),
        round(pixels.shape[0] * scale),
        f"crops of {method} at several steps beside real ones",
    )
    rows = [
        [row["category"], row["step"] or "normal places", row["n"], spread(row), spread(row, "real_"), row["diversity"]]
        for row in stage.table("features.csv")
    ]
    name = stage.metrics.get("kernel") or "distance"
    return {
        "features": picture,
        "distances": table(
            ["category", "step", "N", f"{name} to real", "real to real of other objects", "diversity over real"], rows
        ),
    }


def spread(row: Mapping[str, str], prefix: str = "") -> str | None:
    """``mean [p05, p95]`` of a row of ``features.csv``."""
    mean, low, high = (number(row.get(f"{prefix}{name}", "")) for name in ("mean", "p05", "p95"))
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]" if math.isfinite(mean) else None


def number(text: str) -> float:
    """The number in a CSV cell; NaN where there is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
