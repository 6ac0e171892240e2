"""Mask Scoring R-CNN: what its third head is taught, and what it does to the scores."""

import pytest
import torch
from torch import Tensor, nn

from anomaly_gan.core.seeding import rng_for
from detection.data import Example
from detection.detectors.config import DetectConfig
from detection.detectors.models.ms_rcnn import START_IOU, MaskIoUHead, mask_iou_loss, mask_iou_targets
from detection.training.drawn_shapes import draw_example
from detection.training.finetune import DetectorTask, build_net, image_tensor, target_tensors

pytestmark = pytest.mark.usefixtures("one_thread")

BOX = torch.tensor([[0.0, 0.0, 8.0, 8.0]])


def halves(cells: int = 4) -> Tensor:
    """A predicted mask that fills the upper half of its box, surely."""
    predicted = torch.zeros(1, cells, cells)
    predicted[:, : cells // 2] = 0.9
    return predicted


def object_mask(rows: slice, columns: slice) -> Tensor:
    mask = torch.zeros(1, 24, 24, dtype=torch.uint8)
    mask[:, rows, columns] = 1
    return mask


@pytest.mark.parametrize(
    ("rows", "columns", "iou"),
    [
        (slice(0, 4), slice(0, 8), 1.0),  # the upper half of the box: all of it found
        (slice(0, 8), slice(0, 4), 4 / 12),  # the left half: 4 of 16 cells in common, 12 in either
        (slice(0, 16), slice(0, 4), 4 / (12 + 8)),  # 32 px more below the box are 8 of its cells more
        (slice(12, 20), slice(12, 20), 0.0),  # elsewhere
    ],
)
def test_the_head_is_taught_the_iou_with_the_whole_object(rows: slice, columns: slice, iou: float) -> None:
    target = mask_iou_targets(halves(), BOX, object_mask(rows, columns), torch.tensor([0]))
    assert target.tolist() == pytest.approx([iou])


def test_each_mask_is_compared_with_its_own_object() -> None:
    masks = torch.cat([object_mask(slice(12, 20), slice(12, 20)), object_mask(slice(0, 4), slice(0, 8))])
    targets = mask_iou_targets(halves().repeat(3, 1, 1), BOX.repeat(3, 1), masks, torch.tensor([1, 0, 1]))
    assert targets.tolist() == [1.0, 0.0, 1.0]
    assert mask_iou_targets(torch.zeros(1, 4, 4), BOX, masks, torch.tensor([1])).tolist() == [0.0], "nothing predicted"


def test_the_head_starts_without_an_opinion_and_learns_from_nothing_when_there_is_nothing() -> None:
    head = MaskIoUHead(categories=3, width=8, hidden=16, side=14)
    said = head(torch.rand(2, 8, 14, 14), torch.rand(2, 1, 28, 28))
    assert said.shape == (2, 3)
    assert said.detach().sub(START_IOU).abs().max() < 0.1
    empty = mask_iou_loss(head(torch.rand(0, 8, 14, 14), torch.rand(0, 1, 28, 28)).sum(1), torch.zeros(0))
    empty.backward()
    assert float(empty.detach()) == 0


class Says(nn.Module):
    """Stands in for the head: little for one label, more than there is for the other."""

    def __init__(self, little_for: int) -> None:
        super().__init__()
        self.said = torch.tensor([[0.1 if label == little_for else 1.7 for label in (1, 2)]])

    def forward(self, features: Tensor, masks: Tensor) -> Tensor:
        return self.said.expand(len(masks), 2)


def test_scores_are_box_scores_times_the_expected_iou_of_the_labels_mask(tiny: DetectConfig) -> None:
    plain = build_net(2, tiny, 0).eval()
    scoring = build_net(2, tiny.model_copy(update={"detector": "ms_rcnn"}), 0).eval()
    image = torch.rand(3, 64, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = plain([image])[0]
        scoring.get_submodule("roi_heads").mask_iou = Says(little_for=int(before["labels"][0]))
        after = scoring([image])[0]
    expected = before["scores"] * torch.where(before["labels"] == before["labels"][0], 0.1, 1.0)
    assert set(before["labels"].tolist()) == {1, 2}
    order = expected.argsort(descending=True, stable=True)
    assert torch.equal(after["scores"], expected[order])
    assert not torch.equal(order, torch.arange(len(order))), "the order of this image's detections changes"
    for name in ("boxes", "labels", "masks"):
        assert torch.equal(after[name], before[name][order]), name


def losses_by_heart(name: str, tiny: DetectConfig, steps: int, seed: int = 0) -> list[float]:
    """The sum of losses at every step of learning one drawn picture."""
    drawn = draw_example(rng_for(3, "by heart"), 64)
    example = Example(drawn.pixels, drawn.masks, [1 + label % 2 for label in drawn.labels], "real")
    config = tiny.model_copy(update={"detector": name, "lr": 2e-3, "frozen_stages": 7})
    task = DetectorTask(build_net(2, config, seed), config)
    update = task.updates()[0]
    batch = ([image_tensor(example.pixels)], [target_tensors(example)])
    trace = []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(steps):
            total = torch.stack(list(task.forward(batch).values())).sum()
            update.optimizer.zero_grad()
            total.backward()
            update.optimizer.step()
            trace.append(float(total.detach()))
    return trace


@pytest.mark.parametrize("name", ["ms_rcnn", "queryinst"])
def test_one_picture_is_learnt_by_heart_the_same_way_each_time(name: str, tiny: DetectConfig) -> None:
    trace = losses_by_heart(name, tiny, 25)
    assert sum(trace[-5:]) / 5 < 0.5 * trace[0]
    assert losses_by_heart(name, tiny, 3) == trace[:3]
    assert losses_by_heart(name, tiny, 1, seed=1) != trace[:1]


@pytest.mark.parametrize("name", ["ms_rcnn", "queryinst"])
def test_thin_objects_at_half_precision_give_finite_float32_losses(name: str, tiny: DetectConfig) -> None:
    mask = torch.zeros(2, 64, 48, dtype=torch.uint8)
    mask[0, 10:50, 20], mask[1, 5, 7] = 1, 1
    target = {
        "boxes": torch.tensor([[20.0, 10.0, 21.0, 50.0], [7.0, 5.0, 8.0, 6.0]]),
        "labels": torch.tensor([1, 2]),
        "masks": mask,
    }
    task = DetectorTask(build_net(2, tiny.model_copy(update={"detector": name}), 0), tiny)
    image = torch.rand(3, 64, 48, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        losses = task.forward(([image, image[:, :40]], [target, {**target, "masks": mask[:, :40]}]))
    torch.stack([value.float() for value in losses.values()]).sum().backward()
    assert all(torch.isfinite(value) for value in losses.values())
    assert all(torch.isfinite(p.grad).all() for p in task.nets["detector"].parameters() if p.grad is not None)
    ours = {"ms_rcnn": ["loss_mask_iou"], "queryinst": list(losses)}[name]
    assert all(losses[key].dtype == torch.float32 for key in ours)
