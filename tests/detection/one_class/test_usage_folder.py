"""From a folder of good parts to scores, overlays and finds that ingest takes: with the plain auto-encoder, tiny."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.errors import ConfigError, EnvironmentFailure, InputError, RunBusy
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import read_pixels, write_png
from anomaly_gan.core.manifest import damage
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.core.stage import Context
from anomaly_gan.core.workfolder import folder_lock
from anomaly_gan.ingestion.ledger import Ledger
from anomaly_gan.ingestion.reading import ReadingConfig
from anomaly_gan.ingestion.stage import IngestConfig, run
from detection.one_class.inspection import score, train
from detection.one_class.inspection.checkpoint import load_model
from detection.one_class.inspection.images import View
from detection.one_class.inspection.labelme_export import places
from detection.one_class.inspection.normals import Grouping, gather, hold_out
from detection.one_class.inspection.recalibrate import recalibrate_folder
from detection.one_class.inspection.score import score_folder
from detection.one_class.inspection.train import train_folder

TINY = {"size": 16, "epochs": 12, "halve_every": 100, "batch": 20, "optimizer": "adam", "precision": "32-true"}


def part(number: int, defect: bool = False, size_hw: tuple[int, int] = (40, 48), shift: float = 0) -> np.ndarray:
    """A bright band on gray, and, where asked, a black square in it."""
    rng = rng_for(0, "part", number)
    pixels = 120 + shift + rng.normal(0, 3, size_hw)
    pixels[size_hw[0] // 3 : size_hw[0] // 2] += 60
    if defect:
        y, x = rng.integers(4, size_hw[0] - 16), rng.integers(4, size_hw[1] - 16)
        pixels[y : y + 12, x : x + 12] = 0
    return pixels.clip(0, 255).astype(np.uint8)


def good_parts(folder: Path, count: int = 80) -> Path:
    for number in range(count):
        write_png(folder / f"shift{number % 2}" / f"o{number // 2}_{number}.png", part(number))
    return folder


def learn(data: Path, out: Path, **changes):
    return train_folder(
        data,
        out,
        **{
            "detector": "cae",
            "preset": "quick",
            "changes": TINY,
            "false_alarm": 0.1,
            "group_regex": r"o(\d+)_",
            "device": "cpu",
            **changes,
        },
    )


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with good/ and the detector model/ trained on it."""
    folder = tmp_path_factory.mktemp("plant")
    learn(good_parts(folder / "good"), folder / "model")
    return folder


def rows_of(out: Path) -> dict[str, dict[str, str]]:
    with (out / "scores.csv").open(encoding="utf-8", newline="") as stream:
        return {row["file"]: row for row in csv.DictReader(stream)}


def test_training_holds_out_whole_objects_and_keeps_its_threshold(plant: Path) -> None:
    model = load_model(plant / "model")
    assert model.mode == "L" and model.held_out_groups is not None and model.threshold is not None
    assert len(model.held_out) == 20 and set(Counter(model.held_out_groups).values()) == {2}
    assert model.threshold.asked == 0.1 and model.threshold.groups == 10
    assert (model.held_out > model.threshold.value).mean() <= 0.1
    assert not list((plant / "model" / "training").rglob("*.safetensors"))


def test_a_finished_training_is_left_alone_and_a_cut_one_ends_the_same(
    plant: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "model"
    with monkeypatch.context() as patch:
        patch.setattr(train, "calibrated", killed)
        with pytest.raises(KeyboardInterrupt):
            learn(plant / "good", out)
    done = learn(plant / "good", out)
    assert "trained on 60 normals" in done.line() and "95 % interval" in done.line()
    for name in ("model.safetensors", "model.json"):
        assert (out / name).read_bytes() == (plant / "model" / name).read_bytes()
    before = {path: path.stat().st_mtime_ns for path in (out / "model.json", out / "model.safetensors")}
    learn(plant / "good", out)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    other = learn(plant / "good", out, false_alarm=0.3)
    assert other.threshold.value < done.threshold.value and load_model(out).threshold == other.threshold


def test_another_training_is_not_overwritten(plant: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"J6: holds another `one-class train` .*seed"):
        learn(plant / "good", plant / "model", seed=1)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="J6"):
        learn(plant / "good", tmp_path)


def test_what_cannot_be_learned_is_refused_before_training(plant: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="MISSING"):
        learn(tmp_path / "nowhere", tmp_path / "a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no photographs"):
        learn(tmp_path / "empty", tmp_path / "a")
    with pytest.raises(InputError, match="K5: 20 held-out normals cannot promise"):
        learn(plant / "good", tmp_path / "b", false_alarm=0.01)
    with pytest.raises(InputError, match="E7"):
        learn(plant / "good", tmp_path / "c", group_regex="o()")
    with pytest.raises(ConfigError, match="false-alarm"):
        learn(plant / "good", tmp_path / "d", false_alarm=5)
    with pytest.raises(ConfigError, match="inside"):
        learn(plant / "good", plant / "good" / "model")
    with pytest.raises(ConfigError, match="did you mean 'cae'"):
        learn(plant / "good", tmp_path / "e", detector="caee")
    assert not list(tmp_path.rglob("model.json"))


