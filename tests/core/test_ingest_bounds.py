"""What is accepted can be read later, and no file costs more than it may: 1 GiB and 10 s of processor time."""

from __future__ import annotations

import io
import os
import resource
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from broken_files import chunk, pixels, png, sound_masks
from PIL import Image

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.masks import encode_rle
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.ingestion import guarded as apart
from anomaly_gan.ingestion.image_files import decode_photo
from anomaly_gan.ingestion.ledger import Notes, refuse
from anomaly_gan.ingestion.mask_files import boxed_components, decode_mask
from anomaly_gan.ingestion.polygons import ShapeFault, fill_ring
from anomaly_gan.ingestion.stage import IngestConfig, run, source_key

COLOURS = {"L": (0, 1), "RGB": (2, 3), "LA": (4, 2), "RGBA": (6, 4), "P": (3, 1)}


def short_png(mode: str, width: int, height: int, rows: int, value: int = 200) -> bytes:
    """A PNG whose chunks are all sound, but whose data ends after ``rows`` rows."""
    colour, channels = COLOURS[mode]
    palette = chunk(b"PLTE", bytes(range(256)) * 3) if mode == "P" else b""
    data = zlib.compress((b"\0" + bytes([value]) * (width * channels)) * rows)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + palette + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", list(COLOURS))
def test_a_png_with_too_little_image_data_is_refused(mode):
    whole = short_png(mode, 48, 40, 40)
    assert decode_photo("x.png", whole, Notes()).pixels.shape[:2] == (40, 48)
    for rows in (1, 20, 39):
        with pytest.raises(InputError, match=r"A14|A12"):
            decode_photo("x.png", short_png(mode, 48, 40, rows), Notes())


def test_a_mask_with_too_little_image_data_is_refused():
    assert decode_mask("m.png", short_png("L", 60, 40, 40, 255), Notes()).sum() == 2400
    with pytest.raises(InputError, match=r"A14: holds 1220 of 2440 bytes of image data"):
        decode_mask("m.png", short_png("L", 60, 40, 20, 255), Notes())


SMALL_AND_DEAR = {
    "tall mask": ("mask", short_png("L", 1, 79_999_999, 1)),
    "tall mask with alpha": ("mask", short_png("LA", 1, 79_999_999, 1)),
    "tall photograph": ("photo", short_png("LA", 16, 5_000_000, 1)),
    "one row of 80 megapixels": ("photo", short_png("RGBA", 8900, 8900, 1)),
    "beyond libpng's side": ("photo", short_png("LA", 16, 1_000_001, 1)),
    "beyond every reader's side": ("photo", short_png("L", 16, 70_000, 70_000)),
}


@pytest.mark.parametrize("name", list(SMALL_AND_DEAR))
def test_a_small_file_cannot_eat_memory_or_time(name):
    kind, content = SMALL_AND_DEAR[name]
    apart.end()  # what the worker took is counted where it ends
    before, begun = largest(), spent()
    with pytest.raises(InputError, match=r"A17|A14|B8"):
        decode_mask("m.png", content, Notes()) if kind == "mask" else decode_photo("p.png", content, Notes())
    apart.end()
    assert spent() - begun < 1
    assert largest() - before < 200 * 1024  # KiB


def spent():
    """Seconds of processor time of this process and of those that it has waited for."""
    return sum(row.ru_utime + row.ru_stime for row in map(resource.getrusage, WHO))


def largest():
    return max(row.ru_maxrss for row in map(resource.getrusage, WHO))


WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def test_an_outline_of_too_many_crossings_is_refused_and_a_large_one_is_the_same_as_ever():
    zigzag = np.array([(index % 100, (index % 2) * 4000) for index in range(12_000)], float)
    with pytest.raises(ShapeFault, match="too many long edges"):
        fill_ring(zigzag, (4000, 100))
    rng = np.random.default_rng(0)
    for _ in range(40):
        ring = rng.uniform(-10, 60, (int(rng.integers(3, 9)), 2))
        ring[0] = 20
        mask_01 = fill_ring(ring, (40, 50))
        centres = [(x + 0.5, y + 0.5) for y in range(40) for x in range(50)]
        inside = np.array([_inside(ring, x, y) for x, y in centres]).reshape(40, 50)
        assert np.array_equal(mask_01, inside) or inside.sum() == 0


def _inside(ring, x, y):
    odd = False
    for (ax, ay), (bx, by) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            odd = not odd
    return odd


def test_many_specks_cost_little_and_diagonal_neighbours_are_one():
    mask_01 = np.zeros((3000, 4000), np.uint8)
    mask_01[::60, ::100] = 1
    mask_01[1, 1] = 1  # touches (0, 0) by its corner
    begun = time.process_time()
    boxes = [box for _, box in boxed_components("m.png", mask_01)]
    assert time.process_time() - begun < 3, "2,000 specks on 12 megapixels: 125 s before"
    assert len(boxes) == 2000 and boxes[0] == (0, 0, 2, 2)
    part, (x, y, w, h) = next(boxed_components("m.png", mask_01[:90, :90]))
    assert part.sum() == 2
    from anomaly_gan.core.dataset import Annotation

    boxed = Annotation.from_box(1, 1, 1, part[y : y + h, x : x + w], x, y, part.shape)
    assert boxed.segmentation == encode_rle(part) == Annotation.from_mask(1, 1, 1, part).segmentation
    noise = np.zeros((402, 202), np.uint8)
    noise[::2, ::2] = 1
    with pytest.raises(InputError, match="B10: falls into"):
        next(boxed_components("m.png", noise))


