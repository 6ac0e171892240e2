"""What ingest says on the console: everything one should know before hours of training, in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from drawn_photos import photo, ring_and_dot, save, write_masks

from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.ingestion.stage import IngestConfig, run
from anomaly_gan.ingestion.summary import summary_lines


def said(source: Path, out: Path, **settings) -> list[str]:
    run_stage("ingest", run, IngestConfig(root=str(source), **settings), Context(0), out)
    return summary_lines(out)


def test_a_table_of_the_categories_and_the_two_sides(tmp_path):
    write_masks(tmp_path / "source")
    save(tmp_path / "source" / "good" / "0.jpg", photo(1))
    lines = said(tmp_path / "source", tmp_path / "out")
    assert lines[0] == "ingest (mask-png): 12 photographs found, 12 accepted"
    rows = {line.split("  ")[1].strip(): line.split() for line in lines[1:] if line.startswith("  ")}
    assert rows["crack"][1:4] == ["8", "4", "4"] and rows["in all"][-5:-4] == ["12"]
    assert "sound, no defect" in rows
    assert not any("{" in line for line in lines), "no raw JSON"


def test_what_was_repaired_ignored_and_warned_of_is_named_with_an_example(tmp_path):
    source = tmp_path / "source"
    write_masks(source)
    (source / "notes.txt").write_text("mind the oil")
    (source / "list.csv").write_text("a,b")
    (source / "more.txt").write_text("")
    save(source / "crack" / "9.tif", (photo(7).astype(np.uint16) * 256))
    save(source / "crack" / "9_mask.png", ring_and_dot() * 255)
    save(source / "good" / "in_colour.png", photo(8, (40, 60, 3)))
    text = "\n".join(said(source, tmp_path / "out"))
    assert "ignored files: 1 .csv, 2 .txt" in text
    assert (
        "repaired: A6 16-bit samples scaled to 8 bits over the full range (1 photograph, such as crack/9.tif)" in text
    )
    assert "A10 1 of 14 photographs are in colour" in text and "such as good/in_colour.png" in text


def test_no_sound_photograph_and_no_groups_are_said(tmp_path):
    write_masks(tmp_path / "source")
    for path in (tmp_path / "source" / "good").iterdir():
        path.unlink()
    none = "\n".join(said(tmp_path / "source", tmp_path / "none"))
    assert "mind: no sound photograph: " in none and "mind: no groups told: " in none
    save(tmp_path / "source" / "good" / "0.jpg", photo(3))
    one = "\n".join(said(tmp_path / "source", tmp_path / "one", group_regex="/([0-9])", group_on="path"))
    assert "sound photograph to paint defects into (training side)" in one or "on the test side" in one
    assert "no groups told" not in one


def test_refusals_are_told_one_by_one_up_to_a_few(tmp_path):
    write_masks(tmp_path / "source")
    for index in range(7):
        (tmp_path / "source" / "good" / f"broken{index}.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    lines = said(tmp_path / "source", tmp_path / "out", max_bad=0.9)
    assert "7 refused" in lines[0]
    refused = [line for line in lines if line.startswith("  refused: ")]
    assert len(refused) == 6 and "good/broken0.png" in refused[0] and "2 more, all in" in refused[-1]
    rows = (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()
    assert len([row for row in map(json.loads, rows) if row["outcome"] == "rejected"]) == 7
