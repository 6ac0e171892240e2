"""Training a one-class detector: its phases, one after the other, on the project's one loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import write_bytes
from anomaly_gan.core.seeding import rng_for, seed_for
from anomaly_gan.core.time_budget import TimeBudget

from .interface import Normals, OneClassDetector, Phase
from .registry import one_class

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Epochs:
    """Batches of a step from the step's number alone: a new order every epoch, gathered on the device."""

    def __init__(self, images_NCHW: Tensor, phase: Phase, seed: int) -> None:
        self._images, self._seed, self._name = images_NCHW, seed, phase.name
        self._batch = min(phase.batch, len(images_NCHW))
        self.steps = max(1, len(images_NCHW) // self._batch if phase.drop_last else -(-len(images_NCHW) // self._batch))
        self._epoch, self._order = -1, torch.zeros(0, dtype=torch.long)

    def __call__(self, step: int) -> Tensor:
        epoch, place = divmod(step, self.steps)
        if epoch != self._epoch:
            order: np.ndarray = rng_for(self._seed, self._name, "epoch", epoch).permutation(len(self._images))
            self._epoch, self._order = epoch, torch.from_numpy(order).to(self._images.device)
        return self._images[self._order[place * self._batch : (place + 1) * self._batch]]


def build_detector(name: str, channels: int, settings: Any, seed: int) -> OneClassDetector:
    """An untrained detector whose weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "one_class", name) % 2**32)
        return one_class(name).build(channels, settings)


def ready_detector(name: str, channels: int, settings: Any, seed: int) -> tuple[OneClassDetector, Any]:
    """An untrained detector with the weights of the backbone file that its settings name, and the settings with the
    network's name in the file's place, as a model keeps them: it holds the weights itself.

    Raises:
        ConfigError: no such file. InputError: it holds no weights of a network that is known here.
    """
    from .methods.backbones import resolved, take

    settings, state = resolved(settings)
    detector = build_detector(name, channels, settings, seed)
    if state is not None:
        take(detector.nets["backbone"].get_submodule("trunk"), state)
    return detector, settings


def precision_of(settings: Any, device: str, folder: Path, label: str) -> str:
    """What the training in ``folder`` computes in (``engine.precision.resolve``); float32 where no net is trained."""
    from anomaly_gan.engine.precision import FLOAT32, resolve

    return resolve(settings.precision, device, folder, label).precision if settings.TRAINS else FLOAT32


def train_detector(
    detector: OneClassDetector,
    images_NCHW: Tensor,
    fabric: Fabric,
    folder: Path,
    seed: int,
    on_epoch: Callable[[int], None] | None = None,
    until: TimeBudget | None = None,
) -> None:
    """Train on uint8 images (N, C, H, W); goes on in ``folder`` where an earlier call with the same data was cut off.

    ``on_epoch(number)`` is called after each epoch of the last phase, nets in whatever mode training leaves them.
    ``until``: no phase goes on beyond its share of this time; a phase takes one step at least.

    Args:
        detector: the untrained detector.
        images_NCHW: sound photographs, uint8 (N, C, H, W).
        fabric: device and precision to compute with.
        folder: folder of the training; what is there is gone on with.
        seed: of every random choice made here.
        on_epoch: called with the number of each finished epoch of the last phase; None: not.
        until: when the work must end; None: never.

    Raises:
        InputError: K5, fewer than two images.
        NumericalFailure: a loss is not finite.
    """
    if len(images_NCHW) < 2:
        raise InputError(
            "one-class",
            "K5",
            f"{len(images_NCHW)} normal photographs are too few to learn from",
            "give at least 2, better some hundred",
        )
    for net in detector.nets.values():
        net.to(fabric.device).to(memory_format=torch.channels_last)
    normals = Normals(images_NCHW.to(fabric.device))
    detector.setup(normals)
    phases = detector.phases()
    for number, phase in enumerate(phases):
        _run_phase(
            detector,
            phase,
            normals,
            fabric,
            folder / phase.name,
            seed,
            on_epoch if number == len(phases) - 1 else None,
            until.part((number + 1) / len(phases)) if until else None,
        )
    detector.finalize(normals)


def _run_phase(
    detector: OneClassDetector,
    phase: Phase,
    normals: Normals,
    fabric: Fabric,
    folder: Path,
    seed: int,
    on_epoch: Callable[[int], None] | None,
    until: TimeBudget | None,
) -> None:
    from anomaly_gan.engine.loop import Schedule, finish, fit

    # a phase that has ended is read back, whatever the phases after it came to before the process was killed
    done = folder / "trained.safetensors"
    if done.is_file():
        load_state(detector, load_file(done))
        return
    phase.begin(normals)
    for net in detector.nets.values():
        net.train()
    epochs = Epochs(normals.images_NCHW, phase, seed)
    schedule = Schedule(
        steps=phase.epochs * epochs.steps,
        seed=seed_for(seed, phase.name),
        log_every=max(10, epochs.steps),
        checkpoint_every=max(200, epochs.steps),
        label=phase.name,
        clip_norm=phase.clip_norm,
        rate=lambda step: phase.rate(step // epochs.steps),
        sample_every=epochs.steps if on_epoch else 0,
        until=until,
    )
    sampled = (lambda step, last: on_epoch(step // epochs.steps)) if on_epoch else None
    fit(phase.task(), epochs, schedule, fabric, folder, sampled)
    write_bytes(done, save(state_of(detector)))
    finish(folder)


def state_of(detector: OneClassDetector) -> dict[str, Tensor]:
    """All that scoring needs, by ``net.tensor``, on the CPU."""
    return {
        f"{name}.{key}": tensor.detach().cpu().contiguous().clone()
        for name, net in detector.nets.items()
        for key, tensor in net.state_dict().items()
    }


def load_state(detector: OneClassDetector, state: dict[str, Tensor]) -> None:
    """Put a saved state into an untrained detector of the same settings.

    Buffers whose size comes from the data (a memory of features) take the saved shape.

    Raises:
        RuntimeError: other names or shapes than the detector's.
    """
    for name, net in detector.nets.items():
        own = {key.removeprefix(f"{name}."): tensor for key, tensor in state.items() if key.startswith(f"{name}.")}
        for key, buffer in dict(net.named_buffers()).items():
            if key in own and own[key].shape != buffer.shape:
                module, _, leaf = key.rpartition(".")
                setattr(net.get_submodule(module), leaf, torch.empty_like(own[key], device=buffer.device))
        net.load_state_dict(own)
