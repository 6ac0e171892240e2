"""The pretrained heads: drawn shapes are labelled right, and the file that ships fits and helps."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from anomaly_gan.core.seeding import rng_for
from detection.detectors.config import DetectConfig
from detection.detectors.pretrained_heads import FILE, STARTS, apply_pretrained_heads
from detection.training.drawn_shapes import KINDS, draw_example
from detection.training.finetune import build_net, image_tensor
from detection.training.pretrain_heads import pretrain, save_pretrained_heads

SIZE = 160


def drawn(number: int):
    return draw_example(rng_for(1, "test", number), SIZE)


def test_drawn_shapes_are_apart_visible_and_the_same_for_the_same_seed() -> None:
    for number in range(40):
        example = drawn(number)
        assert example.pixels.dtype == np.uint8 and example.pixels.shape == (SIZE, SIZE)
        assert sum(mask.astype(int) for mask in example.masks).max(initial=0) <= 1, "no pixel belongs to two shapes"
        assert all(np.count_nonzero(mask) >= 16 for mask in example.masks)
        assert set(example.labels) <= set(range(1, len(KINDS) + 1))
        assert np.array_equal(example.pixels, drawn(number).pixels)
    assert {label for number in range(40) for label in drawn(number).labels} == set(range(1, len(KINDS) + 1))


def test_a_saved_start_gives_back_the_heads_it_came_from(tmp_path: Path) -> None:
    net = pretrain(1, 0, "cpu", tmp_path / "work")
    save_pretrained_heads(net, tmp_path / "start.safetensors")
    fresh = build_net(
        2, DetectConfig(detector="mask_rcnn", backbone="efficientnet_lite0", pretrained_heads=False), seed=9
    )
    apply_pretrained_heads(fresh, 3, tmp_path / "start.safetensors")
    pretrained, started = net.state_dict(), fresh.state_dict()
    name = "roi_heads.box_head.fc6.weight"
    assert torch.allclose(pretrained[name], started[name], atol=1e-3)
    mask_logits = "roi_heads.mask_predictor.mask_fcn_logits.weight"
    mean = pretrained[mask_logits][1:].mean(0)
    assert all(torch.allclose(started[mask_logits][label], mean, atol=1e-3) for label in range(3))
    box = "roi_heads.box_predictor.bbox_pred.bias"
    assert torch.allclose(started[box][4:8], pretrained[box].reshape(-1, 4)[1:].mean(0), atol=1e-3)
    assert not torch.equal(
        pretrained["roi_heads.box_predictor.cls_score.weight"][:3], started["roi_heads.box_predictor.cls_score.weight"]
    ), "class scores start anew"
    small = build_net(
        2, DetectConfig(detector="mask_rcnn", backbone="efficientnet_lite0", width=16, head_width=32), seed=9
    )
    with pytest.raises((ValueError, RuntimeError), match=r"fit|size mismatch"):
        apply_pretrained_heads(small, 3, tmp_path / "start.safetensors")


def test_the_shipped_start_finds_shapes_it_has_not_seen() -> None:
    """The first-stage proposals, and the masks of the second stage, before any data set is seen."""
    assert FILE.stat().st_size < 3_000_000
    net = build_net(
        1, DetectConfig(detector="mask_rcnn", backbone="efficientnet_lite0", image_size=SIZE, proposals=30), seed=0
    ).eval()
    found = total = 0
    for number in range(12):
        example = drawn(number)
        with torch.no_grad():
            images, _ = net.transform([image_tensor(example.pixels)])
            proposals, _ = net.rpn(images, net.backbone(images.tensors))
        boxes = proposals[0].numpy()
        for mask in example.masks:
            if mask.sum() >= 60:
                y, x = np.nonzero(mask)
                total += 1
                found += bool(_overlaps(boxes, (x.min(), y.min(), x.max() + 1, y.max() + 1)).max() >= 0.5)
    assert total >= 15
    assert found / total >= 0.8


@pytest.mark.parametrize("detector", ["queryinst", "retinanet"])
def test_a_short_training_from_a_shipped_start_begins_with_its_heads(detector: str) -> None:
    """A small file beside the module, which a net of any number of classes begins with."""
    start = STARTS[detector]
    assert start.file.stat().st_size < 5_000_000
    shipped = load_file(start.file)
    config = DetectConfig(detector=detector, backbone="efficientnet_lite0")
    net, cold = (
        build_net(4, config.model_copy(update={"pretrained_heads": warm}), seed=3).state_dict()
        for warm in (True, False)
    )
    for name, tensor in shipped.items():
        if name.rpartition(".")[0] not in start.per_class:
            assert torch.equal(net[name], tensor.float()), name
    own = [name for name in net if name.startswith(start.own)]
    assert own and all(torch.equal(net[name], cold[name]) for name in own)
    assert set(net) == set(own) | set(shipped)


def _overlaps(boxes: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    width = np.clip(np.minimum(boxes[:, 2], box[2]) - np.maximum(boxes[:, 0], box[0]), 0, None)
    height = np.clip(np.minimum(boxes[:, 3], box[3]) - np.maximum(boxes[:, 1], box[1]), 0, None)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return width * height / (area + (box[2] - box[0]) * (box[3] - box[1]) - width * height)
