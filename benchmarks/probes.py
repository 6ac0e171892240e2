"""What probes say of bare exemplars and copy-paste on the masks of a pool; nothing is trained.

Per category and method: ``two_sample`` (AUROC of a probe, real against made, on objects it has not seen, as the stage
``choose`` asks it), ``artefact`` (shams against the same places untouched), each with its 95 % interval over objects,
``accepted`` (share that the gate's checks of one photograph let pass) and ``outline`` (share of the made whose gradient
along the outline lies between the 5th and 95th percentile of the real ones').

    anomaly-gan ingest DATA --out RUN/ingest && anomaly-gan pool build --run RUN --set count=30
    python benchmarks/probes.py RUN --masks 30
    python benchmarks/probes.py RUN --substance

``--substance``: per category what real defects are made of (``synthesis.pairs.substance``), and what the same labels
say on sound texture, where everything goes on: the share of the slope of sound surface that is found under the labels.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.metrics.artefact import Told
from anomaly_gan.metrics.backbones import embedded_backbone
from anomaly_gan.metrics.seam import seam_score
from anomaly_gan.metrics.two_sample import describe, real_against_made
from anomaly_gan.synthesis.bank.artefact import artefact_by_category
from anomaly_gan.synthesis.bank.painters import Painters
from anomaly_gan.synthesis.bank.shams import sham_split
from anomaly_gan.synthesis.choice.stage import _candidate, _row
from anomaly_gan.synthesis.gate.candidate import Setting
from anomaly_gan.synthesis.gate.checks import check
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.defects import RealDefects
from anomaly_gan.synthesis.generate.stage import pool_items
from anomaly_gan.synthesis.interface import MethodInputs, PoolItem
from anomaly_gan.synthesis.methods.copy_paste.donors import Donors


def probed(
    painters: Painters, items: list[PoolItem], category: str, reals: RealDefects, seed: int
) -> dict[str, float | list[float] | None]:
    """The figures of one category by one method."""
    groups = {image.file_name: image.group_id for image in painters.inputs.train.images}
    setting, rows, seams, kept = Setting(GateConfig(), real_defects=reals), [], [], 0
    for item in items:
        sample = painters.painted()([item], 0)[0]
        kept += not check(_candidate(sample, item), setting).findings
        largest = max((mask for _, mask in sample.instances), key=np.count_nonzero)
        seams.append(seam_score(sample.pixels, largest) or np.nan)
        rows.append(_row(sample, item, groups[item.image.extra["normal_file"]]))
    windows = [(one.window, one.group) for one in reals.of(category) if one.window.mask_01.any()]
    known = [seam_score(window.pixels, window.mask_01) or np.nan for window, _ in windows]
    low, high = np.nanquantile(known, (0.05, 0.95))
    real = [(describe(window.pixels, window.mask_01), group) for window, group in windows]
    told = real_against_made(real, rows, rng_for(seed, "choose", category, painters.name))
    traced = artefact_by_category(painters, items, embedded_backbone("cpu"), len(items))[category]
    return {
        "two_sample": figures(told),
        "artefact": figures(traced),
        "accepted": round(kept / len(items), 2),
        "outline": round(float(np.mean((np.array(seams) >= low) & (np.array(seams) <= high))), 2),
    }


def figures(told: Told | None) -> list[float] | None:
    return None if told is None else [round(value, 2) for value in (told.auroc, told.low, told.high)]


def substances(train: Dataset) -> dict[str, dict[str, object]]:
    """By category: what defects are made of, and the share of sound surface's slope that their labels show."""
    donors, found = Donors(train), {}
    for category in train.categories:
        seen = donors.evidence(category.id)
        sums = [np.sum([getattr(one, name) for one in seen], axis=0) for name in ("under", "beside")]
        share = (
            float((sums[0][0] / sums[0][1]) / (sums[1][0] / sums[1][1])) if seen and sums[0][1] and sums[1][0] else 0
        )
        found[category.name] = {"share": round(share, 2), **vars(donors.substance(category.id))}
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("run", type=Path)
    arguments.add_argument("--masks", type=int, default=30)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--methods", nargs="*", default=["exemplar", "copy_paste"])
    arguments.add_argument("--substance", action="store_true")
    asked = arguments.parse_args()
    train = load_dataset(asked.run / "ingest").split("train")
    with tempfile.TemporaryDirectory() as folder:
        if asked.substance:
            shams = sham_split(train, Path(folder), asked.seed, 0)
            for name, made in (("real", substances(train)), ("sound texture", substances(shams))):
                sys.stdout.writelines(
                    f"{json.dumps({'of': name, 'category': at, **row})}\n" for at, row in made.items()
                )
            return
        pool = load_dataset(asked.run / "pool")
        reals = RealDefects(train, GateConfig().max_n, asked.seed)
        for method in asked.methods:
            inputs = MethodInputs(train, pool, asked.seed, "cpu")
            painters = Painters(method, inputs, Path(folder) / method, sets=1)
            for category, items in pool_items(pool).items():
                row = probed(painters, items[: asked.masks], category, reals, asked.seed)
                sys.stdout.write(f"{json.dumps({'category': category, 'method': method, **row})}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
