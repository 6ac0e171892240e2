"""The generation methods: a literal table and the contract every row keeps.

A method that learns has a builder, ``build(setup: methods.config.TaskSetup) -> interface.task.MethodTask``. The stage
``train`` is one function for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.config import row_of
from ..core.lazy import named
from .interface import Generate, MethodConfig, MethodInputs

if TYPE_CHECKING:
    from .interface.task import MethodTask


@dataclass(frozen=True)
class Method:
    """A row, as ``module:function`` so that torch stays unimported.

    ``opener`` takes MethodInputs and returns Generate; ``builder`` makes the task that learns (see above), None for a
    method that learns nothing. Such a method may still paint with another one's training: ``trained_by``.
    ``draws_as``: the method whose chance it shares, so that the two differ in nothing else.
    ``aware``: the builder wants the abnormal aware network. ``shams``: all it paints with it takes from the training
    defects' pixels, so that with sound texture in their place it leaves no defect (``bank.shams``). ``needs_pool``: it
    fills the pool's masks; a method that draws its own gets sound photographs alone where there is no pool.
    ``config``: of a method that learns, the class of its own settings, a ``MethodConfig``; ``preset``:
    what its paper fixes beyond them. ``chooses``: it asks stage ``choose`` which method paints what.
    """

    opener: str
    builder: str | None = None
    trained_by: str | None = None
    draws_as: str | None = None
    aware: bool = False
    shams: bool = False
    needs_pool: bool = True
    chooses: bool = False
    config: str | None = None
    preset: str = "default"

    @property
    def trainable(self) -> bool:
        return self.builder is not None

    def settings(self) -> type[MethodConfig]:
        """The class of the method's own settings, the published values its defaults."""
        assert self.config is not None
        kind: type[MethodConfig] = named(self.config)
        return kind

    def open(self, inputs: MethodInputs) -> Generate:
        return named(self.opener)(inputs)

    def build(self, setup: Any) -> MethodTask:
        """The task that learns, from a ``methods.config.TaskSetup``."""
        assert self.builder is not None
        task: MethodTask = named(self.builder)(setup)
        return task


METHODS = {
    "geometric": Method("anomaly_gan.synthesis.methods.geometric:open_method", shams=True),
    "copy_paste": Method("anomaly_gan.synthesis.methods.copy_paste.copy_paste:open_method", shams=True),
    "procedural": Method("anomaly_gan.synthesis.methods.procedural:open_method", needs_pool=False),
    "anomaly_gan": Method(
        "anomaly_gan.synthesis.methods.painting.method:open_method",
        "anomaly_gan.synthesis.methods.anomaly_gan.build:build_task",
        aware=True,
        shams=True,
        config="anomaly_gan.synthesis.methods.anomaly_gan.config:AnomalyGanConfig",
    ),
    "anomaly_gan_paper": Method(
        "anomaly_gan.synthesis.methods.painting.method:open_method",
        "anomaly_gan.synthesis.methods.anomaly_gan.build:build_task",
        aware=True,
        config="anomaly_gan.synthesis.methods.anomaly_gan.config:AnomalyGanConfig",
        preset="paper",
    ),
    "cyclegan": Method(
        "anomaly_gan.synthesis.methods.painting.method:open_method",
        "anomaly_gan.synthesis.methods.cyclegan.task:build_cyclegan",
        config="anomaly_gan.synthesis.methods.cyclegan.config:CycleGanConfig",
    ),
    "fd_cyclegan": Method(
        "anomaly_gan.synthesis.methods.painting.method:open_method",
        "anomaly_gan.synthesis.methods.cyclegan.task:build_fd_cyclegan",
        config="anomaly_gan.synthesis.methods.cyclegan.config:FdCycleGanConfig",
    ),
    "pix2pix": Method(
        "anomaly_gan.synthesis.methods.painting.method:open_method",
        "anomaly_gan.synthesis.methods.pix2pix.task:build_pix2pix",
        config="anomaly_gan.synthesis.methods.pix2pix.config:Pix2PixConfig",
    ),
    "cgan": Method(
        "anomaly_gan.synthesis.methods.from_noise.generate:open_cgan",
        "anomaly_gan.synthesis.methods.from_noise.task:build_cgan",
        config="anomaly_gan.synthesis.methods.from_noise.config:NoiseConfig",
    ),
    "lsgan": Method(
        "anomaly_gan.synthesis.methods.from_noise.generate:open_lsgan",
        "anomaly_gan.synthesis.methods.from_noise.task:build_lsgan",
        config="anomaly_gan.synthesis.methods.from_noise.config:NoiseConfig",
    ),
    "exemplar": Method(
        "anomaly_gan.synthesis.methods.painting.bare:open_exemplars",
        trained_by="anomaly_gan",
        draws_as="anomaly_gan",
        shams=True,
    ),
    "best": Method(
        "anomaly_gan.synthesis.methods.best:open_method", trained_by="anomaly_gan", shams=True, chooses=True
    ),
    "hybrid": Method("anomaly_gan.synthesis.methods.hybrid:open_method", trained_by="anomaly_gan", shams=True),
}


def method(name: str) -> Method:
    """The row of that name.

    Raises:
        ConfigError: no such method; the nearest name is offered.
    """
    return row_of(METHODS, name, "method", "method")


def training_of(name: str) -> str | None:
    """The method whose training ``name`` paints with: itself, another one, or None."""
    row = method(name)
    return name if row.trainable else row.trained_by
