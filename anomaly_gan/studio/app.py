"""The routes of the studio, behind the rating page's guard: host, token, page token, body and rate limits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Header
from fastapi.responses import Response

from mask_pool.rating.items import Catalogue
from mask_pool.rating.routes import (
    SHARED,
    Answer,
    Page,
    RaterId,
    answer_errors,
    new_app,
    serve_entry,
    serve_files,
    serve_layers,
)
from mask_pool.rating.security import Guard, Policy
from mask_pool.rating.store import Store

from ..core.dataset import load_dataset
from .kept import Kept
from .painting import PaintRequest, PaintService, load_sound
from .review import WHY_CHARS, Review, Verdict, load_gates
from .views import Masks, load_masks, serve_views

STATIC = Path(__file__).parent / "static"
FILES = {**SHARED, **{path.name: path for path in STATIC.iterdir() if path.suffix in {".js", ".css"}}}
PAGE = Page(
    STATIC / "index.html",
    "studio.js",
    "Studio",
    "decision",
    "person",
    "Your name goes with every decision that you make on a photograph, into the exported data set.",
    ("style.css", "studio.css"),
)
Secret = Annotated[str, Header(alias="x-rater-secret")]


def build_app(run: Path, store: Store, policy: Policy, device: str = "auto") -> Guard:
    """The whole application over one run.

    Raises:
        InputError: the run has no ingested data set, or one of its data sets cannot be read.
    """
    categories = [item.name for item in load_dataset(run / "ingest").categories]
    catalogue = Catalogue(lambda: load_gates(run), store.salt, empty=True)
    app = new_app()
    answer_errors(app, [Verdict, PaintRequest])
    serve_files(app, PAGE, FILES)
    serve_layers(app, catalogue)
    serve_entry(app, store)
    _serve_session(app, store, policy, categories)
    _serve_review(app, Review(store, catalogue, categories))
    masks = Catalogue(lambda: load_masks(run), store.salt, empty=True)
    serve_layers(app, masks, below="pool")
    serve_views(app, run, Masks(run, masks))
    sound = Catalogue(lambda: load_sound(run), store.salt, empty=True)
    serve_layers(app, sound, ["photo"], below="sound")
    _serve_painting(app, store, PaintService(run, sound, device), Kept(run))
    return Guard(app, policy)


def _serve_session(app: FastAPI, store: Store, policy: Policy, categories: list[str]) -> None:
    @app.get("/api/session")
    def session() -> Answer:
        return {
            "page_token": policy.page_token,
            "store": store.id,
            "categories": categories,
            "why_chars": WHY_CHARS,
        }


def _serve_review(app: FastAPI, review: Review) -> None:
    @app.get("/api/review")
    def work(x_rater: RaterId, secret: Secret) -> Answer:
        review.store.authorise(x_rater, secret)
        return {
            "items": review.items(x_rater),
            "standing": review.standing(x_rater),
            "keys": review.keys(x_rater),
        }

    @app.get("/api/review/news")
    def news(x_rater: RaterId, secret: Secret, since: int = 0) -> Answer:
        review.store.authorise(x_rater, secret)
        return {"standing": review.standing(x_rater, since)}

    @app.post("/api/review")
    def decide(verdict: Verdict, x_rater: RaterId, secret: Secret) -> Answer:
        review.store.authorise(x_rater, secret)
        return review.decide(x_rater, verdict)


def _serve_painting(app: FastAPI, store: Store, service: PaintService, kept: Kept) -> None:
    service.warm()

    @app.get("/api/painting")
    def painting() -> Answer:
        return {"methods": service.methods(), "photographs": service.listing()}

    @app.post("/api/painting")
    def paint(request: PaintRequest, x_rater: RaterId, secret: Secret) -> Response:
        store.authorise(x_rater, secret)
        done = service.paint(request)
        headers = {"x-left": str(done.left), "x-top": str(done.top), "x-shown": " ".join(map(str, done.shown))}
        return Response(done.png, media_type="image/png", headers=headers)

    @app.post("/api/painting/keep")
    def keep(request: PaintRequest, x_rater: RaterId, secret: Secret) -> Answer:
        painter = store.authorise(x_rater, secret)
        return {"name": kept.add(service.canvas(request), request, painter)}
