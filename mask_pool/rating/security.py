"""What every request must pass before the app sees it. A plain ASGI layer, so that no route can be forgotten."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PAGE_TOKEN = "x-page-token"
HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
BURST_SECONDS, CLIENTS = 4.0, 4096
HEADER_BYTES = 16_384
ENTRY = (
    "<!doctype html><meta charset=utf-8><title>Rating masks</title><p>Please open the whole link that you were "
    "given: it ends in <code>?token=…</code>. If you have just done so, <a href='/'>go on here</a>."
)


@dataclass(frozen=True)
class Policy:
    """``token`` None asks for none (loopback only). ``hosts`` are exact Host headers, in lower case."""

    token: str | None
    page_secret: str
    hosts: frozenset[str]
    body_bytes: int = 1_000_000
    requests_per_second: float = 200.0
    request_seconds: float = 20.0

    @property
    def cookie_name(self) -> str:
        """One per run: two servers on one machine must not overwrite each other's."""
        return f"rate_{derive(self.token or '', 'name')[:8]}"

    @property
    def cookie(self) -> str:
        return derive(self.token or "", "cookie")

    @property
    def page_token(self) -> str:
        """What the page must send along to change anything: another site cannot read it."""
        return derive(self.page_secret, "page")


def derive(secret: str, use: str) -> str:
    return hmac.new(secret.encode(), use.encode(), hashlib.sha256).hexdigest()


@dataclass
class Refusal(Exception):
    """An answer given before the app is asked."""

    status: int
    reason: str
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    html: bool = False


class Guard:
    """Host, rate, token, and for changes Origin, page token and type; then body size; then the app."""

    def __init__(self, app: App, policy: Policy, clock: Callable[[], float] = time.monotonic) -> None:
        self._app, self._policy, self._clock = app, policy, clock
        self._buckets: dict[str, tuple[float, float]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        answer = _with_headers(send)
        try:
            self._check(scope)
            body = await self._body(scope, receive)
        except Refusal as refusal:
            return await _refuse(answer, refusal)
        await self._app(scope, _replay(body, receive), answer)

    def _check(self, scope: Scope) -> None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if sum(len(key) + len(value) for key, value in headers) + len(scope["query_string"]) > HEADER_BYTES:
            raise Refusal(431, "too large")
        host = _only(headers, b"host")
        if host is None or host.lower() not in self._policy.hosts:
            raise Refusal(400, "this address is not served")
        self._take_turn(scope)
        if scope["method"] not in {"GET", "HEAD", "POST"}:
            raise Refusal(405, "not allowed", [(b"allow", b"GET, HEAD, POST")])
        self._check_token(scope, headers)
        if scope["method"] == "POST":
            self._check_change(headers, host)

    def _take_turn(self, scope: Scope) -> None:
        """A token bucket per address."""
        address, now, rate = (scope.get("client") or ("",))[0], self._clock(), self._policy.requests_per_second
        if len(self._buckets) > CLIENTS:
            self._buckets.clear()
        left, since = self._buckets.get(address, (rate * BURST_SECONDS, now))
        left = min(rate * BURST_SECONDS, left + (now - since) * rate)
        self._buckets[address] = (max(left - 1, 0.0), now)
        if left < 1:
            raise Refusal(429, "too many requests", [(b"retry-after", b"1")])

    def _check_token(self, scope: Scope, headers: list[tuple[bytes, bytes]]) -> None:
        policy = self._policy
        if policy.token is None:
            return
        if scope["path"] == "/" and scope["method"] == "GET" and scope["query_string"]:
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
            if len(given) == 1 and same(given[0], policy.token):
                cookie = f"{policy.cookie_name}={policy.cookie}; HttpOnly; SameSite=Strict; Path=/; Max-Age=2592000"
                # coming from a link on another site, the browser holds a Strict cookie back on this redirect: the
                # page shown then has a link of its own to go on by
                raise Refusal(303, "", [(b"location", b"/"), (b"set-cookie", cookie.encode())])
        if not any(same(value, policy.cookie) for value in _cookies(headers, policy.cookie_name)):
            raise Refusal(401, "open the link you were given", html=scope["path"] == "/")

    def _check_change(self, headers: list[tuple[bytes, bytes]], host: str) -> None:
        if _only(headers, b"origin") != f"http://{host}":
            raise Refusal(403, "not from this page")
        if not same(_only(headers, PAGE_TOKEN.encode()) or "", self._policy.page_token):
            raise Refusal(403, "reload the page")
        kind = (_only(headers, b"content-type") or "").lower().replace(" ", "")
        if kind not in {"application/json", "application/json;charset=utf-8"}:
            raise Refusal(403, "not JSON")

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body, which must arrive in time and within bounds."""
        limit = self._policy.body_bytes
        told = _only(scope["headers"], b"content-length")
        if told is not None and (not told.isdecimal() or len(told) > 12 or int(told) > limit):
            raise Refusal(413, "too large", [(b"connection", b"close")])
        body, more = b"", True
        try:
            async with asyncio.timeout(self._policy.request_seconds):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refusal(400, "gone")
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > limit:
                        raise Refusal(413, "too large", [(b"connection", b"close")])
        except TimeoutError as error:
            raise Refusal(408, "too slow", [(b"connection", b"close")]) from error
        return body


def same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


def _only(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The header's value where it stands exactly once."""
    found = [value for key, value in headers if key.lower() == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


def _cookies(headers: Iterable[tuple[bytes, bytes]], name: str) -> list[str]:
    parts = [
        part.strip()
        for key, value in headers
        if key.lower() == b"cookie"
        for part in value.decode("latin-1").split(";")
    ]
    return [part.removeprefix(f"{name}=") for part in parts if part.startswith(f"{name}=")]


def _with_headers(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = list(message.get("headers", []))
            if not any(key.lower() == b"cache-control" for key, _ in own):
                own.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*own, *HEADERS]}
        await send(message)

    return answer


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again


async def _refuse(send: Send, refusal: Refusal) -> None:
    html = refusal.html and refusal.status == 401
    content = ENTRY if html else f'{{"error": "{refusal.reason}"}}'
    body = b"" if refusal.status == 303 else content.encode()
    kind = b"text/html; charset=utf-8" if html else b"application/json"
    await send(
        {
            "type": "http.response.start",
            "status": refusal.status,
            "headers": [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *refusal.headers],
        }
    )
    await send({"type": "http.response.body", "body": body})
