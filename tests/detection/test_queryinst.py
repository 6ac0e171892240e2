"""QueryInst: its dynamic convolution, its matching, its boxes, and what it hands out."""

import math
from itertools import permutations
from pathlib import Path

import pytest
import torch

from detection.detectors.config import DetectConfig
from detection.detectors.models.queryinst import QueryInst, spread_boxes
from detection.detectors.models.queryinst_loss import box_losses, class_loss, dice_loss, match, matching_cost
from detection.detectors.models.queryinst_stage import DynamicConv, moved_boxes
from detection.detectors.pretrained_heads import FILE, apply_pretrained_heads
from detection.training.finetune import build_net
from detection.training.pretrain_heads import save_pretrained_heads

SIZE = torch.tensor([100.0, 100.0, 100.0, 100.0])


def test_the_dynamic_convolution_of_a_region_is_made_by_its_own_query() -> None:
    conv = DynamicConv(width=8)
    regions = torch.rand(3, 8, 7, 7, generator=torch.Generator().manual_seed(0))
    queries = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
    seen = conv(regions, queries)
    assert seen.shape == regions.shape
    other = conv(regions, torch.cat([queries[:1], queries[1:2] + 1, queries[2:]]))
    assert torch.equal(seen[0], other[0]) and torch.equal(seen[2], other[2])
    assert not torch.allclose(seen[1], other[1])
    turned = conv(regions.flip(-1), queries)
    assert torch.allclose(turned, seen.flip(-1), atol=1e-5), "one kernel of 1x1 pixel for the whole region"


def test_the_cost_of_a_pair_is_that_of_the_hand_count() -> None:
    """An undecided query right on the object: (0.25 - 0.75) 0.5^2 ln 2 and GIoU 1, no distance; weights 2, 5, 2."""
    logits, truth = torch.zeros(1, 2), torch.tensor([[10.0, 10.0, 30.0, 30.0]])
    cost = matching_cost(logits, truth, torch.tensor([2]), truth, SIZE)
    assert cost.tolist() == [[pytest.approx(2 * -0.5 * 0.25 * math.log(2) - 2, abs=1e-5)]]
    beside = matching_cost(logits, truth + torch.tensor([20.0, 0, 20.0, 0]), torch.tensor([2]), truth, SIZE)
    assert float(beside - cost) == pytest.approx(5 * 0.4 + 2, abs=1e-5), "two sides moved by 0.2, GIoU from 1 to 0"


def test_matching_is_the_cheapest_in_all_not_the_nearest_first() -> None:
    truth = torch.tensor([[0.0, 0, 10, 10], [30, 0, 40, 10]])
    boxes = torch.tensor([[60.0, 60, 90, 90], [8, 0, 18, 10], [-20, 0, -10, 10]])
    logits = torch.zeros(3, 1)
    queries, objects = match(logits, boxes, torch.tensor([1, 1]), truth, SIZE)
    assert dict(zip(objects.tolist(), queries.tolist(), strict=True)) == {0: 2, 1: 1}, "1 is nearer to both objects"
    cost = matching_cost(logits, boxes, torch.tensor([1, 1]), truth, SIZE)
    best = min(permutations(range(3), 2), key=lambda pair: float(cost[pair[0], 0] + cost[pair[1], 1]))
    assert best == (2, 1)


def test_matching_looks_at_categories_and_at_no_more_objects_than_there_are_queries() -> None:
    box = torch.tensor([[10.0, 10, 30, 30]])
    logits = torch.tensor([[-3.0, 3.0], [3.0, -3.0]])
    queries, objects = match(logits, box.repeat(2, 1), torch.tensor([1, 2]), box.repeat(2, 1), SIZE)
    assert (queries.tolist(), objects.tolist()) == ([0, 1], [1, 0])
    queries, objects = match(logits, box.repeat(2, 1), torch.tensor([1, 1, 2]), box.repeat(3, 1), SIZE)
    assert len(objects) == 2 and len(set(objects.tolist())) == 2 and 2 in objects.tolist()
    assert len(match(logits, box.repeat(2, 1), torch.zeros(0, dtype=torch.int64), box[:0], SIZE)[0]) == 0
    diverged = match(logits * math.nan, box.repeat(2, 1), torch.tensor([1]), box, SIZE)
    assert len(diverged[0]) == 1, "left to the training loop to report"


