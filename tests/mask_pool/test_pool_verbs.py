"""The verbs of the pool as people type them: what they say, what they write, how they refuse."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from anomaly_gan.cli.main import main
from anomaly_gan.core.dataset import load_dataset
from mask_pool.drawing.draw import draw as lay_out

Say = Callable[..., tuple[int, str, str]]
SCREWS = "pool build --set fixed_shape=[screw] --set count=4"


@pytest.fixture
def say(tmp_path: Path, ingest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """say("pool stats"): exit code, output and errors of ``anomaly-gan pool stats --run RUN``."""

    def call(words: str, *more: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["anomaly-gan", *words.split(), *more, "--run", str(tmp_path)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call


def sheet(path: Path, grades: dict[tuple[str, int, str], list[float]]) -> Path:
    """Three raters' grades under two criteria."""
    rows = ["file,shape,label,rater,criterion,grade"]
    rows += [
        f"{file},{shape},{label},r{rater},{criterion},{grade}"
        for (file, shape, label), given in grades.items()
        for rater, grade in enumerate(given)
        for criterion in ("shape", "place")
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def rated(tmp_path: Path, experts: Path, draw, scene) -> list[str]:
    """Two drawings, a good and a poor one, and their sheet; the settings that name both."""
    draw("a.json", "normal_3.png", [("scrap", scene.square(30, 30, 14)), ("scrap", scene.square(70, 60, 3))])
    made = sheet(tmp_path / "sheet.csv", {("a.json", 0, "scrap"): [9, 8, 9], ("a.json", 1, "scrap"): [1, 2, 1]})
    return ["--set", f"expert_dir={experts}", "--set", f"expert_scores={made}", "--set", "expert_share=1.0"]


def test_a_pool_tells_where_each_mask_comes_from(say: Say, rated: list[str], tmp_path: Path) -> None:
    assert say(SCREWS, *rated)[0] == 0
    pool = load_dataset(tmp_path / "pool")
    scraps = [one for one in pool.annotations if one.provenance["kind"] == "expert"]
    assert scraps and all(one.provenance["parent"] == "a.json#0" for one in scraps), "the poor drawing was kept"
    assert scraps[0].provenance["raters"] == {"r0": 9.0, "r1": 8.0, "r2": 9.0}
    assert 8 < scraps[0].provenance["expert_score"] < 9
    evaluation = json.loads((tmp_path / "pool" / "metrics.json").read_text())["evaluation"]
    assert evaluation["categories"]["scrap"]["kept"] == 1 and evaluation["method"] == "fuzzy"

    code, out, _ = say("pool show scrap/000001")
    assert code == 0 and "drawn by an expert, a.json#0" in out and "raters: r0 9, r1 8, r2 9" in out
    code, out, _ = say("pool stats")
    assert code == 0 and "diversity before" in out and "nearest real" in out
    assert {path.name for path in (tmp_path / "pool" / "stats").iterdir()} == {"crack.png", "scrap.png", "screw.png"}


def test_sheets_go_out_blank_and_come_back_filled(say: Say, rated: list[str], experts: Path, tmp_path: Path) -> None:
    blank, back = tmp_path / "blank.csv", tmp_path / "back.csv"
    code, out, _ = say("pool export-scores --blank anna", "--what", str(experts), "--out", str(blank))
    assert code == 0 and "2 masks to grade" in out
    rows = list(csv.DictReader(blank.open(encoding="utf-8")))
    assert {row["criterion"] for row in rows} == {"shape", "place", "scale", "orientation"} and len(rows) == 8
    assert all(row["grade"] == "" and len(row["sha256"]) == 64 for row in rows)
    for row in rows:
        row["grade"] = "8" if row["shape"] == "0" else "poor"
    with blank.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert "added 8" in say("pool import-scores", str(blank))[1]
    assert "added 0, changed 0, unchanged 8" in say("pool import-scores", str(blank))[1]
    assert say("pool export-scores", "--out", str(back))[0] == 0
    graded = {(row["shape"], row["criterion"]): row["grade"] for row in csv.DictReader(back.open(encoding="utf-8"))}
    assert graded["0", "place"] == "8" and graded["1", "place"] == "0"
    code, out, _ = say("pool evaluate --set top=0.5")
    assert code == 0 and "a.json#0" in out and "a.json#1" not in out
    assert say(SCREWS, "--set", f"expert_dir={experts}", "--set", f"expert_scores={back}")[0] == 0


def test_evaluate_reads_a_sheet_and_writes_json(say: Say, rated: list[str], tmp_path: Path) -> None:
    code, out, _ = say(
        "pool evaluate --set method=mean", "--sheet", str(tmp_path / "sheet.csv"), "--out", str(tmp_path / "e.json")
    )
    assert code == 0 and "Krippendorff" in out
    found = json.loads((tmp_path / "e.json").read_text())
    assert [row["score"] for row in found["masks"]] == pytest.approx([26 / 3, 4 / 3])


def test_the_weights_that_the_page_was_served_with_count(say: Say, tmp_path: Path) -> None:
    given = tmp_path / "given.csv"
    given.write_text(
        "file,shape,label,rater,criterion,grade\na.json,0,scrap,anna,shape,10\na.json,0,scrap,anna,place,0\n",
        encoding="utf-8",
    )
    assert say("pool import-scores", str(given))[0] == 0
    (tmp_path / "rate" / "criteria.json").write_text('{"shape": 3.0, "place": 1.0, "scale": 1.0}')
    for more, score in (([], 7.5), (["--set", "weights={place: 1, shape: 0}"], 0.0)):
        assert say("pool evaluate --set method=mean", *more, "--out", str(tmp_path / "e.json"))[0] == 0
        assert json.loads((tmp_path / "e.json").read_text())["masks"][0]["score"] == score


def test_the_plausibility_model_fills_the_pool_and_says_why(say: Say, tmp_path: Path) -> None:
    filled = "pool build --set count=3 --set fixed_shape=[screw] --set plausibility.enabled=true"
    plain = say(f"{filled} --set plausibility.candidates=1")
    assert plain[0] == 0
    first = [one.provenance["plausibility"] for one in load_dataset(tmp_path / "pool").annotations]
    assert all(0 <= one["score"] <= 10 and one["reasons"] for one in first)
    say(f"{filled} --set plausibility.candidates=4")
    chosen = [one.provenance["plausibility"] for one in load_dataset(tmp_path / "pool").annotations]
    assert sum(one["score"] for one in chosen) / len(chosen) > sum(one["score"] for one in first) / len(first)
    found = json.loads((tmp_path / "pool" / "metrics.json").read_text())["plausibility"]
    assert found["crack"]["elements"] >= 3 and 0 <= found["crack"]["median_score"] <= 10


def test_draw_without_a_screen_lays_out_and_checks(say: Say, tmp_path: Path) -> None:
    code, out, _ = say("pool draw --labelme none --count 2", "--out", str(tmp_path / "anna"))
    assert code == 0 and "0 drawings on 0 of 2 photographs" in out
    assert len(list((tmp_path / "anna" / "photographs").glob("*.png"))) == 2
    (tmp_path / "anna" / "broken.json").write_text("{")
    code, out, err = say("pool draw --labelme none --count 2", "--out", str(tmp_path / "anna"))
    assert code == 1 and "broken.json" in out and "1 faults" in err
    assert lay_out(tmp_path, tmp_path / "anna", count=2, launch=False).faults, "the fault is still there, nothing lost"


def test_drawings_made_elsewhere_are_laid_out_to_be_changed(
    say: Say, rated: list[str], experts: Path, tmp_path: Path
) -> None:
    code, out, _ = say("pool draw --labelme none", "--show", str(experts), "--out", str(tmp_path / "anna"))
    assert code == 0 and "2 drawings of" in out and "scrap: 2 drawn" in out
    shown = json.loads((tmp_path / "anna" / "normal_3.json").read_text())
    assert [one["label"] for one in shown["shapes"]] == ["scrap", "scrap"] and shown["imageData"] is None


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        ("pool stats", 2, "no finished pool here"),
        ("pool show crack/000001", 2, "pool/annotations.json: MISSING"),
        ("pool evaluate", 2, "no ratings"),
        ("pool evaluate --set top=7", 2, "evaluate: top"),
        ("pool evaluate --set approval=god", 2, "did you mean 'good'"),
        ("pool export-scores --out x.csv", 2, "nobody has rated here yet"),
        ("pool rate --host 0.0.0.0 --token none --what pool", 2, "it needs a token"),
        ("pool rate --what paintings", 2, "cannot be rated"),
        ("pool rate --what real-or-generated --presort", 2, "shown at random"),
        ("pool study plausible --out s", 2, "did you mean 'plausibility'"),
        (["pool build", "--set", "rules={crak: {flip: false}}"], 2, "did you mean 'crack'"),
        (["pool build", "--set", "rules={crack: {length_mm: [1, 2]}}"], 2, "needs px_per_mm"),
        ("pool build --set place.regions=nowhere", 2, "no such folder of regions"),
        ("pool draw --out d --file defect_0.png --labelme none", 2, "E4"),
    ],
)
def test_a_wrong_word_is_one_line(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str | list[str], code: int, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended, _, err = say(*words) if isinstance(words, list) else say(words)
    assert ended == code and reason in err and len(err.strip().splitlines()) == 1
