"""A bank of painted crops for ``detect train``, made beside the data set of what the detector learns from.

Objects that training holds out, for its early stop and its thresholds, are left out first: masks, exemplars, and what
is learnt of them would else tell of the held-out ones.
"""

from __future__ import annotations

from pathlib import Path

from detection.commands import data_folder
from detection.dense.config import DenseConfig
from detection.detectors.config import DetectConfig

from ..core.dataset import load_dataset
from ..core.errors import InputError
from ..core.files import link_file
from ..core.stage import Context, run_stage

FOLDER = "detector_bank"
COUNT = 300
"""Crops of each category, and as many shams."""
AROUND = 1.4
"""Side of a crop of the bank, in sides of a training crop: room for turning and enlarging."""


def bank_of(data: Path, config: DetectConfig, seed: int, device: str) -> Path | None:
    """The folder of the bank that ``dense.bank`` asks for, painted from the training defects of a run; None: none.

    Args:
        data: a run folder, or its ingest.
        config: of the detector.
        seed: of every random choice made here.
        device: where to compute.

    Raises:
        InputError: MISSING, ``data`` is neither; as the stages raise it.
    """
    if config.dense.bank == "none":
        return None
    from mask_pool.build import stage as pool
    from mask_pool.build.config import PoolConfig

    from ..synthesis.bank import stage as bank
    from ..synthesis.bank.config import BankConfig

    ingest = data_folder(data)
    if ingest.name != "ingest":
        raise InputError(str(data), "MISSING", "is no run and no ingest of one, so nothing can be painted", "name one")
    place = ingest.parent / FOLDER
    learn, masks, out = place / "ingest", place / "pool", place / f"bank@{config.dense.bank}"
    size = 2 * round(AROUND * config.dense.crop / 2)
    asked = BankConfig(method=config.dense.bank, count=COUNT, size=size)
    # what else the detector is asked for changes nothing that is painted
    split = DenseConfig(held_out=config.dense.held_out, fewest=config.dense.fewest)
    run_stage("learn", _learn_side, split, Context(seed, device, {"ingest": ingest}), learn)
    run_stage("pool", pool.run, PoolConfig(count=COUNT), Context(seed, device, {"ingest": learn}), masks)
    run_stage(out.name, bank.run, asked, Context(seed, device, {"ingest": learn, "pool": masks}), out)
    return out


def _learn_side(config: DenseConfig, context: Context, out: Path) -> dict[str, object]:
    """The training photographs without those of objects that ``dense`` holds out with this seed."""
    from detection.dense.inner import inner_split

    learn = inner_split(load_dataset(context.inputs["ingest"]).split("train"), config, context.seed).learn
    for image in learn.images:
        link_file(learn.path_of(image), out / "images" / image.file_name)
    learn.save(out)
    return {"photographs": len(learn.images)}
