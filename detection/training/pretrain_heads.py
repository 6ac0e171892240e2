"""Pretrains detector heads on drawn shapes: ``python -m detection.training.pretrain_heads``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from anomaly_gan.core.files import write_bytes
from anomaly_gan.core.seeding import rng_for

from ..detectors.config import DetectConfig
from ..detectors.pretrained_heads import HEAD_WIDTH, STARTS, WIDTH, apply_pyramid


def pretrain(steps: int, seed: int, device: str, folder: Path, detector: str = "mask_rcnn") -> nn.Module:
    """Train the heads on drawn shapes with the backbone held still; goes on from checkpoints in ``folder``."""
    from anomaly_gan.engine.loop import Schedule, fit, make_fabric

    from ..training.drawn_shapes import KINDS, draw_example
    from ..training.finetune import Batch, DetectorTask, build_net, image_tensor, target_tensors

    start = STARTS[detector]
    config = DetectConfig(
        detector=detector,
        backbone="efficientnet_lite0",
        width=WIDTH,
        head_width=HEAD_WIDTH,
        frozen_stages=7,
        pretrained_heads=False,
        batch=4,
        lr=start.lr,
    )
    # the backbone is frozen throughout: the heads learn to read it as it is
    fabric = make_fabric(device)

    def batch(step: int) -> Batch:
        examples = [draw_example(rng_for(seed, "shapes", step, slot), start.size_px) for slot in range(config.batch)]
        return (
            [image_tensor(item.pixels).to(fabric.device) for item in examples],
            [{name: value.to(fabric.device) for name, value in target_tensors(item).items()} for item in examples],
        )

    net = build_net(len(KINDS), config, seed)
    if start.pyramid:
        apply_pyramid(net)
    task = DetectorTask(net, config)
    fit(
        task,
        batch,
        Schedule(
            steps=steps,
            seed=seed,
            warmup=100,
            clip_norm=config.clip_norm,
            label="pretrain",
            constant_share=0.4,
            checkpoint_every=200,
            log_every=50,
        ),
        fabric,
        folder,
    )
    return task.nets["detector"]


def save_pretrained_heads(net: nn.Module, path: Path, detector: str = "mask_rcnn") -> None:
    """Write what ``STARTS`` says, in half precision, per-class layers averaged over the shapes."""
    start = STARTS[detector]
    kept: dict[str, Tensor] = {}
    for name, tensor in net.state_dict().items():
        if name.startswith(start.own):
            continue
        outputs = start.per_class.get(name.rpartition(".")[0])
        if outputs is not None:
            tensor = tensor.reshape(-1, outputs, *tensor.shape[1:])[start.background :].mean(dim=0)
        kept[name] = tensor.detach().to("cpu", torch.float16).contiguous()
    write_bytes(path, save(kept))


def main() -> None:
    parser = argparse.ArgumentParser(description="Pretrain the detector's heads on drawn shapes.")
    parser.add_argument("--detector", choices=STARTS, default="mask_rcnn")
    parser.add_argument("--steps", type=int, default=1400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, help="default: beside this module")
    parser.add_argument("--work", type=Path, help="folder for checkpoints, to go on after an interruption")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        net = pretrain(chosen.steps, chosen.seed, chosen.device, chosen.work or Path(scratch), chosen.detector)
        save_pretrained_heads(net, chosen.out or STARTS[chosen.detector].file, chosen.detector)


if __name__ == "__main__":
    main()
