"""ResNet-50-FPN from a file of COCO weights: the file's own names and shapes, with random numbers in it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.models.detection import maskrcnn_resnet50_fpn

from anomaly_gan.core import weights
from anomaly_gan.core.files import sha256_file
from detection.commands import detect_train
from detection.data import CategoryMap, load_examples
from detection.detectors.backbones import COCO_WEIGHTS, backbone_of
from detection.detectors.config import COCO_ANCHORS, DetectConfig
from detection.training.checkpoint import load_detector
from detection.training.finetune import DetectorTask, build_net, image_tensor, target_tensors

from .conftest import WriteDataset

FIRST_VERSION = (
    (r"\.(inner|layer)_blocks\.(\d)\.0\.", r".\1_blocks.\2."),
    (r"rpn\.head\.conv\.0\.0\.", "rpn.head.conv."),
)
"""Names of torchvision's first version, in which the public file was written."""


def first_names(name: str) -> str:
    for new, old in FIRST_VERSION:
        name = re.sub(new, old, name)
    return re.sub(r"mask_head\.(\d)\.0\.", lambda match: f"mask_head.mask_fcn{int(match[1]) + 1}.", name)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=91).state_dict()


@pytest.fixture
def coco_file(state: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    path = folder / weights.WEIGHTS[COCO_WEIGHTS].file_name
    torch.save({first_names(name): value for name, value in state.items() if "num_batches" not in name}, path)
    row = replace(weights.WEIGHTS[COCO_WEIGHTS], sha256=sha256_file(path))
    monkeypatch.setattr(weights, "WEIGHTS", {**weights.WEIGHTS, COCO_WEIGHTS: row})
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(folder))
    return path


@pytest.fixture
def config(tiny: DetectConfig) -> DetectConfig:
    return tiny.model_copy(
        update={"detector": "mask_rcnn", "backbone": "auto", "iterations": 1, "anchor_sizes": None, "image_size": 64}
    )


def test_from_the_file_it_trains_and_comes_back_without_the_file(
    coco_file: Path,
    state: dict[str, Tensor],
    config: DetectConfig,
    write_dataset: WriteDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = write_dataset(tmp_path / "data")
    assert backbone_of(config) == "resnet50_coco" and config.anchors(coco=True) == COCO_ANCHORS
    net = build_net(2, config, 0)
    ours = net.state_dict()
    fresh = ("box_predictor.", "mask_predictor.mask_fcn_logits.")
    kept = [name for name in ours if not any(part in name for part in fresh)]
    assert all(torch.equal(ours[name], state[name]) for name in kept) and len(kept) > 250
    assert [sizes[0] for sizes in net.rpn.anchor_generator.sizes] == list(COCO_ANCHORS)

    examples = load_examples(data.split("train"), CategoryMap.of(data.categories), 64)
    shown = [item for item in examples.items if item.labels][:2]
    losses = DetectorTask(net, config).forward(
        ([image_tensor(item.pixels) for item in shown], [target_tensors(item) for item in shown])
    )
    assert float(losses["loss_mask"].detach()) == pytest.approx(0.693, abs=0.05), "its mask head starts undecided"
    assert all(torch.isfinite(value) for value in losses.values())

    detect_train(data.folder, tmp_path / "model", config, seed=1, device="cpu")
    told = json.loads((tmp_path / "model" / "model.json").read_text("utf-8"))
    assert told["config"]["backbone"] == "resnet50_coco"
    assert "resnet50_coco" in (tmp_path / "model" / "README.md").read_text("utf-8")
    coco_file.unlink()
    assert backbone_of(config) == "efficientnet_lite0"
    trained, _, _ = load_detector(tmp_path / "model")
    body = trained.state_dict()
    assert torch.equal(body["backbone.body.conv1.weight"], state["backbone.body.conv1.weight"]), "the stem is held"
    assert not torch.equal(body["backbone.body.layer4.0.conv1.weight"], state["backbone.body.layer4.0.conv1.weight"])
    with torch.no_grad():
        assert set(trained([torch.rand(3, 64, 64)])[0]) == {"boxes", "labels", "scores", "masks"}


def test_detectors_with_a_trainer_of_their_own_stand_on_the_embedded_net(coco_file: Path, config: DetectConfig) -> None:
    assert backbone_of(config.model_copy(update={"detector": "dense"})) == "efficientnet_lite0"
