"""What the rating page refuses, route by route and header by header."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import re
import signal
import socket
import stat
import sys
import time
from pathlib import Path
from urllib.parse import unquote

import pytest
from fastapi.routing import APIRoute
from rating_run import Running, make_run, start
from starlette.testclient import TestClient

from anomaly_gan.core.errors import ConfigError, InputError
from mask_pool.rating.app import Desk, build_app
from mask_pool.rating.config import RateConfig
from mask_pool.rating.items import Catalogue, confined, load_drawings
from mask_pool.rating.security import HEADERS, Policy
from mask_pool.rating.server import host_names, keep_token, serve
from mask_pool.rating.store import Store

TOKEN, HOST = "t" * 32, "127.0.0.1:8765"
ORIGIN = f"http://{HOST}"


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory):
    run = make_run(tmp_path_factory.mktemp("run"))
    store = Store(run / "rate")
    config = RateConfig(body_bytes=2000, requests_per_second=1e6)
    policy = Policy(TOKEN, "p" * 32, host_names(config, 8765), config.body_bytes, config.requests_per_second)
    yield build_app(Desk(store, Catalogue(lambda: load_drawings(run), store.salt), config, "drawings", policy))
    store.close()


@pytest.fixture
def client(guard) -> TestClient:
    """Outside: knows neither token nor cookie."""
    return TestClient(guard, base_url=ORIGIN, raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture
def inside(client: TestClient) -> TestClient:
    client.get(f"/?token={TOKEN}")
    client.headers |= {"origin": ORIGIN, "x-page-token": client.get("/api/session").json()["page_token"]}
    return client


def routes(guard) -> list[APIRoute]:
    found = [route for route in guard._app.routes if isinstance(route, APIRoute)]
    assert len(found) >= 7
    return found


def test_every_route_asks_for_the_token(guard, client: TestClient) -> None:
    for route in routes(guard):
        path = route.path.format(name="app.js", item="0" * 32, layer="photo.png")
        for method in route.methods:
            for cookie in (None, "wrong", TOKEN, ""):
                headers = {} if cookie is None else {"cookie": f"{guard._policy.cookie_name}={cookie}"}
                for query in ("", "?token=wrong", "?token=", f"?token=x&token={TOKEN}"):
                    answer = client.request(method, path + query, headers=headers)
                    assert answer.status_code == 401, (method, path, cookie, query)
                    assert "set-cookie" not in answer.headers


def test_the_link_leaves_a_strict_cookie_and_no_token_in_the_address(client: TestClient) -> None:
    answer = client.get(f"/?token={TOKEN}")
    cookie = answer.headers["set-cookie"]
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie
    assert client.get("/").status_code == 200


def test_only_own_host_names_are_answered(inside: TestClient) -> None:
    for host in (
        "evil.example",
        "localhost.evil:8765",
        "127.0.0.1",
        "127.0.0.1:8766",
        "[::1]:x",
        "127.0.0.1:8765.evil",
        "evil@127.0.0.1:8765",
        "",
        "127.0.0.1:8765, evil",
        "0.0.0.0:8765",
        "127.1:8765",
    ):
        assert inside.get("/api/session", headers={"host": host}).status_code == 400, host
    for host in ("localhost:8765", "LOCALHOST:8765", "[::1]:8765"):
        assert inside.get("/api/session", headers={"host": host}).status_code == 200, host


def test_a_change_needs_origin_page_token_and_json(inside: TestClient) -> None:
    body = {"name": "Ann", "secret": "s" * 22}
    assert inside.post("/api/enter", json=body).status_code == 200
    for origin in ("http://evil.example", "null", "", f"{ORIGIN}/", "https://127.0.0.1:8765", "http://localhost:8765"):
        assert inside.post("/api/enter", json=body, headers={"origin": origin}).status_code == 403, origin
    assert inside.post("/api/enter", json=body, headers={"x-page-token": TOKEN}).status_code == 403
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-7", "multipart/x"):
        assert inside.post("/api/enter", content=b"{}", headers={"content-type": kind}).status_code == 403, kind
    del inside.headers["origin"]
    assert inside.post("/api/enter", json=body).status_code == 403
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert inside.request(method, "/api/events").status_code == 405


def test_every_answer_forbids_sniffing_framing_and_other_sites(inside: TestClient) -> None:
    for path in ("/", "/static/app.js", "/api/session", "/nothing", "/api/work"):
        headers = inside.get(path, headers={"origin": "http://evil.example"}).headers
        assert all(headers[key.decode()] == value.decode() for key, value in HEADERS), path
        assert not [key for key in headers if key.startswith("access-control")]
    page = inside.get("/").text
    assert not re.search(r"<script>|<style|\son\w+=|style=|https?://", page), "the policy forbids what is inline"


def hostile_paths() -> list[str]:
    targets = ["etc/passwd", "rate/token", "rate_secret/x", "ingest/annotations.json", "app.py"]
    ups = [
        "../",
        "..%2f",
        "%2e%2e/",
        "%2e%2e%2f",
        "..\\",
        "..%5c",
        "%252e%252e%252f",
        "....//",
        "..;/",
        "%c0%ae%c0%ae/",
    ]
    paths = [
        prefix + up * depth + target
        for prefix in ("/static/", "/image/")
        for up in ups
        for depth in (1, 4)
        for target in targets
    ]
    odd = [
        "/static/app.js%00.png",
        "/static/%2fetc%2fpasswd",
        "/static//etc/passwd",
        "/static/\\\\host\\share",
        "/image/%00/photo.png",
        f"/image/{'0' * 32}/../photo.png",
        "/image/*/photo.png",
        "/image/C:/photo.png",
        "/static/CON",
        "/static/.",
        "/static/..",
        "/static/",
        "/static/__pycache__",
        "/openapi.json",
        "/docs",
    ]
    return paths + odd


def ask_unchanged(guard, path: str) -> tuple[int, bytes]:
    """GET with the cookie, past any client that would tidy the path up first."""
    sent: list[dict] = []

    waiting = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message) -> None:
        sent.append(message)

    policy = guard._policy
    cookie = f"{policy.cookie_name}={policy.cookie}".encode()
    asyncio.run(
        guard(
            {
                "type": "http",
                "method": "GET",
                "path": unquote(path),
                "raw_path": path.encode(),
                "query_string": b"",
                "http_version": "1.1",
                "scheme": "http",
                "root_path": "",
                "state": {},
                "headers": [(b"host", HOST.encode()), (b"cookie", cookie)],
                "client": ("127.0.0.1", 1),
                "server": ("127.0.0.1", 8765),
            },
            receive,
            send,
        )
    )
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def test_no_string_leads_out_of_what_is_served(guard) -> None:
    paths = hostile_paths()
    assert len(paths) >= 200
    assert ask_unchanged(guard, "/static/app.js")[0] == 200
    for path in paths:
        status, content = ask_unchanged(guard, path)
        assert status in {404, 422} and len(content) < 200, (path, status)


def test_names_in_a_data_set_stay_in_their_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "root_secret").mkdir()
    (root / "link").symlink_to(tmp_path / "root_secret")
    for name in ("../x", "/etc/passwd", "../root_secret/x", "link/x", "a/../../x", "a\0b"):
        with pytest.raises(InputError, match="S5"):
            confined(root, name)
    assert confined(root, "a/b.png") == (root / "a" / "b.png").resolve()


def test_a_large_body_is_refused(inside: TestClient) -> None:
    assert inside.post("/api/enter", json={"name": "x" * 3000, "secret": "s" * 22}).status_code == 413

    def pieces():
        for _ in range(5):
            yield b"x" * 900

    assert inside.post("/api/enter", content=pieces(), headers={"content-type": "application/json"}).status_code == 413


def test_requests_are_rationed(guard) -> None:
    policy = Policy(None, "p", frozenset({HOST}), requests_per_second=1.0)
    now = [0.0]
    few = TestClient(type(guard)(guard._app, policy, lambda: now[0]), base_url=ORIGIN)
    codes = [few.get("/api/session").status_code for _ in range(6)]
    assert codes == [200] * 4 + [429] * 2
    now[0] = 1.0
    assert few.get("/api/session").status_code == 200


def test_errors_tell_nothing_of_the_machine(guard, inside: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("/home/someone/secret")

    monkeypatch.setattr(Store, "enter", fail)
    broken = inside.post("/api/enter", json={"name": "Ann", "secret": "s" * 22})
    bodies = [broken.text] + [
        inside.get(path).text
        for path in ("/nothing", "/image/x/photo.png", "/api/work", "/static/x", f"/image/{'0' * 32}/photo.png?v=<b>")
    ]
    bodies += [
        inside.post("/api/events", content=content, headers={"content-type": "application/json"}).text
        for content in (b"{", b"[" * 1500, b'{"key": "<script>"}', b"9" * 1900, b"\xff\xfe", b"null")
    ]
    assert broken.status_code == 500
    for body in bodies:
        assert not re.search(r"Traceback|File \"|/home|/work|/tmp|\.py|<script|Error\(", body), body
        assert len(body) < 300


def test_the_token_is_long_private_and_kept(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        token = keep_token(tmp_path / "rate" / "token")
        path = tmp_path / "rate" / "token"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)
    assert len(token) * 6 >= 128 and keep_token(path) == token
    path.chmod(0o644)
    assert keep_token(path) != token, "others could have read it"
    path.write_text("short")
    assert len(keep_token(path)) == len(token)


@pytest.mark.parametrize(("number", "ends"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_ctrl_c_and_sigterm_end_the_server_as_they_end_other_verbs(tmp_path, monkeypatch, number, ends) -> None:
    """Pressed as soon as it listens: the store is closed first, then the signal is everybody's again."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    interrupted = signal.signal(signal.SIGINT, signal.default_int_handler)  # a test begun in the background has none
    try:
        run = make_run(tmp_path, masks=1)
        with pytest.raises(ends):
            serve(run, RateConfig(port=0), say=lambda _: signal.raise_signal(number))
        Store(run / "rate").close()
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupted)


