"""Many raters at once against the real server process, which is killed (-9) again and again.

    python benchmarks/rate_soak.py --raters 64 --ratings 200 --kills 20

Each rater is a thread that sends grades as the page does: a key per grade, the same key again until the server has
answered, everything else as the page would. At the end the database is compared with what was acknowledged: each
acknowledged rating must be there exactly once, with its owner and its grade, and nothing else may be. The last line is
JSON. Latency is that of acknowledged requests (without the waiting for a killed server).
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import shutil
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
from rating_run import Running, make_run, start

CRITERIA = ("shape", "place", "scale", "orientation")


class Soak:
    """The raters, the killer, and what was acknowledged."""

    def __init__(self, run: Path, raters: int, ratings: int, kills: int, seed: int = 0) -> None:
        self.run, self.raters, self.ratings, self.kills, self.seed = run, raters, ratings, kills, seed
        self.acknowledged: dict[str, tuple[str, float]] = {}
        self.latencies: list[float] = []
        self.repeated = 0
        self.lock = threading.Lock()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.server = self._start()

    def _start(self) -> Running:
        running = start(self.run, port=self.port, requests_per_second=1e6)
        running.enter()
        return running

    def play(self) -> dict[str, Any]:
        threads = [threading.Thread(target=self._rate, args=(number,)) for number in range(self.raters)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        killed = self._kill(threads)
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - began
        self.server.process.terminate()
        self.server.process.communicate(timeout=30)
        times = sorted(self.latencies)
        return {
            "raters": self.raters,
            "acknowledged": len(self.acknowledged),
            **self.compare(),
            "kills": killed,
            "answered_from_store": self.repeated,
            "p50_ms": round(1000 * times[len(times) // 2], 1),
            "p99_ms": round(1000 * times[int(0.99 * len(times))], 1),
            "seconds": round(seconds, 1),
            "ratings_per_s": round(len(self.acknowledged) / seconds, 1),
        }

    def _kill(self, threads: list[threading.Thread]) -> int:
        """Kill whenever another share of the ratings is acknowledged, at a random moment, and start again."""
        rng, killed, total = random.Random(self.seed), 0, self.raters * self.ratings
        while killed < self.kills and any(thread.is_alive() for thread in threads):
            if len(self.acknowledged) < total * (killed + 0.5) / (self.kills + 1):
                time.sleep(0.002)
                continue
            time.sleep(rng.uniform(0, 0.02))
            self.server.kill()
            killed += 1
            self.server = self._start()
        return killed

    def _rate(self, number: int) -> None:
        rng = random.Random(f"{self.seed}-{number}")
        name, secret = f"rater {number}", f"{rng.getrandbits(128):032x}"
        me = {
            "x-rater": str(self._until("/api/enter", {"name": name, "secret": secret}, {})["rater"]),
            "x-rater-secret": secret,
        }
        work = self._until("/api/work", None, me)
        slots = [(item, criterion) for item in work["items"] for criterion in CRITERIA]
        newest: dict[tuple[str, str], str] = {}
        for count in range(self.ratings):
            item, criterion = slots[count % len(slots)]
            slot, grade, key = (item["id"], criterion), float(rng.randrange(11)), f"{rng.getrandbits(128):032x}"
            body = {
                "key": key,
                "item": item["id"],
                "version": item["version"],
                "kind": "grade",
                "grade": grade,
                "criterion": criterion,
                "expects": newest.get(slot, ""),
            }
            for _ in range(2 if rng.random() < 0.05 else 1):  # now and then the finger bounces
                stored = self._until("/api/events", body, me, timed=True)
                assert (stored["key"], stored["grade"]) == (key, grade), stored
            newest[slot] = key
            with self.lock:
                self.acknowledged[key] = (name, grade)
                self.repeated += not stored["fresh"]

    def _until(self, path: str, body: Any, headers: dict[str, str], timed: bool = False) -> Any:
        """Ask until there is an answer, as the page does."""
        delay = 0.05
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                began = time.perf_counter()
                status, answer = self.server.ask(path, body, headers)
                if status == 200:
                    if timed:
                        self.latencies.append(time.perf_counter() - began)
                    return answer
                assert status in {403, 429, 503}, (status, answer)  # 403: a new server has another page token
            time.sleep(delay)
            delay = min(2 * delay, 0.5)

    def compare(self) -> dict[str, int]:
        """The database against what was acknowledged."""
        with contextlib.closing(sqlite3.connect(self.run / "rate" / "ratings.sqlite")) as database:
            rows = database.execute("SELECT key, name, grade FROM ratings JOIN raters ON raters.id = rater").fetchall()
        stored = {key: (name, grade) for key, name, grade in rows}
        both = stored.keys() & self.acknowledged.keys()
        return {
            "lost": len(self.acknowledged.keys() - stored.keys()),
            "doubled": len(rows) - len(stored) + len(stored.keys() - self.acknowledged.keys()),
            "wrong_owner": sum(stored[key] != self.acknowledged[key] for key in both),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("raters", 64), ("ratings", 200), ("kills", 20), ("masks", 40)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="rate-soak-"))
    try:
        result = Soak(make_run(folder, chosen.masks), chosen.raters, chosen.ratings, chosen.kills).play()
    finally:
        shutil.rmtree(folder)
    sys.stdout.write(json.dumps(result) + "\n")
    if result["lost"] or result["doubled"] or result["wrong_owner"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
