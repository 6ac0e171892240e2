"""``STUDY/report.html``: what the cells of a study say together, in one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from ..core.files import write_text
from ..report.folders import tidy
from ..report.pictures import Album, Picture, load_file
from ..report.stage import open_templates
from ..report.tables import table
from .config import MAIN, StudyConfig
from .outcome import CellCount, Outcome
from .plan import StudyRun
from .report_tables import (
    ablation_tables,
    amount_tables,
    arm_table,
    category_table,
    comparison_table,
    detector_table,
    gate_figure_tables,
    gate_tables,
    leak_tables,
    run_table,
    split_table,
)
from .statistics import GateFigures, StudySummary
from .statistics.comparisons import NONE, OURS, base_method
from .statistics.summary import NOTES, DetectorSummary
from .worst import Worst
from .worst_sheets import whole

PICTURE_BYTES, QUALITY, WHOLE_BYTES = 6_000_000, 85, 3_000_000
TITLES = {
    "lift.png": "Each arm's difference to none",
    "leak.png": "Random split of photographs against split by objects",
    "gates.png": "Do the gates predict the lift?",
    "amount.png": "How much synthetic, how many real objects",
    "ablations.png": "Each variant of the training against main",
    "quality.png": "Quality of the photographs over the number of real objects",
    "quality_variants.png": "Quality of the photographs of each variant against main",
}


def write_report(
    out: Path,
    study: StudyConfig,
    runs: Sequence[StudyRun],
    outcome: Outcome,
    plots: Sequence[str],
    gate_figures: Sequence[tuple[str, GateFigures]],
    splits: Sequence[Mapping[str, object]],
    worst: Mapping[str, Worst],
) -> None:
    """Write the page from the summary, the gates' figures, the splits, and the plots and failure pictures beside it;
    the same of these, the same bytes.

    Args:
        out: folder to write.
        study: the study.
        runs: its runs.
        outcome: what its cells say.
        plots: names of the plots that were written.
        gate_figures: what the gates measured, each with its variant.
        splits: rows of ``splits.csv``.
        worst: worst failures by file name.
    """
    summary, ablations, quality = outcome.summary, outcome.ablations, outcome.quality
    album = Album(PICTURE_BYTES, QUALITY, WHOLE_BYTES)
    content = {
        "study": study.name,
        "headline": headline(study, summary, outcome.cells),
        "sentences": others(summary),
        "notes": NOTES if summary.detectors else (),
        "banners": banners(study, outcome),
        "side_by_side": detector_table(summary),
        "detectors": [detector(name, part) for name, part in summary.detectors.items()],
        "plots": [(TITLES[name], picture) for name in plots if (picture := plot(out / name, album)) is not None],
        "failures": table(
            ["run", "what", "message"], [[row["run"], row["what"], row["message"]] for row in outcome.failures]
        ),
        "gates": gate_figure_tables(study, gate_figures),
        "worst": [
            (one.sentence(), one.detector, sheet(out / name, one, album), photographs(one, album))
            for name, one in worst.items()
        ],
        "quality": [(quality.sentences, ablation_tables(quality))] if quality else [],
        "ablations": ablations,
        "ablation_tables": ablation_tables(ablations) if ablations else [],
        "splits": split_table(splits),
        "runs": run_table(runs, outcome.cells),
        "settings": settings(study, runs),
        "left_out": album.left_out,
    }
    write_text(out / "report.html", open_templates().get_template("study.html").render(content))


def headline(study: StudyConfig, summary: StudySummary, cells: CellCount) -> str:
    """The one sentence on top: the best of our arms against ``none`` with the first detector, which need not be the
    one that flatters most; else how far the study is."""
    told = _sentences(summary)
    if not cells.expected:
        return f"Runs up to the stage {study.until}: no detector was to be trained"
    if not told:
        return f"{cells.finished} of {cells.expected} cells are finished; nothing can be compared yet"
    return told[0]


def others(summary: StudySummary) -> list[str]:
    """The sentences of all other comparisons."""
    return _sentences(summary)[1:]


def _sentences(summary: StudySummary) -> list[str]:
    """Every comparison's, the headline's first, each with its detector where there are several."""
    rows = {name: part.first for name, part in summary.detectors.items()}
    over_none = [row for row in next(filter(None, rows.values()), []) if row.kind == NONE]
    ours = [row for row in over_none if base_method(row.arm) in OURS]
    best = max(ours or over_none, key=lambda row: row.made.interval.mean, default=None)
    told = [(name, row) for name, of in rows.items() for row in of]
    return [
        row.sentence() if len(rows) == 1 else f"{name}: {row.sentence()}"
        for name, row in sorted(told, key=lambda item: item[1] is not best)
    ]


def banners(study: StudyConfig, outcome: Outcome) -> list[dict[str, str]]:
    """What a reader must know before the figures."""
    cells, result = outcome.cells, []
    if cells.finished < cells.expected:
        result.append(
            {
                "title": "Unfinished study.",
                "text": f"{cells.finished} of {cells.expected} cells are "
                "there; every figure below is of those. The same command goes on.",
            }
        )
    if cells.made_under_other_settings:
        result.append(
            {
                "title": "Left out.",
                "text": f"{cells.made_under_other_settings} finished cells were made "
                "under other settings than the present ones and are not counted.",
            }
        )
    if outcome.failures:
        result.append(
            {
                "title": "Failures.",
                "text": f"{len(outcome.failures)} stages or cells failed; they are "
                "listed at the end, and what needs them is missing.",
            }
        )
    # whoever reads one table alone must see that its split leaks
    leaky = [name for name, over in study.variants.items() if (over.get("data") or {}).get("split") == "images"]
    if leaky:
        result.append(
            {
                "title": "A leak on purpose.",
                "text": f"The variant {', '.join(leaky)} deals out photographs, "
                "not objects: its test photographs show objects of the training split. It is here only to "
                "measure how much that flatters.",
            }
        )
    return result


def detector(name: str, part: DetectorSummary) -> dict[str, object]:
    """The tables of one detector."""
    size = part.sample_size
    sections = [
        ("What leakage is worth", part.leak, leak_tables(part.leak) if part.leak else []),
        ("Gated against ungated", part.ungated, []),
        ("Do the gates predict?", part.gates, gate_tables(part.gates) if part.gates else []),
        ("How much?", part.amount, amount_tables(part.amount) if part.amount else []),
    ]
    return {
        "name": name,
        "arms": arm_table(part.main, "All arms, split by objects"),
        "categories": category_table(part.main.arms),
        "variants": [
            {"name": variant, "arms": arm_table(of, f"Variant {variant}")} for variant, of in part.variants.items()
        ],
        "comparisons": comparison_table(part.main.comparisons),
        "repeats": [
            (arm_table(of, f"{variant}, all repeats"), comparison_table(of.comparisons, "repeat"))
            for variant, of in part.repeats.items()
        ],
        "sections": [(title, of.sentences, tables) for title, of, tables in sections if of],
        "sample_size": size.sentence() if size else None,
    }


def plot(path: Path, album: Album) -> Picture | None:
    pixels = load_file(path)
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    return album.file_png(path.read_bytes(), width * 96 // 120, height * 96 // 120, TITLES[path.name])


def sheet(path: Path, worst: Worst, album: Album) -> Picture | None:
    pixels = load_file(path)
    return None if pixels is None else album.photo(pixels, f"where {worst.arm} loses most against none")


def photographs(worst: Worst, album: Album) -> list[Picture]:
    """The whole photographs behind the sheet of an arm, in its order, as far as there is room."""
    found = []
    for loss in worst.losses:
        pixels = whole(loss, worst.arm)
        words = f"{loss.kind} of {worst.arm}: {loss.image.file_name}"
        picture = album.whole(pixels, words) if pixels is not None else None
        found += [picture] if picture else []
    return found


def settings(study: StudyConfig, runs: Sequence[StudyRun]) -> str:
    """The study and the resolved configuration of its first run, for repeating it."""
    first = next((run for run in runs if run.variant == MAIN), runs[0])
    content = {"study": study.model_dump(mode="json"), "main": first.config.model_dump(mode="json")}
    return yaml.safe_dump(tidy(content), sort_keys=False, allow_unicode=True)
