"""Groups, folds and repeats of an ingest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from drawn_photos import filled, ingest, labelme, photo, rectangle, save, write_masks
from PIL import Image

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.ingestion.stage import IngestConfig, run, source_key


def write_groups(path: Path, rows: list[tuple[str, str, str, str]]) -> str:
    path.write_text("category,file,tile,fold\n" + "".join(",".join(row) + "\n" for row in rows))
    return str(path)


def test_the_groups_file_decides_groups_and_folds(tmp_path: Path) -> None:
    write_masks(tmp_path / "source")
    rows = [
        (category, f"{index}.jpg", f"t{index // 2}", str(index // 2))
        for index in range(4)
        for category in ("crack", "break", "good")
    ]
    table = write_groups(tmp_path / "groups.csv", rows)
    dataset = ingest(tmp_path / "source", tmp_path / "out", groups=table, group_column="tile", fold=1)
    assert {(image.group_id, image.split) for image in dataset.images} == {("t0", "train"), ("t1", "test")}
    for more in ({}, {"groups": write_groups(tmp_path / "bare.csv", rows), "group_column": "tile"}):
        if more:  # without the column fold
            lines = (tmp_path / "bare.csv").read_text().splitlines()
            (tmp_path / "bare.csv").write_text("".join(line.rpartition(",")[0] + "\n" for line in lines))
        dealt = ingest(tmp_path / "source", tmp_path / f"dealt{len(more)}", fold=0, **more)
        sides = {image.group_id: image.split for image in dealt.images}
        assert set(sides.values()) == {"train", "test"}
        assert all(sides[image.group_id] == image.split for image in dealt.images), "whole objects"
    with pytest.raises(InputError, match="has no column 'group'"):
        ingest(tmp_path / "source", tmp_path / "out", groups=table)
    write_groups(tmp_path / "groups.csv", rows[:-1])
    config = IngestConfig(root=str(tmp_path / "source"), groups=table, group_column="tile", fold=1, max_bad=0.5)
    assert run(config, Context(seed=0), tmp_path / "less")["rejected"] == {"E3": 1}


def test_equal_photographs_are_one_group(tmp_path: Path) -> None:
    write_masks(tmp_path / "source")
    for index in range(8):  # the pixels of crack/0 again, in other files and another container
        save(tmp_path / f"source/crack/copy{index}.png", np.asarray(Image.open(tmp_path / "source/crack/0.jpg")))
        save(tmp_path / f"source/crack/copy{index}_mask.png", np.asarray(Image.open(tmp_path / "source/crack/0.png")))
    metrics = run(IngestConfig(root=str(tmp_path / "source")), Context(seed=0), tmp_path / "out")
    dataset = load_dataset(tmp_path / "out")
    copies = [image for image in dataset.images if "copy" in image.file_name or image.file_name == "crack/0.jpg"]
    assert len(copies) == 9 and len({(image.group_id, image.split) for image in copies}) == 1
    assert metrics["duplicates_joined"] == 8
    save(tmp_path / "source/good/copy.png", np.asarray(Image.open(tmp_path / "source/crack/0.jpg")))
    with pytest.raises(InputError, match=r"copy.png: E10: is sound here, and shows a defect as crack/0.jpg"):
        ingest(tmp_path / "source", tmp_path / "both")


def test_unwanted_categories_are_skipped_and_counted(tmp_path: Path) -> None:
    write_masks(tmp_path / "source")
    metrics = run(IngestConfig(root=str(tmp_path / "source"), categories=["crack"]), Context(seed=0), tmp_path / "out")
    assert metrics["skipped"] == {"category not asked for": 4} and metrics["accepted"] == 8
    with pytest.raises(ConfigError, match="did you mean 'crack'"):
        ingest(tmp_path / "source", tmp_path / "other", categories=["crack", "crak"])


def test_repaired_photographs_never_take_the_name_of_another(tmp_path: Path) -> None:
    root = tmp_path / "source"
    for index in range(2):
        labelme(root / f"{index}.png", index, [rectangle(5, 6, 15, 16)])
    save(root / "good/same.png", photo(21))
    save(root / "good/same.tif", photo(22).astype(np.uint16) * 257)
    save(root / "good/alone.tif", photo(23).astype(np.uint16) * 257)
    names = {image.file_name for image in ingest(root, tmp_path / "out", format="labelme").images}
    assert names == {"good/same.png", "good/same.tif.png", "good/alone.png", "0.png", "1.png"}


def tree_bytes(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_stage_is_the_same_again_and_after_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_masks(tmp_path / "source")
    config = IngestConfig(root=str(tmp_path / "source"))
    keys = source_key(config)
    assert run_stage("ingest", run, config, Context(seed=0), tmp_path / "whole", keys)
    assert not run_stage("ingest", run, config, Context(seed=0), tmp_path / "whole", keys)
    from anomaly_gan.ingestion import builder as intake

    stored, store = [], intake._store

    def dying(path: Path, content: bytes) -> None:
        if len(stored) == 5:
            raise KeyboardInterrupt
        stored.append(path)
        store(path, content)

    monkeypatch.setattr(intake, "_store", dying)
    with pytest.raises(KeyboardInterrupt):
        run_stage("ingest", run, config, Context(seed=0), tmp_path / "cut", keys)
    monkeypatch.setattr(intake, "_store", store)
    assert run_stage("ingest", run, config, Context(seed=0), tmp_path / "cut", keys)
    assert tree_bytes(tmp_path / "cut") == tree_bytes(tmp_path / "whole")


def test_a_changed_source_changes_its_key(tmp_path: Path) -> None:
    write_masks(tmp_path / "source")
    config = IngestConfig(root=str(tmp_path / "source"))
    before = source_key(config)
    assert source_key(config) == before
    save(tmp_path / "source/crack/0.png", 255 * filled((1, 1, 5, 5)))
    assert source_key(config) != before


def test_an_unknown_or_doubtful_source_is_refused_in_one_line(tmp_path: Path) -> None:
    save(tmp_path / "plain/a/1.jpg", photo(1))
    with pytest.raises(InputError, match="holds 1 photograph in a, and nothing that says where a defect is"):
        ingest(tmp_path / "plain", tmp_path / "out")
    labelme(tmp_path / "plain/1.png", 1, [rectangle(5, 6, 15, 16)])
    (tmp_path / "plain/annotations.json").write_text(json.dumps({"images": []}))
    with pytest.raises(InputError, match="looks like coco and labelme: say which with --format"):
        ingest(tmp_path / "plain", tmp_path / "out")
    write_masks(tmp_path / "mixed")  # photographs with masks, and a few label files: neither may win in silence
    labelme(tmp_path / "mixed/expert/1.png", 1, [rectangle(5, 6, 15, 16)])
    with pytest.raises(InputError, match="looks like labelme and mask-png: say which with --format"):
        ingest(tmp_path / "mixed", tmp_path / "out")
    with pytest.raises(InputError, match="no such folder"):
        ingest(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(ConfigError, match="inside the source"):
        ingest(tmp_path / "plain", tmp_path / "plain/out", format="labelme")
