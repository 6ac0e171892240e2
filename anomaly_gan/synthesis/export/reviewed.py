"""What people have said of the accepted photographs, one by one: it decides what goes out, and by whose word.

``RUN/review/decisions.jsonl`` lies beside the gate's folder: ``anomaly-gan studio`` writes it, and so may any program.
A line a photograph: ``gate`` (folder), ``file_name``, ``sha256`` (of the photograph), ``category`` (its label then),
``decision`` (accept, reject, wrong_category), ``right_category`` or null, ``why``, ``reviewer``, ``at``. A decision on
a photograph that has been made anew since, or labelled otherwise, counts no more. Of a photograph that the gate has
rejected ``file_name`` begins with ``rejected/``; an ``accept`` takes it in. No torch here.
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
    part of its provenance; ``out/review.jsonl``; and the counts. Those among them that the gate had rejected come last
    (``lies_at`` knows their files). Without a review everything stays as it is.

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
    refused = _taken_in(accepted, decisions)
    of_image |= refused.by_image()
    for image in [*accepted.images, *refused.images]:
        instances = of_image.get(image.id, [])
        said = decisions.get(image.file_name)
        if said is not None and (said.sha256 != image.sha256 or said.category != label_of(image, instances, names)):
            counts["outdated"], said = counts["outdated"] + 1, None
        if said is None:
            if rejected_for(image):
                continue
            counts["not_reviewed"] += 1
        else:
            followed.append(said)
            counts["taken_in" if rejected_for(image) else said.decision] += 1
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


def rejected_for(image: ImageRecord) -> list[str]:
    """Why the gate rejected it; empty: it did not."""
    gate = (image.extra.get("provenance") or {}).get("gate") or {}
    return [f"{finding['code']} {finding['reason']}" for finding in gate.get("rejected", [])]


def rejected_of(gate: Dataset) -> Dataset:
    """What the gate rejected, with its file names as the decisions give them and numbers above those of ``gate``; empty
    where nothing was, or where an earlier version judged, which kept no labels of them."""
    folder = gate.folder / REJECTED
    if not (folder / "annotations.json").is_file():
        return replace(gate, images=[], annotations=[])
    found, above = load_dataset(folder), max((image.id for image in gate.images), default=0)
    return replace(
        found,
        images=[
            replace(image, id=image.id + above, file_name=f"{REJECTED}/{image.file_name}") for image in found.images
        ],
        annotations=[replace(item, image_id=item.image_id + above) for item in found.annotations],
    )


def lies_at(gate: Dataset, image: ImageRecord) -> tuple[Path, str]:
    """The folder of a photograph of the gate's, rejected ones included, and its name there."""
    if not rejected_for(image):
        return gate.folder / "images", image.file_name
    return gate.folder / REJECTED / "images", image.file_name.removeprefix(f"{REJECTED}/")


def _taken_in(gate: Dataset, decisions: dict[str, Decision]) -> Dataset:
    """Of the rejected photographs those that people let pass."""
    said = {name for name, decision in decisions.items() if decision.keeps}
    return rejected_of(gate).select(lambda image: image.file_name in said)


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
