"""What the cells of a share learn from: its data set, mask pool, generator and banks, each made once."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ...core.config import build, merge
from ...core.stage import Context, run_stage
from ...pipeline.config import RunConfig
from ...pipeline.plan import plan as plan_run
from ...pipeline.run import run_step
from ...synthesis.registry import METHODS
from .config import LiftArm, LiftConfig
from .plan import Share


@dataclass(frozen=True)
class Prepared:
    """The stages of one share, under ``folder``; each is made when it is first asked for."""

    config: LiftConfig
    share: Share
    folder: Path

    @property
    def ingest(self) -> Path:
        self._stage("ingest")
        return self.folder / "ingest"

    def bank(self, method: str, shams: bool, aim: dict[int, float] | None = None) -> Path:
        """The folder of the method's bank.

        Raises:
            InputError, ConfigError: as the stages raise them.
        """
        from ...synthesis.bank import stage

        inputs = {"ingest": self.ingest, "pool": self._stage("pool")}
        if method in ("anomaly_gan", "hybrid"):
            inputs["train@anomaly_gan"] = self._stage("train@anomaly_gan")
        changes = {"method": method, "threads": self.config.threads, "aim": aim or {}}
        config = self.config.bank.model_copy(update=changes | ({} if shams else {"shams": 0.0}))
        name = f"bank@{method}" + ("" if shams else "@no_shams") + ("@aimed" if aim else "")
        folder = self.folder / name
        run_stage(name, stage.run, config, Context(self.config.seed, self.config.device, inputs), folder)
        return folder

    def banks_of(self, arm: LiftArm, aim: dict[int, float] | None = None) -> tuple[Path | None, Path | None]:
        """(the bank that is added to the batches, the bank of stage one). An arm without shams draws from the bank of
        the arm with them, and leaves them aside: both see the same painted crops.
        """
        added = self.bank(arm.bank, METHODS[arm.bank].shams, aim) if arm.bank else None
        return added, self.bank(arm.first, False) if arm.first else None

    def drop_banks(self) -> None:
        """Banks are large and can be made again."""
        for folder in self.folder.glob("bank@*"):
            shutil.rmtree(folder)

    def _stage(self, name: str) -> Path:
        config = self._run()
        step = next(step for step in plan_run(config) if step.name == name)
        run_step(config, self.folder, step)
        return self.folder / name

    def _run(self) -> RunConfig:
        data = {**self.config.data, "fold": self.share.fold}
        if self.share.objects:
            data |= {"objects": self.share.objects, "draw": self.share.draw}
        content = {
            "name": self.share.name,
            "seed": self.config.seed,
            "device": self.config.device,
            "data": data,
            "pool": self.config.pool,
            "train": merge({"threads": self.config.threads}, self.config.train),
            "compare": {"arms": ["none", "copy_paste", "anomaly_gan"]},
        }
        return build(RunConfig, content, self.config.name)
