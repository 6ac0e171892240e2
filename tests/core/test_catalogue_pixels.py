"""Cases of the fault catalogue by what stands in the data set afterwards: pixels, counts and ids, not codes alone."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from broken_files import BOX, coco_content, encoded, jpg, labelme, mask, pair, pixels, png, put, shape, sound_masks
from broken_files import sound_coco as whole_coco
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from anomaly_gan.core.config import kept_config
from anomaly_gan.core.dataset import Annotation, Dataset, load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.images import read_record
from anomaly_gan.core.stage import Context
from anomaly_gan.ingestion.image_files import decode_photo, orient
from anomaly_gan.ingestion.ledger import Notes
from anomaly_gan.ingestion.mask_files import decode_mask
from anomaly_gan.ingestion.stage import IngestConfig, run
from detection.data import _resized_mask
from mask_pool.rating.store_check import TABLES


def ingest(root: Path, out: Path, source: str, **settings):
    metrics = run(IngestConfig(root=str(root), format=source, max_bad=1.0, **settings), Context(0), out)
    return load_dataset(out), metrics


def smooth(shape=(40, 60)) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.stack([4 * x, 5 * y, 255 - 2 * (x + y)], axis=-1).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("number", range(1, 9))
def test_jpegs_of_all_eight_orientations_are_turned_as_pillow_turns_them(number, tmp_path):  # A1
    exif = Image.Exif()
    exif[274] = number
    content = encoded(Image.fromarray(smooth()), "JPEG", exif=exif.tobytes(), quality=95)
    made = decode_photo("x.jpg", content, Notes())
    from PIL import ImageOps

    shown = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    assert made.orientation == number
    assert np.abs(orient(made.pixels, number).astype(int) - shown).max() <= 3


@pytest.mark.parametrize("value", [0, 9, 99])
def test_an_orientation_that_is_none_counts_as_1_and_is_said(value):  # A3
    exif = Image.Exif()
    exif[274] = value
    notes = Notes()
    made = decode_photo("x.jpg", encoded(Image.fromarray(smooth()), "JPEG", exif=exif.tobytes()), notes)
    assert made.orientation == 1 and "A3" in notes.warnings


def test_cmyk_and_lab_become_the_colours_they_stand_for():  # A8
    colours = Image.fromarray(smooth())
    for content in (encoded(colours.convert("CMYK"), "TIFF"), encoded(colours.convert("CMYK"), "JPEG", quality=98)):
        notes = Notes()
        made = decode_photo("x", content, notes)
        assert "A8" in notes.repairs and made.converted
        assert np.abs(made.pixels.astype(int) - smooth()).mean() < 6


def test_alpha_palette_and_one_bit_become_what_they_show():  # A9
    gray = pixels(1)
    alpha = np.full_like(gray, 255)
    alpha[:, :30] = 0
    cut = decode_photo(
        "x.png", encoded(Image.merge("LA", [Image.fromarray(gray), Image.fromarray(alpha)]), "PNG"), Notes()
    )
    assert np.array_equal(cut.pixels[:, 30:], gray[:, 30:]) and not cut.pixels[:, :30].any(), "over black"
    palette = Image.fromarray(smooth()).quantize(32)
    made = decode_photo("x.png", encoded(palette, "PNG"), Notes())
    assert np.array_equal(made.pixels, np.asarray(palette.convert("RGB")))
    bits = Image.fromarray(mask()).convert("1")
    assert np.array_equal(decode_photo("x.png", encoded(bits, "PNG"), Notes()).pixels, mask())


def test_a_profile_or_exif_that_is_a_bomb_costs_nothing():  # A18
    notes = PngInfo()
    content = encoded(Image.fromarray(pixels(1)), "PNG", icc_profile=b"\0" * 30_000_000, pnginfo=notes)
    assert len(content) < 100_000
    try:
        assert decode_photo("x.png", content, Notes()).pixels.shape == (40, 60)
    except InputError as refused:
        assert refused.code in {"A12", "A18"}


@pytest.mark.parametrize("kind", ["GIF", "ICO", "EPS"])
def test_other_contents_named_png_are_told_by_content(kind):  # A20
    content = encoded(Image.fromarray(pixels(1, (32, 32))).convert("RGB" if kind == "EPS" else "L"), kind)
    try:
        assert decode_photo("x.png", content, Notes()).converted, "read, and written anew"
    except InputError as refused:
        assert refused.code in {"A15", "A20"}


def test_masks_of_0_and_1_soft_and_jpeg_masks_are_cut_where_it_is_said():  # B2, B3, B4
    assert np.array_equal(decode_mask("m.png", png(mask(value=1)), Notes()), mask(value=1))
    soft = mask()
    soft[9, 10:30], soft[20, 10:30] = 127, 128
    notes = Notes()
    assert decode_mask("m.png", png(soft), notes).sum() == mask(value=1).sum() + 20, "128 counts, 127 does not"
    assert "9.1%" in notes.repairs["B3"] or "%" in notes.repairs["B3"]
    lossy = encoded(Image.fromarray(mask()), "JPEG", quality=60)
    assert np.array_equal(decode_mask("m.jpg", lossy, Notes()), (np.asarray(Image.open(io.BytesIO(lossy))) > 127))


def test_a_resized_mask_stays_0_and_1():  # B13
    ring = np.zeros((40, 60), np.uint8)
    ring[5:35, 5:55] = 1
    ring[10:30, 10:50] = 0
    for size in ((30, 20), (45, 30), (90, 60), (7, 5)):
        made, _ = _resized_mask(Annotation.from_mask(1, 1, 1, ring), size)
        assert made is None or set(np.unique(made)) <= {0, 1}


def test_drawn_lines_are_as_wide_as_they_are_said_to_be_and_points_are_refused(tmp_path):  # C5
    for index in range(3):
        put(tmp_path / "source" / f"{index}.jpg", jpg(index))
    line = shape([[10, 20], [50, 20]], shape_type="linestrip")
    put(tmp_path / "source/0.json", labelme("0.jpg", line))
    put(tmp_path / "source/1.json", labelme("1.jpg", shape()))
    put(tmp_path / "source/2.json", labelme("2.jpg", shape([[10, 20], [30, 20]], shape_type="points")))
    dataset, metrics = ingest(tmp_path / "source", tmp_path / "out", "labelme", line_width=4)
    drawn = dataset.by_image()[next(image.id for image in dataset.images if image.file_name == "0.jpg")][0].mask()
    assert drawn[:, 20].sum() == 4 and drawn[:, 40].sum() == 4 and metrics["rejected"] == {"C5": 1}


def test_no_shapes_is_a_normal_photograph_and_look_alikes_are_warned_of(tmp_path):  # C10, C12
    for index in range(5):
        put(tmp_path / "source" / f"{index}.jpg", jpg(index))
    put(tmp_path / "source/0.json", labelme("0.jpg"))
    for index, label in ((1, "crack"), (2, "Crack"), (3, "crack"), (4, "Crack")):
        put(tmp_path / "source" / f"{index}.json", labelme(f"{index}.jpg", shape(label=label)))
    dataset, metrics = ingest(tmp_path / "source", tmp_path / "out", "labelme")
    assert [image.file_name for image in dataset.normals()] == ["0.jpg"] and metrics["warned"]["C10"] == 1


@pytest.mark.parametrize("encoding", ["latin-1", "shift_jis", "utf-16"])
def test_labels_in_other_encodings_are_refused_by_name(tmp_path, encoding):  # C13
    for index in range(3):
        put(tmp_path / "source" / f"{index}.jpg", jpg(index))
        put(tmp_path / "source" / f"{index}.json", labelme(f"{index}.jpg", shape()))
    text = json.dumps(labelme("0.jpg", shape(label="裂" if encoding == "shift_jis" else "Riß")), ensure_ascii=False)
    put(tmp_path / "source/0.json", text.encode(encoding))
    _, metrics = ingest(tmp_path / "source", tmp_path / "out", "labelme")
    assert metrics["rejected"] == {"C13": 1}


@pytest.mark.parametrize("ids", [(0, 1, 2), (-5, 7, 2**62), (10, 20, 30)])
def test_ids_from_anywhere_are_numbered_from_1(tmp_path, ids):  # D8, J1
    whole_coco(tmp_path / "source")
    content = coco_content()
    for row, annotation, number in zip(content["images"], content["annotations"], ids, strict=True):
        row["id"] = annotation["image_id"] = annotation["id"] = number
    put(tmp_path / "source/annotations.json", content)
    dataset, metrics = ingest(tmp_path / "source", tmp_path / "out", "coco")
    if metrics["rejected"]:
        assert set(metrics["rejected"]) <= {"D8"}
        return
    assert [item.id for item in dataset.images] == list(range(1, len(dataset.images) + 1))
    assert [item.id for item in dataset.annotations] == list(range(1, len(dataset.annotations) + 1))


def test_a_crowd_is_not_taught():  # D12
    region = Annotation.from_mask(1, 1, 1, mask(value=1))
    crowd = Annotation(**{**vars(region), "iscrowd": 1})
    assert _resized_mask(crowd, (60, 40)) == (None, "crowd") and _resized_mask(region, (60, 40))[0] is not None


def test_ratings_are_ordered_by_sequence_alone():  # F13
    with sqlite3.connect(":memory:") as database:
        database.executescript(TABLES)
        columns = [row[1:3] for row in database.execute("PRAGMA table_info(ratings)")]
    database.close()
    assert not [name for name, kind in columns if "time" in name or "date" in name or kind in {"DATE", "DATETIME"}]
    assert "AUTOINCREMENT" in TABLES


def test_stray_files_count_for_nothing(tmp_path):  # I9
    sound_masks(tmp_path / "source")
    dataset, _ = ingest(tmp_path / "source", tmp_path / "out", "mask-png")
    for name in ("stray.png", "crack/000.png", ".tmp-x.png"):
        put(tmp_path / "out/images" / name, png(pixels(7)))
    again = load_dataset(tmp_path / "out")
    assert again.images == dataset.images and isinstance(again, Dataset)
    assert all(read_record(again, image, gray=True).shape == (40, 60) for image in again.images)


CANARY = """
import sys, json
from pathlib import Path
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.ingestion.stage import IngestConfig, run, source_key
seen = []
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "os.system", "subprocess.Popen", "pickle.find_class"):
        seen.append(event)
    if event == "open" and "passwd" in str(arguments[0]):
        seen.append(f"open {arguments[0]}")
