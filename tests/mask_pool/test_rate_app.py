"""The rating page's answers: blind, ordered at random, strict about grades, honest about what has changed."""

from __future__ import annotations

import csv
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rate_page import SECRET, Page
from rating_run import draw, make_run

from anomaly_gan.core.errors import ConfigError, EnvironmentFailure, InputError
from anomaly_gan.core.images import read_pixels
from mask_pool.rating.config import RateConfig
from mask_pool.rating.export import collect, comments, rater_name, take_up, write_sheet
from mask_pool.rating.items import load_drawings, load_pool
from mask_pool.rating.real_or_generated import WHAT, load_mixed, report
from mask_pool.scoring.ratings import RatedMask, Ratings
from mask_pool.scoring.score_sheet import LONG, read_ratings


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("template"))


@pytest.fixture
def run(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "run")
    (tmp_path / "run" / "pool" / "config.yaml").write_text(f"expert_dir: {tmp_path / 'run' / 'drawn'}\n")
    return tmp_path / "run"


@pytest.fixture
def serve():
    pages: list[Page] = []

    def start(*args: Any, **more: Any) -> Page:
        pages.append(Page(*args, **more))
        return pages[-1]

    yield start
    for page in pages:
        page.store.close()


@pytest.mark.parametrize("what", ["drawings", "pool", WHAT])
def test_what_a_rater_gets_is_blind(serve, run: Path, what: str) -> None:
    page = serve(run, what)
    ann, bob = page.enter("Ann"), page.enter("Bob")
    item = page.work(ann)["items"][0]
    page.send(ann, item, criterion="real" if what == WHAT else "shape", grade=10)
    page.send(ann, item, kind="comment", criterion="comment", comment="Ann's view")
    told = page.client.get("/api/session").text + page.client.get("/api/work", headers=bob).text
    for secret in (
        "json",
        "png",
        "normal_",
        "defect_",
        "gate",
        "ingest",
        "pool",
        "train",
        "synthetic",
        "expert",
        "score",
        "drawn",
        "Ann",
        "sha256",
        "prior",
        "plausib",
    ):
        assert secret not in told.replace("page_token", ""), secret
    keys = {key for one in page.work(bob)["items"] for key in one}
    assert keys == {"id", "version", "width", "height"} | (set() if what == WHAT else {"label"})
    assert page.work(bob)["state"] == {}
    for one in page.work(bob)["items"]:
        photo = page.client.get(f"/image/{one['id']}/photo.png?v={one['version']}")
        assert photo.content.startswith(b"\x89PNG") and b"tEXt" not in photo.content
        mask = page.client.get(f"/image/{one['id']}/mask.png?v={one['version']}")
        assert mask.status_code == (404 if what == WHAT else 200), "a drawn outline would give the real ones away"


def test_only_training_photographs_are_shown(run: Path) -> None:
    loaded = load_drawings(run)
    assert len(loaded.items) == 8 and loaded.left_out == {"test_photograph": 1}
    assert len(load_pool(run).items) == 8


def test_the_layers_show_the_mask(run: Path, tmp_path: Path) -> None:
    item = load_pool(run).items[0]
    for name in ("photo", "mask", "outline"):
        (tmp_path / f"{name}.png").write_bytes(item.layer(name))
    assert np.array_equal(read_pixels(tmp_path / "photo.png", gray=True), read_pixels(item.photograph, gray=True))
    item.photograph.write_bytes(item.photograph.read_bytes() + b"x")
    with pytest.raises(InputError, match="A13"):
        item.layer("photo")


def test_each_rater_has_an_own_order_that_stays(serve, run: Path) -> None:
    page = serve(run)
    orders = {name: [one["id"] for one in page.work(page.enter(name))["items"]] for name in ("Ann", "Bob", "Cy")}
    assert len({tuple(order) for order in orders.values()}) == 3
    assert len({frozenset(order) for order in orders.values()}) == 1
    page.store.close()
    again = serve(run)
    assert [one["id"] for one in again.work(again.enter("Bob"))["items"]] == orders["Bob"]


