"""``anomaly-gan pool study``: what the plausibility model and the placement are worth on a run's own photographs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..core import renamed
from ..core.config import apply_settings, build, kept_config, nearest
from ..core.dataset import Dataset, load_dataset
from ..core.errors import ConfigError
from ..core.manifest import finished_key
from ..core.renamed import newest
from ..core.resources import expand
from ..core.workfolder import work_folder

if TYPE_CHECKING:
    from mask_pool.build.config import PoolConfig

SUBJECTS = ("plausibility", "placement")


def study(subject: str, run: Path, out: Path, settings: list[str], seed: int) -> Iterator[str]:
    """Run one study on RUN/ingest with the configuration of RUN's pool and ``--set``; yields lines for people.

    Raises:
        ConfigError: an unknown subject or key.
        InputError: the run cannot be read.
    """
    from mask_pool.build.config import PoolConfig
    from mask_pool.build.stage import source_keys

    subject = newest(subject, renamed.SUBJECTS, "the subject")
    if subject not in SUBJECTS:
        raise ConfigError(f"study: no subject {subject!r}{nearest(subject, SUBJECTS)}")
    config = build(PoolConfig, apply_settings(kept_config(run / "pool"), settings), "pool")
    started = {
        "subject": subject,
        "config": config.model_dump(mode="json"),
        "ingest": finished_key(run / "ingest"),
        "sources": source_keys(config),
        "seed": seed,
    }
    with work_folder(out, "pool study", started, fixed=()) as work:
        if not work.fresh:
            _work(subject, load_dataset(run / "ingest"), config, work.place, seed)
    yield (out / "table.csv").read_text(encoding="utf-8").rstrip()
    yield f"study of the {subject} → {out}"


def _work(subject: str, ingest: Dataset, config: PoolConfig, out: Path, seed: int) -> None:
    if subject == "plausibility":
        from mask_pool.build.filling import rated_by_category
        from mask_pool.experiments.plausibility_study import study as work_plausibility

        work_plausibility(ingest, out, rated=rated_by_category(config, ingest), config=config.plausibility, seed=seed)
    else:
        from mask_pool.experiments.placement_study import study as work_placement
        from mask_pool.placement.regions import read_regions

        regions = read_regions(expand(config.place.regions), ingest) if config.place.regions is not None else None
        work_placement(ingest, out, config=config.place, regions=regions, seed=seed)
