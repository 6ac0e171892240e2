"""The routes. GET changes nothing; every change is one JSON event with a key, so that repeating it does no harm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header
from pydantic import Field

from ..scoring.ratings import HIGHEST, LOWEST
from .config import GRADE_NAMES, RateConfig
from .items import LAYERS, Catalogue, RatingItem
from .real_or_generated import CRITERION, GENERATED, REAL, WHAT, choose
from .routes import (
    SHARED,
    STATIC,
    Answer,
    Body,
    ItemId,
    Key,
    Page,
    RaterId,
    Text,
    Unprocessable,
    Version,
    answer_errors,
    new_app,
    serve_entry,
    serve_files,
    serve_layers,
)
from .security import Guard, Policy
from .store import Conflict, Event, Store

FILES = {**SHARED, "app.js": STATIC / "app.js", "keys.js": STATIC / "keys.js"}
PAGE = Page(STATIC / "index.html", "app.js", "Rating masks", "answer", "rater")


class Action(Body):
    """One event on one item; see ``store.Event``. ``version`` is that of the item as the rater saw it."""

    key: Key
    item: ItemId
    version: Version
    kind: Literal["grade", "undo", "comment", "skip"]
    criterion: Annotated[str, Field(max_length=40)]
    grade: Annotated[float, Field(ge=LOWEST, le=HIGHEST, allow_inf_nan=False)] | None = None
    comment: Text | None = None
    expects: Key | Literal[""] = ""
    undoes: Key | Literal[""] = ""


@dataclass(frozen=True)
class Desk:
    """All that the routes need. ``priority`` (of file and shape; higher comes first) may pre-sort the items."""

    store: Store
    catalogue: Catalogue
    config: RateConfig
    what: str
    policy: Policy
    priority: Mapping[tuple[str, int], float] = field(default_factory=dict)

    @property
    def criteria(self) -> list[str]:
        return [CRITERION] if self.what == WHAT else list(self.config.criteria)

    def mine(self, rater: int) -> tuple[list[str], dict[str, RatingItem]]:
        """The rater's items in the rater's order, and all items."""
        items = self.catalogue.items()
        if self.what == WHAT:
            return choose(self.catalogue, items, rater, self.config.pairs), items
        return self.catalogue.order(
            list(items), rater, lambda one: self.priority.get((items[one].mask.file, items[one].mask.shape), 0.0)
        ), items

    def event(self, rater: int, action: Action) -> Event:
        """The event that the action stands for.

        Raises:
            Conflict: the item has gone, or is not what the rater saw (F7).
            Unprocessable: the fields do not go together.
        """
        reason = self._nonsense(action)
        if reason is not None:
            raise Unprocessable(reason)
        item = self.catalogue.items().get(action.item)
        if item is None or self.catalogue.version(item) != action.version:
            raise Conflict("this mask has been replaced")
        return Event(
            action.key,
            rater,
            self.what,
            item.mask,
            action.kind,
            action.criterion,
            action.grade,
            action.comment,
            action.expects,
            action.undoes,
        )

    def _nonsense(self, action: Action) -> str | None:
        grades = action.kind in {"grade", "undo"}
        allowed = self.criteria if grades else [action.kind]
        if action.criterion not in allowed:
            return "criterion"
        if (action.grade is not None) != (action.kind == "grade"):
            return "grade"
        if self.what == WHAT and action.kind == "grade" and action.grade not in {REAL, GENERATED}:
            return "grade"
        if (action.comment is not None) != (action.kind == "comment"):
            return "comment"
        if len(action.comment or "") > self.config.comment_chars:
            return "comment"
        return "undoes" if bool(action.undoes) != (action.kind == "undo") else None


def build_app(desk: Desk) -> Guard:
    """The whole web application, behind its guard."""
    app = new_app()
    answer_errors(app, [Action])
    serve_files(app, PAGE, FILES)
    serve_layers(app, desk.catalogue, ["photo"] if desk.what == WHAT else LAYERS)
    serve_entry(app, desk.store)
    _serve_work(app, desk)
    return Guard(app, desk.policy)


def _serve_work(app: FastAPI, desk: Desk) -> None:
    @app.get("/api/session")
    def session() -> Answer:
        return {
            "page_token": desk.policy.page_token,
            "store": desk.store.id,
            "what": desk.catalogue.sign("what", desk.what)[:8],
            "mode": "answer" if desk.what == WHAT else "grade",
            "criteria": desk.criteria,
            "weights": {} if desk.what == WHAT else desk.config.criteria,
            "names": GRADE_NAMES,
            "highest": HIGHEST,
            "answers": {"real": REAL, "generated": GENERATED},
            "comment_chars": desk.config.comment_chars,
        }

    @app.get("/api/work")
    def work(x_rater: RaterId, x_rater_secret: Annotated[str, Header()]) -> Answer:
        desk.store.authorise(x_rater, x_rater_secret)
        order, items = desk.mine(x_rater)
        ids = {_slot_of(vars(items[one].mask)): one for one in order}
        # grades of masks that have changed since belong to no slot any more
        state: dict[str, Answer] = {}
        for row in desk.store.state(x_rater, desk.what):
            if _slot_of(row) in ids:
                of_item = state.setdefault(ids[_slot_of(row)], {})
                of_item[row["criterion"]] = {key: row[key] for key in ("kind", "grade", "comment", "key", "seq")}
        return {"items": [_public(desk, one, items[one]) for one in order], "state": state}

    @app.post("/api/events")
    def events(action: Action, x_rater: RaterId, x_rater_secret: Annotated[str, Header()]) -> Answer:
        desk.store.authorise(x_rater, x_rater_secret)
        return desk.store.append(desk.event(x_rater, action))


def _public(desk: Desk, one: str, item: RatingItem) -> Answer:
    """What a rater may know of an item: no file, no source, nobody's grade."""
    height, width = item.rle["size"]
    return {
        "id": one,
        "version": desk.catalogue.version(item),
        "width": width,
        "height": height,
        **({} if desk.what == WHAT else {"label": item.mask.label}),
    }


def _slot_of(row: Mapping[str, Any]) -> tuple[str, int, str]:
    return row["file"], row["shape"], row["sha256"]
