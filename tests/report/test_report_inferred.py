"""The report says what was inferred of each category, which method was chosen, and how to override both."""

from __future__ import annotations

import json
from types import SimpleNamespace

from anomaly_gan.core.files import write_json
from anomaly_gan.report.config import ReportConfig
from anomaly_gan.report.folders import Run
from anomaly_gan.report.sections.inferred import build
from anomaly_gan.report.stage import run
from anomaly_gan.report.verdict.facts import read_choices
from anomaly_gan.synthesis.choice.result import Choice, Trial

DIRECTION = {
    "kind": "preferred",
    "objects": 12,
    "axis_deg": -89.0,
    "spread_deg": 18.0,
    "p": 0.0046,
    "rotation": 17.6,
    "scale": [0.79, 1.26],
    "sentence": "along -89° in 12 objects",
}
PLACE = {"median_share": 0.93, "along": [0.1, 0.4, 0.8], "across": [-0.5, 0.0, 0.5], "sentence": "on the part"}
TRIALS = [
    {"method": "anomaly_gan", "painted": 40, "accepted": 0.95, "auroc": 0.91, "low": 0.8, "high": 0.97},
    {"method": "copy_paste", "painted": 40, "accepted": 1.0, "auroc": 0.55, "low": 0.4, "high": 0.7},
]


def as_run(**stages):
    return SimpleNamespace(get=lambda name: stages.get(name))


def stage(**metrics):
    return SimpleNamespace(metrics=metrics)


def test_direction_place_and_choice_are_tables_and_nothing_is_shown_of_nothing():
    real = {"direction": DIRECTION, "place": PLACE}
    pool = stage(part={"sentence": "a long part"}, categories={"crack": {"real": real}})
    choice = {
        "crack": {"method": "copy_paste", "why": "told less", "trials": TRIALS},
        "dent": {"method": "none", "why": "set by you", "trials": []},
    }
    found = build(as_run(pool=pool, choose=stage(categories=choice)))
    (row,) = found["habits"].rows
    assert {"crack", "-89°", "18°", "±18°", "93%", "× 0.79 to 1.26", "0.10 … 0.80"} <= set(map(str, row))
    assert [(line[0], line[1], line[-1]) for line in found["choice"].rows] == [
        ("crack", "anomaly_gan", None),
        ("crack", "copy_paste", "taken: told less"),
        ("dent", "none", "taken: set by you"),
    ]
    assert build(as_run()) is None and build(as_run(pool=stage(categories={"crack": {"items": 3}}))) is None


def test_the_arm_that_chose_stands_first_and_tells_what_it_took():
    read = {"geometric": {"pool": ""}, "best": {"train@anomaly_gan": "", "choose": ""}}
    stages = {f"generate@{arm}": SimpleNamespace(manifest={"inputs": inputs}) for arm, inputs in read.items()}
    choice = Choice("crack", "copy_paste", "told less", tuple(Trial(**trial) for trial in TRIALS))
    folder = Run(stages | {"choose": stage(categories={"crack": choice.to_json()})})
    assert folder.methods("generate") == ["best", "geometric"]
    assert read_choices(folder, "best") == (choice,) and read_choices(folder, "geometric") == ()


def test_the_page_says_it_and_how_to_override_it(build_run, tmp_path):
    made = build_run()
    path = made.folder / "pool" / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, {**metrics, "categories": {"crack": {"real": {"direction": DIRECTION, "place": None}}}})
    run(ReportConfig(rows=2, cell_px=48), made.context(), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "What was inferred" in text and "along -89° in 12 objects" in text
    assert "pool.rules.crack.rotation=15" in text
