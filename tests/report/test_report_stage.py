"""The report is one inert, offline, reproducible page, whatever the run holds."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from anomaly_gan.core.config import build
from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.files import write_json, write_text
from anomaly_gan.core.images import write_png
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.report.config import ReportConfig
from anomaly_gan.report.folders import open_run
from anomaly_gan.report.pictures import Album
from anomaly_gan.report.sections import training
from anomaly_gan.report.stage import run

HOSTILE = ["</script><img src=x onerror=alert(1)>", "{{7*7}}{% raw %}", "\u202ecigam\u2067 \x00", 'a" onload="x']
PROMISED = ("data", "pool", "training", "generated", "gates", "export", "reproduce")


class Page(HTMLParser):
    """Tags, attributes and text as a browser would take them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def ids(self) -> set[str | None]:
        return {attributes["id"] for _, attributes in self.tags if "id" in attributes}


def report(context: Context, out, config: ReportConfig | None = None) -> tuple[str, dict]:
    metrics = run(config or ReportConfig(rows=2, cell_px=48), context, out)
    return (out / "report.html").read_text(encoding="utf-8"), metrics


@pytest.fixture(scope="module")
def whole(build_run, tmp_path_factory):
    made = build_run()
    text, metrics = report(made.context(), tmp_path_factory.mktemp("out"))
    return made, text, metrics


def test_every_section_is_there_and_shows_the_run(whole):
    _, text, metrics = whole
    page = Page(text)
    assert set(PROMISED) <= page.ids()
    for words in (
        "blowhole",
        "crack",
        "copy_paste",
        "anomaly_gan",
        "polygon of blowhole has 2 points",
        "40 steps",
        "a label without a photograph",
        "612\u202f345",
        "12 pixels changed outside the mask",
        "FD-EffLite0",
        "12.5 (11 – 14)",
        "10 (8 – 12)",
        "blowhole: 1 of 4 is missing.",
        "synthetic: images",
        "0.412 [0.390,\u00a00.434]",
        "+0.050 [+0.020,\u00a0+0.080]",
    ):
        assert words in page.text
    assert metrics["pictures_left_out"] == 0
    assert metrics["bytes"] == len(text.encode())


