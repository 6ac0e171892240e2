"""The start of the lean detectors: heads pretrained on drawn shapes, since no detector weights travel with us.

With Mask R-CNN's, 150 steps on three quarters of the objects of the sample set's training split (44 photographs with
a defect) reached AP@0.5 0.76 and 0.77 (two seeds) on the other quarter; from random heads 0.26 and 0.34 (two learning
rates). ``python -m detection.training.pretrain_heads`` draws the shapes, trains, and writes the file that
ships beside this module (about 2 MB, half precision; nothing of any data set went in). The backbone stays the
ImageNet one and is not in the file.

``--detector queryinst`` and ``--detector retinanet`` pretrain theirs; QueryInst's begins from Mask R-CNN's feature
pyramid. Without, neither finds anything in the few hundred steps that the others need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file
from torch import nn

FILE = Path(__file__).with_name("pretrained_heads.safetensors")
WIDTH, HEAD_WIDTH = 64, 256
PYRAMID = "backbone.fpn"


@dataclass(frozen=True)
class Start:
    """What of a detector is pretrained, and how.

    ``per_class``: layers with N outputs for every class; each class of a new data set starts from the mean of
    the shapes'. ``background``: classes ahead of the first shape in those layers. ``own``: what stays out of the file.
    ``pyramid``: pretraining begins from Mask R-CNN's.
    """

    file: Path
    per_class: Mapping[str, int]
    background: int
    own: tuple[str, ...]
    size_px: int
    lr: float
    pyramid: bool = False


STARTS = {
    "mask_rcnn": Start(
        FILE,
        {"roi_heads.box_predictor.bbox_pred": 4, "roi_heads.mask_predictor.mask_fcn_logits": 1},
        1,
        ("backbone.body.", "roi_heads.box_predictor.cls_score."),
        224,
        5e-4,
    ),
    "queryinst": Start(
        FILE.with_name("pretrained_heads_queryinst.safetensors"),
        {f"stages.{stage}.class_logits": 1 for stage in range(3)},
        0,
        ("backbone.body.",),
        128,
        1e-3,
        pyramid=True,
    ),
    "retinanet": Start(
        FILE.with_name("pretrained_heads_retinanet.safetensors"),
        {},
        0,
        ("backbone.body.", "head.classification_head.cls_logits."),
        224,
        5e-4,
    ),
}


def apply_pretrained_heads(net: nn.Module, classes: int, path: Path | None = None, detector: str = "mask_rcnn") -> None:
    """Load the pretrained heads into a lean net of ``classes`` classes (background included, where it is one)."""
    start = STARTS[detector]
    path = path or start.file
    state = {name: tensor.float() for name, tensor in load_file(path).items()}
    for layer in start.per_class:
        for leaf in ("weight", "bias"):
            mean = state[f"{layer}.{leaf}"]
            state[f"{layer}.{leaf}"] = mean.repeat(classes, *[1] * (mean.ndim - 1))
    missing, unexpected = net.load_state_dict(state, strict=False)
    wrong = [name for name in missing if not name.startswith(start.own)] + list(unexpected)
    if wrong:
        raise ValueError(f"{path.name} does not fit this net: {', '.join(wrong[:5])}")


def apply_pyramid(net: nn.Module) -> None:
    """Load Mask R-CNN's pretrained feature pyramid into another lean net."""
    net.get_submodule(PYRAMID).load_state_dict(
        {
            name.removeprefix(f"{PYRAMID}."): tensor.float()
            for name, tensor in load_file(FILE).items()
            if name.startswith(f"{PYRAMID}.")
        }
    )
