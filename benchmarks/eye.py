"""What a person says of generated crops, and how far the gate agrees.

``make`` paints a pool's masks by methods that need no training (bare exemplars, copy-paste) and lays numbered crops at
native scale onto a sheet, with a row each in a CSV: what it was made of (data set, category, seed, item, method), and
what the gate's checks of one photograph say of it. Somebody looks at the sheet and fills in ``believable`` (yes or no)
and ``why``. Given the same photographs, the same command makes the same crops.

    python benchmarks/eye.py make RUN --name tiles --out FOLDER
    python benchmarks/eye.py again docs/results/eye/eye.csv FOLDER/tiles.csv
    python benchmarks/eye.py agree docs/results/eye/eye.csv
    python benchmarks/eye.py reasons docs/results/eye/eye.csv

``again`` puts what the gate says now into the rows judged before; ``agree`` needs the CSV alone. ``checks``: a
photograph that the gate would reject. ``ghost``: by that check. ``outline``, ``grain``, ``rim``, ``tone``: outside the
middle 90 % of the real ones. ``probe``: told from real ones by the two-sample probe, as the share of its fold's scores
below. For the numbers, the AUROC of unbelievable over believable; for yes and no, the shares that are flagged of either
and Cohen's kappa, with its 95 % interval over crops. ``reasons``: why crops are not believable, by kind of reason, and
how many of each kind the gate lets pass.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import cv2
import numpy as np

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.files import write_text
from anomaly_gan.core.images import encode_png
from anomaly_gan.metrics.artefact import FOLDS, probe_scores
from anomaly_gan.metrics.two_sample import describe
from anomaly_gan.synthesis.gate.candidate import Candidate, Setting
from anomaly_gan.synthesis.gate.category_metrics.outline import grain_ratio, rim_tone, seam
from anomaly_gan.synthesis.gate.category_metrics.tone import tone
from anomaly_gan.synthesis.gate.checks import check, ghost
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.defects import RealDefects
from anomaly_gan.synthesis.gate.keeper import ancestors
from anomaly_gan.synthesis.gate.window import window_around
from anomaly_gan.synthesis.generate.stage import pool_items
from anomaly_gan.synthesis.interface import MethodInputs
from anomaly_gan.synthesis.registry import METHODS

SEED, SIDE, COLUMNS = 7, 128, 5
CHOSEN_ON = ("tiles", "screws")
"""The limits of the check of ghosts were chosen on these sets."""
VALUES = {"outline": seam, "grain": grain_ratio, "rim": rim_tone, "tone": tone}
COLUMN_NAMES = (
    "set",
    "number",
    "category",
    "seed",
    "item",
    "method",
    "believable",
    "why",
    "rejected",
    *VALUES,
    "probe",
    *ghost.MEASURES,
)
DRAWS, LEAST_MADE = 2000, 4
REASONS = {
    "hangs in the air, or beside the part": ("hangs", "beside", "off the ", "below the edge", "away from", "half off"),
    "stretched, smeared, blurred": (
        *("strip", "stretch", "smear", "swirl", "blur", "streak", "comb", "hatched", "bead", "torn", "ribbon"),
    ),
    "structure of another place": (
        *("fragment", "facet", "another", "across threads", "grain ", "straight", "foreign", "two bolts", "block"),
    ),
    "half there, or nothing to see": (
        *("nothing", "hardly", "transparent", "through", "hollow", "empty", "half there", "smudge"),
    ),
    "flat: one or two tones": ("flat", "blot", "stamp", "disc", "tone", "lump", "dark dot", "bright", "overexposed"),
}
"""Kinds of reasons by the words that they are told from; the first that fits counts."""


class Shown:
    """A window as the category metrics look at it."""

    def __init__(self, window, group: str) -> None:
        self.window, self.group = window, group


def make(run: Path, name: str, out: Path, count: int, first: int) -> None:
    train = load_dataset(run / "ingest").split("train")
    pool = load_dataset(run / "pool")
    real_defects, inputs = RealDefects(train, 100, SEED), MethodInputs(train, pool, SEED, "cpu")
    rows, crops = [], []
    items = pool_items(pool)
    for method in ("exemplar", "copy_paste"):
        paint = METHODS[method].open(inputs)
        for category, own in items.items():
            made = []
            for item in own[first : first + max(1, round(count / 2 / len(items)))]:
                sample = paint([item], 0)[0]
                kept = [instance for instance in sample.instances if instance[1].any()]
                candidate = Candidate(sample.pixels, kept, sample.base, int(sample.provenance.get("support_px", 0)))
                outcome = check(candidate, Setting(GateConfig(), real_defects=real_defects))
                masks = [mask for _, mask in kept]
                at = int(np.argmax([mask.sum() for mask in masks]))
                window = window_around(sample.pixels, masks[at], masks[:at] + masks[at + 1 :])
                owners = ancestors(sample.provenance, [one.provenance for one in item.annotations], "")
                made.append((item, Shown(window, owners[at]), outcome))
                crops.append(crop(sample.pixels, masks[at]))
            rows += rows_of(name, category, method, made, real_defects, len(rows))
    out.mkdir(parents=True, exist_ok=True)
    for at in range(0, len(crops), 4 * COLUMNS):
        (out / f"{name}_{at // (4 * COLUMNS)}.png").write_bytes(encode_png(sheet(crops[at : at + 4 * COLUMNS], at)))
    write_csv(out / f"{name}.csv", rows)


def rows_of(name, category, method, made, real_defects, before) -> list[dict[str, object]]:
    real = [one for one in real_defects.of(category) if one.window.mask_01.any()]
    ranges = {key: spread_of([value(one) for one in real]) for key, value in VALUES.items()}
    both = [*[(one.window, one.group) for one in real], *[(shown.window, shown.group) for _, shown, _ in made]]
    rows = np.stack([describe(window.pixels, window.mask_01) for window, _ in both])
    truth, groups = np.repeat([0, 1], [len(real), len(made)]), [group for _, group in both]
    enough = len(made) >= LEAST_MADE and min(len({group for _, group in both[: len(real)]}), len(set(groups))) >= FOLDS
    scores = probe_scores(rows, truth, groups)[len(real) :] if enough else [np.nan] * len(made)
    found = []
    for number, ((item, shown, outcome), score) in enumerate(zip(made, scores, strict=True), start=before):
        values = {key: outside(value(shown), ranges[key]) for key, value in VALUES.items()}
        found.append(
            {
                "set": name,
                "number": number,
                "category": category,
                "seed": SEED,
                "item": item.image.file_name,
                "method": method,
                "rejected": "; ".join(one.reason for one in outcome.findings),
                **values,
                "probe": "" if np.isnan(score) else round(float(score), 3),
                **{key: "" if (value := outcome.measures.get(key)) is None else value for key in ghost.MEASURES},
            }
        )
    return found


def spread_of(values) -> tuple[float, float] | None:
    known = [value for value in values if value is not None and np.isfinite(value)]
    return tuple(np.quantile(known, (0.05, 0.95))) if known else None


def outside(value: float | None, span: tuple[float, float] | None) -> int | str:
    return "" if value is None or span is None else int(not span[0] <= value <= span[1])


def crop(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``SIDE`` × ``SIDE`` at native scale around the mask's middle, its outline beside it."""
    rows, columns = np.nonzero(mask)
    top = int(np.clip(rows.mean() - SIDE / 2, 0, max(0, pixels.shape[0] - SIDE)))
    left = int(np.clip(columns.mean() - SIDE / 2, 0, max(0, pixels.shape[1] - SIDE)))
    part = pixels[top : top + SIDE, left : left + SIDE]
    part = part if part.ndim == 3 else np.repeat(part[:, :, None], 3, axis=2)
    lines, _ = cv2.findContours(mask[top : top + SIDE, left : left + SIDE].copy(), 0, cv2.CHAIN_APPROX_NONE)
    drawn = cv2.drawContours(part.copy(), lines, -1, (255, 60, 60), 1)
    cell = np.full((SIDE, 2 * SIDE + 2, 3), 128, np.uint8)
    cell[: part.shape[0], : part.shape[1]] = part
    cell[: part.shape[0], SIDE + 2 : SIDE + 2 + part.shape[1]] = drawn
    return cell


