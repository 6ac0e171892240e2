"""What an engineer takes into the plant: a model folder, decisions on new photographs, a graph that says the same."""

import csv
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from anomaly_gan.cli.main import app
from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import CheckFailed, ConfigError, EnvironmentFailure, InputError, RunBusy
from anomaly_gan.core.images import write_png
from anomaly_gan.core.workfolder import folder_lock
from anomaly_gan.engine.precision import decide
from anomaly_gan.ingestion.reading import ReadingConfig
from detection.api import load_detector
from detection.commands import detect_train
from detection.dense.config import DenseConfig
from detection.dense.net import DenseNet
from detection.detectors.config import DetectConfig
from detection.evaluation.reading import Reading, inspect_pixels
from detection.inspection import one_class_score, predict, runtime
from detection.inspection.alarm import SoundScores
from detection.inspection.export import export_detector
from detection.inspection.one_class_score import learn_one_class_score, with_one_class_score
from detection.inspection.predict import limit_of, predict_folder
from detection.training.checkpoint import read_model

from .conftest import CATEGORIES, finish, paint

RATE = 0.4
SMALL = {"features": 20, "size": 96, "at_least": 96}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny data set, a detector of it (``model``) and new photographs (``photos``)."""
    from anomaly_gan.core.dataset import Dataset

    root = tmp_path_factory.mktemp("plant")
    kinds = ["square", "bar", *["normal"] * 8, "square", "bar", *["normal"] * 8]
    painted = [paint(root / "run" / "ingest", number, "train", kind) for number, kind in enumerate(kinds, start=1)]
    images, annotations = [image for image, _ in painted], [item for _, items in painted for item in items]
    Dataset(images, annotations, CATEGORIES, {"mode": "L"}).save(root / "run" / "ingest")
    finish(root / "run" / "ingest", "ingest")
    dense = DenseConfig(crop=64, batch=4, widths=(16, 16, 8, 8), held_out=0.5, fewest=3, looks=0, faintest=0.006)
    config = DetectConfig(iterations=2, dense=dense, score_threshold=0.001)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_class_score, "SETTINGS", SMALL)
        patch.setattr(one_class_score, "FEWEST", 4)
        detect_train(root / "run", root / "model", config, device="cpu", false_alarm=RATE)
    for number, kind in ((20, "square"), (21, "normal")):
        paint(root / "photos_source", number, "new", kind)
    (root / "photos" / "line_a").mkdir(parents=True)
    for number, path in enumerate(sorted((root / "photos_source" / "images").iterdir())):
        (root / "photos" / "line_a" / f"{number}.png").write_bytes(path.read_bytes())
    return root


def test_a_model_knows_its_weights_its_categories_and_its_threshold(trained: Path) -> None:
    facts = json.loads((trained / "model" / "model.json").read_text())
    assert [item["name"] for item in facts["categories"]] == ["square", "bar"]
    metrics = json.loads((trained / "model" / "metrics.json").read_text())
    assert metrics["least_scores"] == {name: {"score": 0.001, "chosen_on": 0, "sound": 0} for name in ("square", "bar")}
    assert [item["least_score"] for item in facts["categories"]] == [0.001, 0.001], "too few held out to choose on"
    assert metrics["precision"] == decide("auto", "cpu").precision
    assert facts["threshold"]["held_out"] == 8 and facts["threshold"]["groups"] == 8
    assert facts["sound"]["scores"] == sorted(facts["sound"]["scores"])
    model = read_model(trained / "model")
    assert SoundScores.from_json(model.sound).threshold(RATE).value == facts["threshold"]["value"]
    with pytest.raises(InputError, match="K5"):
        SoundScores.from_json(model.sound).threshold(0.01)
    limit, words = limit_of(replace(model, false_alarm=0.01), None, None)
    assert limit is None and "cannot promise a false-alarm rate of 0.01" in words, "undecided, unless it is asked for"


def test_a_one_class_score_is_added_to_every_score_and_to_the_threshold(trained: Path, tmp_path: Path) -> None:
    model, photos = trained / "model", sorted((trained / "photos" / "line_a").iterdir())
    ready = load_detector(model, "cpu")
    second = ready.one_class_score
    assert second is not None and second.summary.auroc > 0.9, "squares and bars are unusual"
    pixels = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in photos]
    alone = [inspect_pixels(ready.model.net, one, ready.model.config.longest, ready.device).score for one in pixels]
    both = [ready.inspect(one).score for one in pixels]
    assert second.beyond(pixels[0]) > second.beyond(pixels[1]), "the first shows a square"
    for one, own, found in zip(pixels, alone, both, strict=True):
        assert own is not None
        logit = math.log(own / (1 - own)) + min(max(second.beyond(one), -3.0), 10.0)
        assert found == pytest.approx(1 / (1 + math.exp(-logit)))
    predict_folder(model, trained / "photos", tmp_path / "out", device="cpu")
    rows = list(csv.DictReader((tmp_path / "out" / "scores.csv").open()))
    assert [float(row["score"]) for row in rows] == pytest.approx(both, abs=1e-6)
    data = load_dataset(trained / "run" / "ingest")
    plain = Reading([], dict.fromkeys([image.id for image in data.images], 0.5), None)
    scores = with_one_class_score(data, plain, second).scores
    sound = {image.id for image in data.normals()}
    assert scores is not None and plain.scores == dict.fromkeys(plain.scores or {}, 0.5)
    assert min(value for key, value in scores.items() if key not in sound) > np.median(list(scores.values()))
    facts = json.loads((model / "model.json").read_text())
    assert facts["sound"]["scores"] != facts["sound_alone"]["scores"]


def test_a_one_class_score_that_is_not_the_models_is_refused(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "model", tmp_path / "model")
    (tmp_path / "model" / "manifest.json").unlink()  # else that one tells
    place = tmp_path / "model" / "one_class_score"
    summary = place / "one_class_score.json"
    content = summary.read_text()
    summary.write_text(content.replace('"auroc":', '"auroc" :'))
    with pytest.raises(InputError, match=r"one_class_score.json.*A13"):
        load_detector(tmp_path / "model", "cpu")
    summary.write_text(content)
    for name in ("model.json", "model.safetensors"):
        (place / "0" / name).write_bytes((place / "1" / name).read_bytes())
    with pytest.raises(InputError, match=r"model.safetensors.*A13"):
        load_detector(tmp_path / "model", "cpu")
    (place / "0" / "model.safetensors").unlink()
    with pytest.raises(InputError, match="no such file: copy the model again"):
        predict_folder(tmp_path / "model", trained / "photos", tmp_path / "out", device="cpu")


def test_a_one_class_score_that_tells_nothing_or_that_has_too_little_to_learn_from_is_left_out(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, cpu = load_dataset(trained / "run" / "ingest"), torch.device("cpu")
    few = data.select(lambda image: image.id > 8)
    monkeypatch.setattr(one_class_score, "SETTINGS", SMALL)
    assert learn_one_class_score(few, 0, cpu, tmp_path) == (
        None,
        "no one-class score: fewer than 20 sound photographs of several objects to learn from",
    )
    seen = [Reading([], {image.id: score + image.id / 1e3 for image in data.images}, None) for score in (0.0, 0.5)]
    labelled = {item.image_id for item in data.annotations}
    worse = Reading(
        [], {key: -value if key in labelled else value for key, value in (seen[0].scores or {}).items()}, None
    )
    assert one_class_score.harm(data, seen[0], seen[1]) is None, "the same order"
    assert "without it" in str(one_class_score.harm(data, seen[0], worse))
    assert one_class_score.harm(few.select(lambda image: image.id not in labelled), seen[0], worse) is None
    monkeypatch.setattr(one_class_score, "HELPS_FROM", 1.1)
    monkeypatch.setattr(one_class_score, "FEWEST", 4)
    written, words = learn_one_class_score(data, 0, cpu, tmp_path)
    assert written is None and "is asked" in words and not list(tmp_path.iterdir())


def test_photographs_of_a_folder_get_scores_decisions_masks_and_overlays(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = predict_folder(trained / "model", trained / "photos", out, threshold=0.0, device="cpu")
    assert (done.photographs, done.alarms, done.refused) == (2, 2, 0)
    rows = list(csv.DictReader((out / "scores.csv").open()))
    assert [row["file"] for row in rows] == ["line_a/0.png", "line_a/1.png"]
    assert all(row["decision"] == "defect" and 0 < float(row["score"]) < 1 for row in rows)
    coco = json.loads((out / "detections.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["line_a/0.png", "line_a/1.png"]
    assert coco["annotations"] and all(item["area"] >= 6 for item in coco["annotations"])
    label = json.loads((out / "labelme" / "line_a" / "0.json").read_text())
    assert {shape["label"] for shape in label["shapes"]} <= {"square", "bar"}
    assert cv2.imread(str(out / "overlays" / "line_a" / "0.png.jpg")) is not None
    first = (out / "detections.json").read_bytes()
    predict_folder(trained / "model", trained / "photos", out, threshold=0.0, device="cpu")
    assert (out / "detections.json").read_bytes() == first
    asked = predict_folder(trained / "model", trained / "photos" / "line_a" / "1.png", tmp_path / "one", device="cpu")
    facts = json.loads((trained / "model" / "model.json").read_text())
    assert asked.threshold == facts["threshold"]["value"] and "false alarms" in asked.words


@pytest.mark.parametrize("device", ["cpu:onnx", "cpu:openvino", "auto"])
def test_a_faster_program_computes_what_torch_computes(
    trained: Path,
    tmp_path: Path,
    device: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def scores(name: str, device: str) -> tuple[list[float], list[str], str]:
        predict_folder(trained / "model", trained / "photos", tmp_path / name, threshold=0.0, device=device)
        rows = list(csv.DictReader((tmp_path / name / "scores.csv").open()))
        said = [line for line in capsys.readouterr().err.splitlines() if " computes" in line]
        return [float(row["score"]) for row in rows], [row["decision"] for row in rows], "\n".join(said)

    expected, decisions, said = scores("torch", "auto")
    assert not said, "two photographs do not earn the graph back"
    monkeypatch.setattr(runtime, "PAYS_FROM", 2)
    found, decided, said = scores("graph", device)
    assert found == pytest.approx(expected, abs=runtime.PARITY) and decided == decisions
    assert (
        said.count("\n") == 0 and ("openvino computes" if device == "cpu:openvino" else "onnxruntime computes") in said
    )
    monkeypatch.setattr(runtime, "PARITY", -1.0)
    if device != "auto":
        with pytest.raises(CheckFailed, match="differ by"):
            scores("other", device)
        return
    assert scores("other", device)[:2] == (expected, decisions)

    def refuse(*_: object) -> None:
        raise EnvironmentFailure("no place to write")

    monkeypatch.setattr(runtime, "write_onnx", refuse)
    found, decided, said = scores("none", device)
    assert (found, decided) == (expected, decisions) and "torch computes, onnxruntime does not: no place" in said


def told(bits: int | None) -> ReadingConfig:
    return ReadingConfig() if bits is None else ReadingConfig(bits=bits)


def test_deep_photographs_are_scaled_as_the_models_data_set_was(trained: Path, tmp_path: Path) -> None:
    plain = cv2.imread(str(trained / "photos/line_a/0.png"), cv2.IMREAD_UNCHANGED)
    for folder, pixels in (("plain", plain), ("deep", np.rint(plain * (4095 / 255)).astype(np.uint16))):
        write_png(tmp_path / folder / "0.png", plain)
        cv2.imwrite(str(tmp_path / folder / "0.png"), pixels)
    shutil.copytree(trained / "model", tmp_path / "model")
    (tmp_path / "model" / "manifest.json").unlink()
    facts = json.loads((trained / "model" / "model.json").read_text())
    assert facts["reading"] == {"bits": None, "colour": "gray", "min_side": 16}
    older = {key: value for key, value in facts.items() if key != "reading"} | {"bits": 12}
    (tmp_path / "model/model.json").write_text(json.dumps(older))
    seen = {}
    for name, model, folder, bits in (
        ("8 bits", trained / "model", "plain", None),
        ("told", trained / "model", "deep", 12),
        ("known", tmp_path / "model", "deep", None),
    ):
        predict_folder(model, tmp_path / folder, tmp_path / name, reading=told(bits), device="cpu")
        seen[name] = json.loads((tmp_path / name / "detections.json").read_text())["images"][0]["score"]
    assert seen["told"] == seen["known"] == seen["8 bits"]
    with pytest.raises(InputError, match="K1"):  # A26: nothing is left to see
        predict_folder(tmp_path / "model", tmp_path / "deep", tmp_path / "no", reading=told(16), device="cpu")


def test_what_was_found_stays_until_the_next_look_is_whole(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, photos = tmp_path / "out", trained / "photos"
    first = predict_folder(trained / "model", photos, out, threshold=0.0, device="cpu")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert predict_folder(trained / "model", photos, out, threshold=0.0, device="cpu") == first
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before, "the same again does nothing"
    with monkeypatch.context() as patched:
        patched.setattr(predict, "draw_found", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(OSError, match="No space left"):
            predict_folder(trained / "model", photos, out, threshold=0.001, device="cpu")
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before, "nothing was touched"
    with folder_lock(out), pytest.raises(RunBusy):
        predict_folder(trained / "model", photos, out, threshold=0.002, device="cpu")
    other = predict_folder(trained / "model", photos, out, threshold=2.0, device="cpu")
    assert other.alarms == 0 and not (out / "overlays").exists() and not (tmp_path / ".out.next").exists()
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(InputError, match="K1"):
        predict_folder(trained / "model", tmp_path / "none", tmp_path / "said", device="cpu")
    assert "broken.png" in (tmp_path / "said" / "rejects.jsonl").read_text(), "the message names this file"


def test_a_photograph_that_cannot_be_read_is_named_and_the_command_ends_with_1(trained: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    write_png(photos / "good.png", np.full((40, 40), 90, np.uint8))
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    arguments = [str(photos), "--model", str(trained / "model"), "--out", str(tmp_path / "out"), "--device", "cpu"]
    result = CliRunner().invoke(app, ["detect", "predict", *arguments])
    assert result.exit_code == 1 and "1 photographs could not be read" in str(result.exception)
    assert "broken.png" in (tmp_path / "out" / "rejects.jsonl").read_text()
    assert len(list(csv.DictReader((tmp_path / "out" / "scores.csv").open()))) == 1


def test_wrong_inputs_are_one_line_each(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"MISSING"):
        detect_train(tmp_path / "nowhere", tmp_path / "m", DetectConfig(iterations=1), device="cpu")
    with pytest.raises(ConfigError, match="between 0 and 1"):
        detect_train(trained / "run", tmp_path / "m", DetectConfig(iterations=1), device="cpu", false_alarm=5)
    with pytest.raises(InputError, match="J6"):
        predict_folder(trained / "model", trained / "photos", trained / "run", device="cpu")
    with pytest.raises(ConfigError, match="lies inside"):
        predict_folder(trained / "model", trained / "photos", trained / "photos" / "out", device="cpu")
    with pytest.raises(ConfigError, match="after cpu: comes one of torch, onnx, openvino"):
        predict_folder(trained / "model", trained / "photos", tmp_path / "b", device="cpu:tensorrt")
    with pytest.raises(ConfigError, match="not both"):
        predict_folder(
            trained / "model", trained / "photos", tmp_path / "b", threshold=0.1, false_alarm=0.1, device="cpu"
        )
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    content = bytearray((trained / "model" / "model.safetensors").read_bytes())
    content[-5] ^= 1
    (damaged / "model.safetensors").write_bytes(content)
    (damaged / "model.json").write_bytes((trained / "model" / "model.json").read_bytes())
    with pytest.raises(InputError, match="A13"):
        read_model(damaged)


def test_the_onnx_graph_says_the_same_at_any_size(trained: Path, tmp_path: Path) -> None:
    done = export_detector(trained / "model", tmp_path / "plant.onnx")
    assert done.gap < 1e-5 and done.out.is_file()
    import onnx

    facts = {item.key: item.value for item in onnx.load(str(done.out)).metadata_props}
    known = json.loads((trained / "model" / "model.json").read_text())
    assert json.loads(facts["categories"]) == ["square", "bar"]
    assert float(facts["threshold"]) in known["sound_alone"]["scores"], (
        "a graph gives maps: their score's own threshold"
    )


def test_the_openvino_graph_says_the_same_and_runs_without_us(trained: Path, tmp_path: Path) -> None:
    import openvino

    for name in ("plant.onnx", "plant.xml", "plant.bin"):
        (tmp_path / name).write_text("exported before")
    done = export_detector(trained / "model", tmp_path / "plant.xml", "openvino")
    assert done.gap < 1e-4 and done.through == "openvino"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plant.bin", "plant.onnx", "plant.xml"]
    assert (tmp_path / "plant.onnx").read_text() == "exported before"
    compiled = openvino.Core().compile_model(str(done.out), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    image = np.random.default_rng(0).random((1, 3, 64, 128), dtype=np.float32)
    net = read_model(trained / "model").net
    assert isinstance(net, DenseNet)
    with torch.no_grad():
        expected = net.shares(torch.from_numpy(image)).numpy()
    assert expected.shape == (1, 2, 64, 128) and np.abs(compiled(image)[0] - expected).max() < 1e-4
