"""Every row of every table keeps the same promises, and a row that breaks one is noticed.

What rows do with data is tested beside them: ``test_gate_tables``, ``test_one_class_contract``, ``test_round_trips``;
methods and detectors here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import promises
import pytest
import torch
from random_batch import random_batch
from small_run import build_run

from anomaly_gan.engine.loop import make_fabric, train_step
from anomaly_gan.ingestion.formats.table import FORMATS, Format
from anomaly_gan.nets.aware import AwareNet, freeze
from anomaly_gan.pipeline.config import RunConfig
from anomaly_gan.pipeline.costs import COSTS
from anomaly_gan.pipeline.stages import STAGES, Stage
from anomaly_gan.synthesis.gate.category_metrics import CATEGORY_METRICS, CategoryMetric
from anomaly_gan.synthesis.gate.checks import CHECKS, Check
from anomaly_gan.synthesis.interface import MethodInputs, PoolItem
from anomaly_gan.synthesis.interface.task import MethodTask
from anomaly_gan.synthesis.methods.config import TaskSetup, TrainConfig
from anomaly_gan.synthesis.registry import METHODS, Method
from detection.detectors.config import DetectConfig
from detection.detectors.registry import DETECTORS, Detector
from detection.one_class.registry import ONE_CLASS, Row


@pytest.mark.parametrize("name", METHODS)
def test_methods(name: str) -> None:
    assert promises.method(name, METHODS[name], METHODS) == []


@pytest.mark.parametrize("name", DETECTORS)
def test_detectors(name: str) -> None:
    assert promises.detector(name, DETECTORS[name]) == []


@pytest.mark.parametrize("name", ONE_CLASS)
def test_one_class_detectors(name: str) -> None:
    assert promises.one_class(name, ONE_CLASS[name]) == []


@pytest.mark.parametrize("name", FORMATS)
def test_formats_and_writers(name: str) -> None:
    assert promises.label_format(name, FORMATS[name]) == []


@pytest.mark.parametrize("row", CHECKS, ids=lambda row: row.name)
def test_checks(row: Check) -> None:
    assert promises.check(row, CHECKS) == []


@pytest.mark.parametrize("row", CATEGORY_METRICS, ids=lambda row: row.name)
def test_category_metrics(row: CategoryMetric) -> None:
    assert promises.category_metric(row, CATEGORY_METRICS) == []


def test_stages() -> None:
    assert promises.stages(STAGES, RunConfig, COSTS) == []


BAD = {
    "a method without its module": (promises.method, ("ghost", Method("anomaly_gan.nowhere:open_it"), METHODS)),
    "a method whose builder wants more than a setup": (
        promises.method,
        ("thin", replace(METHODS["pix2pix"], builder="anomaly_gan.core.errors:InputError"), METHODS),
    ),
    "a method whose settings are no settings": (
        promises.method,
        ("plain", replace(METHODS["pix2pix"], config="anomaly_gan.core.config:Config"), METHODS),
    ),
    "a method that paints with one that learns nothing": (
        promises.method,
        ("lean", replace(METHODS["hybrid"], trained_by="copy_paste"), METHODS),
    ),
    "a detector with another trainer": (
        promises.detector,
        ("odd", replace(DETECTORS["dense"], trainer="detection.training.finetune:image_tensor")),
    ),
    "a detector without a builder": (promises.detector, ("none", Detector("detection.nowhere:net", segments=True))),
    "a one-class detector without words": (promises.one_class, ("mute", replace(ONE_CLASS["knn"], words=""))),
    "a one-class detector with others' settings": (
        promises.one_class,
        ("odd", Row("classical:knn", "anomaly_gan.core.config:Config", "k nearest neighbours")),
    ),
    "a format without a module": (promises.label_format, ("dicom", replace(FORMATS["voc"], name="dicom"))),
    "a writer that does not say what it keeps": (promises.label_format, ("voc", replace(FORMATS["voc"], keeps=""))),
    "a writer that cannot write": (
        promises.label_format,
        ("visa", Format("visa", True, True, FORMATS["visa"].tree, "`Normal`", "everything")),
    ),
    "a check that measures what another does": (
        promises.check,
        (Check("twin", CHECKS[0].function, next(row.measures for row in CHECKS if row.measures)), CHECKS),
    ),
    "a metric with a level of its own": (
        promises.category_metric,
        (CategoryMetric("odd", CATEGORY_METRICS[0].function, worst="awful"), CATEGORY_METRICS),  # type: ignore[arg-type]
    ),
    "a metric of the same name": (
        promises.category_metric,
        (CategoryMetric("size", CATEGORY_METRICS[0].function), CATEGORY_METRICS),
    ),
    "a stage before what it needs": (promises.stages, (STAGES[::-1], RunConfig, COSTS)),
    "a stage without a section": (
        promises.stages,
        ((Stage("polish", STAGES[0].function, "polish"),), RunConfig, {"polish": lambda work: 0.0}),
    ),
}


@pytest.mark.parametrize("guest", BAD)
def test_a_bad_guest_is_noticed(guest: str) -> None:
    promise, arguments = BAD[guest]
    assert promise(*arguments) != []  # type: ignore[operator]


NETS = {"generator": "lean_unet", "base_width": 8, "depth": 2, "patch_width": 4, "widths": (8, 8, 8)}


@pytest.mark.parametrize("name", [name for name, row in METHODS.items() if row.trainable])
def test_a_method_that_learns_draws_its_weights_from_the_seed_and_has_finite_losses(name: str) -> None:
    row = METHODS[name]
    recipe = (
        {"features": 8, "local_size": 8, "painter": {"painting": "image"}}
        if "local_size" in row.settings().model_fields
        else {}
    )
    config = TrainConfig(method=name, steps=2, batch=3, size=32, nets=NETS, recipe=recipe)
    aware = freeze(AwareNet(3, 4)) if row.aware else None

    def built(seed: int) -> MethodTask:
        return row.build(TaskSetup(config, 3, 2, aware, seed, torch.device("cpu")))

    def weights(task: MethodTask) -> torch.Tensor:
        return torch.cat([one.detach().flatten() for net in task.nets.values() for one in net.parameters()])

    task = built(0)
    assert torch.equal(weights(task), weights(built(0))) and not torch.equal(weights(task), weights(built(1)))
    assert "generator" in task.products() and all(net in task.nets.values() for net in task.products().values())
    losses = train_step(task, task.updates(), random_batch(3, 32), make_fabric("cpu", "32-true"), 0, None)
    assert losses and all(np.isfinite(value) for value in losses.values())
    columns = task.previews(random_batch(3, 32))
    assert columns and all(len(column) == 3 for column in columns.values())


@pytest.mark.parametrize("name", [name for name, row in METHODS.items() if not row.trainable and not row.trained_by])
def test_a_method_that_learns_nothing_gives_the_same_again_and_labels_what_it_painted(name: str, tmp_path: Any) -> None:
    run = build_run(tmp_path / "run", per_category=2)
    pool = run.pool
    items = [PoolItem(image, pool.by_image()[image.id]) for image in pool.images[:2]]
    inputs = MethodInputs(run.ingest.split("train"), pool, 0, "cpu")
    first, again = (METHODS[name].open(inputs)(items, 0) for _ in range(2))
    for sample, twin in zip(first, again, strict=True):
        assert np.array_equal(sample.pixels, twin.pixels) and sample.pixels.dtype == np.uint8
        masks = [mask for _, mask in sample.instances]
        assert masks and all(mask.shape == sample.pixels.shape[:2] and mask.any() for mask in masks)
        if sample.base is not None:
            labelled = np.any(masks, axis=0)
            changed = (sample.pixels != sample.base).reshape(*labelled.shape, -1).any(axis=2)
            assert (changed & labelled).any()


SMALL = {"image_size": 64, "width": 8, "head_width": 16, "pretrained_heads": False, "proposals": 8, "detections": 4}


@pytest.mark.parametrize("name", [name for name, row in DETECTORS.items() if not row.trainer])
def test_a_detector_gives_finite_losses_and_masks_where_it_says_so(name: str) -> None:
    row = DETECTORS[name]
    torch.manual_seed(0)
    config = DetectConfig(detector=name, backbone="efficientnet_lite0", **SMALL)  # type: ignore[arg-type]
    net = row.build(2, config, pretrained=False)
    masks = torch.zeros(1, 64, 64, dtype=torch.uint8)
    masks[0, 10:40, 12:44] = 1
    target = {"boxes": torch.tensor([[12.0, 10.0, 44.0, 40.0]]), "labels": torch.tensor([2]), "masks": masks}
    losses = net.train()([torch.rand(3, 64, 64)], [target])
    assert losses and all(torch.isfinite(value).all() for value in losses.values())
    (found,) = net.eval()([torch.rand(3, 64, 64)])
    assert {"boxes", "labels", "scores"} <= set(found) and ("masks" in found) == row.segments
    assert ((found["labels"] >= 1) & (found["labels"] <= 2)).all()