def test_without_a_token_only_loopback_is_served(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "plant-pc"):
        with pytest.raises(ConfigError):
            serve(tmp_path, RateConfig(host=host), no_token=True, say=lambda text: None)
    assert not (tmp_path / "rate").exists()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    running = start(make_run(tmp_path_factory.mktemp("served")), request_seconds=0.5, connections=40)
    yield running
    if running.process.poll() is None:
        running.kill()


def raw(server: Running, content: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(content)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_the_real_server_survives_bad_clients(server: Running) -> None:
    server.enter()
    own = f"Host: 127.0.0.1:{server.port}\r\n".encode()
    cookie = f"Cookie: {server.headers['cookie']}\r\n".encode()
    assert b" 400 " in raw(server, b"GET / HTTP/1.1\r\n" + own + own + b"\r\n").split(b"\r\n")[0]
    assert b" 400 " in raw(server, b"GET / HTTP/1.1\r\n\r\n").split(b"\r\n")[0]
    assert b" 431 " in raw(server, b"GET / HTTP/1.1\r\n" + own + b"A: " + b"x" * 100_000 + b"\r\n\r\n")[:20]
    origin = f"Origin: http://127.0.0.1:{server.port}\r\nX-Page-Token: {server.headers['x-page-token']}\r\n".encode()
    huge = b"POST /api/enter HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n"
    assert b" 413 " in raw(server, huge + own + cookie + origin + b"\r\n{")[:20]
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(15)]
    for client in slow:
        client.sendall(b"GET / HTTP/1.1\r\nHo")
    assert server.ask("/api/session")[0] == 200, "slow clients do not keep the others out"
    many = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
    assert server.ask("/api/session")[0] == 200, "half-open connections never shut their own address out"
    oldest = slow[0]
    oldest.settimeout(5)
    with contextlib.suppress(ConnectionResetError):
        assert oldest.recv(10) == b"", "the one that has waited longest makes room"
    for client in (*slow, *many):
        client.close()
    for _ in range(50):
        try:
            assert server.ask("/api/session")[0] == 200
            break
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
    else:
        pytest.fail("the server does not come back")


def test_a_stopped_server_leaves_no_token_in_its_logs(server: Running) -> None:
    server.ask("/?token=guess")
    server.process.terminate()
    out, err = server.process.communicate(timeout=20)
    assert server.process.returncode == -signal.SIGTERM  # no command line around it that answers the signal
    token = server.link.partition("token=")[2]
    assert len(token) >= 32 and token not in out + err and "guess" not in out + err
    assert "Traceback" not in err, err
