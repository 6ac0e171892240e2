"""Generation and export under faults: kills, full disks, planted names, photographs that break, hair-thin masks."""

from __future__ import annotations

import errno
import itertools
import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
from full_disk import sweep_failures
from kills import in_memory, sweep
from pycocotools.coco import COCO
from small_run import HEIGHT, WIDTH, build_ingest, build_pool

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import sha256_bytes, write_json
from anomaly_gan.core.images import encode_png, read_pixels, write_png
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.synthesis.export import stage as export
from anomaly_gan.synthesis.gate.config import ExportConfig
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig
from anomaly_gan.synthesis.pairs.windows import Framing, PairSource


def make(run, folder, method="copy_paste", count=2, name="generate@copy_paste"):
    config = GenerateConfig(method=method, count=count)
    run_stage(name, generate.run, config, Context(3, "cpu", run.inputs()), folder / name)


@pytest.fixture
def fresh():
    names = itertools.count()
    with in_memory() as memory:

        def folder():
            new = memory / str(next(names))
            new.mkdir()
            return new

        yield folder


def test_a_generation_killed_at_any_moment_makes_each_index_once(small_run, fresh):
    def wanted(at, events):
        return at in (3, events // 3, events // 3 + 1, 2 * events // 3, events - 8)

    assert sweep(lambda folder: make(small_run, folder), fresh, wanted) == []
    home = fresh()
    make(small_run, home)
    made = load_dataset(home / "generate@copy_paste")
    names = sorted(image.file_name for image in made.images)
    assert names == [f"{kind}/{index:06d}.png" for kind in ("scratch", "spot") for index in (1, 2)]
    assert len({image.sha256 for image in made.images}) == 4
    manifest = json.loads((home / "generate@copy_paste/manifest.json").read_text(encoding="utf-8"))
    listed = [item["path"] for item in manifest["files"] if item["path"].startswith("images/")]
    assert sorted(listed) == [f"images/{name}" for name in names]


def test_a_disk_that_is_full_in_a_generation_leaves_the_one_before_and_goes_on(small_run, fresh):
    def finished():
        folder = fresh()
        make(small_run, folder, count=1)
        return folder

    def wanted(at, events):
        return at in (2, events // 4, events // 2, events - 6)

    found = sweep_failures(
        lambda folder: make(small_run, folder), finished, "generate@copy_paste", errno.ENOSPC, wanted
    )
    assert found == []


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A run whose photographs are called as everything that will be made: pool items, copies, rejected ones."""
    folder = tmp_path_factory.mktemp("planted")
    build_ingest(folder / "ingest", groups=6, exposures=1)
    ingest = load_dataset(folder / "ingest")
    names = ["spot/000001.png", "synthetic/spot/000001.png", "real/spot/0_0.png", "spot/0_0.png-1.png"]
    images, annotations = list(ingest.images), list(ingest.annotations)
    taken = [image for image in images if image.split == "train" and image.file_name.startswith("spot/")][: len(names)]
    for old, name in zip(taken[1:] + taken[:1], names, strict=True):
        pixels = 255 - read_pixels(ingest.path_of(old), gray=True)
        content = write_png(folder / "ingest/images" / name, pixels)
        number = len(images) + 1
        images.append(replace(old, id=number, file_name=name, sha256=sha256_bytes(content)))
        mask = next(item for item in ingest.annotations if item.image_id == old.id).mask()
        annotations.append(Annotation.from_mask(len(annotations) + 1, number, 1, mask))
    Dataset(images, annotations, ingest.categories, ingest.info).save(folder / "ingest")
    build_pool(folder / "pool", load_dataset(folder / "ingest"), per_category=2)
    for name in ("ingest", "pool"):
        write_json(folder / name / "manifest.json", {"key": name, "files": []})

    class Run:
        def inputs(self, *more):
            return {name: folder / name for name in ("ingest", "pool", *more)}

    make(Run(), folder, name="gate@copy_paste")
    return folder, Run()


def test_no_name_that_is_taken_is_given_again(planted, tmp_path):
    folder, run = planted
    config = ExportConfig(method="copy_paste", real_times=2)
    context = Context(3, "cpu", run.inputs("gate@copy_paste"))
    run_stage("export", export.run, config, context, tmp_path / "export")
    exported, ingest = load_dataset(tmp_path / "export"), load_dataset(folder / "ingest")
    names = [image.file_name for image in exported.images]
    assert len(set(names)) == len({name.casefold() for name in names}) == len(names)
    originals = {image.sha256 for image in ingest.split("train").images}
    generated = {image.sha256 for image in load_dataset(folder / "gate@copy_paste").images}
    kept = [image.sha256 for image in exported.images if not image.extra.get("copy_of")]
    assert sorted(kept) == sorted([*originals, *generated]), "every photograph with its own bytes, none written over"
    for image in exported.images:
        assert sha256_bytes(exported.path_of(image).read_bytes()) == image.sha256


def test_copies_are_made_after_the_split_and_of_training_photographs_alone(planted, tmp_path):
    """No test photograph is even opened by what makes further photographs."""
    folder, run = planted
    ingest = load_dataset(folder / "ingest")
    assert len({image.sha256 for image in ingest.images}) == len(ingest.images), "ingest makes no copies"
    test_files = {str(ingest.path_of(image)) for image in ingest.split("test").images}
    opened: set[str] = set()

    def watch(event, arguments):
        if event == "open" and isinstance(arguments[0], str):
            opened.add(arguments[0])

    sys.addaudithook(watch)  # for good, but it only notes names
    context = Context(3, "cpu", run.inputs("gate@copy_paste"))
    run_stage("e", export.run, ExportConfig(method="copy_paste", real_times=3), context, tmp_path / "export")
    make(run, tmp_path, method="geometric", name="generate@geometric")
    assert len(opened) > 10 and not opened & test_files
    groups = {image.group_id for image in ingest.split("test").images}
    for made in ("export", "generate@geometric"):
        assert not {image.group_id for image in load_dataset(tmp_path / made).images} & groups


def test_a_photograph_that_breaks_is_named_and_nothing_hangs(small_run, tmp_path):
    """What a training needs it reads before its first step; what changed until then stops it by name."""
    folder = tmp_path / "run"
    shutil.copytree(small_run.folder / "ingest", folder / "ingest")
    shutil.copytree(small_run.folder / "pool", folder / "pool")
    train = load_dataset(folder / "ingest").split("train")
    source = PairSource(train, load_dataset(folder / "pool"), Framing(32), 4, 9, gray=True)
    before = source.batch(0)
    victim = train.path_of(train.images[0])
    for content in (b"", victim.read_bytes()[:200], encode_png(255 - read_pixels(victim, gray=True))):
        victim.write_bytes(content)
        with pytest.raises(InputError, match=rf"{victim.name}: A13"):
            PairSource(train, load_dataset(folder / "pool"), Framing(32), 4, 9, gray=True)
    shutil.rmtree(folder / "ingest" / "images")
    assert (source.batch(0).abnormal_BCHW == before.abnormal_BCHW).all(), "a training on its way reads nothing anew"
    with pytest.raises(InputError, match="A24: cannot be read"):
        PairSource(train, load_dataset(folder / "pool"), Framing(32), 4, 9, gray=True)


def thin_masks():
    """Masks whose outline has fewer than three points, or none that can be simplified."""
    dot, line, column, stairs, ring, far = (np.zeros((HEIGHT, WIDTH), np.uint8) for _ in range(6))
    dot[5, 7] = line[3, 4:60] = column[10:60, 80] = 1
    stairs[range(20, 40), range(20, 40)] = 1
    ring[30:50, 30:50] = 1
    ring[31:49, 31:49] = 0
    far[0, 0] = far[-1, -1] = 1
    return {"dot": dot, "line": line, "column": column, "stairs": stairs, "ring": ring, "corners": far}


def test_masks_that_no_polygon_can_hold_are_exported_pixel_by_pixel(tmp_path):
    masks = thin_masks()
    images, annotations = [], []
    for number, (name, mask) in enumerate(masks.items(), 1):
        content = write_png(tmp_path / "ingest/images" / f"{name}.png", np.full((HEIGHT, WIDTH), 9 * number, np.uint8))
        images.append(ImageRecord(number, f"{name}.png", WIDTH, HEIGHT, name, "train", "real", sha256_bytes(content)))
        annotations.append(Annotation.from_mask(number, number, 1, mask))
    dataset = Dataset(images, annotations, [Category(1, "thin")], {"mode": "L"})
    for folder in ("ingest", "pool", "gate@copy_paste"):
        part = dataset if folder == "ingest" else replace(dataset, images=[], annotations=[])
        part.save(tmp_path / folder)
        write_json(tmp_path / folder / "manifest.json", {"key": folder, "files": []})
    inputs = {name: tmp_path / name for name in ("ingest", "pool", "gate@copy_paste")}
    run_stage("export", export.run, ExportConfig(method="copy_paste"), Context(3, "cpu", inputs), tmp_path / "export")
    coco = COCO(str(tmp_path / "export/annotations.json"))
    for row in coco.anns.values():
        name = coco.imgs[row["image_id"]]["file_name"].split("/")[1].removesuffix(".png")
        assert (coco.annToMask(row) == masks[name]).all() and row["area"] == masks[name].sum()
        assert row["bbox"][2] >= 1 and row["bbox"][3] >= 1 and isinstance(row["segmentation"]["counts"], str)
    assert len(coco.anns) == len(masks)
