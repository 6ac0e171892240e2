"""The page of a benchmark: figures beside the paper's, ROC curves, and the worst mistakes. One file, no JavaScript."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from anomaly_gan.core.files import write_text
from anomaly_gan.core.images import encode_png

from ..registry import one_class
from .config import BenchmarkConfig
from .metrics import roc_points
from .published import Row, Table, tables_for
from .result import CellResult
from .summary import AVERAGE, METRICS, MeanStd
from .summary import Row as Averaged

TITLES = {"auroc": "AUROC", "aupr_in": "AUPR-in", "aupr_out": "AUPR-out", "f1": "F1"}
COLUMNS = 5
Scored = dict[str, np.ndarray]


def write_report(
    path: Path,
    config: BenchmarkConfig,
    results: Sequence[CellResult],
    folders: Sequence[Path],
    summary: Sequence[Averaged],
) -> None:
    """``results`` and ``folders`` go together, cell by cell. The same cells give the same bytes."""
    from jinja2 import Environment, PackageLoader

    page = Environment(loader=PackageLoader(__package__, "templates"), autoescape=True)
    normals = {_plain(row.normal) for row in summary}
    split, tables = results[0].split, tables_for(config.dataset, config.detector)
    scored = [read_scores(folder / "scores.npz") for folder in folders]
    columns = _paper_columns(tables, config.detector, split, normals)
    # sheets of one seed: those of the others show the same photographs
    first = min(row.cell.seed for row in results)
    write_text(
        path,
        page.get_template("benchmark.html").render(
            detector=config.detector,
            dataset=config.dataset,
            protocol=config.protocol,
            split=split,
            published=config.protocol == "as_published",
            left_out=split == "leave_one_out",
            leaks=_leaks(config, split),
            sizes=_sizes(results, config, split),
            metrics=[TITLES[name] for name in METRICS],
            tables=tables,
            paper_columns=[{"label": label, "source": table.source} for table, label, _ in columns],
            rows=[
                {
                    "normal": row.normal,
                    "average": row.normal.startswith(AVERAGE),
                    "figures": [_shown(row.metrics[name]) for name in METRICS],
                    "paper": [_paper_value(table, line, row.normal, normals) for table, _, line in columns],
                }
                for row in summary
            ],
            seeds=len({row.cell.seed for row in results}),
            roc=_roc(results, scored),
            first_seed=first,
            sheets=[_sheet(row, cell) for row, cell in zip(results, scored, strict=True) if row.cell.seed == first],
        ),
    )


def read_scores(path: Path) -> Scored:
    """What a cell keeps: ``labels``, ``scores``, ``kinds``, ``names``, ``held_out`` and its worst mistakes."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _shown(of: MeanStd) -> str:
    if of.mean is None:
        return "undefined"
    return f"{of.mean:.4f}" if of.std is None else f"{of.mean:.4f} ± {of.std:.4f}"


def _paper_columns(
    tables: Sequence[Table], detector: str, split: str, normals: set[str]
) -> list[tuple[Table, str, Row]]:
    """The paper's own AUROC of this detector, class by class, where it was taken under the same split."""
    return [
        (table, label, row)
        for table in tables
        for label, row in table.rows.items()
        if row.detector == detector
        and table.metric == "AUROC"
        and table.split == split
        and normals & set(table.columns)
    ]


def _plain(normal: str) -> str:
    return normal.removeprefix("not ")


def _paper_value(table: Table, row: Row, normal: str, normals: set[str]) -> str:
    """The average only where all of its classes were run."""
    if normal == AVERAGE:
        return "" if row.average is None or not normals >= set(table.columns) else f"{row.average:.4f}"
    name = _plain(normal)
    return f"{row.values[table.columns.index(name)]:.4f}" if name in table.columns else ""


def _sizes(results: Sequence[CellResult], config: BenchmarkConfig, split: str) -> str:
    def extent(name: str) -> str:
        low, high = (pick(getattr(row, name) for row in results) for pick in (min, max))
        return f"{low:,}" if low == high else f"{low:,} to {high:,}"

    text = (
        f"Split {split}, preset {config.preset}: {extent('n_train')} images to learn from, "
        f"{extent('n_test')} to test, {extent('n_abnormal')} of them abnormal"
    )
    return text + (f"; threshold from {extent('n_held_out')} more." if results[0].n_held_out else ".")


def _leaks(config: BenchmarkConfig, split: str) -> str:
    """The leaks that this run has, in plain words."""
    kind = one_class(config.detector).settings_class()
    said = ["F1 is the best over all thresholds on the test set."]
    if split == "transductive":
        said.insert(0, "The images tested are the images learned from, outliers included.")
    if kind.PICKS_EPOCH:
        said.insert(0, "The epoch with the best AUROC on the test set was kept.")
    if any(kind.published(config.dataset, number) != kind.published(config.dataset, 0) for number in range(1, 10)):
        said.insert(0, "The loss weights were tuned class by class on the test set.")
    said.append("Where the paper's score depends on the whole test set and its order, so does this one.")
    return " ".join(said)


def _roc(results: Sequence[CellResult], scored: Sequence[Scored]) -> str | None:
    """A data URI of one panel a class; None where nothing is defined."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    normals = sorted({(row.cell.number, row.cell.normal) for row in results if row.figures.auroc is not None})
    if not normals:
        return None
    across = min(COLUMNS, len(normals))
    down = -(-len(normals) // across)
    figure = Figure(figsize=(2.4 * across, 2.5 * down), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for place, (_, normal) in enumerate(normals, start=1):
        axes = figure.add_subplot(down, across, place)
        axes.plot([0, 1], [0, 1], color="0.8", linewidth=0.8)
        for row, cell in zip(results, scored, strict=True):
            if row.cell.normal == normal and row.figures.auroc is not None:
                axes.plot(*roc_points(cell["labels"], cell["scores"]), color="#0072b2", linewidth=1, alpha=0.7)
        axes.set_title(normal, fontsize=9, parse_math=False)
        axes.set_aspect("equal")
        axes.tick_params(labelsize=7)
    figure.supxlabel("false alarms among the normal", fontsize=9)
    figure.supylabel("found among the abnormal", fontsize=9)
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return _uri(content.getvalue())


def _sheet(row: CellResult, cell: Scored) -> dict[str, object]:
    parts = []
    for name, title in (("missed", "Abnormal, but looks most normal"), ("alarmed", "Normal, but looks most abnormal")):
        pictures = [
            {
                "uri": _uri(encode_png(_pixels(image))),
                "score": f"{cell['scores'][place]:.4g}",
                "kind": str(cell["names"][cell["kinds"][place]]),
            }
            for place, image in zip(cell[name], cell[f"{name}_NCHW"], strict=True)
        ]
        parts.append({"title": title, "pictures": pictures})
    return {"normal": row.cell.normal, "parts": parts}


def _pixels(image_CHW: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image_CHW[0] if len(image_CHW) == 1 else image_CHW.transpose(1, 2, 0))


def _uri(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
