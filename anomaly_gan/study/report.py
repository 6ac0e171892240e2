"""``STUDY/report.html``: what the cells of a study say together, in one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ..core.files import write_text
from ..report.folders import tidy
from ..report.pictures import Album, Picture, load_file
from ..report.stage import open_templates
from ..report.tables import Table, table
from .config import MAIN, StudyConfig
from .plan import StudyRun

PICTURE_BYTES, QUALITY = 6_000_000, 85
TITLES = {"lift.png": "Each arm's difference to none",
          "leak.png": "Random split of photographs against split by objects",
          "gates.png": "Do the gates predict the lift?",
          "amount.png": "How much synthetic, how many real objects"}
METRICS = {"map50": "AP@0.5", "map": "COCO mAP", "miou": "mIoU"}


def write_report(out: Path, study: StudyConfig, runs: Sequence[StudyRun], summary: Mapping[str, Any],
                 plots: Sequence[str]) -> None:
    """Write the page from the summary and the plots beside it; the same summary gives the same bytes."""
    album = Album(PICTURE_BYTES, QUALITY)
    content = {
        "study": study.name, "headline": headline(summary), "sentences": summary["sentences"],
        "notes": summary["notes"], "banners": banners(study, summary),
        "detectors": [detector(name, part) for name, part in summary["detectors"].items()],
        "plots": [(TITLES[name], picture) for name in plots if (picture := plot(out / name, album)) is not None],
        "failures": table(["run", "what", "message"], [[row["run"], row["what"], row["message"]]
                                                       for row in summary["failures"]]),
        "runs": run_table(runs, summary), "settings": settings(study, runs), "left_out": album.left_out,
    }
    write_text(out / "report.html", open_templates().get_template("study.html").render(content))


def headline(summary: Mapping[str, Any]) -> str:
    """The one sentence on top: our best arm against ``none`` where there is one, else how far the study is."""
    cells = summary["cells"]
    if not summary["sentences"]:
        return f"{cells['finished']} of {cells['expected']} cells are finished; nothing can be compared yet"
    return str(summary["sentences"][0])


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
    lifts = {row["arm"]: row for row in part["comparisons"] if row["kind"] == "none"}
    variants = [{"name": variant, "arms": arm_table(of["arms"], of["order"], {}, f"Variant {variant}")}
                for variant, of in part["variants"].items()]
    return {"name": name, "arms": arm_table(part["arms"], part["order"], lifts, "All arms, split by objects"),
            "categories": category_table(part["arms"], part["order"]), "variants": variants,
            "comparisons": comparison_table(part["comparisons"]),
            "sections": [(title, part[key]["sentences"]) for key, title in (
                ("leak", "What leakage is worth"), ("ungated", "Gated against ungated"), ("gates", "The gates"),
                ("amount", "Amounts")) if part[key] and part[key]["sentences"]],
            "sample_size": part["sample_size"]["sentence"] if part["sample_size"] else None}


def arm_table(arms: Mapping[str, Any], order: Sequence[str], lifts: Mapping[str, Any], title: str) -> Table:
    """Mean and interval of every figure, the difference to ``none``, and how many cells stand behind it."""
    rows = []
    for arm in order:
        item, lift = arms[arm], lifts.get(arm)
        rows.append([arm, item["cells"], *(spread(item.get(metric)) for metric in METRICS),
                     *([spread(lift, sign=True), lift["verdict"] if lift else None] if lifts else [])])
    more = ["AP@0.5 over none", "verdict"] if lifts else []
    return table(["arm", "cells", *METRICS.values(), *more], rows, title)


def category_table(arms: Mapping[str, Any], order: Sequence[str]) -> Table:
    names = sorted({name for item in arms.values() for name in item["categories"]})
    return table(["arm", *names], [[arm, *(spread(arms[arm]["categories"].get(name)) for name in names)]
                                   for arm in order], "AP@0.5 per category")


def comparison_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    return table(["arm", "against", "AP@0.5", "over seeds alone", "p", "verdict", "corrected", "pairs", "objects"],
                 [[row["arm"], row["against"], spread(row, sign=True), spread(row["over_seeds"], sign=True), row["p"],
                   row["verdict"], row["verdict_holm"], row["cells"], row["objects"]] for row in rows],
                 "Every comparison, paired by fold and seed")


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