def sheet(crops: list[np.ndarray], first: int) -> np.ndarray:
    cells = []
    for number, one in enumerate(crops, start=first):
        cell = cv2.copyMakeBorder(one, 14, 4, 3, 3, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        cells.append(cv2.putText(cell, str(number), (4, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA))
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % COLUMNS)
    return np.vstack([np.hstack(cells[at : at + COLUMNS]) for at in range(0, len(cells), COLUMNS)])


def write_csv(path: Path, rows: list[dict[str, object]]) -> None:
    lines = [",".join(COLUMN_NAMES)]
    for row in rows:
        lines.append(",".join(f'"{row.get(key, "")}"' for key in COLUMN_NAMES))
    write_text(path, "\n".join(lines) + "\n")


def again(judged: Path, made: list[Path]) -> None:
    """Put what the gate says now into the rows judged before, by set and number; rows that were not made stay."""
    now = {}
    for path in made:
        now |= {(row["set"], row["number"]): row for row in csv.DictReader(path.open(encoding="utf-8"))}
    rows = list(csv.DictReader(judged.open(encoding="utf-8")))
    for row in rows:
        row |= {
            key: value
            for key, value in now.get((row["set"], row["number"]), {}).items()
            if key not in ("believable", "why", "method")
        }
    write_csv(judged, rows)


def agree(path: Path) -> None:
    rows = [row for row in csv.DictReader(path.open(encoding="utf-8")) if row["believable"] in ("yes", "no")]
    bad = np.array([row["believable"] == "no" for row in rows])
    sys.stdout.write(f"{len(rows)} crops, {int((~bad).sum())} believable\n\n")
    sys.stdout.write("| set | crops | believable | rejected of the believable | rejected of the others | kappa |\n")
    sys.stdout.write("|---|---|---|---|---|---|\n")
    rejected = np.array([bool(row["rejected"]) for row in rows])
    sets, rng = np.array([row["set"] for row in rows]), np.random.default_rng(SEED)
    chosen = np.isin(sets, CHOSEN_ON)
    looks = {name: sets == name for name in sorted(set(sets))}
    looks |= {"chosen on": chosen, "not chosen on": ~chosen, "all": np.full(len(rows), True)}
    for name, own in looks.items():
        shares = [share(rejected[own & side]) for side in (~bad, bad)]
        sys.stdout.write(
            f"| {name} | {own.sum()} | {share(~bad[own])} | {shares[0]} | {shares[1]} "
            f"| {with_interval(rejected[own], bad[own], rng)} |\n"
        )
    sys.stdout.write(
        "\n| signal | flagged of the believable | flagged of the others | kappa | AUROC |\n|---|---|---|---|---|\n"
    )
    for key in ("rejected", "ghost", *VALUES, "probe"):
        value = rejected if key == "rejected" else np.array([signal(row, key) for row in rows])
        known = np.isfinite(value.astype(float))
        flag, own = value[known] > (0.75 if key == "probe" else 0.5), bad[known]
        sys.stdout.write(
            f"| {key} | {share(flag[~own])} | {share(flag[own])} | {kappa(flag, own):.2f} "
            f"| {auroc(value[known], own):.2f} |\n"
        )


def reasons(path: Path) -> None:
    rows = [row for row in csv.DictReader(path.open(encoding="utf-8")) if row["believable"] == "no"]
    kinds = [
        next((kind for kind, words in REASONS.items() if any(one in row["why"] for one in words)), "other")
        for row in rows
    ]
    names = sorted({row["set"].rstrip("2") for row in rows})
    sys.stdout.write(f"| reason | crops | let pass | {' | '.join(names)} |\n|---|---|---|{'---|' * len(names)}\n")
    for kind in [*REASONS, *({"other"} & set(kinds))]:
        own = [row for row, found in zip(rows, kinds, strict=True) if found == kind]
        passed = [row["set"].rstrip("2") for row in own if not row["rejected"]]
        counts = " | ".join(str(passed.count(name)) for name in names)
        sys.stdout.write(f"| {kind} | {len(own)} | {len(passed)} | {counts} |\n")


def signal(row: dict[str, str], key: str) -> float:
    """A number that is the higher the less believable; ``ghost``: 1 where that check rejects."""
    if key != "ghost":
        return float(row[key]) if row[key] else np.nan
    measured = [row.get(name) for name in ghost.MEASURES]
    return float(all(measured) and ghost.is_ghost(*map(float, measured)))


def with_interval(flag: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> str:
    """Kappa with its 95 % interval over crops."""
    drawn = [kappa(flag[at], truth[at]) for at in (rng.integers(len(flag), size=len(flag)) for _ in range(DRAWS))]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return f"{kappa(flag, truth):.2f} ({low:.2f} to {high:.2f})"


def share(flags: np.ndarray) -> str:
    return f"{flags.mean():.0%}" if len(flags) else "–"


def kappa(flag: np.ndarray, truth: np.ndarray) -> float:
    seen = float((flag == truth).mean())
    chance = float(flag.mean() * truth.mean() + (1 - flag.mean()) * (1 - truth.mean()))
    return (seen - chance) / (1 - chance) if chance < 1 else 0.0


def auroc(value: np.ndarray, truth: np.ndarray) -> float:
    order = np.asarray(value, float)[truth][:, None] - np.asarray(value, float)[~truth][None]
    return float(((order > 0).sum() + 0.5 * (order == 0).sum()) / max(1, order.size))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = arguments.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("make")
    making.add_argument("run", type=Path)
    making.add_argument("--name", required=True)
    making.add_argument("--out", type=Path, required=True)
    making.add_argument("--count", type=int, default=40)
    making.add_argument("--first", type=int, default=0, help="masks of each category that are passed over")
    anew = verbs.add_parser("again")
    anew.add_argument("csv", type=Path)
    anew.add_argument("made", type=Path, nargs="+")
    for name in ("agree", "reasons"):
        verbs.add_parser(name).add_argument("csv", type=Path)
    options = arguments.parse_args()
    if options.verb == "make":
        make(options.run, options.name, options.out, options.count, options.first)
    elif options.verb == "again":
        again(options.csv, options.made)
    else:
        {"agree": agree, "reasons": reasons}[options.verb](options.csv)


if __name__ == "__main__":
    main()
