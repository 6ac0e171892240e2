"""How much goes into a training set: real photographs repeated, synthetic ones counted against real ones."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from small_run import SmallRun, build_run

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.resources import PACKAGE
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.pipeline.config import read_run_config
from anomaly_gan.pipeline.plan import plan
from anomaly_gan.synthesis.export import stage as export
from anomaly_gan.synthesis.gate.config import ExportConfig
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig
from detection.comparison.cell import training_data


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> SmallRun:
    """Four training objects with a defect of each kind, and twelve photographs in place of accepted ones."""
    small = build_run(tmp_path_factory.mktemp("small"), groups=6, exposures=1, per_category=6, fixed_shape=["scratch"])
    run_stage(
        "generate",
        generate.run,
        GenerateConfig(method="copy_paste", count=6),
        Context(3, "cpu", small.inputs()),
        small.folder / "gate@copy_paste",
    )
    return small


def exported(small: SmallRun, folder, **config):
    context = Context(3, "cpu", small.inputs("gate@copy_paste"))
    run_stage("export", export.run, ExportConfig(method="copy_paste", **config), context, folder)
    return load_dataset(folder)


def test_an_export_that_repeats_nothing_reads_no_pool():
    steps = {step.name: step for step in plan(read_run_config(PACKAGE / "configs" / "demo.yaml", []))}
    assert "pool" not in steps["export@copy_paste"].inputs
    pools = read_run_config(PACKAGE / "configs" / "demo_pool_ablation.yaml", ["export.real_times=2"])
    steps = {step.name: step for step in plan(pools)}
    assert steps["export@anomaly_gan@prior"].inputs["pool"] == "pool@prior"


def test_real_photographs_are_repeated_otherwise_and_stay_real(small, tmp_path):
    twice, four = exported(small, tmp_path / "2", real_times=2), exported(small, tmp_path / "4", real_times=4)
    train = small.ingest.split("train")
    defects = len(train.by_image())
    copies = [image for image in four.images if "copy_of" in image.extra]
    assert len(copies) == 3 * defects
    assert all(image.source == "real" and image.split == "train" for image in copies)
    first = {image.file_name: image.sha256 for image in twice.images}
    assert first.items() <= {image.file_name: image.sha256 for image in four.images}.items(), "twice is part of four"
    labels = four.by_image()
    for image in copies[:4]:
        pixels = read_pixels(four.path_of(image), gray=True)
        original = read_pixels(train.folder / "images" / image.extra["copy_of"], gray=True)
        assert pixels.shape[0] * pixels.shape[1] == original.size
        assert pixels.shape != original.shape or np.any(pixels != original)
        assert labels[image.id] and all(item.mask().shape == pixels.shape for item in labels[image.id])
    test = small.ingest.split("test")
    used = training_data("copy_paste", small.folder / "ingest", tmp_path / "4", test)
    assert sum(image.source == "real" for image in used.images) == len(train.images) + 3 * defects


@pytest.mark.parametrize(("per_real", "count"), [(0, 0), (0.5, 4), (1.0, 8), (50, 12)])
def test_synthetic_photographs_are_counted_against_real_ones(small, tmp_path, per_real, count):
    assert len(small.ingest.split("train").by_image()) == 8
    dataset = exported(small, tmp_path / "export", per_real=per_real)
    made = [image for image in dataset.images if image.source == "synthetic"]
    assert len(made) == count
    per_category = Counter(image.extra["category"] for image in made)
    assert not made or max(per_category.values()) - min(per_category.values()) <= (count in (1, 3))
    for name in per_category:
        order = [image.file_name for image in made if image.extra["category"] == name]
        assert order == [f"synthetic/{name}/{index + 1:06d}.png" for index in range(len(order))]
