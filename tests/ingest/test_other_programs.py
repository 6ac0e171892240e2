"""Ours → format → the real other program → the same areas; in an environment of their own (``make peers``)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from drawn_photos import HEIGHT, WIDTH, ingest, photo, ring_and_dot, save

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.ingestion.formats.csv import runs_of
from anomaly_gan.ingestion.writing import write_format

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("PEERS", ROOT / ".venv-peers")) / "bin/python"
pytestmark = pytest.mark.skipif(not PYTHON.is_file(), reason="other programs are not installed (make peers)")
EQUAL = [
    ("pycocotools", "coco"),
    ("supervision", "coco"),
    ("datumaro", "coco"),
    ("datumaro", "voc"),
    ("labelme", "labelme"),
    ("fiftyone", "coco"),
    ("cvat", "coco"),
]


def block(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A part of two pieces with a hole, two blocks, two categories, sound photographs."""
    root = tmp_path_factory.mktemp("ours")
    rows = ["file,category,rle,height,width"]
    masks = (("crack", ring_and_dot()), ("break", block(40, 22, 50, 30)), ("crack", block(30, 5, 38, 9)))
    for n in range(6):
        save(root / f"images/{n}.png", photo(n))
        rows += [f"{n}.png,{name},{runs_of(mask)},{HEIGHT},{WIDTH}" for name, mask in (masks if n < 4 else ())]
        rows += [f"{n}.png,,,{HEIGHT},{WIDTH}"] if n >= 4 else []
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return ingest(root, tmp_path_factory.mktemp("out") / "ours")


def read_as(program: str, folder: Path) -> dict[str, list[int]]:
    """Sorted areas by the photograph's number, as the program sees them."""
    script = ROOT / "tests/support/read_as.py"
    done = subprocess.run([PYTHON, script, program, folder], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    return {Path(name).stem[-1]: sorted(areas) for name, areas in found.items()}


def expected(ours: Dataset) -> dict[str, list[int]]:
    labels = ours.by_image()
    return {
        Path(image.file_name).stem[-1]: sorted(item.area for item in labels.get(image.id, [])) for image in ours.images
    }


@pytest.mark.parametrize(("program", "format_name"), EQUAL)
def test_another_program_sees_the_same_areas(program: str, format_name: str, ours: Dataset, tmp_path: Path) -> None:
    write_format(ours, format_name, tmp_path / "theirs")
    found, wanted = read_as(f"{program}_{format_name}", tmp_path / "theirs"), expected(ours)
    # Datumaro lists of Pascal VOC what is segmented
    assert {name: areas for name, areas in wanted.items() if name in found or areas} == found


def test_yolo_outlines_grow_by_their_rim_where_opencv_draws_them(ours: Dataset, tmp_path: Path) -> None:
    """OpenCV's ``fillPoly`` counts the outline itself, so that a block of w x h has (w + 1) x (h + 1) pixels."""
    write_format(ours, "yolo-seg", tmp_path / "theirs")
    found = read_as("supervision_yolo_seg", tmp_path / "theirs")
    assert sorted(found) == sorted(expected(ours))
    for areas in found.values():
        assert not areas or (areas[0], areas[1]) == (9 * 5, 11 * 9)


def test_no_library_keeps_pixels_crowds_and_provenance() -> None:
    """The evidence for writers of our own, on the page of own data: it tells when a library gets better."""
    script = ROOT / "benchmarks/library_writers.py"
    done = subprocess.run([PYTHON, script], capture_output=True, text=True, timeout=300, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    kept = {
        name: {part for part, of in lost.items() if of == 0} for name, lost in found.items() if isinstance(lost, dict)
    }
    pixels = {"ring and dot", "touching block", "one pixel", "crowd"}
    assert len(found) == 6 and [name for name, parts in kept.items() if parts >= pixels] == ["datumaro voc"]
    assert [name for name, parts in kept.items() if "crowd told" in parts] == ["supervision coco"]
    assert not any("provenance" in parts for parts in kept.values())