def test_broken_photographs_of_good_parts_are_listed_and_borne(tmp_path: Path) -> None:
    data = good_parts(tmp_path / "good", 60)
    (data / "o0_broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"MAX-BAD: 1 of 61 .*A15"):
        learn(data, tmp_path / "model", changes={**TINY, "epochs": 1})
    done = learn(data, tmp_path / "model", changes={**TINY, "epochs": 1}, max_bad=0.1)
    rejects = (tmp_path / "model" / "rejects.jsonl").read_text().splitlines()
    assert done.refused == 1 and json.loads(rejects[0])["file"] == "o0_broken.png"


def test_a_data_set_gives_the_normals_of_its_training_split(tmp_path: Path) -> None:
    images, annotations = [], []
    for number in range(70):
        content = write_png(tmp_path / "data" / "images" / f"{number}.png", part(number))
        images.append(
            ImageRecord(
                number + 1,
                f"{number}.png",
                48,
                40,
                f"object {number // 2}",
                "test" if number < 8 else "train",
                "real",
                sha256_bytes(content),
            )
        )
    mask = np.zeros((40, 48), np.uint8)
    mask[3:9, 3:9] = 1
    annotations.append(Annotation.from_mask(1, 70, 1, mask))
    Dataset(images, annotations, [Category(1, "hole")], {"mode": "L"}, tmp_path / "data").save(tmp_path / "data")
    done = learn(tmp_path / "data", tmp_path / "model", group_regex=None, changes={**TINY, "epochs": 1})
    assert done.trained_on is not None and done.trained_on + done.threshold.held_out == 61
    with pytest.raises(ConfigError, match="knows its objects"):
        learn(tmp_path / "data", tmp_path / "other")
    (tmp_path / "data" / "images" / "20.png").write_bytes((tmp_path / "data" / "images" / "21.png").read_bytes())
    with pytest.raises(InputError, match="A13"):
        learn(tmp_path / "data", tmp_path / "model", group_regex=None, changes={**TINY, "epochs": 1})


def test_gray_and_colour_are_read_alike_and_same_pixels_are_one_object(tmp_path: Path) -> None:
    gray = part(0)
    write_png(tmp_path / "a.png", gray)
    write_png(tmp_path / "same.png", np.repeat(gray[..., None], 3, axis=2))
    both = gather(tmp_path, View(16), Grouping(), Ledger())
    assert both.reading.mode == "L" and both.squares_NCHW.shape == (2, 1, 16, 16) and len(set(both.groups)) == 1
    assert (both.squares_NCHW[0] == both.squares_NCHW[1]).all() and any("E1" in remark for remark in both.remarks)
    write_png(tmp_path / "colour.png", np.stack([gray, gray // 2, gray], axis=2))
    mixed = gather(tmp_path, View(16), Grouping(), Ledger())
    assert mixed.reading.mode == "RGB" and mixed.squares_NCHW.shape == (3, 3, 16, 16)
    assert any("A10: 2 of 3 photographs are gray" in remark for remark in mixed.remarks)
    forced = gather(tmp_path, View(16), Grouping(), Ledger(), ReadingConfig(colour="gray"))
    assert forced.squares_NCHW.shape == (3, 1, 16, 16)
    assert any("A10: 1 of 3 photographs are in colour" in remark for remark in forced.remarks)


def test_a_photograph_turned_by_exif_is_judged_and_kept_as_seen(plant: Path, tmp_path: Path) -> None:
    pixels = part(104, defect=True)
    exif = Image.Exif()
    exif[274] = 6
    (tmp_path / "new").mkdir()
    Image.fromarray(np.rot90(pixels)).save(tmp_path / "new" / "turned.png", exif=exif)
    write_png(tmp_path / "new" / "upright.png", pixels)
    result = score_folder(plant / "model", tmp_path / "new", tmp_path / "out", device="cpu")
    rows = rows_of(tmp_path / "out")
    assert rows["turned.png"]["score"] == rows["upright.png"]["score"] and result.found == 2
    assert np.array_equal(read_pixels(tmp_path / "out" / "found" / "turned.png.png", gray=True), pixels)


def test_held_out_objects_are_whole_and_near_the_share() -> None:
    groups = [str(number // 7) for number in range(210)]
    aside = hold_out(groups, 0.25, seed=3)
    assert abs(aside.mean() - 0.25) < 0.04
    assert not {g for g, held in zip(groups, aside, strict=True) if held} & {
        g for g, held in zip(groups, aside, strict=True) if not held
    }
    assert hold_out(["a", "a", "a", "b"], 0.25, 0).tolist() == [False, False, False, True]
    assert hold_out(["a"] * 9 + ["b"] * 8, 0.05, 0).sum() == 8


@pytest.fixture(scope="module")
def scored(plant: Path) -> Path:
    """New photographs: every fourth defective; gray and colour, other sizes, three broken ones; and their scores."""
    new = plant / "new"
    for number in range(100, 140):
        size_hw = (80, 60) if number % 3 == 0 else (40, 48)
        pixels = part(number, defect=number % 4 == 0, size_hw=size_hw)
        if number % 5 == 0:
            pixels = np.stack([pixels, pixels // 2 + 60, pixels], axis=2)
        write_png(new / ("line 2" if number % 2 else ".") / f"n{number}.png", pixels)
    tall = cv2.imencode(".jpg", part(200, defect=True))[1].tobytes()
    (new / "=SUM(A1).jpg").write_bytes(tall)
    (new / "n100.jpg").write_bytes(tall)
    (new / "empty.png").write_bytes(b"")
    (new / "cut.png").write_bytes((new / "n100.png").read_bytes()[:200])
    write_png(new / "thin.png", np.zeros((4, 40), np.uint8))
    (new / "notes.txt").write_text("shift 2")
    return new


def test_scores_of_photographs_do_not_depend_on_their_neighbours(plant: Path, scored: Path, tmp_path: Path) -> None:
    result = score_folder(plant / "model", scored, tmp_path / "all", device="cpu")
    rows = rows_of(tmp_path / "all")
    assert len(rows) == 42 and result.scored == 42 and result.refused == 3
    assert result.problem() is not None and "3 photographs could not be scored" in result.problem()
    refused = [json.loads(line) for line in (tmp_path / "all" / "rejects.jsonl").read_text().splitlines()]
    assert {row["file"]: row["code"] for row in refused} == {"empty.png": "A15", "cut.png": "A14", "thin.png": "A19"}
    assert "./=SUM(A1).jpg" in rows  # a spreadsheet must not run a name
    threshold = load_model(plant / "model").threshold
    assert threshold is not None
    for row in rows.values():
        assert int(row["abnormal"]) == (float(row["score"]) > threshold.value)
    defects = [rows[f"n{number}.png"]["abnormal"] == "1" for number in range(100, 140, 4) if number % 5]
    assert np.mean(defects) >= 0.8
    assert any("colour read as gray" in remark for remark in result.remarks)
    score_folder(plant / "model", scored / "n104.png", tmp_path / "one", device="cpu")
    alone = rows_of(tmp_path / "one")["n104.png"]
    assert float(alone["score"]) == pytest.approx(float(rows["n104.png"]["score"]), abs=1e-5)


def test_finds_pass_through_ingest_pixel_for_pixel(plant: Path, scored: Path, tmp_path: Path) -> None:
    result = score_folder(plant / "model", scored, tmp_path / "scored", device="cpu")
    found = tmp_path / "scored" / "found"
    assert result.found >= 8 and len(list(found.rglob("*.json"))) == result.found
    assert len(list((tmp_path / "scored" / "overlays").rglob("*.jpg"))) == result.overlays >= result.found
    counts = run(IngestConfig(root=str(found), format="labelme"), Context(seed=0), tmp_path / "ingest")
    dataset = load_dataset(tmp_path / "ingest")
    assert counts["rejected"] == {} and counts["skipped"] == {}
    assert [category.name for category in dataset.categories] == ["found"]
    assert len(dataset.by_image()) == result.found and dataset.normals()
    model = load_model(plant / "model")
    assert model.map_threshold is not None
    from detection.one_class.inspection.scoring import score_photographs

    for image in dataset.images:
        annotations = dataset.by_image().get(image.id, [])
        pixels = read_pixels(dataset.path_of(image), gray=False)
        maps = score_photographs(model.detector, [model.view.squares(pixels, "L")])[1]
        assert maps is not None
        heat = model.view.spread(maps[0], pixels.shape[:2])
        if annotations:
            expected = places(heat, model.map_threshold.value, pixels.shape[:2])
            assert len(expected) == len(annotations)
            for mask, annotation in zip(expected, annotations, strict=True):
                assert np.array_equal(mask, annotation.mask())


def test_scoring_again_gives_the_same_bytes_and_other_folders_are_left_alone(
    plant: Path, scored: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scored"
    score_folder(plant / "model", scored, out, overlays=2, device="cpu")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert len(list((out / "overlays").rglob("*.jpg"))) == 2
    score_folder(plant / "model", scored, out, overlays=2, device="cpu")
    assert before == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="J6"):
        score_folder(plant / "model", plant / "good", out, device="cpu")
    assert (out / "scores.csv").read_bytes() == before[out / "scores.csv"]


def test_what_was_scored_stays_until_the_next_scoring_is_whole(plant: Path, scored: Path, tmp_path: Path, monkeypatch):
    out = tmp_path / "scored"
    first = score_folder(plant / "model", scored, out, overlays=2, device="cpu")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.rglob("*") if path.is_file()}
    again = score_folder(plant / "model", scored, out, overlays=2, device="cpu")
    assert again == first, "the same command does nothing, and says the same"

    def full(*_, **__):
        raise EnvironmentFailure("overlays: cannot be written: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(score, "draw_overlay", full)
        with pytest.raises(EnvironmentFailure):
            score_folder(plant / "model", scored, out, overlays=3, device="cpu")
    with folder_lock(out), pytest.raises(RunBusy):  # a second start of the same command
        score_folder(plant / "model", scored, out, overlays=3, device="cpu")
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.rglob("*") if path.is_file()}
    score_folder(plant / "model", scored, out, overlays=3, device="cpu")
    assert len(list((out / "overlays").rglob("*.jpg"))) == 3 and damage(out) == []
    assert {path.name for path in tmp_path.iterdir()} == {"scored"}


def test_known_good_photographs_show_drift_and_a_new_threshold_mends_it(plant: Path, tmp_path: Path) -> None:
    for number in range(300, 340):
        write_png(tmp_path / "same" / f"{number}.png", part(number))
        write_png(tmp_path / "darker" / f"{number}.png", part(number, shift=-25))
    same = score_folder(plant / "model", tmp_path / "same", tmp_path / "a", known_good=True, device="cpu")
    assert same.drift.drifted is False and not same.found
    darker = score_folder(plant / "model", tmp_path / "darker", tmp_path / "b", known_good=True, device="cpu")
    assert darker.drift.drifted and darker.abnormal > 20 and not (tmp_path / "b" / "found").exists()
    anew = recalibrate_folder(plant / "model", tmp_path / "darker", tmp_path / "model", device="cpu")
    assert "calibrated anew" in anew.line() and anew.threshold.held_out == 40
    mended = score_folder(tmp_path / "model", tmp_path / "darker", tmp_path / "c", known_good=True, device="cpu")
    assert mended.abnormal <= 4


def test_nothing_to_score_is_a_typed_error(plant: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="MISSING: holds no photographs"):
        score_folder(plant / "model", tmp_path / "empty", tmp_path / "a", device="cpu")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.png").write_bytes(b"<html>")
    with pytest.raises(InputError, match=r"MAX-BAD: none of 1 .*A15"):
        score_folder(plant / "model", tmp_path / "bad", tmp_path / "b", device="cpu")
    assert not (tmp_path / "b" / "scores.csv").exists()
    (tmp_path / "x.svg").write_bytes(b"<svg/>")
    with pytest.raises(InputError, match="A20"):
        score_folder(plant / "model", tmp_path / "x.svg", tmp_path / "c", device="cpu")


def test_a_damaged_model_is_refused(plant: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="MISSING"):
        load_model(tmp_path)
    shutil.copytree(plant / "model", tmp_path / "model")
    content = json.loads((tmp_path / "model" / "model.json").read_text())
    (tmp_path / "model" / "model.json").write_text(json.dumps({**content, "settings": {"size": "big"}}))
    with pytest.raises(InputError, match=r"model\.json: A13"):
        load_model(tmp_path / "model")
    (tmp_path / "model" / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"FORMAT.*size"):
        load_model(tmp_path / "model")
    (tmp_path / "model" / "model.json").write_text(json.dumps(content))
    weights = tmp_path / "model" / "model.safetensors"
    content_of = weights.read_bytes()
    weights.write_bytes(content_of[:-1] + bytes([content_of[-1] ^ 1]))
    with pytest.raises(InputError, match="FORMAT: is not the file"):
        load_model(tmp_path / "model")
    for text in ("[]", "{}", "nonsense"):
        (tmp_path / "model" / "model.json").write_text(text)
        with pytest.raises(InputError, match="FORMAT"):
            load_model(tmp_path / "model")


def test_places_hang_together_and_specks_are_left_out() -> None:
    heat = np.zeros((16, 16), np.float32)
    heat[2:5, 2:5] = 1
    heat[8:14, 8:12] = 1
    found = places(heat, 0.5, (64, 96))
    assert [mask.shape for mask in found] == [(64, 96)] * 2 and found[0].sum() > found[1].sum()
    assert found[0][40, 60] and found[1][14, 20] and not (found[0] & found[1]).any()
    heat[0, 15] = 0.51
    assert len(places(heat, 0.5, (64, 96))) == 2
    assert places(np.zeros((16, 16), np.float32), 0.5, (64, 96)) == []
