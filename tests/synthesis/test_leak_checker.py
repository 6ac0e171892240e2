"""An export carries its ancestry: a checker that shares no code with it accepts it, and catches every planted leak."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from pathlib import Path

import leak_checker
import pytest

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import CheckFailed
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.synthesis.export import stage as export
from anomaly_gan.synthesis.gate.config import ExportConfig
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig

PLANTED = int(os.environ.get("FUZZ", "300"))


@pytest.fixture(scope="module")
def exported(small_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("leaks")
    make = GenerateConfig(method="copy_paste", count=4)
    run_stage("g", generate.run, make, Context(3, "cpu", small_run.inputs()), folder / "gate")
    inputs = {**small_run.inputs(), "gate@copy_paste": folder / "gate"}
    config = ExportConfig(method="copy_paste", real_times=2)
    run_stage("e", export.run, config, Context(3, "cpu", inputs), folder / "export")
    return folder / "export"


def test_the_checker_is_short_and_shares_nothing():
    text = Path(leak_checker.__file__).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 50 and "anomaly_gan" not in text


def plant(content: dict, test: dict, draw: random.Random) -> str:
    """One leak of one kind, somewhere; its kind."""
    synthetic = [row for row in content["images"] if row["source"] == "synthetic"]
    row = draw.choice(synthetic)
    told = row["provenance"]
    kind = draw.choice(["base", "donor", "donor file", "parent", "group", "bytes", "split", "nothing told", "a file"])
    if kind == "base":
        told["base"] = test["file_name"]
    elif kind == "donor":
        told["donors"] = [{"annotation": 1, "image": "gone.png", "group": test["group_id"]}]
    elif kind == "donor file":
        told["donors"] = [{"annotation": 1, "image": test["file_name"], "group": "g0"}]
    elif kind == "parent":
        own = [item for item in content["annotations"] if item["image_id"] == row["id"]]
        draw.choice(own)["provenance"]["parent_image"] = test["file_name"]
    elif kind == "group":
        row["group_id"] = test["group_id"]
    elif kind == "bytes":
        row["sha256"] = test["sha256"]
    elif kind == "split":
        row["split"] = "test"
    elif kind == "nothing told":
        row["provenance"] = {}
    else:
        content["images"].append({**test, "id": len(content["images"]) + 1})
    return kind


def test_it_accepts_the_export_and_catches_every_planted_leak(small_run, exported, tmp_path):
    ingest = small_run.folder / "ingest"
    assert leak_checker.leaks(exported, ingest) == []
    whole = (exported / "annotations.json").read_text(encoding="utf-8")
    tests = [row for row in json.loads((ingest / "annotations.json").read_bytes())["images"] if row["split"] == "test"]
    draw, met = random.Random(0), set()
    for _ in range(PLANTED):
        content = json.loads(whole)
        kind = plant(content, draw.choice(tests), draw)
        met.add(kind)
        (tmp_path / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
        assert leak_checker.leaks(tmp_path, ingest), kind
    assert len(met) == 9


def test_it_says_what_the_projects_own_proof_says(small_run, exported):
    """A test object in the synthetic part stops the export itself."""
    gated = load_dataset(exported.parent / "gate")
    test = small_run.ingest.split("test").images[0]
    first, *others = gated.images
    with pytest.raises(CheckFailed, match="E4"):
        export.prove_no_leak(small_run.ingest, replace(gated, images=[replace(first, group_id=test.group_id), *others]))
