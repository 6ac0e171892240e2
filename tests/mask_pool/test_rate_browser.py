"""The rating page in a real browser, and many raters on a server that is killed."""

from __future__ import annotations

import importlib.util
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from rating_run import make_run, start
from tablet import enter, needs_chromium, tablet

from mask_pool.rating.export import collect, comments

ROOT = Path(__file__).parents[2]
ALL_SENT = "() => !Object.keys(localStorage).some((name) => name.includes('wait:'))"


def rows(run: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(run / "rate" / "ratings.sqlite")) as database:
        return database.execute("SELECT kind, criterion, grade FROM ratings ORDER BY seq").fetchall()


@needs_chromium
def test_three_masks_by_keyboard_with_undo_reload_double_click_and_a_killed_server(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    criteria = {"criteria": {"shape": 1.0, "place": 1.0}}
    server = start(run, **criteria)
    with tablet(768, 1024) as (page, faults):
        page.on("dialog", lambda dialog: faults.append("a dialog"))
        enter(page, server.link)
        assert "token" not in page.url
        page.wait_for_selector("#work:not([hidden])")
        for key in ("7", "x", "0", "9", "3", "u", "4", "5"):  # three masks, two criteria each, one taken back
            page.keyboard.press(key)
        page.wait_for_function("() => document.querySelector('#count').textContent === '4 of 8'")
        page.keyboard.press("c")
        page.keyboard.type("<img src=x onerror=alert(1)>")
        page.keyboard.press("Control+Enter")
        page.keyboard.press("f")
        assert page.is_hidden("#mask") and page.is_visible("#outline")
        page.reload()
        page.wait_for_selector("#work:not([hidden])")
        assert page.inner_text("#count") == "4 of 8"
        assert (
            min(
                min(button.bounding_box()[side] for side in ("width", "height"))
                for button in page.query_selector_all("#work button")
            )
            >= 44
        ), "a finger needs room"
        page.evaluate(  # the first click on a page of any age counts, the second of a double click does not
            "() => { const eight = document.querySelector(`[data-grade='8']`);"
            " for (const at of [5, 205]) { const click = new MouseEvent('click', { bubbles: true });"
            " Object.defineProperty(click, 'timeStamp', { value: at }); eight.dispatchEvent(click); } }"
        )
        page.wait_for_function(ALL_SENT)
        port = server.port
        server.kill()
        page.keyboard.press("2")
        page.wait_for_selector("#banner:not([hidden])")
        assert "1 answer is kept" in page.inner_text("#banner")
        server = start(run, port=port, **criteria)
        page.wait_for_selector("#banner", state="hidden", timeout=15_000)
        second = page.context.new_page()  # two tabs at one mask
        second.goto(f"http://127.0.0.1:{port}/")
        second.wait_for_selector("#work:not([hidden])")
        assert second.inner_text("#count") == page.inner_text("#count") == "5 of 8"
        page.keyboard.press("6")
        page.wait_for_function(ALL_SENT)
        second.keyboard.press("1")
        second.wait_for_selector("#toast:not([hidden])")
        for name in ("Bob", "Ann"):  # taking turns at one tablet
            page.click("#help")
            page.click("#other")
            page.wait_for_selector("#entry:not([hidden])")
            page.fill("#name", name)
            page.keyboard.press("Enter")
            page.wait_for_selector("#work:not([hidden])")
            assert page.inner_text("#count") == ("1 of 8" if name == "Bob" else "5 of 8")
        server.kill()
        (run / "rate" / "token").unlink()  # the session has expired: another server asks for another link
        server = start(run, port=port, **criteria)
        page.keyboard.press("9")
        page.wait_for_function("() => document.querySelector('#banner').textContent.includes('open the link')")
        assert "1 answer is kept here" in page.inner_text("#banner")
        page.goto(server.link)
        page.wait_for_function(ALL_SENT)
    server.process.terminate()
    server.process.communicate(timeout=20)
    assert not faults
    grades = [
        ("grade", "shape", 7.0),
        ("grade", "place", 10.0),
        ("grade", "shape", 0.0),
        ("grade", "place", 9.0),
        ("grade", "shape", 3.0),
        ("undo", "shape", None),
        ("grade", "shape", 4.0),
        ("grade", "place", 5.0),
    ]
    assert rows(run) == [
        *grades,
        ("comment", "comment", None),
        ("grade", "shape", 8.0),
        ("grade", "place", 2.0),
        ("grade", "shape", 6.0),
        ("grade", "place", 9.0),
    ]
    assert sorted(value for value in collect(run).grades.ravel() if value == value) == [0, 2, 4, 5, 6, 7, 8, 9, 9, 10]
    assert list(comments(run).values()) == ["<img src=x onerror=alert(1)>"]


def test_eight_raters_lose_nothing_while_the_server_is_killed(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("rate_soak", ROOT / "benchmarks" / "rate_soak.py")
    assert spec is not None and spec.loader is not None
    soak = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(soak)
    found = soak.Soak(make_run(tmp_path / "run"), raters=8, ratings=20, kills=2).play()
    assert (found["acknowledged"], found["kills"]) == (160, 2)
    assert (found["lost"], found["doubled"], found["wrong_owner"]) == (0, 0, 0)