def test_given_priorities_come_first(serve, run: Path) -> None:
    page = serve(run, priority={("003.json", 0): 2.0, ("005.json", 0): 1.0})
    items = page.catalogue.items()
    for name in ("Ann", "Bob"):
        order = [items[one["id"]].mask.file for one in page.work(page.enter(name))["items"]]
        assert order[:2] == ["003.json", "005.json"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, "5", 11, -1, True, None, [5], {"a": 1}, 10.0001, 10**400])
def test_a_bad_grade_is_not_understood(serve, run: Path, bad: Any) -> None:
    page = serve(run)
    ann = page.enter("Ann")
    answer = page.send(ann, page.work(ann)["items"][0], grade=bad)
    assert answer.status_code in {400, 422} and page.work(ann)["state"] == {}


def test_fields_that_do_not_go_together_are_not_understood(serve, run: Path) -> None:
    page = serve(run)
    ann = page.enter("Ann")
    item = page.work(ann)["items"][0]
    for fields in (
        {"criterion": "beauty", "grade": 5},
        {"criterion": "comment", "grade": 5},
        {"kind": "delete"},
        {"kind": "undo"},
        {"kind": "undo", "undoes": "k" * 16, "grade": 3},
        {"grade": 5, "comment": "x"},
        {"kind": "comment", "criterion": "comment"},
        {"kind": "skip", "criterion": "shape"},
        {"grade": 5, "rater": 2},
        {"grade": 5, "key": "short"},
        {"grade": 5, "item": "../../x"},
        {"kind": "comment", "criterion": "comment", "comment": "x" * 2001},
        {"kind": "comment", "criterion": "comment", "comment": "\ud800"},
    ):
        answer = page.send(ann, item, **fields)
        assert answer.status_code == 422, fields
    assert page.work(ann)["state"] == {}


@pytest.mark.parametrize(
    "text",
    ["👍🏽 schön", "a\0b", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "x" * 2000, "{{7*7}}", "\u202eabc", ""],
)
def test_a_comment_is_kept_to_the_letter(serve, run: Path, text: str) -> None:
    page = serve(run)
    ann = page.enter("Ann")
    item = page.work(ann)["items"][0]
    assert page.send(ann, item, kind="comment", criterion="comment", comment=text).status_code == 200
    assert page.work(ann)["state"][item["id"]]["comment"]["comment"] == text


def test_names_of_raters(serve, run: Path) -> None:
    assert rater_name("  Zoë   Müller ") == "Zoë Müller" and rater_name("李") == "李"
    for bad in ("=1+1", "-x", "@x", "", "   ", "a" * 41, "a\0b", "a\u202eb", "<b>", "'x"):
        assert rater_name(bad) is None
    page = serve(run)
    assert page.client.post("/api/enter", json={"name": "=1", "secret": "s" * 22}).status_code == 422
    page.enter("Ann")
    assert page.client.post("/api/enter", json={"name": "ANN", "secret": "x" * 22}).status_code == 403


def test_a_rater_cannot_touch_anothers_ratings(serve, run: Path) -> None:
    page = serve(run)
    ann, bob = page.enter("Ann"), page.enter("Bob")
    item = page.work(ann)["items"][0]
    key = page.send(ann, item, grade=7).json()["key"]
    forged = {**ann, "x-rater-secret": SECRET["Bob"]}
    assert page.send(forged, item, grade=1, expects=key).status_code == 403
    assert page.client.get("/api/work", headers=forged).status_code == 403
    assert page.send(bob, item, kind="undo", undoes=key).status_code == 403
    assert page.send(bob, item, grade=1, key=key).status_code == 403
    assert page.send({}, item, grade=1).status_code == 422
    assert page.work(ann)["state"][item["id"]]["shape"]["grade"] == 7


def test_a_retry_is_one_rating_and_a_stale_tab_is_told(serve, run: Path) -> None:
    page = serve(run)
    ann = page.enter("Ann")
    item = page.work(ann)["items"][0]
    first = page.send(ann, item, grade=7, key="k" * 16).json()
    assert page.send(ann, item, grade=7, key="k" * 16).json() == {**first, "fresh": False}
    stale = page.send(ann, item, grade=2)
    assert stale.status_code == 409 and stale.json()["current"]["grade"] == 7
    assert len(collect(run).masks) == 1


