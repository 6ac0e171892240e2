"""The user's own mask on the user's own photograph, generation steered, and the card that measures it."""

import json
import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from anomaly_gan.cli.main import app
from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import AnomalyGanError, InputError
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.masks import grow, union
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.metrics.features import Backbone
from anomaly_gan.report.config import ReportConfig
from anomaly_gan.report.stage import run as report
from anomaly_gan.synthesis.conditions import Control
from anomaly_gan.synthesis.control_card import stage as module
from anomaly_gan.synthesis.control_card.config import CardConfig
from anomaly_gan.synthesis.control_card.stage import sentences, work
from anomaly_gan.synthesis.gate import stage as gate
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig
from anomaly_gan.synthesis.methods.painting.severity import contrast, fill

SUPPORT_PX = 2


@pytest.fixture(scope="module")
def desk(tmp_path_factory, trainings):
    """A photograph, a mask of two parts, the same as labelme, and a model."""
    folder = tmp_path_factory.mktemp("desk")
    rng = np.random.default_rng(0)
    cv2.imwrite(str(folder / "part.png"), rng.integers(50, 80, (70, 96), dtype=np.uint8))
    mask = np.zeros((70, 96), np.uint8)
    mask[20:26, 20:50] = mask[50:58, 70:80] = 255
    cv2.imwrite(str(folder / "mask.png"), mask)
    shapes = [
        {"label": label, "points": points, "shape_type": "rectangle", "group_id": None}
        for label, points in (("spot", [[20, 20], [50, 26]]), ("scratch", [[70, 50], [80, 58]]))
    ]
    (folder / "mask.json").write_text(
        json.dumps(
            {
                "version": "5.5.0",
                "shapes": shapes,
                "imagePath": "part.png",
                "imageData": None,
                "imageHeight": 70,
                "imageWidth": 96,
            }
        )
    )
    return SimpleNamespace(folder=folder, mask=mask // 255, model=trainings("anomaly_gan"))


@pytest.fixture
def paint(desk, tmp_path):
    """``anomaly-gan paint`` with options; later ones win. Returns (result, folder written)."""

    def run(*options, photograph="part.png", mask="mask.png", model=None, out=tmp_path / "out"):
        words = [
            "paint",
            str(desk.folder / photograph),
            "--model",
            str(model or desk.model),
            "--mask",
            str(desk.folder / mask),
            "--out",
            str(out),
            "--device",
            "cpu",
            *options,
        ]
        return CliRunner().invoke(app, words), out

    return run


def pictures(out, photograph):
    dataset = load_dataset(out)
    grouped = dataset.by_image()
    for image in dataset.images:
        relit = out / "relit" / image.file_name
        base = read_pixels(relit if relit.is_file() else photograph, True)
        masks = [item.mask() for item in grouped[image.id]]
        yield read_pixels(dataset.path_of(image), True), base, union(masks, image.height, image.width), image


def test_exactly_the_mask_is_filled_and_every_other_pixel_stays(desk, paint):
    result, out = paint("--category", "spot", "--severity", "0.9", "--count", "2")
    assert result.exit_code == 0, result.output
    found = list(pictures(out, desk.folder / "part.png"))
    assert len(found) == 2
    for painted, base, mask, image in found:
        assert np.array_equal(mask, desk.mask)
        assert (painted != base)[grow(mask, SUPPORT_PX) == 0].sum() == 0
        assert (painted != base)[mask != 0].any()
        assert image.extra["provenance"]["base"] == "part.png"
    assert not np.array_equal(found[0][0], found[1][0])
    dataset = load_dataset(out)
    assert len(dataset.annotations) == 4  # each part of a mask picture is a defect
    assert {"asked", "shown", "passes"} == set(dataset.annotations[0].provenance["severity"])


def test_the_same_job_gives_the_same_bytes_and_another_seed_others(paint, tmp_path):
    written = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        result, out = paint("--category", "spot", "--seed", seed, "--light=-0.5", out=tmp_path / name)
        assert result.exit_code == 0, result.output
        written.append((out / "images" / "part_001.png").read_bytes())
    assert written[0] == written[1] != written[2]


def test_a_job_that_is_done_is_not_done_again_and_another_does_not_replace_it(paint, tmp_path):
    for seed, code in (("1", 0), ("1", 0), ("2", 1)):
        result, out = paint("--category", "spot", "--seed", seed)
        assert (result.exit_code != 0) == bool(code), result.output
    assert "J6" in str(result.exception)
    written = (out / "images" / "part_001.png").stat().st_mtime_ns
    assert paint("--category", "spot", "--seed", "1")[0].exit_code == 0
    assert (out / "images" / "part_001.png").stat().st_mtime_ns == written


def test_a_labelme_file_brings_its_own_categories(desk, paint):
    result, out = paint(mask="mask.json")
    assert result.exit_code == 0, result.output
    dataset = load_dataset(out)
    assert [dataset.category_names()[item.category_id] for item in dataset.annotations] == ["spot", "scratch"]


def test_a_class_map_brings_its_categories_where_they_are_told(desk, paint):
    values = desk.mask.copy()
    values[50:58, 70:80] = 2
    cv2.imwrite(str(desk.folder / "classes.png"), values)
    result, _ = paint("--category", "spot", mask="classes.png")
    assert "B14" in str(result.exception) and "--classes 1=NAME,2=NAME" in str(result.exception)
    result, out = paint("--classes", "1=spot,2=scratch", mask="classes.png")
    assert result.exit_code == 0, result.output
    names = load_dataset(out).category_names()
    assert sorted((names[a.category_id], a.area) for a in load_dataset(out).annotations) == [
        ("scratch", 80),
        ("spot", 180),
    ]


def test_moved_copies_on_a_relit_photograph_change_nothing_else(desk, paint):
    result, out = paint(
        "--category", "scratch", "--number", "3", "--turn", "any", "--scale", "0.5", "--light=slope=0.6,stops=-0.4"
    )
    assert result.exit_code == 0, result.output
    ((painted, base, mask, image),) = pictures(out, desk.folder / "part.png")
    assert len(load_dataset(out).annotations) == 6
    assert (painted != base)[grow(mask, SUPPORT_PX) == 0].sum() == 0
    assert base.mean() < read_pixels(desk.folder / "part.png", True).mean() - 5
    assert image.extra["provenance"]["light"]["stops"] == -0.4


@pytest.mark.parametrize(
    ("options", "changes", "words"),
    [
        (["--category", "scrath"], {}, "did you mean 'scratch'"),
        ([], {}, "mask.png: C11: a mask picture does not say"),
        (["--category", "spot"], {"mask": "empty.png"}, "empty.png: B7"),
        (["--category", "spot"], {"mask": "full.png"}, "full.png: B8"),
        (["--category", "spot"], {"mask": "small.png"}, "small.png: B1: the mask is 40x30, the photograph 96x70"),
        (["--category", "spot"], {"mask": "broken.png"}, "broken.png: A14"),
        (["--category", "spot"], {"mask": "none.png"}, "none.png: MISSING"),
        (["--category", "spot"], {"photograph": "colour.png", "model": "gray"}, "colour.png: A10"),
        (["--category", "spot"], {"photograph": "broken.png"}, "broken.png: A14"),
        (["--category", "spot"], {"model": "nowhere"}, "MISSING: no model.json"),
        (["--category", "spot"], {"model": "torn"}, "FORMAT: cannot be loaded"),
        (["--category", "spot", "--at", "1,1"], {}, "C7"),
        (["--category", "spot", "--severity", "2"], {}, "between 0 and 1"),
        (["--category", "spot", "--light", "exposure=2"], {}, "no exposure '2' (this model has learnt none)"),
    ],
)
def test_what_cannot_be_painted_is_refused_in_one_line(options, changes, words, desk, paint, tmp_path, monkeypatch):
    cv2.imwrite(str(desk.folder / "empty.png"), np.zeros((70, 96), np.uint8))
    cv2.imwrite(str(desk.folder / "full.png"), np.full((70, 96), 255, np.uint8))
    cv2.imwrite(str(desk.folder / "small.png"), np.eye(30, 40, dtype=np.uint8) * 255)
    cv2.imwrite(str(desk.folder / "colour.png"), np.random.default_rng(1).integers(0, 255, (70, 96, 3), dtype=np.uint8))
    (desk.folder / "broken.png").write_bytes((desk.folder / "part.png").read_bytes()[:300])
    if changes.get("model") == "nowhere":
        changes = {**changes, "model": tmp_path}
    elif changes.get("model") == "torn":
        (tmp_path / "torn").mkdir()
        (tmp_path / "torn/model.json").write_bytes((desk.model / "model.json").read_bytes())
        (tmp_path / "torn/generator.safetensors").write_bytes(b"\0" * 64)
        changes = {**changes, "model": tmp_path / "torn"}
    elif changes.get("model") == "gray":
        from anomaly_gan.synthesis.paint import stage as module

        opened = module.open_painter
        monkeypatch.setattr(module, "open_painter", lambda trained, device: (opened(desk.model, device)[0], 1))
        changes = {"photograph": "colour.png"}
    result, out = paint(*options, **changes)
    assert isinstance(result.exception, AnomalyGanError)
    assert words in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not out.exists()


def test_a_coloured_photograph_loses_its_colour_only_where_that_is_told(desk, paint, tmp_path):
    colour = np.random.default_rng(1).integers(0, 255, (70, 96, 3), dtype=np.uint8)
    cv2.imwrite(str(desk.folder / "colour.png"), colour)
    model = tmp_path / "gray"
    shutil.copytree(desk.model, model, ignore=shutil.ignore_patterns("manifest.json"))
    told = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({**told, "reading": {"colour": "gray"}}))
    asked = {"photograph": "colour.png", "model": model}
    assert "A10" in str(paint("--category", "spot", **asked)[0].exception)
    result, out = paint("--category", "spot", "--colour", "gray", **asked)
    assert result.exit_code == 0 and "the photograph is read as gray" in result.output
    assert load_dataset(out).info["mode"] == "L"


