"""Stage ``gate@METHOD``: generated photographs -> the accepted ones, the rejected ones with reasons, and figures.

A photograph whose label is not true (nothing painted, paint beside the mask, a copy) is rejected and its item tried
again; after that, spare items of the pool take its place. What is still missing is reported as a shortfall.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ...core.config import build, read_yaml
from ...core.dataset import Dataset, ImageRecord, load_dataset
from ...core.errors import InputError
from ...core.files import sha256_bytes, sha256_file, write_bytes, write_text
from ...core.images import read_pixels, read_record, write_png
from ...core.progress import track
from ...core.seeding import rng_for
from ...core.stage import Context
from ...core.time_budget import TimeBudget, TimeUp
from ...engine.cluster import active, call
from ...metrics.backbones import build_extractors, place_of
from ..conditions import Control
from ..generate.config import GenerateConfig
from ..generate.stage import Row, assemble, method_inputs, parent_of, pool_items, row_of, write_sample
from ..interface import Generate, MethodInputs, PoolItem, Sample
from ..registry import method
from ..relighting.model import LightModel, light_beside, relit_again
from .artefacts import artefacts
from .candidate import Candidate, Seen, Setting
from .category_metrics.data import CategoryData
from .checks import check
from .config import REJECTED, GateConfig
from .defects import RealDefects, defects_of
from .inspector import Inspector
from .pasted import Pasted, far_off
from .results import Counts, GateResult
from .verdict import decide, undecided
from .views import CategoryViews

LOOKING_SHARE = 0.6
"""Of a limited time, what looking at photographs one by one may take; the rest is for the categories' figures."""


