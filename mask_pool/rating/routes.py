"""What the rating page and the studio's page share: entering, static files, the layers of a mask, honest errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Annotated, Any

from fastapi import FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from anomaly_gan.core.errors import InputError

from .export import RATER_CHARS, rater_name
from .items import LAYERS, Catalogue
from .store import Conflict, Forbidden, Store, Unavailable

log = logging.getLogger(__name__)
STATIC = Path(__file__).parent / "static"
SHARED = {name: STATIC / name for name in ("style.css", "page.js", "queue.js", "view.js", "icon.png")}
"""Files of both pages."""
KINDS = {".css": "text/css", ".js": "text/javascript", ".png": "image/png"}
RaterId = Annotated[int, Header(ge=1, le=2**63 - 1)]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
ItemId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Version = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


def _text(value: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("not a text") from None
    return value


Text = Annotated[str, AfterValidator(_text)]
Answer = dict[str, object]
"""What a route answers, as JSON."""


class Body(BaseModel):
    """Of a request: what it names is all that is taken."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Entry(Body):
    """A rater enters: the secret is made, and kept, by the rater's own device."""

    name: Annotated[Text, Field(min_length=1, max_length=4 * RATER_CHARS)]
    secret: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22,64}$")]


class Unprocessable(Exception):
    """A field that makes no sense; its name is the message."""


def new_app() -> FastAPI:
    """An application without a page about itself."""
    return FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)


@dataclass(frozen=True)
class Page:
    """What one page has of its own; entering, help and the photograph's layers stand in ``shell.html`` for both."""

    body: Path
    script: str
    title: str
    answer: str
    """What a person here gives, as ``answer`` or ``decision``."""
    person: str
    intro: str = ""
    styles: tuple[str, ...] = ("style.css",)

    def html(self) -> str:
        """The whole page."""
        styles = "\n".join(f'<link rel="stylesheet" href="/static/{name}">' for name in self.styles)
        body = Template(self.body.read_text(encoding="utf-8")).substitute(layers=_part("layers"))
        words = {"title": self.title, "answer": self.answer, "person": self.person, "intro": self.intro}
        return Template(_part("shell")).substitute(words, script=self.script, styles=styles, body=body)


def _part(name: str) -> str:
    return (STATIC / f"{name}.html").read_text(encoding="utf-8")


def serve_files(app: FastAPI, page: Page, files: Mapping[str, Path]) -> None:
    """``page`` at ``/``, and the files by name below ``/static/``."""
    html = page.html()

    @app.get("/")
    def index() -> Response:
        return HTMLResponse(html)

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in files:
            raise HTTPException(404)
        return FileResponse(files[name], media_type=KINDS[files[name].suffix])


def serve_layers(app: FastAPI, catalogue: Catalogue, layers: Collection[str] = LAYERS, below: str = "image") -> None:
    """The photograph of an item, and its mask and outline where ``layers`` names them, as PNG ``below`` that path."""

    @app.get(f"/{below}/{{item}}/{{layer}}")
    def image(item: str, layer: str, v: str = "") -> Response:
        found, name = catalogue.items().get(item), layer.removesuffix(".png")
        if found is None or name not in layers or not layer.endswith(".png"):
            raise HTTPException(404)
        if v != catalogue.version(found):
            raise Conflict("this mask has been replaced")
        return Response(
            found.layer(name), media_type="image/png", headers={"cache-control": "private, max-age=86400, immutable"}
        )


def serve_entry(app: FastAPI, store: Store) -> None:
    """The route by which a rater says a name."""

    @app.post("/api/enter")
    def enter(entry: Entry) -> Answer:
        name = rater_name(entry.name)
        if name is None:
            raise Unprocessable("name")
        return {"rater": store.enter(name, entry.secret), "name": name}


def answer_errors(app: FastAPI, bodies: Collection[type[Body]]) -> None:
    """No answer holds a path, a traceback, or what the client sent; wrong fields of ``bodies`` are named."""
    known = {*Entry.model_fields, *(name for body in bodies for name in body.model_fields), "x-rater", "x-rater-secret"}

    def say(status: int, **content: Any) -> JSONResponse:
        headers = {"retry-after": "2"} if status == 503 else None
        return JSONResponse(content, status, headers)

    handlers: dict[type[Exception], Callable[[Any], JSONResponse]] = {
        Unavailable: lambda _: say(503, error="not stored: try again"),
        Conflict: lambda error: say(409, error=str(error), current=error.current),
        Forbidden: lambda error: say(403, error=str(error)),
        Unprocessable: lambda error: say(422, error="not understood", fields=[str(error)]),
        RequestValidationError: lambda error: say(422, error="not understood", fields=_fields(error, known)),
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


def _fields(error: RequestValidationError, known: Collection[str]) -> list[str]:
    """The names of our own fields that are wrong; names that the client made up are not given back."""
    return sorted({str(item["loc"][1]) for item in error.errors() if len(item["loc"]) > 1} & set(known))
