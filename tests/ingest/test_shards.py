"""Shards: read by WebDataset, the same bytes every time, whole or not there, on any storage that fsspec knows."""

import io
import itertools
import json
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import webdataset
from kills import in_memory, sweep
from small_verbs import copied

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.errors import ConfigError, InputError, RunBusy
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import read_pixels, write_png
from anomaly_gan.core.workfolder import folder_lock
from anomaly_gan.ingestion.shards import read_index, verify_shards, write_shards


@pytest.fixture
def dataset(tmp_path):
    rng, images, annotations = np.random.default_rng(0), [], []
    folder = tmp_path / "set"
    for number in range(1, 8):
        pixels = rng.integers(0, 255, (20, 24), np.uint8)
        content = write_png(folder / "images" / "a" / f"{number}.png", pixels)
        images.append(
            ImageRecord(number, f"a/{number}.png", 24, 20, f"g{number}", "train", "real", sha256_bytes(content), {})
        )
        mask = np.zeros((20, 24), np.uint8)
        mask[3 : 3 + number, 4:9] = 1
        if number != 3:
            annotations.append(Annotation.from_mask(len(annotations) + 1, number, 1, mask))
    Dataset(images, annotations, [Category(1, "crack")], {"mode": "L"}).save(folder)
    return replace(Dataset(images, annotations, [Category(1, "crack")], {"mode": "L"}), folder=folder)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_webdataset_reads_every_photograph_and_label(dataset, tmp_path):
    index = write_shards(dataset, str(tmp_path / "out"), 3)
    assert [row["photographs"] for row in index["shards"]] == [3, 3, 1]
    urls = [str(tmp_path / "out" / f"{row['name']}.tar") for row in index["shards"]]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False, empty_check=False))
    assert len(samples) == 7
    for sample, image in zip(samples, dataset.images, strict=True):
        record = json.loads(sample["json"])
        assert record["image"]["file_name"] == image.file_name and sample["png"] == dataset.path_of(image).read_bytes()
        areas = [Annotation(**row).mask().sum() for row in record["annotations"]]
        assert areas == [one.mask().sum() for one in dataset.by_image().get(image.id, [])]


def test_each_shard_has_its_coco_and_the_index_is_the_whole(dataset, tmp_path):
    index = write_shards(dataset, str(tmp_path / "out"), 3)
    parts = [json.loads((tmp_path / "out" / f"{row['name']}.json").read_text("utf-8")) for row in index["shards"]]
    assert [one["id"] for part in parts for one in part["images"]] == list(range(1, 8))
    assert sum(len(part["annotations"]) for part in parts) == 6 == index["annotations"]
    assert list(verify_shards(str(tmp_path / "out"))) == [] and read_index(str(tmp_path / "out")) == index


def test_the_same_bytes_and_what_is_there_is_kept(dataset, tmp_path):
    write_shards(dataset, str(tmp_path / "one"), 3)
    write_shards(dataset, str(tmp_path / "two"), 3)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    before, said = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "one").glob("*.tar")}, []
    write_shards(dataset, str(tmp_path / "one"), 3, said.append)
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "one").glob("*.tar")}
    assert len(said) == 3 and files(tmp_path / "one") == files(tmp_path / "two")


def test_a_call_that_was_cut_off_goes_on_and_leaves_no_index_before(dataset, tmp_path, monkeypatch):
    from anomaly_gan.ingestion import shards

    whole, write, calls = tmp_path / "whole", shards._write, []
    write_shards(dataset, str(whole), 3)

    def cut(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return write(*arguments)

    monkeypatch.setattr(shards, "_write", cut)
    with pytest.raises(KeyboardInterrupt):
        write_shards(dataset, str(tmp_path / "out"), 3)
    with pytest.raises(InputError, match="no finished shards"):
        read_index(str(tmp_path / "out"))
    write_shards(dataset, str(tmp_path / "out"), 3)
    assert len(calls) == 4 and files(tmp_path / "out") == files(whole)  # the first shard was not written again


def test_killed_at_any_moment_over_another_set_the_same_export_ends_with_the_same_bytes(dataset):
    smaller = replace(dataset, images=dataset.images[1:6])

    def work(folder):
        write_shards(smaller, str(folder / "out"), 3)

    with in_memory() as memory:
        write_shards(dataset, str(memory / "before" / "out"), 2)
        number = itertools.count()
        fresh = lambda: copied(memory / "before", memory / f"try-{next(number)}")  # noqa: E731
        assert sweep(work, fresh, lambda at, events: at % 3 == 0 or at > events - 3) == []
        left = memory / "try-0" / "out"
        assert {path.name for path in left.iterdir()} == {
            "README.md",
            "index.json",
            *(f"images-0000{number}{end}" for number in (0, 1) for end in (".tar", ".json")),
        }
        assert list(verify_shards(str(left))) == []


def test_a_changed_shard_a_damaged_index_and_a_second_process_are_said(dataset, tmp_path):
    home = tmp_path / "out"
    write_shards(dataset, str(home), 4)
    labels = home / "images-00000.json"
    before = labels.read_bytes()
    labels.write_bytes(before.replace(b"crack", b"creak"))
    assert list(verify_shards(str(home))) == ["images-00000.json: its bytes have changed"]
    write_shards(dataset, str(home), 4)
    assert labels.read_bytes() == before
    with folder_lock(home), pytest.raises(RunBusy):
        write_shards(dataset, str(home), 4)
    for content in (b"{", b"[]", b"{}"):
        (home / "index.json").write_bytes(content)
        with pytest.raises(InputError, match=r"index.json: FORMAT"):
            write_shards(dataset, str(home), 4)


def test_any_storage_of_fsspec(dataset):
    import fsspec

    write_shards(dataset, "memory://plant/set", 4)
    storage = fsspec.filesystem("memory")
    with tarfile.open(fileobj=io.BytesIO(storage.cat_file("/plant/set/images-00001.tar"))) as tar:
        assert tar.getnames()[:2] == ["000000005.png", "000000005.json"]
    storage.pipe_file("/plant/set/images-00001.tar", b"broken")
    assert list(verify_shards("memory://plant/set")) == ["images-00001.tar: its bytes have changed"]


def test_a_changed_photograph_and_a_foreign_folder_are_refused(dataset, tmp_path):
    write_png(dataset.path_of(dataset.images[4]), 255 - read_pixels(dataset.path_of(dataset.images[4]), True))
    with pytest.raises(InputError, match="A24"):
        write_shards(dataset, str(tmp_path / "out"), 3)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="something else than shards"):
        write_shards(dataset, str(tmp_path / "mine"), 3)
    with pytest.raises(ConfigError, match="fsspec knows no such storage"):
        write_shards(dataset, "nosuch://x", 3)


def test_the_command_writes_shards_to_a_folder_or_a_storage(dataset, tmp_path):
    from typer.testing import CliRunner

    from anomaly_gan.cli.main import app

    asked = ["export", "--run", str(dataset.folder), "--shards", "4", "--out"]
    done = CliRunner().invoke(app, [*asked, str(tmp_path / "out")])
    assert done.exit_code == 0 and f"2 shards: 7 photographs → {tmp_path / 'out'}" in done.output
    assert CliRunner().invoke(app, [*asked, "memory://cli/out"]).exit_code == 0
    assert list(verify_shards("memory://cli/out")) == []
