"""``STUDY/report.html``: what the cells of a study say together, in one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from detection.figures import mean_figure

from ..core.files import write_text
from ..report.folders import tidy
from ..report.pictures import Album, Picture, load_file
from ..report.stage import open_templates
from ..report.tables import Table, table
from .config import MAIN, StudyConfig
from .plan import StudyRun
from .splits import SPLIT_COLUMNS, told_rows
from .statistics.comparisons import OURS, base_method, main_comparisons
from .statistics.switches import AIMS
from .worst import Worst

PICTURE_BYTES, QUALITY = 6_000_000, 85
TITLES = {"lift.png": "Each arm's difference to none",
          "leak.png": "Random split of photographs against split by objects",
          "gates.png": "Do the gates predict the lift?",
          "amount.png": "How much synthetic, how many real objects",
          "switches.png": "Each variant of the training against main",
          "quality.png": "Quality of the photographs over the number of real objects",
          "quality_variants.png": "Quality of the photographs of each variant against main"}
GATE_PLACE = ("variant", "arm", "fold", "category")
METRICS = {"map50": "AP@0.5", "map": "COCO mAP", "miou": "mIoU"}


def write_report(out: Path, study: StudyConfig, runs: Sequence[StudyRun], summary: Mapping[str, Any],
                 plots: Sequence[str], gate_figures: Sequence[Mapping[str, Any]],
                 splits: Sequence[Mapping[str, Any]], worst: Mapping[str, Worst]) -> None:
    """Write the page from the summary, the gates' figures, the splits, and the plots and failure pictures beside it;
    the same of these, the same bytes."""
    album = Album(PICTURE_BYTES, QUALITY)
    content = {
        "study": study.name, "headline": headline(study, summary), "sentences": others(summary),
        "notes": summary["notes"] if summary["detectors"] else (), "banners": banners(study, summary),
        "detectors": [detector(name, part) for name, part in summary["detectors"].items()],
        "plots": [(TITLES[name], picture) for name in plots if (picture := plot(out / name, album)) is not None],
        "failures": table(["run", "what", "message"], [[row["run"], row["what"], row["message"]]
                                                       for row in summary["failures"]]),
        "gates": gate_figure_tables(study, gate_figures),
        "worst": [(one.sentence(), one.detector, sheet(out / name, one, album)) for name, one in worst.items()],
        "quality": [(part["sentences"], switch_tables(part)) for part in (summary.get("quality"),) if part],
        "switches": summary.get("switches"), "switch_tables": switch_tables(summary.get("switches") or {"arms": {}}),
        "splits": split_table(splits), "runs": run_table(runs, summary), "settings": settings(study, runs),
        "left_out": album.left_out,
    }
    write_text(out / "report.html", open_templates().get_template("study.html").render(content))


def headline(study: StudyConfig, summary: Mapping[str, Any]) -> str:
    """The one sentence on top: the best of our arms against ``none``, else how far the study is."""
    cells = summary["cells"]
    row = _first(summary)
    if not cells["expected"]:
        return f"Runs up to the stage {study.until}: no detector was to be trained"
    if row is None:
        return f"{cells['finished']} of {cells['expected']} cells are finished; nothing can be compared yet"
    return str(row["sentence"])


def others(summary: Mapping[str, Any]) -> list[str]:
    """The sentences of all other comparisons, with their detector where there are several."""
    first, parts = _first(summary), summary["detectors"]
    return [row["sentence"] if len(parts) == 1 else f"{name}: {row['sentence']}"
            for name, part in parts.items() for row in main_comparisons(part) if row is not first]


def _first(summary: Mapping[str, Any]) -> Mapping[str, Any] | None:
    rows = [row for part in summary["detectors"].values() for row in main_comparisons(part) if row["kind"] == "none"]
    ours = [row for row in rows if base_method(row["arm"]) in OURS]
    return max(ours or rows, key=lambda row: row["mean"], default=None)


def banners(study: StudyConfig, summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """What a reader must know before the figures."""
    cells, result = summary["cells"], []
    if cells["finished"] < cells["expected"]:
        result.append({"title": "Unfinished study.", "text": f"{cells['finished']} of {cells['expected']} cells are "
                       "there; every figure below is of those. The same command goes on."})
    if cells["made_under_other_settings"]:
        result.append({"title": "Left out.", "text": f"{cells['made_under_other_settings']} finished cells were made "
                       "under other settings than the present ones and are not counted."})
    if summary["failures"]:
        result.append({"title": "Failures.", "text": f"{len(summary['failures'])} stages or cells failed; they are "
                       "listed at the end, and what needs them is missing."})
    leaky = [name for name, over in study.variants.items() if (over.get("data") or {}).get("split") == "images"]
    if leaky:
        result.append({"title": "A leak on purpose.", "text": f"The variant {', '.join(leaky)} deals out photographs, "
                       "not objects: its test photographs show objects of the training split. It is here only to "
                       "measure how much that flatters."})
    return result


def detector(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of one detector."""
    variants = [{"name": variant, "arms": arm_table(of, f"Variant {variant}")}
                for variant, of in part["variants"].items()]
    return {"name": name, "arms": arm_table(part, "All arms, split by objects"),
            "categories": category_table(part["arms"], part["order"]), "variants": variants,
            "comparisons": comparison_table(part["comparisons"]),
            "repeats": [(arm_table(of, f"{variant}, all repeats"), comparison_table(of["comparisons"], "repeat"))
                        for variant, of in part["repeats"].items()],
            "sections": [(title, part[key]["sentences"], tables(part[key])) for key, title, tables in (
                ("leak", "What leakage is worth", leak_tables), ("ungated", "Gated against ungated", lambda _: []),
                ("gates", "Do the gates predict?", gate_tables), ("amount", "How much?", amount_tables)) if part[key]],
            "sample_size": part["sample_size"]["sentence"] if part["sample_size"] else None}


