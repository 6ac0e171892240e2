"""Can experts tell generated defect photographs from real ones? A blind game, and what it showed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import InputError

from .items import Catalogue, Loaded, RatingItem, rating_item, rle_of_all
from .store import NAME
from .store_reading import newest_rows

WHAT, CRITERION = "real_or_generated", "real"
REAL, GENERATED = 10.0, 0.0
"""The answers, as grades of the criterion ``real``."""
FOLDER = "rate"
REPLICATES, LEVEL = 4000, 0.95


def load_mixed(run: Path, method: str | None = None) -> Loaded:
    """Real defect photographs of the training split, and what RUN/gate@METHOD accepted.

    Without a ``method`` the run's only gate is taken, or that of anomaly_gan.

    Raises:
        InputError: no such gate, several to choose from, or one of the two kinds is empty.
    """
    gate = _gate(run, method)
    ingest, accepted = load_dataset(run / "ingest"), load_dataset(gate)
    names, items = ingest.category_names(), []
    for folder, dataset in (("ingest", ingest.split("train")), (gate.name, accepted)):
        instances = dataset.by_image()
        items += [
            rating_item(
                dataset,
                image,
                f"{folder}/{image.file_name}",
                0,
                names[instances[image.id][0].category_id],
                rle_of_all(instances[image.id], image),
            )
            for image in dataset.images
            if image.id in instances
        ]
    for kind in (True, False):
        if not any(is_real(item.mask.file) is kind for item in items):
            raise InputError(
                str(run),
                "F14",
                f"no {'real' if kind else 'generated'} defect photograph to show",
                "ingest defects, and generate and gate images first",
            )
    return Loaded(items, {}, [run / "ingest" / "annotations.json", gate / "annotations.json"])


def is_real(file: str) -> bool:
    return file.startswith("ingest/")


def _gate(run: Path, method: str | None) -> Path:
    found = sorted(path.name for path in run.glob("gate@*") if (path / "annotations.json").is_file())
    wanted = f"gate@{method}" if method else found[0] if len(found) == 1 else "gate@anomaly_gan"
    if wanted not in found:
        raise InputError(
            str(run),
            "MISSING",
            f"no finished {wanted} (there is: {', '.join(found) or 'none'})",
            "run `anomaly-gan gate` first, or name another method",
        )
    return run / wanted


def choose(catalogue: Catalogue, items: dict[str, RatingItem], rater: int, pairs: int) -> list[str]:
    """What a rater is shown: per category as many real as generated photographs, ``pairs`` of each in all at most.

    The choice and its order are random, other for each rater, and the same whenever the rater comes back.
    """
    order = catalogue.order(list(items), rater, lambda _: 0.0)
    sides: dict[str, tuple[list[str], list[str]]] = {}
    for one in order:
        mask = items[one].mask
        sides.setdefault(mask.label, ([], []))[0 if is_real(mask.file) else 1].append(one)
    # rounds over the categories, so that a limit takes from all alike
    rounds = sorted(
        (place, catalogue.sign("round", str(rater), label), pair)
        for label, (real, generated) in sides.items()
        for place, pair in enumerate(zip(real, generated, strict=False))
    )
    taken = {one for *_, pair in rounds[:pairs] for one in pair}
    return [one for one in order if one in taken]


def report(run: Path) -> dict[str, Any]:
    """How often the raters were right; half is guessing. All shares are None where nobody answered.

    Returns:
        ``raters``: per name ``answers``, ``right``, ``share``, its Clopper-Pearson ``interval`` and ``p_guessing``
        (two-sided, against one half), ``called_real_of_real`` and ``called_real_of_generated``.
        ``pooled``: the same over all answers, with ``interval`` from a bootstrap that redraws raters and photographs
        together: answers of one rater, or to one photograph, are no independent evidence. (Owen, "The pigeonhole
        bootstrap", 2007; conservative.) ``binomial_interval`` is the Clopper-Pearson one that neglects this; where
        all answers agree the bootstrap has no width, and this one must be read. With one rater only photographs are
        redrawn.
    """
    rows = [
        row
        for row in newest_rows(run / FOLDER / NAME)
        if row["what"] == WHAT and row["criterion"] == CRITERION and row["grade"] is not None
    ]
    raters = {
        name: _share([row for row in rows if row["rater"] == name]) for name in sorted({row["rater"] for row in rows})
    }
    pooled = _share(rows)
    pooled["binomial_interval"] = pooled.pop("interval")
    pooled["interval"] = bootstrap(rows)
    labels = sorted({row["label"] for row in rows})
    return {
        "raters": raters,
        "pooled": pooled,
        "level": LEVEL,
        "photographs": len({row["file"] for row in rows}),
        "categories": {label: _share([row for row in rows if row["label"] == label]) for label in labels},
    }


def describe(found: dict[str, Any]) -> str:
    """The report as plain lines: all raters together, then each."""
    pooled = found["pooled"]
    if not pooled["answers"]:
        return "nobody has answered yet"
    lines = [f"all raters: {_sentence(pooled, pooled['interval'])}, over {found['photographs']} photographs"]
    lines += [f"{name}: {_sentence(one, one['interval'])}" for name, one in found["raters"].items()]
    return "\n".join([*lines, "0.5 is guessing: an interval that holds it shows no difference seen"])


def _sentence(share: dict[str, Any], interval: Sequence[float] | None) -> str:
    bounds = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval is not None else ""
    return f"right in {share['right']} of {share['answers']} = {share['share']:.3f}{bounds}"


def _right(row: dict[str, Any]) -> bool:
    return (row["grade"] == REAL) == is_real(row["file"])


def _share(rows: list[dict[str, Any]]) -> dict[str, Any]:
    from scipy.stats import binomtest  # slow to import, and a server that starts again has raters waiting

    right = sum(_right(row) for row in rows)
    shown = Counter(is_real(row["file"]) for row in rows)
    called = Counter(is_real(row["file"]) for row in rows if row["grade"] == REAL)
    result: dict[str, Any] = {"answers": len(rows), "right": right, "share": None, "interval": None, "p_guessing": None}
    for kind, name in ((True, "called_real_of_real"), (False, "called_real_of_generated")):
        result[name] = round(called[kind] / shown[kind], 6) if shown[kind] else None
    if rows:
        test = binomtest(right, len(rows), 0.5)
        low, high = test.proportion_ci(LEVEL, method="exact")
        result |= {
            "share": round(right / len(rows), 6),
            "p_guessing": float(f"{test.pvalue:.6g}"),
            "interval": [round(float(low), 6), round(float(high), 6)],
        }
    return result


def bootstrap(rows: list[dict[str, Any]], seed: int = 0) -> list[float] | None:
    """Percentile interval of the pooled share of right answers, raters and photographs redrawn; None without any."""
    if not rows:
        return None
    raters, files = sorted({row["rater"] for row in rows}), sorted({row["file"] for row in rows})
    right, asked = np.zeros((2, len(raters), len(files)))
    for row in rows:
        place = raters.index(row["rater"]), files.index(row["file"])
        asked[place] += 1
        right[place] += _right(row)
    rng = np.random.default_rng(seed)
    of_raters = rng.multinomial(len(raters), np.full(len(raters), 1 / len(raters)), REPLICATES)
    of_files = rng.multinomial(len(files), np.full(len(files), 1 / len(files)), REPLICATES)
    hits = np.einsum("kr,rf,kf->k", of_raters, right, of_files, optimize=True)
    total = np.einsum("kr,rf,kf->k", of_raters, asked, of_files, optimize=True)
    shares = hits[total > 0] / total[total > 0]
    if shares.size == 0:
        return None
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [round(float(low), 6), round(float(high), 6)]
