"""Label checks in the report: a table and a histogram where the gate asked for them, nothing where not."""

import base64
import json

from anomaly_gan.core.files import write_json, write_text
from anomaly_gan.report.config import ReportConfig
from anomaly_gan.report.folders import open_run
from anomaly_gan.report.pictures import Album
from anomaly_gan.report.sections import gates


def build(made):
    run = open_run(made.context())
    return {item["method"]: item for item in gates.build(run, Album(10**6, 85), ReportConfig())}


def test_ious_stand_beside_those_of_real_defects(build_run, tmp_path):
    made = build_run(methods=("copy_paste",))
    gate = made.folder / "gate@copy_paste"
    lines = [json.loads(line) for line in (gate / "decisions.jsonl").read_text().splitlines()]
    for line in lines:
        line["measures"]["label_ious"] = [0.6, 0.7]
    write_text(gate / "decisions.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    metrics = json.loads((gate / "metrics.json").read_text())
    metrics["categories"]["crack"] |= {
        "label_check": {
            "median": 0.65,
            "median_at_first": 0.64,
            "real_median": 0.68,
            "difference": -0.03,
            "empty_share": 0.0,
            "real_empty_share": 0.04,
        },
        "seam": {"median": 1.2, "real_median": 1.4},
        "copies": {"share": 0.25},
    }
    write_json(gate / "metrics.json", metrics)
    reference = json.dumps({"category": "crack", "iou": 0.68}) + "\n"
    made.stage("label_check", lambda out: write_text(out / "reference.jsonl", reference) or {})
    item = build(made)["copy_paste"]
    assert item["label_check"].rows == [["crack", 0.65, 0.64, 0.68, -0.03, 0.0, 0.04, 1.2, 1.4, 0.25]]
    assert item["histogram"].uri.startswith("data:image/png") and "copy_paste" in item["histogram"].alt
    written = gates.write_histograms(open_run(made.context()), ReportConfig(), tmp_path)
    assert written == ["label_check@copy_paste.png"]
    assert base64.b64encode((tmp_path / "label_check@copy_paste.png").read_bytes()).decode() in item["histogram"].uri


def test_the_histogram_counts_accepted_ones_and_first_attempts_apart(build_run, monkeypatch):
    made = build_run(methods=("copy_paste",))
    rows = [
        ("crack/1.png", 0, False, False, [0.0, 0.6]),
        ("crack/1.png", 1, False, True, [0.7, 0.8]),
        ("crack/9.png", 0, True, True, [0.9]),
        ("blowhole/1.png", 0, False, False, [0.1]),
    ]
    keys = ("pool_item", "attempt", "spare", "accepted")
    write_text(
        made.folder / "gate@copy_paste" / "decisions.jsonl",
        "".join(
            json.dumps(dict(zip(keys, row[:4], strict=True)) | {"measures": {"label_ious": row[4]}}) + "\n"
            for row in rows
        ),
    )
    made.stage(
        "label_check", lambda out: write_text(out / "reference.jsonl", '{"category": "crack", "iou": 0.5}\n') or {}
    )
    drawn = {}
    monkeypatch.setattr(gates, "histograms", lambda panels, label: drawn.update(panels))
    gates.label_check_histogram(open_run(made.context()), "copy_paste", ReportConfig())
    assert drawn == {
        "crack": {"accepted": [0.7, 0.8, 0.9], "real": [0.5], "first attempt": [0.0, 0.6]},
        "blowhole": {"accepted": [], "real": [], "first attempt": [0.1]},
    }


def test_a_gate_without_label_checks_shows_none(build_run):
    item = build(build_run(methods=("copy_paste",)))["copy_paste"]
    assert item["label_check"] is None and item["histogram"] is None


def test_probes_stand_with_their_intervals_and_a_dash_where_there_is_none():
    detail = {"low": 0.41, "high": 0.73}
    metrics = {"two_sample": {"value": 0.58, "detail": detail}, "artefact": {"value": None}}
    found = gates.probe_table({"categories": {"spot": {"metrics": metrics}, "bar": {"metrics": {}}}})
    assert found.rows == [["spot", "0.58 (0.41 to 0.73)", None]]
    assert gates.probe_table({"categories": {"bar": {}}}) is None