def arm_table(part: Mapping[str, Any], title: str) -> Table:
    """Mean and interval of every figure, the difference to ``none``, and how many cells stand behind it."""
    lifts = {row["arm"]: row for row in part["comparisons"] if row["kind"] == "none"}
    rows = []
    for arm in part["order"]:
        item, lift = part["arms"][arm], lifts.get(arm)
        rows.append([arm, item["cells"], *(spread(item.get(metric)) for metric in METRICS),
                     *([spread(lift, sign=True), lift["verdict"] if lift else None] if lifts else [])])
    more = ["AP@0.5 over none", "verdict"] if lifts else []
    return table(["arm", "cells", *METRICS.values(), *more], rows, title)


def category_table(arms: Mapping[str, Any], order: Sequence[str]) -> Table:
    names = sorted({name for item in arms.values() for name in item["categories"]})
    return table(["arm", *names], [[arm, *(spread(arms[arm]["categories"].get(name)) for name in names)]
                                   for arm in order], "AP@0.5 per category")


def comparison_table(rows: Sequence[Mapping[str, Any]], counted: str = "seed") -> Table:
    return table(["arm", "against", "AP@0.5", f"over {counted}s alone", "p", "verdict", "corrected", "pairs",
                  "objects"],
                 [[row["arm"], row["against"], spread(row, sign=True), spread(row["over_seeds"], sign=True), row["p"],
                   row["verdict"], row["verdict_holm"], row["cells"], row["objects"]] for row in rows],
                 f"Every comparison, paired by fold and {counted}")


def gate_figure_tables(study: StudyConfig, rows: Sequence[Mapping[str, Any]]) -> list[Table]:
    """What the gates measured: per variant and arm, the mean over categories and folds of every figure."""
    result = []
    for variant in study.variant_names():
        own = [row for row in rows if row["variant"] == variant]
        names = list(dict.fromkeys(name for row in own for name in row if name not in GATE_PLACE))
        arms = sorted({row["arm"] for row in own})
        lines = [[arm, *(mean_figure(row.get(name) for row in own if row["arm"] == arm) for name in names)]
                 for arm in arms]
        if lines:
            result.append(table(["arm", *names], lines, variant))
    return result


def leak_tables(part: Mapping[str, Any]) -> list[Table]:
    return [table(["arm", "by objects", "by photographs", "leakage is worth"],
                  [[arm, spread(row["by_objects"]), spread(row["by_images"]), spread(row["gap"], sign=True)]
                   for arm, row in part["arms"].items()], "AP@0.5 under both splits")]


