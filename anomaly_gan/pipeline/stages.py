"""The table of stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Stage:
    """A row of the table. ``needs`` names stages; a stage of an arm needs its own arm's, its own variant's pool, and
    its own method's training.

    ``per``: ``run`` (once), ``variant`` (once per pool that an arm names), ``trained`` (once per method that
    learns, where an arm paints with it), ``arm`` (once per arm that makes photographs).

    ``outside``: where its function stands that gives, for the stage's section, the fingerprints of what it reads from
    outside the run: the user's photographs, the experts' drawings, the weights.
    """

    name: str
    function: str
    section: str
    needs: tuple[str, ...] = ()
    per: Literal["run", "variant", "trained", "arm"] = "run"
    outside: str | None = None


WEIGHTS = "anomaly_gan.synthesis.gate.config:source_keys"


STAGES = (
    Stage("ingest", "anomaly_gan.ingestion.stage:run", "data", outside="anomaly_gan.ingestion.stage:source_key"),
    Stage("pool", "mask_pool.build.stage:run", "pool", ("ingest",), "variant", "mask_pool.build.stage:source_keys"),
    Stage("train", "anomaly_gan.synthesis.training.stage:run", "train", ("ingest", "pool"), "trained"),
    Stage("choose", "anomaly_gan.synthesis.choice.stage:run", "choose", ("ingest", "pool", "train")),
    Stage(
        "generate",
        "anomaly_gan.synthesis.generate.stage:run",
        "generate",
        ("ingest", "pool", "train", "choose"),
        "arm",
    ),
    Stage("label_check", "anomaly_gan.synthesis.label_check.stage:run", "label_check", ("ingest",)),
    Stage(
        "gate",
        "anomaly_gan.synthesis.gate.stage:run",
        "gate",
        ("ingest", "pool", "train", "choose", "label_check", "generate"),
        "arm",
        WEIGHTS,
    ),
    Stage(
        "features",
        "anomaly_gan.synthesis.feature_drift.stage:run",
        "features",
        ("ingest", "pool", "train"),
        "trained",
        WEIGHTS,
    ),
    Stage("one_class", "detection.one_class.synthetic_filter.train_stage:run", "one_class", ("ingest",)),
    Stage(
        "one_class_filter",
        "detection.one_class.synthetic_filter.filter_stage:run",
        "one_class_filter",
        ("ingest", "gate", "one_class"),
        "arm",
    ),
    Stage(
        "export",
        "anomaly_gan.synthesis.export.stage:run",
        "export",
        ("ingest", "pool", "gate", "one_class_filter"),
        "arm",
    ),
    Stage("compare", "detection.comparison.stage:run", "compare", ("ingest", "export")),
    Stage(
        "report",
        "anomaly_gan.report.stage:run",
        "report",
        (
            "ingest",
            "pool",
            "train",
            "choose",
            "label_check",
            "generate",
            "gate",
            "features",
            "one_class",
            "one_class_filter",
            "export",
            "compare",
        ),
    ),
)
