"""The abnormal aware network: VGG-16's first layers where the weights are at hand, else trained here and frozen.

Deviation: the paper does not say how its network is initialised. Trained together with the generator the
loss could be met by features of zero, so it is trained in advance, as a classifier of real training crops
(categories and normal), and frozen.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from safetensors.torch import load_file
from torch import Tensor, nn

from ....core.progress import say
from ....core.time_budget import TimeBudget
from ....core.weights import find, listing
from ....engine.checkpoint import save_weights
from ....engine.loop import Schedule, fit
from ....engine.task import Losses, Update
from ....nets.aware import AwareClassifier, AwareNet, freeze
from ....nets.crops import masked_crops
from ...pairs.windows import Batch, PairSource

VGG_WIDTH = 64
WHY_NOT_VGG = (
    "aware network: learnt on the training crops, though VGG-16 is at hand: its layers have 64 channels and more and "
    "cannot be narrowed to {width}; train_methods.NAME.aware_width=64 takes them"
)


class AwareTask:
    """Classifies masked crops: real defects by category, and the same masks laid on normal photographs as normal."""

    def __init__(self, classifier: AwareClassifier, normal_class: int, size: int) -> None:
        self.nets: dict[str, nn.Module] = {"classifier": classifier}
        self.normal_class, self.size = normal_class, size
        self.optimizer = torch.optim.AdamW(classifier.parameters(), lr=2e-3)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        crops = torch.cat(
            [
                masked_crops(batch.abnormal_BCHW, batch.abnormal_mask_B1HW, self.size),
                masked_crops(batch.normal_BCHW, batch.normal_mask_B1HW, self.size),
            ]
        )
        labels = torch.cat([batch.category_B, torch.full_like(batch.category_B, self.normal_class)])
        return self.nets["classifier"](crops), labels

    def updates(self) -> list[Update]:
        def losses(outputs: tuple[Tensor, Tensor]) -> Losses:
            return {"cross_entropy": F.cross_entropy(outputs[0].float(), outputs[1])}

        return [Update("aware", self.optimizer, losses)]

    def after_step(self, step: int) -> None:
        pass


def prepare_aware(
    source: PairSource,
    channels: int,
    categories: int,
    width: int,
    size: int,
    steps: int,
    seed: int,
    fabric: Fabric,
    out: Path,
    budget: TimeBudget | None = None,
    until: TimeBudget | None = None,
) -> tuple[AwareNet, str]:
    """The frozen network and where it came from (``vgg16``, ``training crops`` or ``random``).

    Its weights are kept in ``out/aware.safetensors``; a later call takes them from there. Processes that share a
    training all learn it alike, from whole batches.

    Args:
        source: where training crops are drawn from.
        channels: 1 (gray) or 3 (RGB). VGG-16 has three, and is shown a gray crop as three equal ones.
        categories: number of categories.
        width: channels of its first stage.
        size: side of its crops in pixels.
        steps: of its training; 0: random weights.
        seed: of every random choice made here.
        fabric: device and precision to compute with.
        out: folder that keeps its weights.
        budget: time of the whole training; None: no limit.
        until: when its own training must end; None: never.

    Returns:
        The network, and ``vgg16``, ``training crops`` or ``random``.
    """
    torch.manual_seed(seed % 2**32)
    vgg16 = find("vgg16") if width == VGG_WIDTH else None
    if width != VGG_WIDTH and any(item["present"] for item in listing() if item["name"] == "vgg16"):
        say(WHY_NOT_VGG.format(width=width))
    saved = out / "aware.safetensors"
    state = load_file(saved) if saved.is_file() else None
    net = AwareNet(3 if vgg16 else channels, width) if state is None else AwareNet(state["mean"].shape[1], width)
    origin = "vgg16" if vgg16 else "training crops" if steps else "random"
    if state is not None:
        net.load_state_dict(state)
    elif vgg16:
        net.load_vgg16(torch.load(vgg16, map_location="cpu", weights_only=True))
    elif steps:
        task = AwareTask(AwareClassifier(net, categories + 1), categories, size)
        schedule = Schedule(
            steps, seed, log_every=10, checkpoint_every=steps, label="aware network", budget=budget, until=until
        )
        fit(
            task,
            lambda step: source.batch(step).to(fabric.device),
            schedule,
            fabric,
            out / "aware",
            describe=source.names,
        )
    if fabric.is_global_zero:
        save_weights(net, saved)
    freeze(net)
    return net, origin