def gate_tables(part: Mapping[str, Any]) -> list[Table]:
    return [table(["gate", "between", "rank correlation with the lift", "predicts", "points", "remark"],
                  [[row["gate"], row["level"], spread({**row, "mean": row["rho"]}, sign=True), row["predicts"],
                    row["points"], row.get("reason")] for row in part["rows"]], "Every gate")]


def amount_tables(part: Mapping[str, Any]) -> list[Table]:
    shown = {"amounts": ("real times", "real_times", "synthetic per real", "per_real", "Amounts (Table 6)"),
             "objects": ("real objects per category", "objects", "real times", "real_times", "Real objects (Fig. 11)")}
    return [table(["variant", "arm", head, second, "AP@0.5", "over none", "verdict"],
                  [[row["variant"], row["arm"], row[key], row[other], spread(row["map50"]),
                    spread(row["lift"], sign=True), (row["lift"] or {}).get("verdict")] for row in part[name]], title)
            for name, (head, key, second, other, title) in shown.items() if part[name]]


def switch_tables(part: Mapping[str, Any]) -> list[Table]:
    """Per arm: every variant's figures, and its differences to main with their verdicts; * marks the primary ones."""
    tables = []
    for arm, of in part["arms"].items():
        aims = [aim for aim in AIMS if any(aim.name in row["figures"] for row in of["variants"])]
        titles = [aim.title + (" *" if aim.primary else "") for aim in aims]
        levels = [[row["variant"], row["changed"], row["trainings"], row["verdict"], row["verdict_holm"],
                   *(spread((row["figures"].get(aim.name) or {}).get("level")) for aim in aims)]
                  for row in of["variants"]]
        changes = [[row["variant"], *(switch_change(row["figures"].get(aim.name)) for aim in aims)]
                   for row in of["variants"] if row["variant"] != MAIN]
        tables += [table(["variant", "what it changes", "trainings", "verdict", "corrected", *titles], levels,
                         f"{arm}: every variant"),
                   table(["variant", *titles], changes, f"{arm}: differences to main, paired by fold and seed")]
    return tables


def switch_change(cell: Mapping[str, Any] | None) -> str | None:
    if not cell or not cell["difference"]:
        return None
    return f"{spread(cell['difference'], sign=True)}, {cell['verdict']}"


def spread(value: Mapping[str, Any] | None, sign: bool = False) -> str | None:
    """``0.412 [0.380, 0.444]``, or the mean alone where there is no interval."""
    if value is None or value.get("mean") is None:
        return None
    form = "+.3f" if sign else ".3f"
    if value.get("low") is None or value.get("high") is None:
        return f"{value['mean']:{form}}"
    return f"{value['mean']:{form}} [{value['low']:{form}}, {value['high']:{form}}]"


def plot(path: Path, album: Album) -> Picture | None:
    pixels = load_file(path)
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    return album.file_png(path.read_bytes(), width * 96 // 120, height * 96 // 120, TITLES[path.name])


def sheet(path: Path, worst: Worst, album: Album) -> Picture | None:
    pixels = load_file(path)
    return None if pixels is None else album.photo(pixels, f"where {worst.arm} loses most against none")


def split_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    return table([name.replace("_", " ") for name in SPLIT_COLUMNS],
                 [[row[name] for name in SPLIT_COLUMNS] for row in told_rows(rows)])


def run_table(runs: Sequence[StudyRun], summary: Mapping[str, Any]) -> Table:
    """How many cells of each run are there."""
    missing: dict[str, int] = {}
    for name in summary["cells"]["missing"]:
        run = name.rpartition("/")[0]
        missing[run] = missing.get(run, 0) + 1
    rows = [[run.name, len(run.cells()) - missing.get(run.name, 0), len(run.cells()), run.config.data.split]
            for run in runs]
    return table(["run", "cells finished", "cells in all", "split by"], rows)


def settings(study: StudyConfig, runs: Sequence[StudyRun]) -> str:
    """The study and the resolved configuration of its first run, for repeating it."""
    first = next((run for run in runs if run.variant == MAIN), runs[0])
    content = {"study": study.model_dump(mode="json"), "main": first.config.model_dump(mode="json")}
    return yaml.safe_dump(tidy(content), sort_keys=False, allow_unicode=True)
