"""What people have said of the accepted photographs, one by one: it decides what goes out, and by whose word.

``RUN/review/decisions.jsonl`` lies beside the gate's folder: ``anomaly-gan studio`` writes it, and so may any program.
A line a photograph: ``gate`` (folder), ``file_name``, ``sha256`` (of the photograph), ``category`` (its label then),
``decision`` (accept, reject, wrong_category), ``right_category`` or null, ``why``, ``reviewer``, ``at``. A decision on
a photograph that has been made anew since, or labelled otherwise, counts no more. Of a photograph that the gate has
rejected ``file_name`` begins with ``rejected/``, of one that a person painted in the studio (``RUN/painted``) with
``painted/``; an ``accept`` takes it in. No torch here.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...core.dataset import Annotation, Dataset, ImageRecord, load_dataset
from ...core.errors import InputError
from ...core.files import sha256_bytes, write_text
from ..gate.config import REJECTED

FOLDER, FILE = "review", "decisions.jsonl"
PAINTED = "painted"
"""Beside the gate's folder: the data set of what people painted in the studio and kept."""
SIDE_FILE = "review.jsonl"
"""Beside the exported data set: the decisions that were followed."""
DECISIONS = ("accept", "reject", "wrong_category")


@dataclass(frozen=True)
class Decision:
    """One person's word on one photograph. ``right_category``: what it shows instead, where it can be used as that."""

    file_name: str
    sha256: str
    category: str
    decision: str
    right_category: str | None
    why: str
    reviewer: str

    @property
    def keeps(self) -> bool:
        return self.decision == "accept" or (self.decision == "wrong_category" and self.right_category is not None)

    def record(self) -> dict[str, str]:
        """For a photograph's provenance; what is empty is left out."""
        said = {"decision": self.decision, "reviewer": self.reviewer, "why": self.why}
        return {name: value for name, value in said.items() if value}


def read_decisions(gate: Path) -> dict[str, Decision]:
    """File name -> what stands on the photographs of one gate's folder; empty where nobody has reviewed.

    Raises:
        InputError: FORMAT, a line cannot be read or says nothing that is known.
    """
    path = gate.parent / FOLDER / FILE
    found: dict[str, Decision] = {}
    if not path.is_file():
        return found
    for number, line in enumerate(path.read_bytes().rstrip(b"\n").split(b"\n"), start=1):
        if not line:
            continue
        try:
            row = json.loads(line)
            if row["gate"] == gate.name:
                found[row["file_name"]] = _decision(row)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(
                f"{path}[line {number}]", "FORMAT", f"no decision ({error!r})", "start `anomaly-gan studio` anew"
            ) from error
    return found


def _decision(row: dict[str, Any]) -> Decision:
    texts = {name: row[name] for name in ("file_name", "sha256", "category", "decision", "reviewer")}
    right, why = row.get("right_category"), row.get("why", "")
    if not all(isinstance(value, str) and value for value in texts.values()) or texts["decision"] not in DECISIONS:
        raise ValueError(f"decision: one of {', '.join(DECISIONS)}; all names are texts")
    if not isinstance(why, str) or not (right is None or isinstance(right, str)):
        raise ValueError("why, right_category: texts")
    return Decision(**texts, right_category=right, why=why)


def review_key(gate: Path) -> dict[str, str]:
    """What the export depends on besides its inputs: the decisions on this gate's photographs, where there are some."""
    decisions = read_decisions(gate)
    text = json.dumps([vars(decisions[name]) for name in sorted(decisions)], sort_keys=True)
    return {FOLDER: sha256_bytes(text.encode())} if decisions else {}