def test_losses_of_a_perfect_answer_are_zero_and_those_of_a_wrong_one_are_not() -> None:
    box = torch.tensor([[10.0, 10, 30, 40]])
    assert [float(value) for value in box_losses(box, box, SIZE[None])] == pytest.approx([0, 0], abs=1e-5)
    assert float(box_losses(box + 10, box, SIZE[None])[0]) == pytest.approx(5 * 4 * 0.1)
    aims = torch.zeros(1, 28, 28)
    aims[:, 5:10] = 1
    assert float(dice_loss(40 * aims - 20, aims)) == pytest.approx(0, abs=1e-3)
    assert float(dice_loss(20 - 40 * aims, aims)) == pytest.approx(8, abs=1e-3)
    sure = torch.full((1, 3, 2), -20.0)
    sure[0, 1, 0] = 20
    query, label = [torch.tensor([1])], [torch.tensor([1])]
    assert float(class_loss(sure, query, label)) == pytest.approx(0, abs=1e-4)
    assert float(class_loss(sure, query, [torch.tensor([2])])) > 10


def test_boxes_move_by_their_own_size_and_never_vanish() -> None:
    box = torch.tensor([[10.0, 20, 30, 60]])
    assert torch.equal(moved_boxes(box, torch.zeros(1, 4)), box)
    moved = moved_boxes(box, torch.tensor([[2.0, 0, math.log(2), 0]]))
    assert moved.tolist() == [pytest.approx([20, 20, 60, 60])], "one width to the right, twice as wide"
    for extreme in (-1e4, 1e4):
        box = moved_boxes(moved_boxes(moved, torch.tensor([[0, 0, extreme, extreme]])), torch.zeros(1, 4))
        assert torch.isfinite(box).all() and (box[:, 2:] > box[:, :2]).all()


@pytest.mark.parametrize("count", [1, 7, 50])
def test_first_boxes_cover_the_image_evenly(count: int) -> None:
    boxes = spread_boxes(count)
    assert boxes.shape == (count, 4) and bool(((boxes > 0) & (boxes < 1)).all())
    if count == 50:
        quarters = (boxes[:, :2] >= 0.5).long() @ torch.tensor([1, 2])
        assert torch.bincount(quarters, minlength=4).min() >= 10


def test_detections_lie_in_the_photograph_at_its_own_size(tiny: DetectConfig) -> None:
    net = build_net(2, tiny.model_copy(update={"detector": "queryinst"}), 0).eval()
    generator = torch.Generator().manual_seed(0)
    shapes = [(50, 64), (64, 33)]
    with torch.no_grad():
        both = net([torch.rand(3, *shape, generator=generator) for shape in shapes])
    for found, (height, width) in zip(both, shapes, strict=True):
        count = len(found["scores"])
        assert 0 < count <= tiny.detections
        assert found["masks"].shape == (count, 1, height, width)
        assert found["masks"].min() >= 0 and found["masks"].max() <= 1 and found["masks"].max() > 0
        assert set(found["labels"].tolist()) <= {1, 2}
        assert found["scores"].tolist() == sorted(found["scores"].tolist(), reverse=True)
        limits = torch.tensor([width, height, width, height])
        assert (found["boxes"] >= 0).all() and (found["boxes"] <= limits).all()
        assert (found["boxes"][:, 2:] > found["boxes"][:, :2]).all()


def test_a_start_practised_on_five_shapes_fits_any_number_of_categories(tiny: DetectConfig, tmp_path: Path) -> None:
    config = tiny.model_copy(update={"detector": "queryinst"})
    pretrained, fresh = build_net(5, config, 0), build_net(2, config, 1)
    assert isinstance(pretrained, QueryInst) and isinstance(fresh, QueryInst)
    save_pretrained_heads(pretrained, tmp_path / "start.safetensors", "queryinst")
    apply_pretrained_heads(fresh, 2, tmp_path / "start.safetensors", "queryinst")
    before, after = pretrained.state_dict(), fresh.state_dict()
    for name in ("first_queries", "stages.2.mask_conv.kernels.weight", "backbone.fpn.inner_blocks.0.0.weight"):
        assert torch.allclose(before[name], after[name], atol=2e-3), name
    for stage in range(3):
        name = f"stages.{stage}.class_logits.weight"
        assert torch.allclose(after[name], before[name].mean(0).expand(2, -1), atol=1e-3)
    with pytest.raises(ValueError, match="fit"):
        apply_pretrained_heads(build_net(2, tiny, 0), 3, tmp_path / "start.safetensors", "queryinst")
    assert FILE.is_file()
