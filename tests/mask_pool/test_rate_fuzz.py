"""Whatever a browser or a program sends, the rating page answers below 500: requests drawn at random, valid and not."""

from __future__ import annotations

import json
import os
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from rating_run import make_run
from starlette.testclient import TestClient

from mask_pool.rating.app import Desk, build_app
from mask_pool.rating.config import RateConfig
from mask_pool.rating.items import Catalogue, load_drawings
from mask_pool.rating.security import Policy
from mask_pool.rating.server import host_names
from mask_pool.rating.store import Store

TOKEN, HOST = "t" * 32, "127.0.0.1:8765"
VALUES = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**70), 2**70)
    | some.floats()
    | some.text(max_size=40)
    | some.sampled_from(["grade", "undo", "comment", "skip", "shape", "a" * 32, "b" * 16, "", "\0", "\ud800", "=1+1"]),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("key", "item", "version", "kind", "criterion", "grade", "comment", "expects", "undoes", "name", "secret")
BODIES = some.dictionaries(some.sampled_from(FIELDS) | some.text(max_size=6), VALUES, max_size=11) | VALUES
RATERS = some.sampled_from(
    ["1", "0", "-1", "9223372036854775807", "9223372036854775808", "1e9", "x", "", "٣", "1" * 99]
)
PATHS = some.sampled_from(
    ["/", "/api/session", "/api/work", "/api/enter", "/api/events", "/static/app.js", "/image/x/photo.png", "/nowhere"]
) | some.text(some.characters(codec="ascii", categories=["L", "N", "P"]), max_size=30).map(lambda text: f"/{text}")


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("run"))
    store = Store(run / "rate")
    config = RateConfig(body_bytes=4000, requests_per_second=1e9)
    policy = Policy(TOKEN, "p" * 32, host_names(config, 8765), config.body_bytes, config.requests_per_second)
    guard = build_app(Desk(store, Catalogue(lambda: load_drawings(run), store.salt), config, "drawings", policy))
    client = TestClient(guard, base_url=f"http://{HOST}", raise_server_exceptions=False, follow_redirects=False)
    client.get(f"/?token={TOKEN}")
    page = client.get("/api/session").json()["page_token"]
    client.headers |= {"origin": f"http://{HOST}", "x-page-token": page, "content-type": "application/json"}
    secret = "s" * 22
    client.post("/api/enter", content=json.dumps({"name": "Ann", "secret": secret}))
    client.headers |= {"x-rater-secret": secret}
    client.description = guard._app.openapi()["paths"]
    yield client
    store.close()


EVENT = {
    "key": "k" * 16,
    "kind": "grade",
    "criterion": "shape",
    "grade": 7,
    "expects": "",
}
ENTRY = {"name": "Ann", "secret": "s" * 22}
COUNT = int(os.environ.get("FUZZ", "150"))


@settings(max_examples=COUNT, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(some.dictionaries(some.sampled_from([*FIELDS]), VALUES, max_size=2), some.booleans(), some.integers(0, 9**9))
def test_a_sound_request_with_a_field_or_two_spoilt_is_answered(inside, spoilt, entering, number):
    """These reach the store: a body made of anything hardly does."""
    if entering:
        body, path = {**ENTRY, **{name: value for name, value in spoilt.items() if name in ENTRY}}, "/api/enter"
    else:
        item = inside.get("/api/work", headers={"x-rater": "1"}).json()["items"][0]
        sound = {**EVENT, "key": f"{number:016d}", "item": item["id"], "version": item["version"]}
        body, path = {**sound, **spoilt}, "/api/events"
    content = json.dumps(body).encode("utf-8", "surrogatepass")
    answer = inside.post(path, content=content, headers={"x-rater": "1"})
    assert answer.status_code < 500, (path, body, answer.text)


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
EACH = max(3, COUNT // 50)
ROUTES = {
    "/": (),
    "/static/{name}": ("name",),
    "/image/{item}/{layer}": ("item", "layer", "v"),
    "/api/session": (),
    "/api/enter": (),
    "/api/work": (),
    "/api/events": (),
}
"""Every route of the page's own description, with its parameters in the address."""
NAMES = some.text(some.characters(exclude_characters="/?#%"), max_size=20) | some.sampled_from(["..", "%2e%2e", "%00"])


def test_no_route_is_left_out(inside):
    described = {path: tuple(sorted(_in_address(row))) for path, row in inside.description.items()}
    assert described == {path: tuple(sorted(names)) for path, names in ROUTES.items()}


def _in_address(row):
    return {item["name"] for verb in row.values() for item in verb.get("parameters", ()) if item["in"] != "header"}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ROUTES)
def test_every_method_of_every_route_is_answered(inside, path, method):
    """As the page's description has it, each part drawn, sound ones among them: 49 pairs, ``EACH`` requests each."""
    item = inside.get("/api/work", headers={"x-rater": "1"}).json()["items"][0]
    sound = {"name": "app.js", "item": item["id"], "layer": "photo.png", "v": item["version"]}

    @settings(max_examples=EACH, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(some.dictionaries(some.sampled_from(sorted(sound)), NAMES, max_size=2), RATERS, BODIES)
    def ask(spoilt, rater, body):
        told = {name: quote(text, safe="%", errors="surrogatepass") for name, text in {**sound, **spoilt}.items()}
        address = path.format(**told) + (f"?v={told['v']}" if "v" in ROUTES[path] else "")
        content = json.dumps(body).encode("utf-8", "surrogatepass")
        headers = {"x-rater": rater.encode("utf-8", "replace")}
        answer = inside.request(method, address, content=content, headers=headers)
        assert answer.status_code < 500, (method, address, rater, body, answer.text)

    ask()
    if method == "GET" and path.startswith(("/image", "/static")):
        address = path.format(**sound) + (f"?v={sound['v']}" if "v" in ROUTES[path] else "")
        assert inside.get(address).status_code == 200, "the sound one is no refusal"


@settings(max_examples=COUNT, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(some.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]), PATHS, RATERS, BODIES)
def test_no_request_is_answered_with_a_fault_of_ours(inside, method, path, rater, body):
    try:
        content = json.dumps(body)
    except ValueError:
        content = "{"
    headers = {"x-rater": rater.encode("utf-8", "replace")}
    answer = inside.request(method, path, content=content.encode("utf-8", "surrogatepass"), headers=headers)
    assert answer.status_code < 500, (method, path, rater, body, answer.text)


@pytest.mark.parametrize("rater", ["9223372036854775808", "-1", "0", str(2**200)])
def test_a_rater_beyond_any_number_is_not_understood(inside, rater):
    assert inside.get("/api/work", headers={"x-rater": rater}).status_code == 422
