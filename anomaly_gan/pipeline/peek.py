"""A look into a run that works: a report of what has finished, made beside it and without its lock."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from ..core.errors import AnomalyGanError
from ..core.files import link_file, write_bytes, write_json
from ..core.live import in_words
from ..core.stage import CELLS, SCHEMA, Context, link_tree, read_manifest
from ..report.stage import run as write_report
from .config import RunConfig
from .course import read_progress
from .plan import Step, plan
from .run import SO_FAR, asked_for


def report_so_far(config: RunConfig, run: Path, step: Step) -> Path:
    """Write ``RUN/report_so_far.html`` from the stages, and the cells of the comparison, that are finished by now.

    They are read from links of their own, so the run may replace a stage at any moment. ``step``: the report's.
    """
    began = time.time()
    with tempfile.TemporaryDirectory(prefix=".tmp-report-", dir=run) as name:
        copy = Path(name)
        folders = {**step.inputs, **asked_for(run, step)}
        there = {key: copy / folder for key, folder in folders.items() if _linked(run / folder, copy / folder)}
        context = Context(config.seed, config.device, there)
        if "compare" not in there and _compared_so_far(config, run, copy, context):
            context = Context(config.seed, config.device, {**there, "compare": copy / "compare"})
        write_report(config.report, context, copy / "report", note(run, folders, context))
        page = (copy / "report" / "report.html").read_bytes()
    final = run / "report.html"
    if final.is_file() and final.stat().st_mtime >= began:  # the run has come to its end meanwhile
        return final
    write_bytes(run / SO_FAR, page)
    return run / SO_FAR


def note(run: Path, wanted: dict[str, str], context: Context) -> str:
    """One sentence for the top of the page."""
    open_stages = [name for name in wanted if name not in context.inputs]
    words = "This run is still working; the page holds what had finished when it was made."
    if open_stages:
        words += f" Not yet: {', '.join(open_stages)}."
    now = read_progress(run)
    if now:
        words += f" At that moment: {now.stage}, about {in_words(now.left)} left."
    return words


def _linked(source: Path, target: Path) -> bool:
    """Take a finished stage's files over by links; False where it is not finished, or is being made anew just now."""
    try:
        if read_manifest(source) is None:
            return False
        link_tree(source, target, last="manifest.json", leave_out=("started.json",))
    except (OSError, AnomalyGanError):
        shutil.rmtree(target, ignore_errors=True)
        return False
    return True


def _compared_so_far(config: RunConfig, run: Path, copy: Path, context: Context) -> bool:
    """Make a comparison of the cells that are finished, where there are some."""
    cells = sorted((run / "compare" / CELLS).glob("*/result.json"))
    if not cells:
        return False
    from detection.comparison.stage import assemble

    from ..core.config import dump_yaml
    from ..core.files import write_text

    step = next(step for step in plan(config) if step.name == "compare")
    arms = tuple(arm for arm in config.compare.arms if arm == "none" or f"export@{arm}" in context.inputs)
    section, out = config.compare.model_copy(update={"arms": arms}), copy / "compare"
    try:
        for result in cells:
            for path in result.parent.glob("*.json"):
                link_file(path, out / CELLS / result.parent.name / path.name)
        inputs = {name: copy / folder for name, folder in step.inputs.items() if (copy / folder).is_dir()}
        metrics = assemble(section, Context(config.seed, config.device, inputs), out)
    except (OSError, AnomalyGanError):  # cells of another configuration, or just being replaced
        shutil.rmtree(out, ignore_errors=True)
        return False
    write_text(out / "config.yaml", dump_yaml(section))
    write_json(out / "metrics.json", metrics)
    about = {"stage": "compare", "key": "unfinished", "schema": SCHEMA, "seed": config.seed, "inputs": {}, "files": []}
    write_json(out / "manifest.json", about)
    return True
