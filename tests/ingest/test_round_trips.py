"""Every format that is written: ours to it and back, with equal pixels or the stated loss; and what it promises."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import yaml
from doc_blocks import DOCS, titled
from drawn_photos import HEIGHT, WIDTH, ingest, photo, ring_and_dot, save
from typer.testing import CliRunner

from anomaly_gan.cli.main import app
from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.errors import ConfigError, EnvironmentFailure, RunBusy
from anomaly_gan.core.workfolder import folder_lock
from anomaly_gan.ingestion import writing as writing_module
from anomaly_gan.ingestion.formats.table import FORMATS, reading, writing
from anomaly_gan.ingestion.outlines import one_ring
from anomaly_gan.ingestion.polygons import fill_ring
from anomaly_gan.ingestion.writing import write_format

LOSSY_INSTANCES = {"mvtec", "mask-png"}
"""Formats that keep pixels by category, and not which of them are one instance."""


def block(left: int, top: int, right: int, bottom: int) -> list[int]:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask  # type: ignore[return-value]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A data set with a hole, instances of two categories, a part of two pieces, a crowd, and sound photographs."""
    root = tmp_path_factory.mktemp("ours")
    rows = ["file,category,rle,height,width,crowd"]
    from anomaly_gan.ingestion.formats.csv import runs_of

    ring, far, other = ring_and_dot(), block(40, 22, 50, 30), block(30, 5, 38, 9)
    for n in range(4):
        save(root / f"images/a/{n}.png", photo(n))
        for category, mask, crowd in (("crack", ring, 0), ("break", far, 0), ("crack", other, 0)):
            rows.append(f"a/{n}.png,{category},{runs_of(mask)},{HEIGHT},{WIDTH},{crowd}")
    rows.append(f"a/0.png,break,{runs_of(block(0, 35, 9, 39))},{HEIGHT},{WIDTH},1")
    for n in range(4, 7):
        save(root / f"images/b/{n}.jpg", photo(n))
        rows.append(f"b/{n}.jpg,,,{HEIGHT},{WIDTH},0")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return ingest(root, tmp_path_factory.mktemp("out") / "ours")


def stem(name: str) -> str:
    return name.rsplit("/", 1)[-1].split(".")[0][-1]


def instances(dataset: Dataset, crowds: bool) -> list[tuple[str, str, int, bytes]]:
    """(photograph, category, crowd, pixels) of every instance, sorted; photographs by their number."""
    names = dataset.category_names()
    of_image = {image.id: stem(image.file_name) for image in dataset.images}
    return sorted(
        (of_image[a.image_id], names[a.category_id], a.iscrowd, a.mask().tobytes())
        for a in dataset.annotations
        if crowds or not a.iscrowd
    )


def pixels(rows: Iterable[tuple[str, str, int, bytes]], by_category: bool) -> dict[tuple[str, str], bytes]:
    covered: dict[tuple[str, str], np.ndarray] = {}
    for file, category, crowd, mask in rows:
        if not crowd:
            key = file, category if by_category else ""
            covered[key] = covered.get(key, np.zeros(HEIGHT * WIDTH, np.uint8)) | np.frombuffer(mask, np.uint8)
    return {key: mask.tobytes() for key, mask in covered.items()}


@pytest.mark.parametrize("name", writing())
def test_ours_to_the_format_and_back(name: str, ours: Dataset, tmp_path: Path) -> None:
    result = write_format(ours, name, tmp_path / "theirs")
    assert result["photographs"] == len(ours.images) and FORMATS[name].keeps
    if name == "yolo":
        boxes = (tmp_path / "theirs/labels").rglob("*.txt")
        assert sum(len(path.read_text().splitlines()) for path in boxes) == 12
        return
    back = ingest(tmp_path / "theirs", tmp_path / "back", format=name)
    assert sorted(stem(i.file_name) for i in back.normals()) == sorted(stem(i.file_name) for i in ours.normals())
    before, after = instances(ours, True), instances(back, True)
    if name in LOSSY_INSTANCES:
        by_category = name != "mvtec"
        assert pixels(after, by_category) == pixels(before, by_category)
    else:
        crowds = name in {"coco", "csv"}
        assert instances(back, crowds) == instances(ours, crowds)
    if name in {"labelme", "voc", "mask-png"}:  # a region that counts for no category comes back for all
        assert sum(row[2] for row in after) == 2
    assert ingest(tmp_path / "theirs", tmp_path / "auto").info["source_format"] == name