@pytest.mark.parametrize("kind", ["zstd tiff", "second header", "16-bit bmp"])
def test_what_is_accepted_is_read_later_as_it_was_seen(kind):
    picture = Image.fromarray(pixels(3, (40, 48)))
    if kind == "zstd tiff":
        stream = io.BytesIO()
        picture.save(stream, "TIFF", compression="zstd")
        content = stream.getvalue()
    elif kind == "second header":
        plain = png(pixels(3, (40, 48)))
        content = plain[:33] + plain[8:33] + plain[33:]
    else:
        raw = np.random.default_rng(0).integers(0, 2**16, (40, 48), dtype=np.uint16)
        head = struct.pack("<IiiHHIIiiII", 40, 48, -40, 1, 16, 3, raw.nbytes, 0, 0, 0, 0)
        head += struct.pack("<III", 0xF800, 0x07E0, 0x001F)
        content = b"BM" + struct.pack("<IHHI", 14 + len(head) + raw.nbytes, 0, 0, 14 + len(head)) + head + raw.tobytes()
    try:
        made = decode_photo("x.png", content, Notes())
    except InputError as refused:
        assert refused.code in {"A12", "A14"}
        return
    if not made.converted:
        flag = (cv2.IMREAD_GRAYSCALE if made.pixels.ndim == 2 else cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION
        seen = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
        assert seen is not None
        assert np.array_equal(made.pixels, seen if seen.ndim == 2 else cv2.cvtColor(seen, cv2.COLOR_BGR2RGB))


def test_a_huge_file_beside_the_photographs_is_not_read(tmp_path):
    sound_masks(tmp_path / "source")
    with (tmp_path / "source" / "video.avi").open("wb") as stream:
        stream.truncate(40 * 2**30)
    with (tmp_path / "source" / "labels.json").open("wb") as stream:
        stream.truncate(2**28)  # hashed in pieces
    code = (
        "import resource, sys; from anomaly_gan.ingestion.stage import IngestConfig, source_key\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "source_key(IngestConfig(root=sys.argv[1], format='mask-png'))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "source")], capture_output=True, text=True, timeout=100, check=True
    )
    assert int(done.stdout) < 100 * 1024 and time.monotonic() - begun < 90


def test_one_unreadable_photograph_is_refused_and_the_others_are_taken(tmp_path, monkeypatch):
    sound_masks(tmp_path / "source")
    victim = sorted(path for path in (tmp_path / "source").rglob("*.png") if "mask" not in path.name)[0]
    from anomaly_gan.core import files
    from anomaly_gan.ingestion import stage

    opened, hashed = os.open, files.sha256_file

    def denied(path, *more, **options):
        if str(path) == str(victim.resolve()):
            raise PermissionError(13, "Permission denied")
        return opened(path, *more, **options)

    def denied_hash(path):
        if str(path) == str(victim.resolve()):
            raise PermissionError(13, "Permission denied")
        return hashed(path)

    monkeypatch.setattr(os, "open", denied)
    monkeypatch.setattr(stage, "sha256_file", denied_hash)
    config = IngestConfig(root=str(tmp_path / "source"), max_bad=0.9)
    run_stage("ingest", run, config, Context(0), tmp_path / "out", source_key(config))
    assert "A21" in (tmp_path / "out" / "rejects.jsonl").read_text()


def test_a_refusal_is_one_line_whatever_the_name():
    refused = refuse("a\nb.png", "B11", "no photograph for a\nb", "expected crack/a\nb.jpg")
    assert "\n" not in str(refused)


@pytest.fixture
def anew():
    """A worker that has seen nothing, before and after."""
    apart.end()
    yield
    apart.end()


def scans(count):
    """A progressive JPEG of one gray whose last scan is there ``count`` times: a pass over all pixels each."""
    stream = io.BytesIO()
    Image.fromarray(np.full((3000, 4000), 99, np.uint8)).save(stream, "JPEG", progressive=True)
    content = stream.getvalue()
    scan = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + scan * count + b"\xff\xd9"


@pytest.mark.parametrize("decode", [decode_photo, decode_mask])
def test_a_jpeg_of_countless_scans_is_given_up(anew, decode, monkeypatch):
    monkeypatch.setattr("anomaly_gan.ingestion.guarded.MOST_SECONDS", 1)
    content, begun = scans(2000), time.process_time()
    assert len(content) < 250_000
    with pytest.raises(InputError, match="A17: takes more than 1 s to decode"):
        decode("x.jpg", content, Notes())
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize("kind", ["16-bit photograph", "16-bit photograph with alpha", "mask of two colours"])
def test_a_picture_of_ordinary_size_takes_few_bytes_a_pixel(kind, monkeypatch):
    """So that 24 megapixels of it stay below the 1 GiB of the process in which they are decoded."""
    size = 1500, 2000
    rng = np.random.default_rng(0)
    if kind == "mask of two colours":
        content = png(
            np.kron(rng.integers(0, 2, (150, 200, 1)).astype(np.uint8), np.full((10, 10, 3), (9, 99, 200), np.uint8))
        )
    else:
        deep = np.kron(rng.integers(0, 65536, (150, 200, 4)).astype(np.uint16), np.ones((10, 10, 1), np.uint16))
        deep[..., 3] = np.where(deep[..., 3] > 300, 65535, 0)
        content = cv2.imencode(".png", deep if kind.endswith("alpha") else deep[..., :3])[1].tobytes()
    monkeypatch.setattr(apart, "FORKS", False)
    tracemalloc.start()
    try:
        decode_mask("m.png", content, Notes()) if "mask" in kind else decode_photo("p.png", content, Notes(), 16)
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most / (size[0] * size[1]) < 36, f"{most / (size[0] * size[1]):.0f} bytes a pixel"