def test_nothing_is_loaded_from_anywhere(whole):
    _, text, _ = whole
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "form", "base", "audio", "video"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "srcset", "data", "poster", "action"}:
                assert re.match(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+$", value or "")
            if name == "href":
                assert (value or "").startswith("#")
                assert (value or "")[1:] in page.ids()
    assert "url(" not in text
    assert "@import" not in text
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "img-src data:;" in policy
    assert "script" not in policy


def test_pictures_are_inside_and_decode(whole):
    import base64

    import cv2

    _, text, _ = whole
    pictures = [attributes for tag, attributes in Page(text).tags if tag == "img"]
    assert len(pictures) > 40
    for attributes in pictures:
        content = base64.b64decode((attributes["src"] or "").partition(",")[2])
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        assert pixels is not None
        assert attributes["alt"]


def test_the_same_run_gives_the_same_bytes_without_paths(whole, tmp_path):
    made, text, _ = whole
    again, _ = report(made.context(), tmp_path / "elsewhere")
    assert again == text
    assert str(made.folder) not in text
    assert "secret-place" not in text
    assert "…/photos" in text


@pytest.mark.parametrize("order", [1, -1])
def test_hostile_names_are_inert_text(build_run, tmp_path, order):
    made = build_run(tuple(HOSTILE[::order]), ("copy_paste",))
    text, _ = report(made.context(), tmp_path / "out")
    page = Page(text)
    assert all(attributes.get("src", "data:") != "x" for _, attributes in page.tags)
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "</script><img src=x onerror=alert(1)>" in page.text
    assert "{{7*7}}{% raw %}" in page.text
    assert "\x00" not in text
    for place in re.finditer("\u202e", re.sub(r'"[^"]*"', '""', text)):  # outside of attributes: isolated
        before = re.sub(r'"[^"]*"', '""', text)[: place.start()]
        assert before.count("<bdi>") > before.count("</bdi>")


def test_lone_surrogates_do_not_stop_the_page(build_run, tmp_path):
    made = build_run(methods=())
    row = json.dumps({"outcome": "rejected", "code": "A22", "file": "\ud800.png", "reason": "name"})
    write_text(made.folder / "ingest" / "rejects.jsonl", row + "\n")
    text, _ = report(made.context(), tmp_path / "out")
    assert "\ufffd.png" in text


@pytest.mark.parametrize(
    "stage",
    [
        "ingest",
        "pool",
        "train@anomaly_gan",
        "generate@copy_paste",
        "gate@copy_paste",
        "export@copy_paste",
        "compare",
        None,
    ],
)
def test_a_missing_stage_is_named(whole, tmp_path, stage):
    made, _, _ = whole
    context = made.context()
    kept = {} if stage is None else {name: path for name, path in context.inputs.items() if name != stage}
    text, metrics = report(Context(7, inputs=kept), tmp_path / "out")
    assert set(PROMISED) <= Page(text).ids()
    assert "Not in this run" in text or (stage or "").endswith("@copy_paste")
    assert (stage in metrics["missing"]) == (stage in {"ingest", "pool", "compare"})
    assert ("Unfinished run." in text) == bool(metrics["missing"])


def test_refused_candidates_are_marked_and_shown(whole):
    _, text, _ = whole
    page = Page(text)
    marked = [attributes for tag, attributes in page.tags if tag == "td" and attributes.get("class") == "refused"]
    shown = [attributes for tag, attributes in page.tags if tag == "img" and "refused" in (attributes["alt"] or "")]
    assert len(marked) == 2 * 2  # the first candidate of each category and method is among the two shown
    assert len(shown) == 2 * 2


def test_an_unfinished_stage_folder_counts_as_missing(build_run, tmp_path):
    made = build_run(methods=())
    (made.folder / "pool" / "manifest.json").unlink()
    inputs = {"ingest": made.folder / "ingest", "pool": made.folder / "pool"}
    _, metrics = report(Context(7, inputs=inputs), tmp_path / "out")
    assert "pool" in metrics["missing"]


def test_no_images_no_numbers_no_pictures(build_run, tmp_path):
    made = build_run(methods=())

    def empty(out):
        Dataset([], [], [], {"mode": "L"}).save(out)
        return {"score": None, "categories": {}}

    made.stage("generate@geometric", empty)
    (made.folder / "pool" / "images").rename(made.folder / "pool" / "gone")
    (made.folder / "ingest" / "images").rename(made.folder / "ingest" / "gone")
    write_text(made.folder / "train@anomaly_gan" / "losses.csv", "step,cycle\n")
    metrics = json.dumps({"steps": float("nan"), "rate": float("inf")})
    write_text(made.folder / "train@anomaly_gan" / "metrics.json", metrics)
    text, _ = report(made.context(), tmp_path / "out")
    page = Page(text)
    assert "0 images" in page.text
    assert "No loss curves" in page.text
    assert not re.search(r"\b(nan|inf|None)\b", page.text)


def test_a_broken_file_is_named(build_run, tmp_path):
    made = build_run(methods=())
    write_text(made.folder / "pool" / "metrics.json", "{")
    with pytest.raises(InputError, match=r"metrics\.json.*does not parse"):
        report(made.context(), tmp_path / "out")


def test_a_name_leading_out_of_the_run_is_not_followed(build_run, tmp_path):
    made = build_run(methods=("copy_paste",))
    secret = np.full((40, 40), 200, np.uint8)
    write_png(made.folder / "secret.png", secret)
    path = made.folder / "generate@copy_paste" / "annotations.json"
    before, _ = report(made.context(), tmp_path / "a")
    manifest = path.parent / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["files"] = [item for item in content["files"] if item["path"] != "annotations.json"]
    write_json(manifest, content)
    write_text(path, re.sub(r'"base": "[^"]*"', '"base": "../../secret.png"', path.read_text(encoding="utf-8")))
    after, _ = report(made.context(), tmp_path / "b")
    assert before.count("<img") - after.count("<img") == 4  # the normals of 2 categories x 2 rows are gaps


def test_pictures_beyond_the_budget_are_counted(whole, tmp_path, monkeypatch):
    made, _, _ = whole
    monkeypatch.setattr(ReportConfig, "picture_megabytes", 0.02)
    small, metrics = report(made.context(), tmp_path / "out", ReportConfig(cell_px=48, photograph_megabytes=0))
    assert metrics["pictures_left_out"] > 0
    assert f"{metrics['pictures_left_out']} pictures were left out" in small
    assert len(small) < 80_000


def test_many_rows_stay_small(build_run, tmp_path):
    made = build_run(methods=())
    rows = "".join(
        json.dumps({"outcome": "rejected", "code": f"Z{i}", "file": f"{i}.png", "reason": "x" * 40}) + "\n"
        for i in range(100_000)
    )
    write_text(made.folder / "ingest" / "rejects.jsonl", rows)
    text, metrics = report(made.context(), tmp_path / "out")
    assert metrics["bytes"] < 1_000_000
    assert "99\u202f798" in text or "99\u202f800" in text


@pytest.mark.parametrize("root", ["embedded:sample", "photos"])
def test_simulated_photographs_are_called_simulated(build_run, tmp_path, root):
    made = build_run(methods=())
    write_text(made.folder / "ingest" / "config.yaml", f"root: {root}\n")
    text, _ = report(made.context(), tmp_path / "out")
    assert ("Simulated photographs" in text) == (root == "embedded:sample")


def test_it_runs_as_a_stage_and_is_fresh_afterwards(whole):
    made, _, _ = whole
    assert run_stage("report", run, ReportConfig(rows=1), made.context(), made.folder / "report")
    assert not run_stage("report", run, ReportConfig(rows=1), made.context(), made.folder / "report")


def test_configuration_is_checked():
    with pytest.raises(ConfigError, match=r"rows"):
        build(ReportConfig, {"rows": 0}, "run.yaml: report")


def test_every_further_detector_has_its_part(build_run, tmp_path):
    made = build_run()
    summary = json.loads((made.folder / "compare" / "summary.json").read_text())
    recall = {"mean": 0.625, "low": 0.5, "high": 0.75, "values": [0.6, 0.65]}
    arms = {
        arm: item | {"sentence": f"{arm}: by boxes.", "image_recall_at_5": recall}
        for arm, item in summary["arms"].items()
    }
    parts = {
        "mask_rcnn": {"arms": summary["arms"], "judged_on": "masks"},
        "retinanet": {"arms": arms, "judged_on": "boxes"},
    }
    write_text(made.folder / "compare" / "summary.json", json.dumps(summary | {"detectors": parts}))
    text, _ = report(made.context(), tmp_path)
    assert "The same with the detector retinanet, evaluated on boxes" in text
    assert "with the detector mask_rcnn" not in text
    assert text.count("anomaly_gan: by boxes.") == 1
    assert text.count("0.625 [0.500,\u00a00.750]") == 3, "recall of photographs, where it was measured"


def test_features_over_training_stand_in_their_trainings_section(build_run):
    made = build_run(methods=("anomaly_gan",))
    rows = [
        "category,step,n,mean,p05,p95,real_mean,real_p05,real_p95,diversity",
        "crack,,9,3.0,2.0,4.0,1.0,0.5,1.5,",
        "crack,0,9,2.9,2.0,4.0,1.0,0.5,1.5,0.4",
        "crack,500,9,,,,1.0,0.5,1.5,0.9",
    ]

    def stage(out):
        write_png(out / "features.png", np.full((60, 240, 3), 250, np.uint8))
        write_text(out / "features.csv", "\n".join(rows) + "\n")
        return {"kernel": "KID-EffLite0"}

    made.stage("features@anomaly_gan", stage)
    run = open_run(made.context())
    found = {item["method"]: item for item in training.build(run, Album(10**6, 85), ReportConfig())}["anomaly_gan"]
    assert found["features"].uri.startswith("data:image/png") and "anomaly_gan" in found["features"].alt
    assert [row[1] for row in found["distances"].rows] == ["normal places", "0", "500"]
    assert [row[3] for row in found["distances"].rows] == ["3.000 [2.000, 4.000]", "2.900 [2.000, 4.000]", None]
    (made.folder / "features@anomaly_gan" / "features.png").unlink()
    found = training.build(open_run(made.context()), Album(10**6, 85), ReportConfig())[0]
    assert found["features"] is None
