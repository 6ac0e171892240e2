"""Generated photographs one by one: what people decide, kept in a store of its own and written out for the export."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pycocotools import mask as coco_mask
from pydantic import Field

from mask_pool.rating.items import Catalogue, Loaded, RatingItem, confined, rle_of_all
from mask_pool.rating.routes import Answer, Body, ItemId, Key, Text, Unprocessable, Version
from mask_pool.rating.store import Conflict, Event, InForce, Store, Unavailable
from mask_pool.scoring.ratings import RatedMask

from ..core.dataset import load_dataset
from ..core.errors import EnvironmentFailure
from ..core.files import write_bytes
from ..synthesis.export.reviewed import FILE, FOLDER, PAINTED, aside_for, aside_of, label_of, lies_at

__all__ = ["FOLDER", "Review", "Verdict", "load_gates"]
WHAT, CRITERION = "review", "decision"
GRADES = {"accept": 10.0, "wrong_category": 5.0, "reject": 0.0}
"""The decisions as the store keeps them."""
NAMES = {grade: name for name, grade in GRADES.items()}
WHY_CHARS = 500


def load_gates(run: Path) -> Loaded:
    """Every photograph with a defect that a gate of the run has judged, and what was painted with its method; the
    content is the photograph's, the note says why it does not go out by itself.

    Raises:
        InputError: a gate's data set cannot be read.
    """
    items = []
    arms = {path.name.partition("@")[2] for kind in ("generate", "gate") for path in run.glob(f"{kind}@*")}
    watched = [run / f"gate@{arm}" / "annotations.json" for arm in sorted(arms)]
    for path in (path for path in watched if path.is_file()):
        gate = load_dataset(path.parent)
        names, of_image = gate.category_names(), gate.by_image()
        gray = gate.gray
        aside = aside_of(gate)
        of_image |= aside.by_image()
        for image in [*gate.images, *aside.images]:
            instances = of_image.get(image.id)
            if not instances:
                continue
            rle = instances[0].segmentation if len(instances) == 1 else rle_of_all(instances, image)
            mask = RatedMask(
                f"{gate.folder.name}/{image.file_name}", 0, label_of(image, instances, names), image.sha256
            )
            path = confined(*lies_at(gate, image))
            items.append(RatingItem(mask, path, image.sha256, gray, rle, aside_for(image)))
    return Loaded(items, {}, [*watched, run / PAINTED / "annotations.json"] if watched else [run])


class Verdict(Body):
    """One decision on one photograph, or its withdrawal (``undo``). ``version``: of the item as the reviewer saw it."""

    key: Key
    item: ItemId
    version: Version
    decision: Literal["accept", "reject", "wrong_category", "undo"]
    right_category: Annotated[Text, Field(max_length=200)] | None = None
    why: Annotated[Text, Field(max_length=WHY_CHARS)] = ""
    expects: Key | Literal[""] = ""
    undoes: Key | Literal[""] = ""


@dataclass
class Review:
    """The store and the photographs; ``RUN/review/decisions.jsonl`` always holds what has been acknowledged."""

    store: Store
    catalogue: Catalogue
    categories: list[str]
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.publish()  # a kill may have come between a decision and its publication

    def decide(self, reviewer: int, verdict: Verdict) -> Answer:
        """Keep a decision, durably and once, and lay it out for the export.

        Raises:
            Conflict: the photograph is another by now, or this reviewer decided on it in another tab.
            Unprocessable: the fields do not go together.
            Unavailable: it cannot be written now; the same decision may be sent again.
        """
        undoing = verdict.decision == "undo"
        if (verdict.right_category is not None) > (verdict.decision == "wrong_category"):
            raise Unprocessable("right_category")
        if verdict.right_category is not None and verdict.right_category not in self.categories:
            raise Unprocessable("right_category")
        if bool(verdict.undoes) != undoing:
            raise Unprocessable("undoes")
        item = self.catalogue.items().get(verdict.item)
        if item is None or self.catalogue.version(item) != verdict.version:
            raise Conflict("this photograph has been replaced")
        said = {"right_category": verdict.right_category, "why": " ".join(verdict.why.split())}
        done = self.store.append(
            Event(
                verdict.key,
                reviewer,
                WHAT,
                item.mask,
                "undo" if undoing else "grade",
                CRITERION,
                None if undoing else GRADES[verdict.decision],
                None if undoing else json.dumps(said, ensure_ascii=False),
                verdict.expects,
                verdict.undoes,
            )
        )
        self.publish()
        return {"seq": done["seq"], "fresh": done["fresh"]}

    def decisions(self) -> list[InForce]:
        """What stands now, the oldest first: a photograph's newest decision, whoever made it."""
        return self.store.in_force(WHAT)

    def publish(self) -> None:
        """Write ``decisions.jsonl``, sorted.

        Raises:
            Unavailable: it cannot be written.
        """
        with self._writing:
            lines = [json.dumps(_line(row), sort_keys=True, ensure_ascii=False) for row in self.decisions()]
            content = "".join(f"{line}\n" for line in sorted(lines)).encode()
            path = self.store.folder / FILE
            try:
                if lines or path.is_file():
                    write_bytes(path, content, private=True)
            except (OSError, EnvironmentFailure) as error:
                raise Unavailable(path, error) from error

    def items(self, reviewer: int) -> list[Answer]:
        """All photographs in an order of the reviewer's own, so that many reviewers seldom meet at one."""
        found = self.catalogue.items()
        return [self._public(one, found[one]) for one in self.catalogue.order(list(found), reviewer, lambda _: 0.0)]

    def _public(self, one: str, item: RatingItem) -> Answer:
        height, width = item.rle["size"]
        x, y, wide, high = (float(value) for value in coco_mask.toBbox(item.rle))
        gate, _, name = item.mask.file.partition("/")
        return {
            "id": one,
            "version": self.catalogue.version(item),
            "width": width,
            "height": height,
            "centre": [x + wide / 2, y + high / 2],
            "label": item.mask.label,
            "arm": gate.partition("@")[2],
            "name": name,
            "aside": item.note,
        }

    def _ids(self) -> dict[tuple[str, str], str]:
        return {(item.mask.file, item.mask.sha256): one for one, item in self.catalogue.items().items()}

    def standing(self, reviewer: int, since: int = 0) -> dict[str, Answer]:
        """Item -> what stands on it and who said so, of decisions after ``since``."""
        ids = self._ids()
        return {
            ids[row.file, row.sha256]: {
                "decision": NAMES[row.grade],
                **_said(row.comment),
                "reviewer": row.rater,
                "seq": row.seq,
                "mine": row.rater_id == reviewer,
            }
            for row in self.decisions()
            if row.seq > since and (row.file, row.sha256) in ids
        }

    def keys(self, reviewer: int) -> dict[str, str]:
        """Item -> key of the newest thing this reviewer said of it: what the next one must name as known."""
        ids = self._ids()
        return {
            ids[row["file"], row["sha256"]]: row["key"]
            for row in self.store.state(reviewer, WHAT)
            if (row["file"], row["sha256"]) in ids
        }


def _said(comment: str | None) -> Answer:
    """The right category and the reason, as they went into the store; an undo that came back to a grade has none."""
    return json.loads(comment) if comment else {"right_category": None, "why": ""}


def _line(row: InForce) -> Answer:
    gate, _, name = row.file.partition("/")
    return {
        "gate": gate,
        "file_name": name,
        "sha256": row.sha256,
        "category": row.label,
        "decision": NAMES[row.grade],
        **_said(row.comment),
        "reviewer": row.rater,
        "at": row.at,
    }