def follow(accepted: Dataset, out: Path) -> tuple[Dataset, dict[str, object]]:
    """The photographs that people let pass, under the category they gave them, each with its reviewer in the gate's
    part of its provenance; ``out/review.jsonl``; and the counts. Those that the gate had rejected, or that people
    painted, come last (``lies_at`` knows their files). Without a review everything stays as it is.

    Raises:
        InputError: FORMAT, the decisions cannot be read, or name a category that the data set has not.
    """
    decisions = read_decisions(accepted.folder)
    if not decisions:
        return accepted, {}
    numbers = {item.name: item.id for item in accepted.categories}
    names = accepted.category_names()
    of_image = accepted.by_image()
    counts: Counter[str] = Counter()
    images: list[ImageRecord] = []
    annotations: list[Annotation] = []
    followed: list[Decision] = []
    taken = _taken_in(accepted, decisions)
    of_image |= taken.by_image()
    for image in [*accepted.images, *taken.images]:
        instances = of_image.get(image.id, [])
        said = decisions.get(image.file_name)
        if said is not None and (said.sha256 != image.sha256 or said.category != label_of(image, instances, names)):
            counts["outdated"], said = counts["outdated"] + 1, None
        if said is None:
            if aside_for(image):
                continue
            counts["not_reviewed"] += 1
        else:
            followed.append(said)
            counts["taken_in" if aside_for(image) else said.decision] += 1
            if not said.keeps:
                continue
            image, instances = _under(said, image, instances, numbers, accepted.folder)
        images.append(image)
        annotations += instances
    lines = [json.dumps(vars(said), sort_keys=True, ensure_ascii=False) + "\n" for said in followed]
    write_text(out / SIDE_FILE, "".join(lines))
    reviewers = dict(sorted(Counter(said.reviewer for said in followed).items()))
    return replace(accepted, images=images, annotations=annotations), {
        "reviewed": {**dict(sorted(counts.items())), "reviewers": reviewers}
    }


def aside_for(image: ImageRecord) -> str:
    """Why it does not go out by itself: what the gate has against it, or who painted it; empty: it goes out."""
    provenance = image.extra.get("provenance") or {}
    if provenance.get("painted_by"):
        return f"painted by {provenance['painted_by']}"
    return "; ".join(
        f"{finding['code']} {finding['reason']}" for finding in (provenance.get("gate") or {}).get("rejected", [])
    )


def aside_of(gate: Dataset) -> Dataset:
    """What the gate rejected, and what people painted with its method, with the file names that decisions give them and
    numbers above those of ``gate``. A gate of an earlier version kept no labels of what it rejected: nothing then."""
    images: list[ImageRecord] = []
    annotations: list[Annotation] = []
    above = max((image.id for image in gate.images), default=0)
    for name, folder in _asides(gate).items():
        if not (folder / "annotations.json").is_file():
            continue
        found = load_dataset(folder)
        if name == PAINTED:
            method = gate.folder.name.partition("@")[2]
            found = found.select(lambda image: image.extra["provenance"]["method"] == method)  # noqa: B023
        images += [replace(image, id=image.id + above, file_name=f"{name}/{image.file_name}") for image in found.images]
        annotations += [replace(item, image_id=item.image_id + above) for item in found.annotations]
        above = max((image.id for image in images), default=above)
    return replace(gate, images=images, annotations=annotations)


def _asides(gate: Dataset) -> dict[str, Path]:
    return {REJECTED: gate.folder / REJECTED, PAINTED: gate.folder.parent / PAINTED}


def lies_at(gate: Dataset, image: ImageRecord) -> tuple[Path, str]:
    """The folder of a photograph of the gate's, those set aside included, and its name there."""
    if not aside_for(image):
        return gate.folder / "images", image.file_name
    name, _, below = image.file_name.partition("/")
    return _asides(gate)[name] / "images", below


def _taken_in(gate: Dataset, decisions: dict[str, Decision]) -> Dataset:
    """Of the photographs set aside those that people let pass."""
    said = {name for name, decision in decisions.items() if decision.keeps}
    return aside_of(gate).select(lambda image: image.file_name in said)


def label_of(image: ImageRecord, instances: list[Annotation], names: dict[int, str]) -> str:
    """The category that a generated photograph is of: what it was made for, else that of its first instance."""
    return str(image.extra.get("category") or (names[instances[0].category_id] if instances else ""))


def _under(
    said: Decision, image: ImageRecord, instances: list[Annotation], numbers: dict[str, int], folder: Path
) -> tuple[ImageRecord, list[Annotation]]:
    """The photograph with its reviewer, and its instances of the category that was said to be right."""
    provenance = image.extra.get("provenance") or {}
    gate = {**(provenance.get("gate") or {}), "review": said.record()}
    extra = {**image.extra, "provenance": {**provenance, "gate": gate}}
    if said.right_category is not None and said.decision == "wrong_category":
        if said.right_category not in numbers:
            raise InputError(
                f"{folder.parent / FOLDER / FILE}[{said.file_name}]",
                "FORMAT",
                f"no category {said.right_category!r} in the data set",
                f"name one of {', '.join(numbers)}",
            )
        number = numbers[said.right_category]
        extra["category"] = said.right_category
        gate["review"]["category_before"] = said.category
        instances = [replace(item, category_id=number) for item in instances]
    return replace(image, extra=extra), instances
