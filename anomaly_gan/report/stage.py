"""Stage ``report``: finished stage folders -> one self-contained ``report.html``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..core.errors import CheckFailed
from ..core.files import write_json, write_text
from ..core.progress import track
from ..core.stage import Context
from .config import ReportConfig
from .contact import write_sheets
from .folders import Run, open_run
from .pictures import Album
from .sections import (
    control,
    data,
    exports,
    gates,
    generated,
    inferred,
    lift,
    one_class,
    pool,
    reproduce,
    training,
    verdict,
)
from .tables import figure
from .verdict.build import FILE
from .verdict.build import build as build_verdict

LARGEST_BYTES = 10_000_000
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
EXPECTED = ("ingest", "pool", "generate@…", "gate@…", "export@…", "compare")


def run(config: ReportConfig, context: Context, out: Path, note: str = "") -> dict[str, object]:
    """Write ``out/report.html``, ``contact@METHOD.png`` and, where the gate asked for label checks,
    ``label_check@METHOD.png`` from the finished stages among ``context.inputs``.

    Stages that are absent are named in the report; the same inputs give the same bytes. ``note``: for the top of
    the page, and the verdict where there is none: why the run is not at its end.

    Raises:
        InputError: a stage's file does not parse.
        CheckFailed: the page would be larger than 10 MB.
    """
    found = open_run(context, note)
    album = Album(int(config.picture_megabytes * 1e6), config.jpeg_quality, int(config.photograph_megabytes * 1e6))
    page = render(found, album, config).encode("utf-8")
    if len(page) > LARGEST_BYTES:
        raise CheckFailed(
            f"{out / 'report.html'}: would be {len(page)} bytes, more than {LARGEST_BYTES}; "
            "lower report.photograph_megabytes or report.rows"
        )
    write_text(out / "report.html", page.decode("utf-8"))
    write_json(out / FILE, build_verdict(found).to_json())
    sheets = write_sheets(found, config.rows * 2, out)
    drawn = gates.write_histograms(found, config, out)
    return {
        "bytes": len(page),
        "contact_sheets": sheets,
        **({"label_checks": drawn} if drawn else {}),
        "stages": list(found.stages),
        "missing": missing(found),
        "pictures_left_out": album.left_out,
    }


def missing(found: Run) -> list[str]:
    """The stages a whole run would have and this one has not."""
    names = {name.partition("@")[0] for name in found.stages}
    return [name for name in EXPECTED if name.partition("@")[0] not in names]


def render(found: Run, album: Album, config: ReportConfig) -> str:
    """The page. Sections are built in order of importance, so that a spent picture budget cuts the last ones."""
    content: dict[str, Any] = {"verdict": verdict.build(found), "lift": lift.build(found, album, config)}
    content["generated"] = generated.build(found, album, config)
    for section in track((training, data, pool, gates, one_class, control), "sections"):
        content[section.__name__.rpartition(".")[2]] = section.build(found, album, config)
    content["inferred"] = inferred.build(found)
    content["exports"] = exports.build(found)
    content["reproduce"] = reproduce.build(found)
    content["banners"] = banners(found, bool(content["data"] and content["data"]["simulated"]))
    content["left_out"] = album.left_out
    return open_templates().get_template("report.html").render(content)


def banners(found: Run, simulated: bool) -> list[dict[str, str]]:
    """What a reader must know before the figures: what is simulated, what is missing."""
    absent, result = missing(found), []
    if simulated:
        result.append(
            {
                "title": "Simulated photographs.",
                "text": "These scenes are drawn by a program (the embedded "
                "sample set). They show that the pipeline runs from end to end; figures from them say nothing "
                "about real parts.",
            }
        )
    if found.note:
        result.append({"title": "Unfinished run.", "text": found.note})
    elif absent:
        result.append(
            {
                "title": "Unfinished run.",
                "text": f"Not finished: {', '.join(absent)}. The sections below say what is missing.",
            }
        )
    return result


def open_templates() -> Environment:
    """The templates: everything that is put in is escaped (all of them are named .html) and made printable."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = figure
    return environment


def printable(value: Any) -> Any:
    """Values for the page: None as a dash; in strings, control characters and lone surrogates as U+FFFD."""
    if value is None:
        return "–"
    if isinstance(value, str) and not isinstance(value, Markup):
        return UNPRINTABLE.sub("\ufffd", value)
    return value