sys.addaudithook(hook)
config = IngestConfig(root=sys.argv[1], format=sys.argv[3], max_bad=1.0)
run_stage("ingest", run, config, Context(0), Path(sys.argv[2]), source_key(config))
metrics = json.loads(Path(sys.argv[2], "metrics.json").read_text())
print(json.dumps([seen, metrics["rejected"], metrics["accepted"]]))
"""


def canary(root: Path, out: Path, source: str, **environment) -> list:
    done = subprocess.run(
        [sys.executable, "-c", CANARY, str(root), str(out), source],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_no_address_is_fetched_and_no_file_outside_is_opened(tmp_path):  # S6, S7, R13
    whole_coco(tmp_path / "coco")
    content = coco_content()
    for row in content["images"]:
        row |= {"coco_url": "http://127.0.0.1:9/x.jpg", "flickr_url": "http://127.0.0.1:9/y.jpg"}
    content["images"][0]["file_name"] = "../../../../../../etc/passwd"
    put(tmp_path / "coco/annotations.json", content)
    seen, rejected, accepted = canary(tmp_path / "coco", tmp_path / "a", "coco")
    assert seen == [] and rejected.get("D14") == 1 and accepted >= 2
    for index in range(3):
        put(tmp_path / "lm" / f"{index}.jpg", jpg(index))
        put(tmp_path / "lm" / f"{index}.json", labelme(f"{index}.jpg", shape(BOX)))
    put(tmp_path / "lm/0.json", labelme("/etc/passwd", shape(BOX)))
    seen, rejected, _ = canary(tmp_path / "lm", tmp_path / "b", "labelme")
    assert seen == [] and rejected == {"C2": 1}


def test_place_order_of_files_time_zone_locale_hash_seed_and_home_change_no_byte(tmp_path):  # G16, M1, M3, R7
    source, other = tmp_path / "source", tmp_path / "elsewhere" / "source"
    sound_masks(source)
    pair(source, "zebra")
    for path in sorted((path for path in source.rglob("*") if path.is_file()), reverse=True):
        target = other / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    canary(source, tmp_path / "a", "mask-png", TZ="Pacific/Kiritimati", LC_ALL="C", PYTHONHASHSEED="77")
    canary(other, tmp_path / "b", "mask-png", TZ="UTC", PYTHONHASHSEED="1", HOME="/proc", TMPDIR="/dev/shm")
    trees = [
        {
            path.relative_to(out).as_posix(): path.read_bytes()
            for path in sorted(out.rglob("*"))
            if path.is_file() and "logs" not in path.parts
        }
        for out in (tmp_path / "a", tmp_path / "b")
    ]
    assert trees[0] == trees[1] and len(trees[0]) > 5
    assert str(tmp_path).encode() not in b"".join(trees[0].values())
    assert kept_config(tmp_path / "b")["root"] == str(other)


def test_a_stopped_process_keeps_its_folder(tmp_path):  # M4
    code = (
        "import sys, time; from pathlib import Path; from anomaly_gan.core.workfolder import folder_lock\n"
        "with folder_lock(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGSTOP)
    from anomaly_gan.core.errors import RunBusy
    from anomaly_gan.core.workfolder import folder_lock

    try:
        with pytest.raises(RunBusy), folder_lock(tmp_path / "out"):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with folder_lock(tmp_path / "out"):
        pass
