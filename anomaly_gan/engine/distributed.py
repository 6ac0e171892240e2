"""One training by several processes (ranks), each on a device of its own, that share every batch.

Gradients are averaged by hand after each backward pass, in one message that carries the losses too. Fabric's DDP
wrapper is not used: it hangs on one module's forward, while our tasks call several nets several times a step, hold
some of them still, and name them in checkpoints. With equal shares of a batch the mean of the ranks' gradients is
the gradient of the whole batch wherever a loss is a mean over rows; what else a loss divides by goes through
``over_ranks``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import active_children
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch import distributed as dist
from torch.multiprocessing.spawn import ProcessException

from ..core.errors import AnomalyGanError, EnvironmentFailure
from ..core.ranks import launched

Result = TypeVar("Result")


def launch(work: Callable[..., Result], fabric: Fabric, *arguments: Any) -> Result:
    """``work(fabric, *arguments)`` in every process of ``fabric``; what the first one returns.

    With one device it runs right here, and so it does in each of the processes that ``torchrun`` started, with what
    each returns. Several are spawned, so ``work`` and ``arguments`` must be picklable; an error
    of this project that the first process meets is raised here as itself.

    Raises:
        EnvironmentFailure: a process died.
    """
    if fabric.world_size == 1 or launched():
        fabric.launch()
        return work(fabric, *arguments)
    port = os.environ.pop("MASTER_PORT", None)  # what the last launch left would be taken for a cluster's
    others = set(active_children())
    try:
        result, error = fabric.launch(_guarded, partial(_call, work, arguments))  # type: ignore[arg-type]
    except ProcessException as failure:
        last = str(failure).strip().splitlines()[-1]
        raise EnvironmentFailure(
            f"process {failure.error_index} of {fabric.world_size} died ({last}); "
            "the same command goes on from the last checkpoint"
        ) from failure
    finally:
        for child in set(active_children()) - others:  # where we were stopped: at exit they would be waited for
            child.terminate()
        os.environ.pop("MASTER_PORT", None)
        if port is not None:
            os.environ["MASTER_PORT"] = port
    if error is not None:
        raise error
    return result


def _call(work: Callable[..., Result], arguments: Sequence[Any], fabric: Fabric) -> Result:
    return work(fabric, *arguments)


def _guarded(fabric: Fabric, job: Callable[[Fabric], Any]) -> tuple[Any, AnomalyGanError | None]:
    """``job`` is one opaque thing: the launcher would look for tensors in collections and stumbles over dataclasses."""
    try:
        return job(fabric), None
    except AnomalyGanError as error:
        return None, error  # of the first process; what befalls one befalls all, since they see the same data


def over_ranks(value: Tensor) -> Tensor:
    """The mean of a value over all processes, without gradient; the value itself where there is one process."""
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()


def average_gradients(parameters: Sequence[nn.Parameter], losses: Tensor, fabric: Fabric) -> Tensor:
    """Every gradient becomes its mean over the processes; returns the mean of ``losses`` (N,)."""
    if fabric.world_size == 1:
        return losses
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    message = torch.cat([losses.detach().float(), *(gradient.float().flatten() for gradient in gradients)])
    total = fabric.all_reduce(message, reduce_op="mean")
    assert isinstance(total, Tensor)
    means = total[len(losses) :].split([gradient.numel() for gradient in gradients])
    for gradient, mean in zip(gradients, means, strict=True):
        gradient.copy_(mean.view(gradient.shape))
    return total[: len(losses)]


def looks_across_rows(net: nn.Module) -> bool:
    """Whether a net's output for a row depends on the batch's other rows: batch norm does it."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in net.modules())