@pytest.mark.parametrize("name", sorted({"labelme", "csv", "voc"} & set(writing())))
def test_what_a_format_cannot_say_stands_beside_it(name: str, ours: Dataset, tmp_path: Path) -> None:
    write_format(ours, name, tmp_path / "theirs")
    rows = list(csv.DictReader((tmp_path / "theirs/photographs.csv").open()))
    assert [row["group"] for row in rows] == [image.group_id for image in ours.images]
    assert all((tmp_path / "theirs" / row["file"]).is_file() for row in rows)
    table = str(tmp_path / "theirs/photographs.csv")
    back = ingest(tmp_path / "theirs", tmp_path / "back", format=name, groups=table)
    assert sorted(image.group_id for image in back.images) == sorted(image.group_id for image in ours.images)


def test_an_export_is_replaced_and_nothing_else_is(ours: Dataset, tmp_path: Path) -> None:
    write_format(ours, "csv", tmp_path / "x")
    write_format(ours, "labelme", tmp_path / "x")
    assert not (tmp_path / "x/labels.csv").exists() and (tmp_path / "x/export.yaml").is_file()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/note").write_text("keep")
    with pytest.raises(ConfigError, match="something else than an export"):
        write_format(ours, "csv", tmp_path / "mine")
    with pytest.raises(ConfigError, match="did you mean 'coco'"):
        write_format(ours, "cocoo", tmp_path / "y")


def test_an_export_stays_until_its_successor_is_whole_and_nobodys_work_on_it_is_lost(
    ours: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x"
    made = write_format(ours, "labelme", out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert write_format(ours, "labelme", out) == made, "the same again is told again"
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before, "and nothing is done"

    def full(path: Path, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(writing_module, "write_text", full)
        with pytest.raises(EnvironmentFailure, match="No space"):
            write_format(ours, "csv", out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    with folder_lock(out), pytest.raises(RunBusy):
        write_format(ours, "csv", out)
    label = next(out.rglob("*.json"))
    label.write_text(label.read_text().replace("0", "1"))
    with pytest.raises(ConfigError, match="worked on since"):
        write_format(ours, "csv", out)
    assert label.is_file() and not list(tmp_path.glob(".x.*"))[1:]


def test_equal_data_gives_equal_bytes(ours: Dataset, tmp_path: Path) -> None:
    for name in writing():
        for copy in "ab":
            write_format(ours, name, tmp_path / copy / name)
        first, second = (
            {
                path.relative_to(tmp_path / copy).as_posix(): path.read_bytes()
                for path in (tmp_path / copy / name).rglob("*")
                if path.is_file()
            }
            for copy in "ab"
        )
        assert first == second


@pytest.mark.parametrize("seed", range(25))
def test_one_ring_fills_to_the_same_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = (rng.random((9, 12)) < rng.choice([0.2, 0.5, 0.8])).astype(np.uint8)
    mask[4, 4] = 1
    np.testing.assert_array_equal(fill_ring(np.array(one_ring(mask), np.float64), mask.shape), mask)


def test_every_row_of_the_table_keeps_its_promise() -> None:
    for row in FORMATS.values():
        module = row.load()
        assert not row.reads or (callable(module.read_items) and callable(module.fits)), row.name
        assert not row.writes or callable(module.write), row.name
        assert bool(row.keeps) == row.writes and len(row.tree) == 3
    folder = Path(FORMATS["coco"].load().__file__ or "").parent
    helpers = {"__init__", "base", "registry", "table", "sidefile", "folders", "unknown"}
    modules = {path.stem.replace("_", "-") for path in folder.glob("*.py") if path.stem not in helpers}
    parts = {name for name in modules - set(FORMATS) if any(name.startswith(f"{row}-") for row in FORMATS)}
    assert modules - parts == set(FORMATS)


def test_the_command_line_and_the_configuration_know_every_row() -> None:
    from anomaly_gan.ingestion.config import IngestConfig

    def words(verb: str) -> str:
        return "".join(CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "300"}).output.split())

    assert all(name in words("ingest") for name in reading()) and all(name in words("export") for name in writing())
    for name in reading():
        assert IngestConfig(root="x", format=name).format == name


def test_the_verb_writes_any_data_set(ours: Dataset, tmp_path: Path) -> None:
    given = ["export", "--run", str(ours.folder), "--format", "voc", "--out", str(tmp_path / "voc")]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0 and "voc: 7 photographs" in done.output
    assert yaml.safe_load((tmp_path / "voc/export.yaml").read_text())["format"] == "voc"
    front, words = (tmp_path / "voc/README.md").read_text("utf-8").split("---\n")[1:]
    assert yaml.safe_load(front)["task_categories"] == ["image-segmentation"] and "--format voc" in words


def test_the_page_shows_every_row() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/own-data.md").read_text(encoding="utf-8")
    for row in FORMATS.values():
        line = next(line for line in page.splitlines() if line.startswith(f"| `{row.name}` |"))
        assert all(part in line for part in (*row.tree, row.sound, row.keeps))


def test_other_programs_read_the_same_areas(ours: Dataset, tmp_path: Path) -> None:
    """pycocotools reads our COCO; run lengths are decoded as competitions publish it."""
    import contextlib
    import io

    from pycocotools import mask as coco_mask
    from pycocotools.coco import COCO

    write_format(ours, "coco", tmp_path / "coco")
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "coco/annotations.json"))
    found = sorted(int(coco.annToMask(row).sum()) for row in coco.anns.values())
    assert found == sorted(item.area for item in ours.annotations)
    write_format(ours, "csv", tmp_path / "csv")
    for row in csv.DictReader((tmp_path / "csv/labels.csv").open()):
        if row["rle"]:  # as competition notebooks decode it
            flat = np.zeros(HEIGHT * WIDTH, np.uint8)
            numbers = [int(word) for word in row["rle"].split()]
            for start, length in zip(numbers[::2], numbers[1::2], strict=True):
                flat[start - 1 : start - 1 + length] = 1
            mask = np.asfortranarray(flat.reshape(WIDTH, HEIGHT).T)
            assert int(coco_mask.area(coco_mask.encode(mask))) in {item.area for item in ours.annotations}


