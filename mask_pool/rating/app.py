"""The routes. GET changes nothing; every change is one JSON event with a key, so that repeating it does no harm."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from anomaly_gan.core.errors import InputError

from ..scoring.ratings import HIGHEST, LOWEST
from .config import GRADE_NAMES, RateConfig
from .export import RATER_CHARS, rater_name
from .items import LAYERS, Catalogue, RatingItem
from .real_or_generated import CRITERION, GENERATED, REAL, WHAT, choose
from .security import Guard, Policy
from .store import Conflict, Event, Forbidden, Store, Unavailable

log = logging.getLogger(__name__)
STATIC = Path(__file__).parent / "static"
FILES = {
    "style.css": "text/css",
    "app.js": "text/javascript",
    "queue.js": "text/javascript",
    "view.js": "text/javascript",
    "keys.js": "text/javascript",
    "icon.png": "image/png",
}
RaterId = Annotated[int, Header(ge=1, le=2**63 - 1)]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")]


def _text(value: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("not a text") from None
    return value


Text = Annotated[str, AfterValidator(_text)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Entry(_Body):
    """A rater enters: the secret is made, and kept, by the rater's own device."""

    name: Annotated[Text, Field(min_length=1, max_length=4 * RATER_CHARS)]
    secret: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22,64}$")]


class Action(_Body):
    """One event on one item; see ``store.Event``. ``version`` is that of the item as the rater saw it."""

    key: Key
    item: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    version: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
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


class Unprocessable(Exception):
    """A field that makes no sense; its name is the message."""


def build_app(desk: Desk) -> Guard:
    """The whole web application, behind its guard."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    _answer_errors(app)
    _serve_files(app, desk)
    _serve_work(app, desk)
    return Guard(app, desk.policy)


def _serve_files(app: FastAPI, desk: Desk) -> None:
    @app.get("/")
    def page() -> Response:
        return FileResponse(STATIC / "index.html", media_type="text/html; charset=utf-8")

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in FILES:
            raise HTTPException(404)
        return FileResponse(STATIC / name, media_type=FILES[name])

    @app.get("/image/{item}/{layer}")
    def image(item: str, layer: str, v: str = "") -> Response:
        found, name = desk.catalogue.items().get(item), layer.removesuffix(".png")
        if found is None or name not in LAYERS or not layer.endswith(".png"):
            raise HTTPException(404)
        if desk.what == WHAT and name != "photo":
            raise HTTPException(404)
        if v != desk.catalogue.version(found):
            raise Conflict("this mask has been replaced")
        return Response(
            found.layer(name), media_type="image/png", headers={"cache-control": "private, max-age=86400, immutable"}
        )


def _serve_work(app: FastAPI, desk: Desk) -> None:
    @app.get("/api/session")
    def session() -> dict[str, object]:
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

    @app.post("/api/enter")
    def enter(entry: Entry) -> dict[str, object]:
        name = rater_name(entry.name)
        if name is None:
            raise Unprocessable("name")
        return {"rater": desk.store.enter(name, entry.secret), "name": name}

    @app.get("/api/work")
    def work(x_rater: RaterId, x_rater_secret: Annotated[str, Header()]) -> dict[str, Any]:
        desk.store.authorise(x_rater, x_rater_secret)
        order, items = desk.mine(x_rater)
        ids = {_slot_of(vars(items[one].mask)): one for one in order}
        # grades of masks that have changed since belong to no slot any more
        state: dict[str, dict[str, Any]] = {}
        for row in desk.store.state(x_rater, desk.what):
            if _slot_of(row) in ids:
                of_item = state.setdefault(ids[_slot_of(row)], {})
                of_item[row["criterion"]] = {key: row[key] for key in ("kind", "grade", "comment", "key", "seq")}
        return {"items": [_public(desk, one, items[one]) for one in order], "state": state}

    @app.post("/api/events")
    def events(action: Action, x_rater: RaterId, x_rater_secret: Annotated[str, Header()]) -> dict[str, object]:
        desk.store.authorise(x_rater, x_rater_secret)
        return desk.store.append(desk.event(x_rater, action))


def _public(desk: Desk, one: str, item: RatingItem) -> dict[str, Any]:
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


def _fields(error: RequestValidationError) -> list[str]:
    """The names of our own fields that are wrong; names that the client made up are not given back."""
    known = {*Entry.model_fields, *Action.model_fields, "x-rater", "x-rater-secret"}
    return sorted({str(item["loc"][1]) for item in error.errors() if len(item["loc"]) > 1} & known)


def _answer_errors(app: FastAPI) -> None:
    """No answer holds a path, a traceback, or what the client sent."""

    def say(status: int, **content: Any) -> JSONResponse:
        headers = {"retry-after": "2"} if status == 503 else None
        return JSONResponse(content, status, headers)

    handlers: dict[type[Exception], Callable[[Any], JSONResponse]] = {
        Unavailable: lambda _: say(503, error="not stored: try again"),
        Conflict: lambda error: say(409, error=str(error), current=error.current),
        Forbidden: lambda error: say(403, error=str(error)),
        Unprocessable: lambda error: say(422, error="not understood", fields=[str(error)]),
        RequestValidationError: lambda error: say(422, error="not understood", fields=_fields(error)),
        HTTPException: lambda error: say(
            error.status_code, error={404: "not found", 405: "not allowed"}.get(error.status_code, "not understood")
        ),
        InputError: lambda _: say(409, error="these files have changed: the masks must be served anew", current=None),
        Exception: lambda _: say(500, error="the server failed; it is written in its log"),
    }
    for kind, answer in handlers.items():

        def handle(request: Request, error: Exception, answer: Callable[[Any], JSONResponse] = answer) -> JSONResponse:
            if isinstance(error, InputError):
                log.error("%s", error)
            return answer(error)

        app.add_exception_handler(kind, handle)
