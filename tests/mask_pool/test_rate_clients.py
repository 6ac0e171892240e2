"""Clients that are killed, slow, many or greedy, and where the page listens: on the real server."""

from __future__ import annotations

import contextlib
import http.client
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rating_run
from rating_run import Running, make_run, start

from mask_pool.rating.store import NAME
from mask_pool.rating.store_reading import newest_rows

KILLED = """
import os
from mask_pool.rating import store
whole = store._insert
def insert_and_die(*given):
    whole(*given)
    os.kill(os.getpid(), 9)  # the row is written, not committed
store._insert = insert_and_die
"""


def event(item: dict, key: str = "k" * 16) -> dict:
    return {
        "key": key,
        "item": item["id"],
        "version": item["version"],
        "kind": "grade",
        "criterion": "shape",
        "grade": 7,
        "expects": "",
    }


def rater(server: Running) -> dict[str, str]:
    server.enter()
    entered = server.ask("/api/enter", {"name": "Ann", "secret": "s" * 22})[1]
    return {"x-rater": str(entered["rater"]), "x-rater-secret": "s" * 22}


def test_a_kill_before_the_commit_and_an_expired_session_lose_no_answer(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run", masks=3)
    with monkeypatch.context() as patch:
        patch.setattr(rating_run, "SERVER", KILLED + rating_run.SERVER)
        server = start(run)
    who = rater(server)
    item = server.ask("/api/work", headers=who)[1]["items"][0]
    with pytest.raises((OSError, http.client.HTTPException)):  # told: no answer came
        server.ask("/api/events", event(item), who)
    assert server.process.wait(timeout=20) == -9
    assert newest_rows(run / "rate" / NAME) == [], "not marked as rated"

    port, old = server.port, dict(server.headers)
    (run / "rate" / "token").unlink()
    server = start(run, port=port)
    try:
        server.headers = old
        status, said = server.ask("/api/events", event(item), who)
        assert status == 401 and "link" in said["error"], "the session has expired; the page keeps the answer"
        server.headers = {}
        who = rater(server)
        work = server.ask("/api/work", headers=who)[1]
        assert work["state"] == {} and item["id"] in [one["id"] for one in work["items"]]
        assert server.ask("/api/events", event(item), who)[1]["fresh"] is True, "sent again by the new link"
        assert server.ask("/api/events", event(item), who)[1]["fresh"] is False, "and again: once"
    finally:
        server.kill()
    rows = newest_rows(run / "rate" / NAME)
    assert [(row["grade"], row["seq"]) for row in rows] == [(7.0, 1)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = start(make_run(tmp_path_factory.mktemp("served")), request_seconds=0.5, connections=100)
    running.enter()
    yield running
    running.kill()


def memory_kib(server: Running) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def test_ten_thousand_idle_connections_leave_room_for_one_that_asks(server):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    many = min(10_000, hard - 300)
    before, idle = memory_kib(server), []
    try:
        for number in range(many):
            idle.append(socket.create_connection(("127.0.0.1", server.port), timeout=10))
            if number % 2000 == 1999:
                assert server.ask("/api/session")[0] == 200, number
        assert server.ask("/api/session")[0] == 200
        assert len(list(Path(f"/proc/{server.process.pid}/fd").iterdir())) < 200
        assert memory_kib(server) - before < 60 * 1024
    finally:
        for one in idle:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def head(server: Running, *more: str) -> bytes:
    token = server.headers["x-page-token"]
    lines = [
        "POST /api/enter HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        f"Origin: http://127.0.0.1:{server.port}",
        f"Cookie: {server.headers['cookie']}",
        f"X-Page-Token: {token}",
        "Content-Type: application/json",
        *more,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def test_bodies_that_trickle_or_never_end_are_cut_off_and_others_served(server):
    trickling = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    for client in trickling:
        client.settimeout(10)
        client.sendall(head(server, "Content-Length: 100") + b"{")
    endless = socket.create_connection(("127.0.0.1", server.port))
    endless.settimeout(10)
    endless.sendall(head(server, "Transfer-Encoding: chunked"))
    sent = 0
    with contextlib.suppress(OSError):
        while sent < 2**26:
            endless.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            sent += 0x10000
    assert sent < 2**26, "64 MB were not taken in"
    with contextlib.suppress(ConnectionResetError):
        assert endless.recv(20).startswith((b"HTTP/1.1 413", b"")), "or closed"
    begun = time.monotonic()
    assert server.ask("/api/session")[0] == 200
    for client in trickling:
        assert client.recv(20).startswith(b"HTTP/1.1 408")
        client.close()
    assert time.monotonic() - begun < 20


def get(server: Running, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", path, headers={"cookie": server.headers["cookie"], **headers})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_thousands_of_ranges_cost_no_more_than_the_file(server):
    whole = get(server, "/static/app.js")[1]
    before = time.process_time()
    for ranges in (
        ",".join(["0-"] * 4000),
        ",".join(f"{at}-{at}" for at in range(0, 6000, 2)),
        ",".join(f"-{at}" for at in range(1, 3000)),
        "0-99999999999999999999",
        "5-1",
    ):
        status, content = get(server, "/static/app.js", range=f"bytes={ranges}")
        assert status in (200, 206, 416, 431, 400) and len(content) <= 2 * len(whole) + 300_000, (status, ranges[:20])
    assert get(server, "/static/app.js", range="bytes=" + ",".join(["0-0"] * 10_000))[0] == 431
    assert time.process_time() - before < 2


def test_a_thousand_parts_are_refused_unread(server):
    parts = b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _ in range(1000)) + b"--x--"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {**server.headers, "content-type": "multipart/form-data; boundary=x"}
    connection.request("POST", "/api/enter", parts, headers)
    assert connection.getresponse().status == 403


def test_it_listens_on_loopback_alone(server):
    """By the kernel's own table: one listening socket of that port, on 127.0.0.1."""
    table = Path("/proc/net/tcp")
    if not table.is_file():
        pytest.skip("no /proc/net/tcp on this system")
    listening = [line.split()[1] for line in table.read_text().splitlines()[1:] if line.split()[3] == "0A"]
    assert [place for place in listening if place.endswith(f":{server.port:04X}")] == [f"0100007F:{server.port:04X}"]
    others = Path("/proc/net/tcp6")
    lines = others.read_text().splitlines()[1:] if others.is_file() else []
    assert not [line for line in lines if line.split()[1].endswith(f":{server.port:04X}") and line.split()[3] == "0A"]


def test_the_command_refuses_another_host_without_a_token(tmp_path):
    run = make_run(tmp_path / "run", masks=2)
    words = ["pool", "rate", "--run", str(run), "--token", "none", "--set", "host=0.0.0.0"]
    done = subprocess.run([sys.executable, "-m", "anomaly_gan", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "it needs a token" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not (run / "rate").exists()
