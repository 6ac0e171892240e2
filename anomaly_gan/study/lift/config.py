"""What a study of the lift is: a learning curve, arms, and rounds of cells. Nothing here imports torch."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator, model_validator

from detection.detectors.config import DetectConfig

from ...core.config import Config, apply_settings, build, merge, nearest, read_yaml
from ...synthesis.bank.config import BankConfig
from ...synthesis.registry import METHODS

REFERENCES = ("none", "geometric")
"""An arm's lift is its difference from the better of these."""
CURVE_ARM = "none"
MISSED_WEIGHT = 4.0
"""How much more often a defect that was missed is painted (``aim``)."""


class LiftArm(Config):
    """What one arm shows its detector besides the real photographs.

    ``bank``: a method whose crops are added to every real batch; ``shams``: with sham pastes of it. ``first``: a
    method whose crops alone the detector learns from at first, for ``first_steps`` steps, before it sees a real
    photograph. ``aim``: the bank paints more often what a detector missed on training objects it had not learnt from
    (in ``look_exposures``). ``hard_sound``: sound places that such a detector took for defects join the shams, at
    most as many as the bank has crops of a category. ``prior``: a one-class map of every photograph is a further
    input. ``detect``: what differs in the detector's own settings.
    """

    bank: str | None = None
    shams: bool = True
    first: str | None = None
    first_steps: int = Field(300, ge=1)
    aim: bool = False
    hard_sound: bool = False
    look_exposures: float = Field(20.0, gt=0)
    prior: bool = False
    detect: dict[str, object] = Field(default_factory=dict)

    @field_validator("bank", "first")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None and name not in METHODS:
            raise ValueError(f"no method {name!r}{nearest(name, METHODS)}")
        return name

    @model_validator(mode="after")
    def _sensible(self) -> LiftArm:
        if (self.aim or self.hard_sound) and self.bank is None:
            raise ValueError("aim and hard_sound need a bank")
        if self.prior and (self.bank or self.first):
            raise ValueError("prior: crops of a bank have no one-class maps yet; use it without bank and first")
        return self

    @property
    def with_shams(self) -> bool:
        return self.bank is not None and self.shams and METHODS[self.bank].shams


class CellsConfig(Config):
    """Which draws of the objects, and which seeds of the training."""

    draws: tuple[int, ...] = (0,)
    seeds: tuple[int, ...] = (0,)


class Round(CellsConfig):
    """Cells of every arm that is still in the race: numbers of objects (null: all) × draws of them × folds × seeds.

    ``keep``: how many arms besides the references go on from the round before, the best ones by their mean lift.
    ``arms``: of the first round, which ones it begins with (none named: all); of a later one, which ones join.
    """

    objects: tuple[int | None, ...] = (2, 4, None)
    folds: tuple[int, ...] = (0,)
    arms: tuple[str, ...] = ()
    keep: int | None = Field(None, ge=1)


class Curve(CellsConfig):
    """The learning curve of ``none``: a training of its own for every length, so that each ends at a rate near zero."""

    exposures: tuple[float, ...] = (2.4, 10.0, 30.0, 60.0, 120.0)
    objects: tuple[int | None, ...] = (1, 4, None)
    folds: tuple[int, ...] = (0, 1)


class LiftConfig(Config):
    """A study of the lift. ``data``, ``pool`` and ``train``: as in a run; ``detect``: every cell's detector.

    Where ``objects`` is null there is one draw: all of them.
    """

    name: str = "lift"
    dataset: str
    seed: int = 0
    device: str = "cpu"
    threads: int = Field(1, ge=1)
    data: dict[str, object]
    pool: dict[str, object] = Field(default_factory=dict)
    train: dict[str, object] = Field(default_factory=dict)
    bank: BankConfig = BankConfig()
    detect: DetectConfig = DetectConfig()
    curve: Curve = Curve()
    arms: dict[str, LiftArm]
    rounds: tuple[Round, ...] = (Round(),)
    bootstrap: int = Field(500, ge=0)

    @model_validator(mode="after")
    def _arms_known(self) -> LiftConfig:
        if CURVE_ARM not in self.arms:
            raise ValueError("arms: needs none, the detector that sees real photographs alone")
        for number, one in enumerate(self.rounds):
            for name in one.arms:
                if name not in self.arms:
                    raise ValueError(f"rounds.{number}.arms: no arm {name!r}{nearest(name, self.arms)}")
        for name in self.arms:
            self.detector_of(name)
        return self

    def detector_of(self, arm: str, exposures: float | None = None) -> DetectConfig:
        """The detector's settings in one arm.

        Raises:
            ConfigError: a value that it cannot have.
        """
        content = merge(self.detect.model_dump(mode="json"), self.arms[arm].detect)
        if exposures is not None:
            content["exposures"] = exposures
        if self.arms[arm].prior:
            content = merge(content, {"dense": {"prior": True}})
        if self.arms[arm].bank is None:
            content = merge(content, {"dense": {"bank_per_batch": 0}})
        elif not self.arms[arm].with_shams:
            content = merge(content, {"dense": {"sham_share": 0.0}})
        return build(DetectConfig, content, f"arms.{arm}.detect")


def read_lift(path: Path, settings: list[str]) -> LiftConfig:
    """A study of the lift from YAML and ``--set``.

    Raises:
        ConfigError: one line naming file and field.
    """
    return build(LiftConfig, apply_settings(read_yaml(path), settings), str(path))