def test_a_replaced_mask_is_not_rated_unseen(serve, run: Path) -> None:
    page = serve(run)
    ann = page.enter("Ann")
    items = page.catalogue.items()
    item = next(one for one in page.work(ann)["items"] if items[one["id"]].mask.file == "002.json")
    other = next(one for one in page.work(ann)["items"] if one["id"] != item["id"])
    page.send(ann, item, grade=7)
    draw(run, 2, "normal_2", right=40.5)
    assert page.send(ann, item, grade=8, criterion="place").status_code == 409
    assert page.client.get(f"/image/{item['id']}/mask.png?v={item['version']}").status_code == 409
    assert page.send(ann, other, grade=8).status_code == 200
    now = next(one for one in page.work(ann)["items"] if one["id"] == item["id"])
    assert now["version"] != item["version"] and item["id"] not in page.work(ann)["state"]
    assert page.send(ann, now, grade=3).status_code == 200
    kept = collect(run)
    assert [mask.file for mask in kept.masks].count("002.json") == 2, "both, each tied to what was seen"
    (run / "drawn" / "002.json").unlink()
    assert page.send(ann, now, grade=3, criterion="place").status_code == 409
    (run / "drawn" / "004.json").write_text("{")
    assert page.send(ann, other, grade=3, criterion="place").status_code == 409


def test_a_busy_store_says_try_again(serve, run: Path) -> None:
    page = serve(run)
    ann = page.enter("Ann")
    item = page.work(ann)["items"][0]
    page.store._writer.execute("PRAGMA query_only = 1")
    answer = page.send(ann, item, grade=7)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    page.store._writer.execute("PRAGMA query_only = 0")
    assert page.work(ann)["state"] == {}


# ---- out and in


def test_ratings_leave_as_a_sheet_and_come_back(serve, run: Path, tmp_path: Path) -> None:
    page = serve(run)
    for name, shift in (("Ann", 0), ("Bob", 1)):
        rater = page.enter(name)
        for number, item in enumerate(page.work(rater)["items"][:3]):
            for criterion in ("shape", "place"):
                page.send(rater, item, criterion=criterion, grade=number + shift)
        page.send(rater, item, kind="comment", criterion="comment", comment='=HYPERLINK("x")')
        last = page.send(rater, item, criterion="scale", grade=9).json()["key"]
        page.send(rater, item, kind="undo", criterion="scale", undoes=last, expects=last)
    ratings = collect(run)
    assert ratings.criteria == ("place", "shape") and ratings.raters == ("Ann", "Bob")
    assert np.count_nonzero(~np.isnan(ratings.grades)) == 12 and all(len(mask.sha256) == 64 for mask in ratings.masks)
    path = tmp_path / "sheet.csv"
    write_sheet(path, ratings, comments(run))
    first = path.read_bytes()
    write_sheet(path, collect(run), comments(run))
    assert path.read_bytes() == first
    with path.open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert tuple(rows[0]) == LONG and len(rows) == 13 and rows[1:] == sorted(rows[1:])
    assert sorted({row[-1] for row in rows[1:]}) == ["", '\'=HYPERLINK("x")']
    read = read_ratings(path)
    assert read.masks == ratings.masks and np.array_equal(read.grades, ratings.grades, equal_nan=True)
    other = tmp_path / "other"
    assert take_up(other, ratings) == {"added": 12, "changed": 0, "unchanged": 0, "kept_from_page": 0}
    assert take_up(other, ratings)["unchanged"] == 12
    back = collect(other)
    assert (back.masks, back.raters, back.criteria) == (ratings.masks, ratings.raters, ratings.criteria)
    assert np.array_equal(back.grades, ratings.grades, equal_nan=True)
    with pytest.raises(EnvironmentFailure):
        take_up(run, ratings)  # a server has it


