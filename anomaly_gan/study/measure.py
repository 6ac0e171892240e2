"""Stage ``quality@ARM`` of a study: one run's photographs, as generated, against the real defects of ``main``.

A gate measures a run against the run's own training defects: with two objects to learn from there are two to compare
with. Here all variants of a fold meet the same real defects (all training objects of ``main``, none of the test), the
same segmenters, and the same number of photographs, before anything was refused.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..core.dataset import Dataset, load_dataset
from ..core.devices import place_of
from ..core.errors import InputError
from ..core.images import read_record
from ..core.progress import track
from ..core.stage import Context
from ..metrics.backbones import build_extractors
from ..synthesis.gate.candidate import Candidate
from ..synthesis.gate.config import GateConfig
from ..synthesis.gate.inspector import Inspector
from ..synthesis.gate.keeper import ancestors
from ..synthesis.gate.results import Decision
from ..synthesis.gate.views import CategoryViews


def run(config: GateConfig, context: Context, out: Path) -> dict[str, object]:
    """The gate's figures of ``context.inputs["generate"]`` against ``ingest``; label checks by ``label_check``'s
    segmenters where it is among the inputs. Writes nothing but what ``run_stage`` does.

    Raises:
        InputError: a photograph shows a category that ``ingest`` does not have (H10).
    """
    train = load_dataset(context.inputs["ingest"]).split("train")
    made = renumbered(load_dataset(context.inputs["generate"]), train)
    views = CategoryViews(train, made, build_extractors(context.device), config, context.seed)
    segmenters = context.inputs.get("label_check")
    inspector = Inspector(config, train, segmenters, place_of(context.device)) if segmenters else None
    shown = {item.category_id for item in made.annotations}
    categories = {}
    for category in track([category for category in train.categories if category.id in shown], "quality"):
        categories[category.name] = {
            **views.figures(category.name),
            **(label_checks(inspector, made, category.id, config) if inspector else {}),
        }
    return {"method": config.method, "figures": views.extractors.names, "categories": categories}


def renumbered(made: Dataset, train: Dataset) -> Dataset:
    """The photographs with the category numbers of ``train``: a run of one category numbers its own."""
    numbers = {category.name: category.id for category in train.categories}
    names = made.category_names()
    unknown = sorted(set(names.values()) - numbers.keys())
    if unknown:
        raise InputError(
            str(made.folder),
            "H10",
            f"shows {', '.join(unknown)}, which main does not have",
            "choose from main's categories",
        )
    return replace(
        made,
        categories=train.categories,
        annotations=[replace(item, category_id=numbers[names[item.category_id]]) for item in made.annotations],
    )


def label_checks(inspector: Inspector, made: Dataset, category: int, config: GateConfig) -> dict[str, object]:
    """Label checks, seams and copies of at most ``config.max_n`` photographs, every one as it came."""
    gray, by_image = made.gray, made.by_image()
    lines: list[Decision] = []
    for image in sorted(made.images, key=lambda image: image.file_name):
        items = by_image.get(image.id, [])
        if not any(item.category_id == category for item in items) or len(lines) == config.max_n:
            continue
        provenance = image.extra["provenance"]
        candidate = Candidate(
            read_record(made, image, gray),
            [(item.category_id, item.mask()) for item in items],
            None,
            0,
            ancestors(provenance, [item.provenance for item in items], image.group_id),
        )
        _, measures = inspector.inspect(candidate)
        line: Decision = {
            "pool_item": image.file_name,
            "attempt": 0,
            "spare": False,
            "accepted": True,
            "findings": [],
            "measures": measures,
        }
        lines.append(line)
    return inspector.figures(made.category_names()[category], lines)