def test_an_output_folder_with_files_is_left_alone(paint, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    result, _ = paint("--category", "spot")
    assert isinstance(result.exception, InputError)
    assert "J6" in str(result.exception)


class DullBrush:
    """Paints half the contrast it is asked for, and none beyond -0.6."""

    def __init__(self):
        self.severities = {"spot": [[-0.1, 0.0], [-0.5, 0.0], [-0.9, 0.0]]}
        self.painter = SimpleNamespace(controls=True)

    def paint(self, pixels, mask, box_xywh, category, rng, severity=None):
        ratio = max(-0.6, (severity or [-0.2, 0.0])[0] / 2)
        around = pixels.astype(float).mean() / 255 + 0.25
        level = np.rint(255 * (around * np.exp(ratio) - 0.25)).clip(0, 255)
        return np.where(mask != 0, level, pixels).astype(np.uint8), [ratio, 0.0]


def test_a_severity_is_met_on_the_picture_where_the_generator_alone_misses_it():
    base, mask = np.full((40, 40), 120, np.uint8), np.zeros((40, 40), np.uint8)
    mask[15:25, 15:25] = 1
    filled = fill(DullBrush(), base, mask, "spot", 0, [-0.3, 0.0])
    assert filled.first == pytest.approx(-0.15, abs=0.02)
    assert filled.shown == pytest.approx(-0.3, abs=0.015)
    assert filled.shown == contrast(filled.pixels, mask)
    assert fill(DullBrush(), base, mask, "spot", 0, [-0.3, 0.0], corrections=0).passes == 1
    assert fill(DullBrush(), base, mask, "spot", 0).passes == 1


def test_steered_generation_is_told_and_its_gate_sees_no_change_outside(small_run, trainings, toy_extractors, tmp_path):
    inputs = {**small_run.inputs(), "train@anomaly_gan": trainings("anomaly_gan")}
    made, judged = tmp_path / "generate@anomaly_gan", tmp_path / "gate"
    run_stage(
        "generate@anomaly_gan",
        generate.run,
        GenerateConfig(count=3, severity={"low": 0.8}, light={"stops": [-0.8, -0.4], "slope": 0.5}),
        Context(3, "cpu", inputs),
        made,
    )
    run_stage(
        "gate",
        gate.run,
        GateConfig(repeats=4, min_n=2, min_contrast=100.0, retries=1, max_spares=1),
        Context(3, "cpu", {**inputs, "generate@anomaly_gan": made}),
        judged,
    )
    assert json.loads((made / "metrics.json").read_text())["control"]["followed_by"] == 6
    scales = json.loads((inputs["train@anomaly_gan"] / "model.json").read_text())["severity"]
    train = small_run.ingest
    for image in load_dataset(made).images:
        told = image.extra["provenance"]
        assert -0.8 <= told["light"]["stops"] <= -0.4
        assert told["control"]["severity"] == {"low": 0.8, "high": 1.0}
        strong = np.quantile([row[0] for row in scales[image.extra["category"]]], 0.75)
        assert len(told["severity_shown"]) == len(told["severity"]) >= 1
        assert all(asked[0] >= 0.8 * strong or asked[0] > 0.5 for asked in told["severity"])  # no more than white
        base = read_pixels(train.folder / "images" / told["base"], True)
        assert read_pixels(made / "images" / image.file_name, True).mean() < base.mean() - 5
    lines = [json.loads(line) for line in (judged / "decisions.jsonl").read_text().splitlines()]
    assert {line["attempt"] for line in lines} == {0, 1}  # the contrast asked for rejects all: each is made again
    assert {line["measures"]["outside_px"] for line in lines} == {0}


def test_without_controls_a_generation_has_none():
    assert GenerateConfig().control == Control()


def test_the_card_measures_every_control_and_the_report_shows_it(small_run, trainings, tmp_path, monkeypatch):
    inputs = {**small_run.inputs(), "train@anomaly_gan": trainings("anomaly_gan")}
    monkeypatch.setattr(CardConfig, "most_crops", 6)
    monkeypatch.setattr(CardConfig, "sheet_rows", 2)
    config = CardConfig(masks=2, levels=3, draws=100)
    monkeypatch.setattr(
        module,
        "embedded_backbone",
        lambda device: Backbone("Toy", 8, lambda images_BCHW: (images_BCHW.mean(dim=1).flatten(1), [])),
    )
    out = tmp_path / "control@anomaly_gan"
    run_stage("control@anomaly_gan", work, config, Context(0, "cpu", inputs), out)
    card = json.loads((out / "control.json").read_text())
    assert card["mask"]["outside_px"] == 0
    assert card["severity"]["categories"]["spot"]["masks"] == 2
    assert -1 <= card["severity"]["all"]["contrast"]["pooled"]["rho"] <= 1
    assert card["category"]["real"]["accuracy"] > 0.6  # spots and scratches: easy to tell
    assert card["category"]["generated"]["crops"] == card["category"]["swapped"]["crops"] == 4
    size = card["size"]
    assert size["masks"] == 4 and size["within"]["rho"] == 1.0 and size["pooled"]["rho"] > 0.9
    assert {"severity.png", "light.png", "category.png", "size.png"} <= {path.name for path in out.iterdir()}
    assert len(sentences(card)) == 5
    report(ReportConfig(), Context(0, "cpu", {"control@anomaly_gan": out}), tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert 'id="control"' in page
    assert "generated under another category" in page
    assert "the same masks smaller and larger" in page
