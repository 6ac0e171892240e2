"""A rating server and raters who answer it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from mask_pool.rating.app import Desk, build_app
from mask_pool.rating.config import RateConfig
from mask_pool.rating.items import Catalogue, load_drawings, load_pool
from mask_pool.rating.real_or_generated import WHAT, load_mixed
from mask_pool.rating.security import Policy
from mask_pool.rating.store import Store

SECRET = {"Ann": "a" * 22, "Bob": "b" * 22}


class Page:
    """A server on ``run`` and raters who answer it."""

    def __init__(
        self,
        run: Path,
        what: str = "drawings",
        config: RateConfig | None = None,
        priority: dict[tuple[str, int], float] | None = None,
    ) -> None:
        loaders = {"drawings": load_drawings, "pool": load_pool, WHAT: load_mixed}
        self.run, self.keys = run, 0
        self.store = Store(run / "rate")
        policy = Policy(None, "p" * 32, frozenset({"h:1"}), requests_per_second=1e6)
        self.catalogue = Catalogue(lambda: loaders[what](run), self.store.salt)
        self.client = TestClient(
            build_app(Desk(self.store, self.catalogue, config or RateConfig(), what, policy, priority or {})),
            base_url="http://h:1",
            raise_server_exceptions=False,
        )
        self.client.headers |= {
            "origin": "http://h:1",
            "x-page-token": self.client.get("/api/session").json()["page_token"],
        }

    def enter(self, name: str) -> dict[str, str]:
        answer = self.client.post("/api/enter", json={"name": name, "secret": SECRET.get(name, "s" * 22)})
        assert answer.status_code == 200, answer.text
        return {"x-rater": str(answer.json()["rater"]), "x-rater-secret": SECRET.get(name, "s" * 22)}

    def work(self, rater: dict[str, str]) -> dict[str, Any]:
        return self.client.get("/api/work", headers=rater).json()

    def send(self, rater: dict[str, str], item: dict[str, Any], /, **fields: Any):
        self.keys += 1
        body = {
            "key": f"key-{self.keys:013d}",
            "item": item["id"],
            "version": item["version"],
            "kind": "grade",
            "criterion": "shape",
            **fields,
        }
        # by hand: a client's own JSON writer would refuse NaN
        return self.client.post(
            "/api/events", content=json.dumps(body), headers={**rater, "content-type": "application/json"}
        )
