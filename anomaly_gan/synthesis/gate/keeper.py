"""What a gate has decided so far, and how it decides on the next photograph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ...core.config import build, read_yaml
from ...core.dataset import Dataset, ImageRecord
from ...core.errors import InputError
from ...core.files import link_file, sha256_bytes, sync_folder
from ...core.images import read_pixels, read_record, write_png
from ...core.progress import track
from ...core.time_budget import TimeBudget
from ..conditions import Control
from ..generate.config import GenerateConfig
from ..generate.stage import Row, parent_of, pool_items, row_of, write_sample
from ..interface import Generate, MethodInputs, PoolItem, Sample
from ..registry import method
from ..relighting.model import LightModel, light_beside, relit_again
from .candidate import Candidate, Seen, Setting
from .checks import check
from .config import REJECTED, GateConfig
from .defects import RealDefects
from .inspector import Inspector
from .looks import Look
from .results import Counts, Decision


def control_of(generated: Path) -> Control:
    """What a finished ``generate@METHOD`` was steered by: photographs made anew are steered alike."""
    path = generated / "config.yaml"
    return build(GenerateConfig, read_yaml(path), str(path)).control if path.is_file() else Control()


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
    decisions: list[Decision] = field(default_factory=list)
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
        self.item_of = {item.image.file_name: item for items in self.items.values() for item in items}
        self.real_defects = RealDefects(self.inputs.train, self.config.max_n, self.seed)

    def read_train(self, image: ImageRecord) -> Any:
        return read_record(self.inputs.train, image, self.gray)

    def category(
        self, name: str, images: list[ImageRecord], until: TimeBudget | None = None
    ) -> tuple[list[Row], Counts, dict[str, object]]:
        """Rows of the accepted photographs of one category, the counts, and figures of its label checks.

        At least one photograph is looked at, and none that comes after ``until``.
        """
        used = {image.file_name for image in images}
        others = [item for item in self.items.get(name, []) if item.image.file_name not in used]
        spares = others[: self.config.max_spares]
        before, rows = len(self.decisions), []
        for place, image in enumerate(track(images, f"gate {name}")):
            look = Look.read(self.out, image.file_name)
            if place and look is None and until is not None and until.over():
                self.not_judged[name] = len(images) - place
                images = images[:place]
                break
            row = self._confirmed(image, look) if look else self.decide_on(image)
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

    def _confirmed(self, image: ImageRecord, look: Look) -> Row | None:
        """What a job has found on the photograph, where no picture of it is another's; else it is decided on anew."""
        if not look.alone(self.seen):
            (self.out / "images" / image.file_name).unlink(missing_ok=True)
            return self.decide_on(image)
        self.decisions += look.decisions
        self.rejected += look.rejected
        if look.row is not None:
            self.seen.owners.setdefault(look.keys[-1], f"accepted photograph {image.file_name}")
        return look.row

    def decide_on(self, image: ImageRecord) -> Row | None:
        """The photograph that ``generate`` wrote, or else the first one painted anew that passes; None: none does."""
        item = self.item_of[image.file_name]
        return self._first(image) or self._again(item, range(1, self.config.retries + 1), False)

    def _first(self, image: ImageRecord) -> Row | None:
        """Decide on the photograph that ``generate`` wrote."""
        path = self.generated.path_of(image)
        content = path.read_bytes() if path.is_file() else b""
        if not content or sha256_bytes(content) != image.sha256:
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
        target = self.out / "images" / image.file_name
        link_file(path, target)
        sync_folder(target.parent)
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
        outcome = check(candidate, Setting(self.config, self.seen, self.real_defects, self.inspector))
        findings = outcome.findings
        line: Decision = {
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
