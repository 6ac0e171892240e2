"""A small finished run, made of fixtures: every stage folder that the report reads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomaly_gan.core.config import Config
from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.files import sha256_bytes, write_bytes, write_json, write_text
from anomaly_gan.core.images import write_png
from anomaly_gan.core.stage import Context, run_stage

SIDE = 40
METHODS = ("copy_paste", "anomaly_gan")


class AnyConfig(Config):
    root: str = "/home/someone/secret-place/photos"
    method: str = "copy_paste"
    count: int = 4


@dataclass(frozen=True)
class FakeRun:
    folder: Path

    def context(self) -> Context:
        names = [
            path.name
            for path in sorted(self.folder.iterdir())
            if path.name != "report" and (path / "manifest.json").is_file()
        ]
        return Context(seed=7, inputs={name: self.folder / name for name in names})

    def stage(self, name: str, function: Callable[[Path], dict[str, Any]]) -> None:
        run_stage(name, lambda config, context, out: function(out), AnyConfig(), Context(seed=7), self.folder / name)


def square(y: int, x: int, side: int = 8) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[y : y + side, x : x + side] = 1
    return mask


def photograph(number: int, mask: np.ndarray | None = None) -> np.ndarray:
    pixels = np.random.default_rng(number).integers(110, 150, (SIDE, SIDE), dtype=np.uint8)
    return pixels if mask is None else np.where(mask > 0, 30, pixels).astype(np.uint8)


def write_ingest(out: Path, names: list[str]) -> dict[str, Any]:
    categories = [Category(index, name) for index, name in enumerate(names, start=1)]
    images: list[ImageRecord] = []
    annotations: list[Annotation] = []
    for number in range(8 * (len(names) + 1)):
        group = number // 2
        category = number % (len(names) + 1)
        mask = square(4 + number % 20, 6 + number % 24) if category else None
        file_name = f"class-{category}/{number:03d}.png"
        content = write_png(out / "images" / file_name, photograph(number, mask))
        images.append(
            ImageRecord(
                number + 1,
                file_name,
                SIDE,
                SIDE,
                f"group-{group}",
                "test" if group % 4 == 0 else "train",
                "real",
                sha256_bytes(content),
            )
        )
        if mask is not None:
            annotations.append(Annotation.from_mask(len(annotations) + 1, number + 1, category, mask))
    Dataset(images, annotations, categories, {"mode": "L"}).save(out)
    rejects = [
        {
            "outcome": "rejected",
            "file": "bad.json",
            "where": "/home/someone/secret-place/bad.json",
            "code": "C6",
            "reason": f"polygon of {names[0]} has 2 points",
            "remedy": "draw it again",
        },
        {"outcome": "skipped", "file": "b.json", "reason": "a label without a photograph"},
    ]
    write_text(out / "rejects.jsonl", "".join(json.dumps(row) + "\n" for row in rejects))
    return {"found": len(images) + 2, "accepted": len(images), "rejected": {"C6": 1}}


def write_pool(out: Path, ingest: Path, count: int = 4) -> dict[str, Any]:
    real = load_dataset(ingest)
    train = real.split("train")
    normals = train.normals()
    images: list[ImageRecord] = []
    annotations: list[Annotation] = []
    for category in real.categories:
        for index in range(count):
            normal = normals[index % len(normals)]
            mask = square(3 + 5 * index, 20 - 4 * index)
            name = f"class-{category.id}/{index + 1:06d}.png"
            content = write_png(out / "images" / name, mask * 255)
            images.append(
                ImageRecord(
                    len(images) + 1,
                    name,
                    SIDE,
                    SIDE,
                    normal.group_id,
                    "train",
                    "synthetic",
                    sha256_bytes(content),
                    {"normal_file": normal.file_name, "index": index, "category": category.name},
                )
            )
            parent = next(a for a in train.annotations if a.category_id == category.id)
            parent_image = next(image for image in train.images if image.id == parent.image_id)
            kind = "expert" if index == 3 else "prior"
            annotations.append(
                Annotation.from_mask(
                    len(annotations) + 1,
                    len(images),
                    category.id,
                    mask,
                    {
                        "kind": kind,
                        "parent": "experts.json#0" if kind == "expert" else parent.id,
                        "parent_image": parent_image.file_name,
                        "parent_group": parent_image.group_id,
                        "affine": [[1, 0, 0], [0, 1, 0]],
                        "transforms": {"rotation_deg": 31.25, "flip": False},
                        "expert_score": 0.8 if kind == "expert" else None,
                        "seed": 7,
                    },
                )
            )
    Dataset(images, annotations, real.categories, {"mode": "L"}).save(out)
    return {"items": len(images), "categories": {category.name: {"items": count} for category in real.categories}}


def write_training(out: Path) -> dict[str, Any]:
    rows = [f"{step},{2 / step:.4f},{'' if step % 2 else 1.5},nan" for step in range(1, 41)]
    write_text(out / "losses.csv", "\n".join(["step,cycle,aware,broken", *rows]) + "\n")
    write_png(out / "samples" / "step-000020.png", np.zeros((30, 50), np.uint8))
    write_png(out / "samples" / "step-000040.png", np.full((30, 50), 99, np.uint8))
    return {"steps": 40, "parameters": {"generator": 612_345}}


def write_generated(out: Path, pool_folder: Path, ingest: Path, method: str) -> dict[str, Any]:
    pool = load_dataset(pool_folder)
    by_image = pool.by_image()
    images, annotations = [], []
    for item in pool.images:
        pixels = photograph(int(item.extra["index"]), by_image[item.id][0].mask())
        content = write_png(out / "images" / item.file_name, pixels)
        images.append(
            replace(
                item,
                sha256=sha256_bytes(content),
                extra={
                    "category": item.extra["category"],
                    "provenance": {"method": method, "pool_item": item.file_name, "base": item.extra["normal_file"]},
                },
            )
        )
        annotations += by_image[item.id]
    Dataset(images, annotations, pool.categories, {"mode": "L"}).save(out)
    return {"method": method, "count": len(images)}


def write_gate(out: Path, generated_folder: Path) -> dict[str, Any]:
    """The first candidate of every category is refused, the others are accepted."""
    generated = load_dataset(generated_folder)
    names = [category.name for category in generated.categories]
    lines = []
    for image in generated.images:
        refused = image.file_name.endswith("/000001.png")
        lines.append(
            {
                "pool_item": image.file_name,
                "attempt": 0,
                "spare": False,
                "accepted": not refused,
                "findings": [{"code": "H7", "reason": "12 pixels changed outside the mask"}] if refused else [],
                "measures": {"contrast": 9.5},
                "file": f"rejected/{image.file_name}" if refused else None,
            }
        )
        if refused:
            write_png(out / "rejected" / image.file_name, photograph(image.id))
    write_text(out / "decisions.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    accepted = generated.select(lambda image: not image.file_name.endswith("/000001.png"))
    for image in accepted.images:
        write_bytes(out / "images" / image.file_name, generated.path_of(image).read_bytes())
    accepted.save(out)
    figures = {
        "real": 12,
        "generated": 3,
        "n": 3,
        "repeats": 20,
        "FD-EffLite0": {
            "generated": {"mean": 12.5, "p05": 11.0, "p95": 14.0},
            "real": {"mean": 10.0, "p05": 8.0, "p95": 12.0},
            "ratio": 1.25,
        },
        "PD-EffLite0": {"pairs": {"generated": 0.3, "real": 0.4, "ratio": 0.75}, "copies": 0},
    }
    few = {"real": 12, "generated": 3, "n": 3, "repeats": 20, "reason": "too few", "FD-EffLite0": None}
    count = {"wanted": 4, "accepted": 3, "rejected": 1, "tried": 4, "shortfall": 1, "reasons": {"H7": 1}}
    return {
        "method": "copy_paste",
        "verdict": "warn",
        "categories": {
            name: {**count, "image": few, "crop": figures, "verdict": "warn", "sentence": f"{name}: 1 of 4 is missing."}
            for name in names
        },
    }


def write_export(out: Path, ingest: Path, gate: Path) -> dict[str, Any]:
    real, accepted = load_dataset(ingest).split("train"), load_dataset(gate)
    first, offset = len(real.annotations) + 1000, 10_000
    images = [*real.images, *(replace(image, id=image.id + offset) for image in accepted.images)]
    annotations = [
        *real.annotations,
        *(replace(item, id=first + item.id, image_id=item.image_id + offset) for item in accepted.annotations),
    ]
    Dataset(images, annotations, real.categories, {"mode": "L"}).save(out)
    return {"images": len(images)}


def write_compare(out: Path) -> dict[str, Any]:
    arms = ("none", "copy_paste", "anomaly_gan")
    figure = {"mean": 0.412, "low": 0.390, "high": 0.434, "values": [0.41, 0.414]}
    rows = {
        arm: {
            "map50": figure,
            "map": figure,
            "miou": None,
            "n_real": 20,
            "n_synthetic": 0 if arm == "none" else 6,
            "categories": {"crack": {"ap50": 0.4, "ap": 0.2, "iou": None}},
            "sentence": f"{arm}: a sentence.",
        }
        for arm in arms
    }
    for arm in arms[1:]:
        rows[arm]["difference"] = {"map50": {"mean": 0.05, "low": 0.02, "high": 0.08, "verdict": "better"}}
        rows[arm]["difference_over_objects"] = {"mean": 0.05, "low": 0.01, "high": 0.2, "verdict": "better"}
    write_json(
        out / "summary.json",
        {
            "detector": "mask_rcnn",
            "judged_on": "masks",
            "seeds": [0, 1],
            "arms": rows,
            "test": {"objects": 3},
            "note": "Judged on 3 defects of 3 objects.",
        },
    )
    write_text(out / "table.csv", "arm,detector,seed,map50,miou\nnone,mask_rcnn,0,0.410000,\n")
    write_png(out / "lift.png", np.full((60, 120, 3), 250, np.uint8))
    write_png(out / "detections.png", np.full((60, 120, 3), 90, np.uint8))
    return {"cells": 6}


@pytest.fixture(scope="session")
def build_run(tmp_path_factory) -> Callable[..., FakeRun]:
    """A fresh copy of a run of these categories; each kind is made once (every file written is synced to the disk)."""
    masters: dict[tuple[str, ...], FakeRun] = {}

    def build(names: tuple[str, ...] = ("blowhole", "crack"), methods: tuple[str, ...] = METHODS) -> FakeRun:
        if names not in masters:
            masters[names] = make_run(tmp_path_factory.mktemp("master"), names)
        folder = tmp_path_factory.mktemp("run")
        for path in masters[names].folder.iterdir():
            method = path.name.partition("@")[2]
            if path.name != "compare" and (not method or method in methods or path.name.startswith("train")):
                shutil.copytree(path, folder / path.name)
        if methods:
            shutil.copytree(masters[names].folder / "compare", folder / "compare")
        return FakeRun(folder)

    return build


def make_run(folder: Path, names: tuple[str, ...]) -> FakeRun:
    run = FakeRun(folder)
    run.stage("ingest", lambda out: write_ingest(out, list(names)))
    run.stage("pool", lambda out: write_pool(out, folder / "ingest"))
    run.stage("train@anomaly_gan", write_training)
    for method in METHODS:
        run.stage(
            f"generate@{method}",
            lambda out, method=method: write_generated(out, folder / "pool", folder / "ingest", method),
        )
        run.stage(f"gate@{method}", lambda out, method=method: write_gate(out, folder / f"generate@{method}"))
        run.stage(
            f"export@{method}",
            lambda out, method=method: write_export(out, folder / "ingest", folder / f"gate@{method}"),
        )
    run.stage("compare", write_compare)
    return run