def test_the_page_of_other_programs_runs_as_it_stands(
    ours: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands and its lines for CVAT's XML; the others need their programs (``make peers``)."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ours.folder, "runs/mine/ingest")
    page = (DOCS / "how-to/annotation-tools.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"^anomaly-gan (.*)$", page, re.MULTILINE))
    there, *back = sorted(commands)
    assert there == "export --run runs/mine/ingest --format coco --out bolts" and back == ["ingest bolts --out back"]
    for title, code in titled("how-to/annotation-tools.md").items():
        compile(code, title, "exec")
    assert CliRunner().invoke(app, there.split()).exit_code == 0
    wanted = [one for one in ours.annotations if not one.iscrowd]
    names, rows = ours.category_names(), ["<annotations>"]
    for image in ours.images:
        rows.append(f'<image name="{image.file_name}" width="{image.width}" height="{image.height}">')
        for one in [one for one in wanted if one.image_id == image.id]:
            x, y, wide, high = one.bbox
            flat = one.mask()[y : y + high, x : x + wide].ravel()
            edges = [0, *(np.flatnonzero(np.diff(flat)) + 1), flat.size]
            rle = ", ".join(["0"] * int(flat[0]) + [str(length) for length in np.diff(edges)])
            place = f'left="{x}" top="{y}" width="{wide}" height="{high}"'
            rows.append(f'<mask label="{names[one.category_id]}" source="manual" rle="{rle}" {place} z_order="0"/>')
        rows.append("</image>")
    Path("theirs").mkdir()
    Path("theirs/annotations.xml").write_text("\n".join([*rows, "</annotations>"]))
    exec(compile(titled("how-to/annotation-tools.md")["cvat, back"], "annotation-tools.md", "exec"), {})
    assert CliRunner().invoke(app, back[0].split()).exit_code == 0
    found = load_dataset(Path("back"))
    assert sorted(one.area for one in found.annotations) == sorted(one.area for one in wanted)
    assert len(found.images) == len(ours.images)
