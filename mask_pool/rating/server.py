"""Starting, limiting and stopping the web server."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import secrets
import signal
import socket
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from anomaly_gan.core.errors import ConfigError, EnvironmentFailure
from anomaly_gan.core.files import write_json

from .app import Desk, build_app
from .config import RateConfig
from .export import CRITERIA
from .items import MASKS, Catalogue, Loaded, load
from .real_or_generated import FOLDER, WHAT, load_mixed
from .security import App, Policy
from .store import Store
from .store_files import claim_file, make_private

log = logging.getLogger(__name__)
TOKEN_BYTES = 24


def serve(
    run: Path,
    config: RateConfig,
    *,
    what: str = "drawings",
    drawings: Path | None = None,
    method: str | None = None,
    order_by: Mapping[tuple[str, int], float] | None = None,
    token_file: Path | None = None,
    no_token: bool = False,
    say: Callable[[str], None],
) -> None:
    """Serve the page until Ctrl-C or SIGTERM; ratings go to RUN/rate/ratings.sqlite.

    Args:
        run: run folder.
        config: address, criteria and limits.
        what: ``drawings``, ``pool`` or ``real_or_generated``.
        drawings: folder of the experts' labelme files; default that of the run's pool.
        method: whose accepted images are mixed in, for ``real_or_generated``.
        order_by: (file, shape) of a ``RatedMask`` -> priority; higher comes first, equals at random per rater.
        token_file: keeps the token over restarts, so that experts' tablets go on; default RUN/rate/token. Delete it
            to shut everybody out.
        no_token: ask for none; only on loopback.
        say: told the address with its token, once the server listens. The token is written nowhere else.

    Raises:
        KeyboardInterrupt: Ctrl-C, after the store is closed; SIGTERM, too, goes on to who waits for it then.
        ConfigError: no token on another host than loopback; ``what`` is unknown.
        InputError: there is nothing to rate, or it cannot be read; F12 the store is damaged.
        EnvironmentFailure: the port is taken, or another server has this run.
    """
    load = _loader(run, what, drawings, method)
    folder = run / FOLDER

    def page(store: Store, policy: Policy) -> App:
        if what != WHAT:
            write_json(folder / CRITERIA, config.criteria, private=True)
        catalogue = Catalogue(load, store.salt)
        if catalogue.left_out:
            say("left out: " + ", ".join(f"{number} {reason}" for reason, number in catalogue.left_out.items()))
        return build_app(Desk(store, catalogue, config, what, policy, order_by or {}))

    host(folder, config, page, lambda link: say(f"rate at {link}"), token_file=token_file, no_token=no_token)


def host(
    folder: Path,
    config: RateConfig,
    page: Callable[[Store, Policy], App],
    say: Callable[[str], None],
    *,
    token_file: Path | None = None,
    no_token: bool = False,
) -> None:
    """Serve an application over the store in ``folder`` until Ctrl-C or SIGTERM, with backups, token and limits.

    Args:
        folder: of the store.
        config: address and limits.
        page: makes the application; it must stand behind a ``Guard``.
        say: told the link with its token, once the server listens.
        token_file, no_token: as for :func:`serve`.

    Raises:
        KeyboardInterrupt, ConfigError, InputError, EnvironmentFailure: as :func:`serve`.
    """
    if no_token and not is_loopback(config.host):
        raise ConfigError(f"rate.host: {config.host} can be reached by others; it needs a token")
    store = Store(folder, config.busy_seconds)
    try:
        token = None if no_token else keep_token(token_file or folder / "token")
        store.backup(config.backups)
        store.keep(config.backups, config.backup_every, config.backup_minutes)
        with _listen(config) as listener:
            port = listener.getsockname()[1]
            policy = Policy(
                token,
                secrets.token_hex(16),
                host_names(config, port),
                config.body_bytes,
                config.requests_per_second,
                config.request_seconds,
            )
            app = page(store, policy)
            server = Server(_uvicorn_config(app, config), lambda: say(_link(config, port, token)))
            server.run(sockets=[listener])
        store.backup(config.backups)
    finally:
        store.close()
    if server.ended_by is not None:
        signal.raise_signal(server.ended_by)


def _loader(run: Path, what: str, drawings: Path | None, method: str | None) -> Callable[[], Loaded]:
    if what not in (*MASKS, WHAT):
        raise ConfigError(f"rate: {what!r} cannot be rated (known: {', '.join((*MASKS, WHAT))})")
    return partial(load_mixed, run, method) if what == WHAT else partial(load, run, what, drawings)


def is_loopback(host: str) -> bool:
    """True for localhost and the loopback addresses; a name that is looked up is not trusted to be one."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def keep_token(path: Path) -> str:
    """The token in ``path``, or a new one of 192 bits written there with mode 0600.

    One that others could have read, or that is too short, is replaced.
    """
    make_private_parent(path)
    with contextlib.suppress(OSError, UnicodeDecodeError):
        token = path.read_text(encoding="ascii").strip()
        private = not path.is_symlink() and path.stat().st_mode & 0o077 == 0
        if private and len(token) >= 32 and token.replace("-", "").replace("_", "").isalnum():
            return token
    path.unlink(missing_ok=True)
    claim_file(path)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with path.open("w", encoding="ascii") as stream:
        stream.write(token + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    return token


def make_private_parent(path: Path) -> None:
    """The folder of ``path``, made private where it is not there yet."""
    if not path.parent.is_dir():
        make_private(path.parent)


def host_names(config: RateConfig, port: int) -> frozenset[str]:
    """The Host headers that are answered: loopback names, this machine's own when it is open, and the configured."""
    names = {"127.0.0.1", "localhost", "[::1]"}
    if not is_loopback(config.host):
        names.add(config.host.lower())
        with contextlib.suppress(OSError):
            own = socket.gethostname()
            names |= {own.lower(), *(str(info[4][0]) for info in socket.getaddrinfo(own, None, socket.AF_INET))}
    ported = {f"{name}:{port}" for name in names - {"0.0.0.0", "::"}}
    own_port = {
        host.lower() if host.rpartition(":")[2].isdecimal() and not host.endswith("]") else f"{host.lower()}:{port}"
        for host in config.allowed_hosts
    }
    return frozenset(ported | own_port | ({name.removesuffix(":80") for name in ported} if port == 80 else set()))


def _link(config: RateConfig, port: int, token: str | None) -> str:
    host = config.host
    if host in {"0.0.0.0", "::"}:
        host = next(
            (name for name in sorted(host_names(config, port)) if not name.startswith(("127.", "localhost", "["))),
            "127.0.0.1:0",
        ).rpartition(":")[0]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/" + (f"?token={token}" if token else "")


@contextlib.contextmanager
def _listen(config: RateConfig) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((config.host, config.port))
        except OSError as error:
            raise EnvironmentFailure(
                f"{config.host}:{config.port}: cannot be served ({error.strerror}): choose "
                "another port with --port NUMBER"
            ) from error
        yield listener


def _uvicorn_config(app: App, config: RateConfig) -> uvicorn.Config:
    guarded = type("LimitedProtocol", (LimitedProtocol,), {"limits": config, "open_by_address": defaultdict(dict)})
    return uvicorn.Config(
        app,
        http=guarded,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=5,
        backlog=256,
        h11_max_incomplete_event_size=16_384,
        proxy_headers=False,
        loop="asyncio",
    )


class Server(uvicorn.Server):
    """Says when it listens, and which of SIGINT and SIGTERM ended it: both let requests finish first."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening
        self.ended_by: int | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.ended_by = sig
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class LimitedProtocol(H11Protocol):
    """Bounds the number of connections, and the time in which a request must have arrived (slow clients, F15)."""

    limits: RateConfig
    open_by_address: dict[str, dict[LimitedProtocol, None]]
    _address = ""
    _alarm: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self._address = (transport.get_extra_info("peername") or ("",))[0]
        mine = self.open_by_address[self._address]
        mine[self] = None
        super().connection_made(transport)
        if sum(map(len, self.open_by_address.values())) > self.limits.connections or len(mine) > max(
            1, self.limits.connections // 2
        ):
            # the one that has waited longest without a whole request makes room: nobody shuts an address out
            oldest = next((one for one in mine if one is not self and not one.is_working()), self)
            mine.pop(oldest, None)
            oldest.transport.abort()
            if oldest is self:
                return
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self.open_by_address[self._address].pop(self, None)
        if not self.open_by_address[self._address]:
            del self.open_by_address[self._address]
        if self._alarm is not None:
            self._alarm.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_request()

    def _await_request(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self.loop.call_later(self.limits.request_seconds + 5, self._too_slow)

    def is_working(self) -> bool:
        """Whether a whole request has arrived that is not answered yet."""
        return self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete

    def _too_slow(self) -> None:
        if self.is_working():
            self._await_request()
        else:
            self.transport.abort()
