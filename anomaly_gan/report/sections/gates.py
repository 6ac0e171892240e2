"""What the gate measured, accepted and refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...core.files import write_bytes
from ..charts import histograms
from ..config import ReportConfig
from ..folders import Run
from ..pictures import Album, Picture, cut, load_below, native_window, outlined, union_mask
from ..tables import Table, evenly, figure, metric_tables, table
from .decisions import Refused, read_decisions


def build(run: Run, album: Album, config: ReportConfig) -> list[dict[str, object]]:
    """One entry per gated method."""
    found = []
    for method in run.methods("gate"):
        stage = run.stages[f"gate@{method}"]
        decisions, drawn = read_decisions(stage), label_check_histogram(run, method, config)
        found.append(
            {
                "method": method,
                "verdict": stage.metrics.get("verdict"),
                "counts": count_table(stage.metrics),
                "verdicts": verdict_table(stage.metrics),
                "figures": figure_table(stage.metrics),
                "probes": probe_table(stage.metrics),
                "label_check": label_check_table(stage.metrics),
                "histogram": album.file_png(*drawn, f"label checks of {method} and of real defects") if drawn else None,
                "reasons": decisions.reasons(),
                "refused": refused_pictures(run, method, decisions.refused, album, config),
                "metrics": metric_tables(stage.metrics),
            }
        )
    return found


def probe_table(metrics: Mapping[str, Any]) -> Table | None:
    """What probes tell apart, with intervals over objects: generated from real ones, pasted texture from untouched."""
    rows = []
    for name, row in categories_of(metrics).items():
        found = row.get("metrics")
        both = [told(found.get(key)) for key in ("two_sample", "artefact")] if isinstance(found, Mapping) else []
        if any(both):
            rows.append([name, *both])
    heads = ["category", "generated from real ones", "pasted sound texture from untouched"]
    return table(heads, rows) if rows else None


def told(metric: Any) -> str | None:
    """``0.62 (0.50 to 0.74)``; None where it was not measured."""
    if not isinstance(metric, Mapping) or metric.get("value") is None:
        return None
    low, high = (metric.get("detail", {}).get(key) for key in ("low", "high"))
    words = figure(metric["value"])
    return words if low is None or high is None else f"{words} ({figure(low)} to {figure(high)})"


def label_check_table(metrics: Mapping[str, Any]) -> Table | None:
    """The label check beside that of real defects by segmenters that had not seen them; seams; copies."""
    rows = []
    for name, row in categories_of(metrics).items():
        found, seam, copies = (row.get(key) for key in ("label_check", "seam", "copies"))
        # a gate without the label check has none of the three
        if isinstance(found, Mapping) and isinstance(seam, Mapping) and isinstance(copies, Mapping):
            rows.append(
                [
                    name,
                    *(
                        found.get(key)
                        for key in (
                            "median",
                            "median_at_first",
                            "real_median",
                            "difference",
                            "empty_share",
                            "real_empty_share",
                        )
                    ),
                    seam.get("median"),
                    seam.get("real_median"),
                    copies.get("share"),
                ]
            )
    heads = [
        "category",
        "IoU of the label",
        "before refusals",
        "real defects",
        "difference",
        "empty at first",
        "real ones missed",
        "seam",
        "seam of real ones",
        "copies at first",
    ]
    return table(heads, rows) if rows else None


def label_check_histogram(run: Run, method: str, config: ReportConfig) -> tuple[bytes, int, int] | None:
    """IoU of the labels of the accepted instances and of all first attempts beside those of real defects by segmenters
    that had not seen their objects, a panel per category; None where the gate asked for none."""
    checked = run.get("label_check")
    accepted: dict[str, list[float]] = {}
    first: dict[str, list[float]] = {}
    for row in run.stages[f"gate@{method}"].json_lines("decisions.jsonl"):
        measures = row.get("measures")
        values = measures.get("label_ious") if isinstance(measures, dict) else None
        if not isinstance(values, list):
            continue
        name = str(row.get("pool_item")).partition("/")[0]
        if row.get("accepted") is True:
            accepted.setdefault(name, []).extend(map(float, values))
        if not row.get("attempt") and not row.get("spare"):
            first.setdefault(name, []).extend(map(float, values))
    names = [name for name in dict.fromkeys([*first, *accepted]) if first.get(name) or accepted.get(name)]
    names = names[: config.categories]
    if checked is None or not names:
        return None
    real: dict[str, list[float]] = {}
    for row in checked.json_lines("reference.jsonl"):
        iou = row.get("iou")
        real.setdefault(str(row.get("category")), []).append(iou if isinstance(iou, float) else 0.0)
    return histograms(
        {
            name: {"accepted": accepted.get(name, []), "real": real.get(name, []), "first attempt": first.get(name, [])}
            for name in names
        },
        "label check (IoU)",
    )


def write_histograms(run: Run, config: ReportConfig, out: Path) -> list[str]:
    """Write ``label_check@METHOD.png`` per method whose gate asked for label checks. Returns the file names."""
    names = []
    for method in run.methods("gate"):
        drawn = label_check_histogram(run, method, config)
        if drawn is not None:
            names.append(f"label_check@{method}.png")
            write_bytes(out / names[-1], drawn[0])
    return names


def categories_of(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = metrics.get("categories")
    rows = found.items() if isinstance(found, dict) else ()
    return {str(name): row for name, row in rows if isinstance(row, Mapping)}


def verdict_table(metrics: Mapping[str, Any]) -> Table | None:
    """The gate's own verdict on every category; a category without a verdict has not passed."""
    rows = [[name, row.get("verdict") or "none", row.get("sentence")] for name, row in categories_of(metrics).items()]
    return table(["category", "verdict", "why"], rows) if rows else None


