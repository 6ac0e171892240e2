"""Can experts tell generated defect photographs from real ones? A blind game, and what it showed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import InputError

from .items import Catalogue, Loaded, RatingItem, rating_item, rle_of_all
from .store import NAME
from .store_reading import RatingRow, newest_rows

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


@dataclass(frozen=True)
class Guesses:
    """``interval``: Clopper-Pearson of the share that is right; ``p_guessing``: two-sided, against one half;
    ``called_real_of_*``: how many of the real, and of the generated ones. None where nothing was answered."""

    answers: int
    right: int
    called_real_of_real: float | None
    called_real_of_generated: float | None
    interval: tuple[float, float] | None = None
    p_guessing: float | None = None

    @property
    def share(self) -> float | None:
        return round(self.right / self.answers, 6) if self.answers else None

    def sentence(self, interval: tuple[float, float] | None) -> str:
        bounds = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval is not None else ""
        return f"right in {self.right} of {self.answers} = {self.share:.3f}{bounds}"


@dataclass(frozen=True)
class Report:
    """How often the raters were right; half is guessing.

    ``interval`` of all answers together (``pooled``) redraws raters and photographs together: answers of one rater, or
    to one photograph, are no independent evidence (Owen, "The pigeonhole bootstrap", 2007; conservative).
    ``pooled.interval`` neglects this; where all answers agree the bootstrap has no width, and that one must be read.
    With one rater only photographs are redrawn.
    """

    raters: Mapping[str, Guesses]
    pooled: Guesses
    interval: tuple[float, float] | None
    photographs: int

    def text(self) -> str:
        """Plain lines: all raters together, then each."""
        if not self.pooled.answers:
            return "nobody has answered yet"
        lines = [f"all raters: {self.pooled.sentence(self.interval)}, over {self.photographs} photographs"]
        lines += [f"{name}: {one.sentence(one.interval)}" for name, one in self.raters.items()]
        return "\n".join([*lines, "0.5 is guessing: an interval that holds it shows no difference seen"])


def report(run: Path) -> Report:
    """From the answers that stand in the run's store."""
    rows = [
        row
        for row in newest_rows(run / FOLDER / NAME)
        if row["what"] == WHAT and row["criterion"] == CRITERION and row["grade"] is not None
    ]
    names = sorted({row["rater"] for row in rows})
    return Report(
        {name: _guesses([row for row in rows if row["rater"] == name]) for name in names},
        _guesses(rows),
        bootstrap(rows),
        len({row["file"] for row in rows}),
    )


def _right(row: RatingRow) -> bool:
    return (row["grade"] == REAL) == is_real(row["file"])


def _guesses(rows: list[RatingRow]) -> Guesses:
    from scipy.stats import binomtest  # slow to import, and a server that starts again has raters waiting

    shown = Counter(is_real(row["file"]) for row in rows)
    called = Counter(is_real(row["file"]) for row in rows if row["grade"] == REAL)
    of_real, of_generated = (round(called[one] / shown[one], 6) if shown[one] else None for one in (True, False))
    found = Guesses(len(rows), sum(_right(row) for row in rows), of_real, of_generated)
    if not rows:
        return found
    test = binomtest(found.right, len(rows), 0.5)
    low, high = test.proportion_ci(LEVEL, method="exact")
    bounds = round(float(low), 6), round(float(high), 6)
    return replace(found, interval=bounds, p_guessing=float(f"{test.pvalue:.6g}"))


def bootstrap(rows: list[RatingRow], seed: int = 0) -> tuple[float, float] | None:
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
    return round(float(low), 6), round(float(high), 6)
