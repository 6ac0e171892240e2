"""Ours → format → the real other program → the same areas; in an environment of their own (``make peers``)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from doc_blocks import titled
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


def run_block(title: str, folder: Path, before: str = "") -> None:
    """A titled block of the page, by the other program's interpreter."""
    code = before + titled("how-to/annotation-tools.md")[title]
    done = subprocess.run([PYTHON, "-c", code], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_fiftyone_as_the_page_has_it(ours: Dataset, tmp_path: Path) -> None:
    write_format(ours, "coco", tmp_path / "bolts")
    support = f"import sys; sys.path.insert(0, {str(ROOT / 'tests/support')!r})\nfrom pathlib import Path\n"
    run_block("fiftyone, back", tmp_path, support + "import read_as; data = read_as.fiftyone_samples(Path('bolts'))\n")
    assert expected(ingest(tmp_path / "bolts", tmp_path / "back")) == expected(ours)


def test_cvat_as_the_page_has_it(ours: Dataset, tmp_path: Path) -> None:
    """Its XML by Datumaro, which writes what CVAT's server reads and writes."""
    write_format(ours, "coco", tmp_path / "bolts")
    read_as("datumaro_cvat", tmp_path / "bolts")
    run_block("cvat, back", tmp_path)
    assert expected(ingest(tmp_path / "bolts", tmp_path / "back")) == expected(ours)


def test_label_studio_as_the_page_has_it(ours: Dataset, tmp_path: Path) -> None:
    write_format(ours, "coco", tmp_path / "bolts")
    run_block("label studio, there", tmp_path)
    shutil.copy(tmp_path / "tasks.json", tmp_path / "export.json")  # what its server keeps, and gives as JSON
    run_block("label studio, back", tmp_path)
    back = ingest(tmp_path / "bolts", tmp_path / "back")
    assert expected(back) == expected(ours)
    assert sorted(item.name for item in back.categories) == sorted(item.name for item in ours.categories)


def test_polygons_of_label_studio_come_in_as_its_own_converter_writes_them(ours: Dataset, tmp_path: Path) -> None:
    write_format(ours, "coco", tmp_path / "ours")
    read_as("label_studio_polygons", tmp_path / "ours")
    back = ingest(tmp_path / "theirs", tmp_path / "back")
    assert [item.area for item in back.annotations] == [15 * 10] * 3
    assert {item.name for item in back.categories} == {"crack"} and len(back.images) == 6


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
