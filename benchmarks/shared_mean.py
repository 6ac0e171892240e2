"""Two processes that average one number each, through the launcher that shares a training (for ``gpu_check.py``)."""

from __future__ import annotations

import sys

import torch
from lightning_fabric import Fabric

from anomaly_gan.engine.distributed import launch, over_ranks
from anomaly_gan.engine.loop import plan_fabric


def mean(fabric: Fabric) -> float:
    """1.5: of 1 and 2."""
    return float(over_ranks(torch.tensor([1.0 + fabric.global_rank], device=fabric.device))[0])


if __name__ == "__main__":
    sys.stdout.write(f"{launch(mean, plan_fabric(sys.argv[1], '32-true', devices=2))}\n")