def run(config: GateConfig, context: Context, out: Path) -> dict[str, Any]:
    """Judge ``generate@METHOD``; write accepted photographs, ``decisions.jsonl`` and, as a data set of its own,
    ``rejected/``.

    Photographs that time leaves no look at are neither accepted nor rejected, and not wanted; they are counted. Of a
    category that it leaves unmeasured nothing is said.

    The verdict is in the metrics; nothing is raised for a bad one. The bytes depend on the inputs and the seed alone.

    Raises:
        InputError: a generated file differs from its record (A24), a weight file is damaged (I6).
    """
    if active() is not None:  # one task: whether a photograph is a copy depends on all before it
        return call(run, config, context, out, device=context.device)
    generated = load_dataset(context.inputs[f"generate@{config.method}"])
    inputs = method_inputs(config.method, context, control_of(generated.folder))
    keeper = Keeper(config, inputs, generated, out, context.seed)
    if config.label_check:
        keeper.inspector = Inspector(config, inputs.train, context.inputs["label_check"], place_of(context.device))
    for image in keeper.inputs.train.images:
        if image.id in keeper.train_annotated:
            keeper.seen.add(keeper.read_train(image), f"training photograph {image.file_name}")
    by_category: dict[str, list[ImageRecord]] = {}
    for image in sorted(generated.images, key=lambda image: image.file_name):
        by_category.setdefault(image.extra["category"], []).append(image)
    rows: dict[str, list[Row]] = {}
    counts: dict[str, tuple[Counts, dict[str, Any]]] = {}
    watch = context.watch(config.time_budget)
    for place, (name, images) in enumerate(by_category.items(), start=1):
        until = watch.part(LOOKING_SHARE * place / len(by_category)) if watch else None
        rows[name], count, labels = keeper.category(name, images, until)
        counts[name] = count, labels
    traces = artefacts(config, keeper.inputs, [item for name in by_category for item in keeper.items[name]], out, watch)
    counts = {name: (count, {**labels, **traces.get(name, {})}) for name, (count, labels) in counts.items()}
    write_text(
        out / "decisions.jsonl",
        "".join(json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n" for line in keeper.decisions),
    )
    accepted = assemble([row for name in rows for row in rows[name]], keeper.inputs.train)
    accepted.save(out)
    if keeper.rejected:
        assemble(keeper.rejected, keeper.inputs.train).save(out / REJECTED)
    result = measure(config, context, keeper.reals, replace(accepted, folder=out), counts, watch)
    unmeasured = [name for name, item in result.categories.items() if "time" in item.metrics]
    cut = {"not_judged": keeper.not_judged, "not_measured": unmeasured}
    return result.to_json() | ({"ended_by": "time", **cut} if any(cut.values()) else {})


def control_of(generated: Path) -> Control:
    """What a finished ``generate@METHOD`` was steered by: photographs made anew are steered alike."""
    path = generated / "config.yaml"
    return build(GenerateConfig, read_yaml(path), str(path)).control if path.is_file() else Control()


def measure(
    config: GateConfig,
    context: Context,
    reals: RealDefects,
    accepted: Dataset,
    counts: Mapping[str, tuple[Counts, dict[str, object]]],
    watch: TimeBudget | None = None,
) -> GateResult:
    """Every category's figures and verdict.

    Args:
        config: the section of the configuration.
        context: seed, device and the folders it reads.
        reals: real defects of the training split.
        accepted: the photographs that passed their checks.
        counts: by category its counts and, where asked, its label checks.
        watch: once it is over, no further category is measured; None: all are.

    Returns:
        What the gate says, category by category.
    """
    extractors = build_extractors(context.device)
    views = CategoryViews(reals.train, accepted, extractors, config, context.seed)
    categories = {}
    for name in track(list(counts), f"figures {config.method}"):
        count, labels = counts[name]
        made = defects_of(accepted, name, config.max_n, rng_for(context.seed, "gate", name, "fake"))
        data = CategoryData(name, config, count, reals, made, labels, extractors.names, context.seed)
        try:
            figures = {**labels, **views.figures(name, watch)}
            if far_off(figures["defect"], extractors.names["kernel"], config):
                crops = Pasted(context, config.max_n).crops(name)
                figures |= {"pasted": {"n": len(crops), "over_p95": views.over_p95(name, crops)}} if crops else {}
            categories[name] = decide(replace(data, figures=figures), watch)
        except TimeUp:
            categories[name] = undecided(data)
    failed = [name for name, item in categories.items() if item.level == "fail"]
    return GateResult(config.method, extractors.names, categories, failed if config.on_fail == "drop" else ())


def ancestors(provenance: dict[str, Any], parents: list[dict[str, Any]], base_group: str) -> tuple[str, ...]:
    """The object each instance came from: the donor of its texture, else the parent of its mask, else, for masks that
    experts drew, the object it is painted on."""
    donors = provenance.get("donors", [])
    if len(donors) == len(parents):
        return tuple(donor["group"] for donor in donors)
    return tuple(
        (parent.get("parent_group") if parent.get("kind") == "prior" else None) or base_group for parent in parents
    )


@dataclass
class Keeper:
    """Holds what has been decided so far while candidates pass, one after the other, in the order of their names."""

    config: GateConfig
    inputs: MethodInputs
    generated: Dataset
    out: Path
    seed: int = 0
    seen: Seen = field(default_factory=Seen)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[Row] = field(default_factory=list)
    inspector: Inspector | None = None
    not_judged: dict[str, int] = field(default_factory=dict)
    _generate: Generate | None = None

    def __post_init__(self) -> None:
        self.gray = self.inputs.train.gray
        self.train_files = {image.file_name: image for image in self.inputs.train.images}
        self.train_annotated = self.inputs.train.by_image().keys()
        self.annotations = self.generated.by_image()
        self.items = pool_items(self.inputs.pool)
        self.reals = RealDefects(self.inputs.train, self.config.max_n, self.seed)

    def read_train(self, image: ImageRecord) -> Any:
        return read_record(self.inputs.train, image, self.gray)

    def category(
        self, name: str, images: list[ImageRecord], until: TimeBudget | None = None
    ) -> tuple[list[Row], Counts, dict[str, Any]]:
        """Rows of the accepted photographs of one category, the counts, and figures of its label checks.

        At least one photograph is looked at, and none that comes after ``until``.
        """
        items = {item.image.file_name: item for item in self.items.get(name, [])}
        used = {image.file_name for image in images}
        spares = [item for file_name, item in items.items() if file_name not in used][: self.config.max_spares]
        before, rows = len(self.decisions), []
        for place, image in enumerate(track(images, f"gate {name}")):
            if place and until is not None and until.over():
                self.not_judged[name] = len(images) - place
                images = images[:place]
                break
            row = self._first(image) or self._again(items[image.file_name], range(1, self.config.retries + 1), False)
            rows += [row] if row else []
        for item in spares:
            if len(rows) >= len(images):
                break
            if until is not None and until.over():
                self.not_judged.setdefault(name, 0)
                break
            row = self._again(item, range(self.config.retries + 1), True)
            rows += [row] if row else []
        lines = self.decisions[before:]
        rejected = [line for line in lines if not line["accepted"]]
        reasons = Counter(finding["code"] for line in rejected for finding in line["findings"])
        counts = Counts(
            wanted=len(images),
            accepted=len(rows),
            rejected=len(rejected),
            tried=len(lines),
            accepted_at_once=sum(line["accepted"] and line["attempt"] == 0 and not line["spare"] for line in lines),
            accepted_from_spares=sum(line["accepted"] and line["spare"] for line in lines),
            shortfall=len(images) - len(rows),
            reasons=dict(sorted(reasons.items())),
        )
        return rows, counts, self.inspector.figures(name, lines) if self.inspector else {}

    def _first(self, image: ImageRecord) -> Row | None:
        """Decide on the photograph that ``generate`` wrote."""
        path = self.generated.path_of(image)
        content = path.read_bytes() if path.is_file() else b""
        if not content or sha256_file(path) != image.sha256:
            raise InputError(str(path), "A24", "missing, or changed since it was generated", "run generate again")
        annotations = self.annotations.get(image.id, [])
        provenance = image.extra["provenance"]
        base = provenance.get("base")
        candidate = Candidate(
            read_pixels(path, self.gray),
            [(item.category_id, item.mask()) for item in annotations],
            self._base(base, provenance) if base else None,
            int(provenance.get("support_px", 0)),
            ancestors(provenance, [item.provenance for item in annotations], image.group_id),
            "donors" in provenance,
        )
        row = {"image": vars(image), "annotations": [vars(item) for item in annotations]}
        if not self._decide(candidate, image.file_name, 0, False):
            self._put_aside(candidate, lambda _: row)
            return None
        write_bytes(self.out / "images" / image.file_name, content)
        return self._row(row)

    def _again(self, item: PoolItem, attempts: range, spare: bool) -> Row | None:
        """Generate the item anew until it passes; None where no attempt does."""
        for attempt in attempts:
            sample = self._make(item, attempt)
            normal = item.image.extra["normal_file"]
            base = self._base(normal, sample.provenance) if sample.base is not None else None
            kept = [at for at, (_, mask) in enumerate(sample.instances) if mask.any()]
            parents = [parent_of(sample, item, at, self.config.method) for at in kept]
            candidate = Candidate(
                sample.pixels,
                [sample.instances[at] for at in kept],
                base,
                int(sample.provenance.get("support_px", 0)),
                ancestors(sample.provenance, parents, item.image.group_id),
                "donors" in sample.provenance,
            )
            if self._decide(candidate, item.image.file_name, attempt, spare):
                return self._row(write_sample(sample, item, self.config.method, self.out))
            self._put_aside(candidate, partial(row_of, sample, item, self.config.method))
        return None

    def _make(self, item: PoolItem, attempt: int) -> Sample:
        if self._generate is None:
            self._generate = method(self.config.method).open(self.inputs)
        return self._generate([item], attempt)[0]

    def _base(self, file_name: str, provenance: dict[str, Any]) -> Any:
        """The photograph under the paint: the training split's own, under the light that provenance tells, if any."""
        if file_name not in self.train_files:
            raise InputError(file_name, "E4", "the photograph painted on is not in the training split", "")
        pixels = self.read_train(self.train_files[file_name])
        if "light" not in provenance:
            return pixels
        return relit_again(pixels, provenance["light"], self._light)

    @cached_property
    def _light(self) -> LightModel:
        assert self.inputs.trained is not None
        return light_beside(self.inputs.trained)

    def _decide(self, candidate: Candidate, file_name: str, attempt: int, spare: bool) -> bool:
        """Check, note the decision."""
        outcome = check(candidate, Setting(self.config, self.seen, self.reals, self.inspector))
        findings = outcome.findings
        line = {
            "pool_item": file_name,
            "attempt": attempt,
            "spare": spare,
            "accepted": not findings,
            "findings": [finding.to_json() for finding in findings],
            "measures": dict(outcome.measures),
        }
        if not findings:
            self.seen.add(candidate.pixels, f"accepted photograph {file_name}")
        self.decisions.append(line)
        return not findings

    def _put_aside(self, candidate: Candidate, row: Callable[[str], Row]) -> None:
        """Keep the photograph that was rejected last, its label and why, for people to look at."""
        line = self.decisions[-1]
        line["file"] = None
        if any(finding["code"] == "H8" for finding in line["findings"]):
            return
        name = f"{line['pool_item'].removesuffix('.png')}-{line['attempt']}.png"
        sha256 = sha256_bytes(write_png(self.out / REJECTED / "images" / name, candidate.pixels))
        line["file"] = f"{REJECTED}/images/{name}"
        kept = self._row(row(sha256))
        kept["image"] |= {"file_name": name, "sha256": sha256}
        kept["image"]["extra"]["provenance"]["gate"]["rejected"] = line["findings"]
        self.rejected.append(kept)

    def _row(self, row: Row) -> Row:
        """The row with the last decision's measures as gate scores in its provenance."""
        line, extra = self.decisions[-1], row["image"]["extra"]
        provenance = {**extra["provenance"], "gate": {"attempt": line["attempt"], **line["measures"]}}
        return {**row, "image": {**row["image"], "extra": {**extra, "provenance": provenance}}}