def test_a_sheet_does_not_overrule_the_page(serve, run: Path) -> None:
    page = serve(run)
    ann = page.enter("Ann")
    page.send(ann, page.work(ann)["items"][0], grade=7)
    page.store.close()
    seen = collect(run)
    grades = np.array([[[2.0], [np.nan]], [[4.0], [5.0]]])
    sheet = Ratings((seen.masks[0], RatedMask("pool/x.png", 0, "crack")), ("Ann", "Eve"), ("shape",), grades)
    assert take_up(run, sheet) == {"added": 2, "changed": 0, "unchanged": 0, "kept_from_page": 1}
    assert collect(run).grades[0, 0, 0] == 7
    changed = Ratings(sheet.masks[1:], ("Eve",), ("shape",), np.array([[[6.0]]]))
    assert take_up(run, changed)["changed"] == 1
    again = serve(run)
    assert again.client.post("/api/enter", json={"name": "Eve", "secret": "s" * 22}).status_code == 403
    with pytest.raises(ConfigError):
        take_up(run, Ratings(seen.masks, ("=x",), ("shape",), np.array([[[1.0]]])))


def test_nobody_has_rated(tmp_path: Path) -> None:
    empty = collect(tmp_path)
    assert empty.grades.shape == (0, 0, 0)
    write_sheet(tmp_path / "s.csv", empty)
    assert (tmp_path / "s.csv").read_text().strip() == ",".join(LONG)


def test_configuration_is_checked() -> None:
    for bad in (
        {"criteria": {}},
        {"criteria": {"Shape": 1}},
        {"criteria": {"skip": 1}},
        {"criteria": {"a": 0}},
        {"allowed_hosts": ("a/b",)},
        {"port": 70000},
        {"hosts": 1},
    ):
        with pytest.raises(ValueError):
            RateConfig(**bad)


# ---- real or generated


def answer_all(page: Page, name: str, right: float) -> int:
    """The rater answers all, the first share ``right`` of them rightly."""
    rater, items = page.enter(name), page.catalogue.items()
    work = page.work(rater)["items"]
    for number, one in enumerate(work):
        real = items[one["id"]].mask.file.startswith("ingest/")
        said = real if number < right * len(work) else not real
        assert page.send(rater, one, criterion="real", grade=10 if said else 0).status_code == 200
    return len(work)


def test_real_and_generated_are_balanced_and_other_for_each_rater(serve, run: Path) -> None:
    page = serve(run, WHAT, RateConfig(pairs=3))
    items = page.catalogue.items()
    shown = {}
    for name in ("Ann", "Bob", "Cy"):
        shown[name] = [one["id"] for one in page.work(page.enter(name))["items"]]
        kinds = [(items[one].mask.label, items[one].mask.file.startswith("ingest/")) for one in shown[name]]
        assert len(kinds) == 6 and all(kinds.count((label, True)) == kinds.count((label, False)) for label, _ in kinds)
    assert len({tuple(order) for order in shown.values()}) == 3
    bad = page.send(page.enter("Ann"), page.work(page.enter("Ann"))["items"][0], criterion="real", grade=5)
    assert bad.status_code == 422


def test_the_report_gives_shares_with_intervals(serve, run: Path) -> None:
    assert report(run).pooled.share is None and report(run).raters == {}
    page = serve(run, WHAT)
    assert report(run).interval is None and report(run).text() == "nobody has answered yet"
    assert answer_all(page, "Ann", 1.0) == 16 and answer_all(page, "Bob", 0.5) == 16
    found = report(run)
    ann, bob = found.raters["Ann"], found.raters["Bob"]
    assert (ann.answers, ann.right, ann.share) == (16, 16, 1.0)
    # Clopper-Pearson with all right: the lower end is (alpha/2)^(1/n)
    assert ann.interval == (pytest.approx(0.025 ** (1 / 16), abs=1e-6), 1.0)
    assert ann.p_guessing == pytest.approx(2 * 0.5**16, rel=1e-4)
    assert (ann.called_real_of_real, ann.called_real_of_generated) == (1.0, 0.0)
    assert bob.share == 0.5 and bob.p_guessing == 1.0
    assert found.pooled.share == 0.75 and found.pooled.answers == 32
    assert found.interval and found.pooled.interval
    (low, high), (tight_low, tight_high) = found.interval, found.pooled.interval
    assert 0.3 < low <= 0.55 and high == 1.0 and low < tight_low < 0.75 < tight_high < high
    assert report(run) == found and collect(run).masks == ()


def test_without_generated_photographs_the_game_is_refused(run: Path) -> None:
    (run / "gate@anomaly_gan" / "annotations.json").unlink()
    with pytest.raises(InputError, match="gate"):
        load_mixed(run)