def figure_table(metrics: Mapping[str, Any]) -> Table | None:
    """Every figure under its stored name, generated beside real against real at the same number of photographs."""
    rows = [
        [name, view, label, value(entry.get("generated")), value(entry.get("real")), entry.get("ratio"), number]
        for name, row in categories_of(metrics).items()
        for view, figures in views_of(row)
        for number in [figures.get("n")]
        for label, entry in metrics_of(figures)
    ]
    return (
        table(["category", "looked at", "figure", "generated", "real against real (reference)", "ratio", "N"], rows)
        if rows
        else None
    )


def views_of(row: Mapping[str, Any], name: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The mappings below ``row`` that hold figures of one way of looking (whole photographs, crops)."""
    for key, item in row.items():
        if isinstance(item, Mapping):
            if "n" in item and "real" in item:
                yield str(key), item
            else:
                yield from views_of(item, str(key))


def metrics_of(view: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(name, {generated, real, ratio}) of every figure in a view."""
    for key, item in view.items():
        if isinstance(item, Mapping):
            label = f"{prefix} {key}".strip().replace("_", " ") if prefix else str(key)
            if "generated" in item:
                yield label, item
            else:
                yield from metrics_of(item, label)


def value(entry: Any) -> Any:
    """``mean (p05 – p95)`` of a summarised figure, or the figure itself."""
    if not isinstance(entry, Mapping):
        return entry
    mean, low, high = entry.get("mean"), entry.get("p05"), entry.get("p95")
    return figure(mean) if low is None or high is None else f"{figure(mean)} ({figure(low)} – {figure(high)})"


def count_table(metrics: Mapping[str, Any]) -> Table | None:
    """What was wanted, tried, accepted and refused."""
    shown = ("wanted", "tried", "accepted", "accepted_from_spares", "rejected", "shortfall")
    rows = [[name, *(row.get(key) for key in shown)] for name, row in categories_of(metrics).items()]
    return table(["category", *(key.replace("_", " ") for key in shown)], rows) if rows else None


def refused_pictures(
    run: Run, method: str, refused: list[Refused], album: Album, config: ReportConfig
) -> list[tuple[str, Picture | None]]:
    """Some refused candidates, evenly spaced, outlined where their mask is known, each with the reason."""
    gate, made = run.stages[f"gate@{method}"], run.get(f"generate@{method}")
    dataset = made.dataset() if made else None
    annotations = dataset.by_image() if dataset else {}
    masks_of = {image.file_name: annotations.get(image.id, []) for image in dataset.images} if dataset else {}
    found = []
    for item in evenly([item for item in refused if item.file], 2 * config.rows):
        pixels = load_below(gate.folder, str(item.file))
        if pixels is not None:
            mask = union_mask(masks_of.get(item.pool_item, []), *pixels.shape[:2])
            window = native_window(mask, config.cell_px)
            shown = outlined(cut(pixels, window), cut(mask, window), config.cell_px)
            found.append((item.reason, album.photo(shown, f"refused {item.pool_item}")))
    return found
