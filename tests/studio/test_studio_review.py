"""Reviewing generated photographs: what is decided stands in the file the export reads, whoever is killed when."""

from __future__ import annotations

import http.client
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rating_run import make_run, refuse
from starlette.testclient import TestClient
from studio_run import decisions, start_studio
from tablet import enter, needs_chromium, tablet

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png
from anomaly_gan.studio.app import build_app
from mask_pool.rating.security import Policy
from mask_pool.rating.store import Store


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    run = make_run(tmp_path_factory.mktemp("studio"), masks=6)
    refuse(run / "gate@anomaly_gan")
    return run


@pytest.fixture
def run(template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(template, tmp_path / "run")


class Studio:
    """The application on a run, and people who use it."""

    def __init__(self, run: Path) -> None:
        self.store, self.number = Store(run / "review"), 0
        app = build_app(run, self.store, Policy(None, "p" * 32, frozenset({"h:1"}), requests_per_second=1e6))
        self.client = TestClient(app, base_url="http://h:1", raise_server_exceptions=False)
        token = self.client.get("/api/session").json()["page_token"]
        self.client.headers |= {"origin": "http://h:1", "x-page-token": token}

    def enter(self, name: str) -> dict[str, str]:
        secret = name[0] * 22
        answer = self.client.post("/api/enter", json={"name": name, "secret": secret}).json()
        return {"x-rater": str(answer["rater"]), "x-rater-secret": secret}

    def decide(self, who: dict[str, str], item: dict[str, Any], decision: str, **more: Any) -> Any:
        self.number += 1
        body = {"key": f"key-{self.number:013d}", "item": item["id"], "version": item["version"], "decision": decision}
        return self.client.post("/api/review", json={**body, **more}, headers=who)


@pytest.fixture
def studio(run: Path):
    page = Studio(run)
    yield page
    page.store.close()


def test_what_counts_is_the_last_word_and_an_undo_takes_it_back(studio, run) -> None:
    ann, bob = studio.enter("Ann"), studio.enter("Bob")
    work = studio.client.get("/api/review", headers=ann).json()
    assert [one["aside"] for one in work["items"] if one["aside"]] == ["H7 nothing is to be seen"]
    assert len(work["items"]) == 7 and work["standing"] == {} and decisions(run) == []
    first, second = work["items"][:2]
    assert studio.decide(ann, first, "accept").status_code == 200
    key = f"key-{studio.number:013d}"
    assert studio.decide(bob, first, "reject", why="  its\n edge shows ").status_code == 200
    other = "scrap" if second["label"] == "crack" else "crack"
    assert studio.decide(bob, second, "wrong_category", right_category=other).status_code == 200
    told = {row["file_name"]: row for row in decisions(run)}
    assert told[first["name"]]["decision"] == "reject" and told[first["name"]]["reviewer"] == "Bob"
    assert told[first["name"]]["why"] == "its edge shows" and told[first["name"]]["at"].startswith("20")
    assert told[second["name"]]["right_category"] == other
    standing = studio.client.get("/api/review", headers=ann).json()["standing"]
    assert standing[first["id"]]["reviewer"] == "Bob" and not standing[first["id"]]["mine"]
    assert studio.decide(ann, first, "undo", undoes=key, expects="").status_code == 409, "not what Ann last said"
    assert studio.decide(ann, first, "undo", undoes=key, expects=key).status_code == 200
    bobs = studio.client.get("/api/review", headers=bob).json()["keys"][first["id"]]
    assert studio.decide(bob, first, "undo", undoes=bobs, expects=bobs).status_code == 200
    assert [row["file_name"] for row in decisions(run)] == [second["name"]]


def test_nonsense_and_strangers_are_refused_and_change_nothing(studio, run) -> None:
    ann = studio.enter("Ann")
    item = studio.client.get("/api/review", headers=ann).json()["items"][0]
    for more in (
        {"decision": "accept", "right_category": "crack"},
        {"decision": "wrong_category", "right_category": "unicorn"},
        {"decision": "undo"},
        {"decision": "maybe"},
        {"decision": "reject", "why": "x" * 501},
    ):
        answer = studio.decide(ann, item, **more)
        assert answer.status_code == 422 and "unicorn" not in answer.text, more
    assert studio.decide({**ann, "x-rater-secret": "z" * 22}, item, "accept").status_code == 403
    assert studio.decide(ann, {**item, "version": "0" * 16}, "accept").status_code == 409
    stranger = {"x-page-token": "", "origin": "http://elsewhere"}
    assert studio.decide({**ann, **stranger}, item, "accept").status_code == 403
    assert studio.client.get("/", headers={"host": "evil.example"}).status_code == 400
    assert "default-src 'none'" in studio.client.get("/").headers["content-security-policy"]
    assert decisions(run) == []


def test_a_photograph_made_anew_is_reviewed_anew(studio, run) -> None:
    ann = studio.enter("Ann")
    items = studio.client.get("/api/review", headers=ann).json()["items"]
    item = next(one for one in items if not one["aside"])
    assert studio.decide(ann, item, "reject").status_code == 200
    gate = load_dataset(run / "gate@anomaly_gan")
    image = next(one for one in gate.images if one.file_name == item["name"])
    pixels = np.full((image.height, image.width), 7, np.uint8)
    content = write_png(gate.path_of(image), pixels)
    text = (gate.folder / "annotations.json").read_text()
    (gate.folder / "annotations.json").write_text(text.replace(image.sha256, sha256_bytes(content)))
    assert studio.decide(ann, item, "accept").status_code == 409
    work = studio.client.get("/api/review", headers=ann).json()
    assert item["id"] in [one["id"] for one in work["items"]] and work["standing"] == {}


class Person(threading.Thread):
    """One who goes through the photographs, and asks again while the server is away; keeps what was acknowledged."""

    def __init__(self, server: list[Any], number: int) -> None:
        super().__init__()
        self.server, self.name_said, self.told = server, f"User {number}", {}

    def ask(self, path: str, body: Any = None, who: dict[str, str] | None = None) -> Any:
        for _ in range(400):
            try:
                status, answer = self.server[0].ask(path, body, who)
                if status == 200:
                    return answer
                assert status in (403, 503), (status, answer)  # 403: the page token of the server before
            except (OSError, http.client.HTTPException, ValueError):
                pass
            time.sleep(0.05)
        raise AssertionError("no answer")

    def run(self) -> None:
        entered = self.ask("/api/enter", {"name": self.name_said, "secret": "s" * 22})
        who = {"x-rater": str(entered["rater"]), "x-rater-secret": "s" * 22}
        for place, item in enumerate(self.ask("/api/review", who=who)["items"]):
            body = {"key": os.urandom(16).hex(), "item": item["id"], "version": item["version"], "decision": "reject"}
            answer = self.ask("/api/review", {**body, "why": f"{self.name_said} {place}"}, who)
            self.told[answer["seq"]] = (item["name"], f"{self.name_said} {place}")


def test_ten_at_once_lose_nothing_while_the_server_is_killed(run) -> None:
    server = start_studio(run)
    server.enter()
    box = [server]
    people = [Person(box, number) for number in range(10)]
    for person in people:
        person.start()
    time.sleep(0.3)
    server.kill()
    again = start_studio(run, port=server.port)
    again.enter()
    box[0] = again
    for person in people:
        person.join(60)
    again.kill()  # no clean end either
    last: dict[str, str] = {}
    for _, (name, why) in sorted({seq: told for person in people for seq, told in person.told.items()}.items()):
        last[name] = why
    assert sum(len(person.told) for person in people) == 70 and len(last) == 7
    assert {row["file_name"]: row["why"] for row in decisions(run)} == last


@needs_chromium
def test_by_keyboard_on_a_tablet_at_one_to_one_with_a_killed_server(run) -> None:
    server = start_studio(run)
    with tablet(768, 1024, 120_000) as (page, faults):
        page.on("request", lambda asked: None if "127.0.0.1" in asked.url else faults.append(asked.url))
        enter(page, server.link)
        page.wait_for_function("() => document.querySelector('#count').textContent === '0 of 6 reviewed'")
        box = page.locator("#photo").bounding_box()
        assert (box["width"], box["height"]) == (48, 48), "a pixel is a pixel"
        assert (
            min(min(b.bounding_box()[s] for s in ("width", "height")) for b in page.query_selector_all("#work button"))
            >= 44
        )
        page.keyboard.press("a")
        page.keyboard.press("2")
        page.keyboard.press("c")
        page.keyboard.type("looks painted")
        page.keyboard.press("Enter")
        page.keyboard.press("r")
        page.keyboard.press("a")
        page.keyboard.press("u")
        page.keyboard.press("w")
        page.keyboard.press("1")
        page.wait_for_function("() => document.querySelector('#count').textContent === '4 of 6 reviewed'")
        page.wait_for_function("() => !Object.keys(localStorage).some((name) => name.includes('wait:'))")
        server.kill()
        page.keyboard.press("a")
        page.wait_for_selector("#banner:not([hidden])")
        assert "1 decision is kept" in page.inner_text("#banner")
        server = start_studio(run, port=server.port)
        page.wait_for_selector("#banner", state="hidden", timeout=15_000)
        page.reload()
        page.wait_for_function("() => document.querySelector('#count').textContent === '5 of 6 reviewed'")
        page.select_option("#which", "refused")
        page.wait_for_function("() => document.querySelector('#count').textContent === '0 of 1 reviewed'")
        assert "The gate rejected it: H7 nothing is to be seen." in page.inner_text("#refusal")
        page.keyboard.press("a")
        page.wait_for_function("() => document.querySelector('#count').textContent === '1 of 1 reviewed'")
        page.wait_for_function("() => !Object.keys(localStorage).some((name) => name.includes('wait:'))")
    server.process.terminate()
    server.process.communicate(timeout=20)
    assert not faults
    told = decisions(run)
    taken = next(row for row in told if row["file_name"].startswith("rejected/"))
    assert taken["decision"] == "accept"
    told.remove(taken)
    assert sorted(row["decision"] for row in told) == ["accept", "accept", "reject", "reject", "wrong_category"]
    assert {row["why"] for row in told} == {"", "its edge shows", "looks painted"}
    assert {row["reviewer"] for row in told} == {"Ann"}
    wrong = next(row for row in told if row["decision"] == "wrong_category")
    assert {wrong["category"], wrong["right_category"]} == {"crack", "scrap"}
