"""``one-class recalibrate``: a new threshold for a detector whose normals have come to look otherwise."""

from __future__ import annotations

from pathlib import Path

from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.files import sha256_file
from anomaly_gan.core.workfolder import refuse_foreign, work_folder
from anomaly_gan.ingestion.ledger import Ledger
from anomaly_gan.ingestion.photographs import too_many_refused
from anomaly_gan.ingestion.reading import ReadingConfig

from .checkpoint import load_model, save_model
from .normals import Grouping, gather
from .scoring import choose_device
from .train import Trained, calibrated, keep_examples


def recalibrate_folder(
    model: Path,
    data: Path,
    out: Path,
    false_alarm: float | None = None,
    groups: Path | None = None,
    group_column: str = "group",
    group_regex: str | None = None,
    max_bad: float = 0.01,
    reading: ReadingConfig = ReadingConfig(),
    device: str = "auto",
) -> Trained:
    """The detector in ``model`` with thresholds from the normals in ``data`` alone, written to the new folder ``out``.

    ``data`` must show objects that the detector has not learned from, all of them normal. ``false_alarm`` None: the
    rate asked for before.

    Args:
        model: folder of a trained model.
        data: folder of sound photographs that the model has not seen.
        out: folder to write.
        false_alarm: rate in (0, 1); None: the one asked for before.
        groups: CSV (file, group): which photographs show one object; None: none.
        group_column: its column with the object.
        group_regex: expression on the file name whose first group names the object; None: none.
        max_bad: share of refused photographs that is still accepted, in [0, 1].
        reading: how photographs are read, where it is told; else as those that the model learned from.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        The new threshold, and what was refused.

    Raises:
        InputError: no model, no photographs, too many refused or too few (K5); J6 ``out`` is not empty.
    """
    target = choose_device(device)
    loaded = load_model(model, target)
    if false_alarm is None and loaded.threshold is None:
        raise ConfigError("--false-alarm: give a rate, the detector has none from before")
    refuse_foreign(out)
    ledger = Ledger()
    parts = gather(
        data,
        loaded.view,
        Grouping(groups, group_column, group_regex),
        ledger,
        reading,
        loaded.reading,
    )
    if (why := too_many_refused(ledger, max_bad)) is not None:
        raise InputError(str(data), "MAX-BAD", why, "mend them, or raise --max-bad")
    rate = false_alarm if false_alarm is not None else loaded.threshold.asked if loaded.threshold else 0.05
    started = {"model": sha256_file(model / "model.json"), "data": parts.key, "false_alarm": rate, **reading.keyed()}
    with work_folder(out, "one-class recalibrate", started) as work:
        anew = (
            load_model(out, target)
            if work.fresh
            else calibrated(loaded, parts.squares_NCHW, parts.counts, parts.groups, rate, target)
        )
        if not work.fresh:
            ledger.close(work.place / "rejects.jsonl")
            keep_examples(work.place, parts.squares_NCHW)
            save_model(work.place, anew)
    assert anew.threshold is not None
    return Trained(out, loaded.name, None, anew.threshold, len(ledger.rejected), tuple(parts.remarks))
