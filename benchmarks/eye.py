"""What a person says of generated crops, and how far the gate agrees.

``make`` paints a pool's masks by methods that need no training (bare exemplars, copy-paste), puts real defects among
them, one to four made ones, and lays all of a category in random order onto sheets: each at twice its native scale,
beside it the same with its label's outline, below the whole photograph. Which is which stands in a CSV that whoever
looks leaves closed: what a crop was made of (data set, category, seed, item, method), and what the gate's checks of one
photograph say of it. Somebody looks at the sheets and writes a CSV of set, number, believable (yes or no) and why;
``again`` lays the two together, later with what the gate says then. Given the same photographs, the same command makes
the same crops.

    python benchmarks/eye.py make RUN --name tiles --out FOLDER
    python benchmarks/eye.py again judged.csv FOLDER/tiles.csv
    python benchmarks/eye.py agree docs/results/eye/eye.csv
    python benchmarks/eye.py reasons docs/results/eye/eye.csv

``agree`` and ``reasons`` need the CSV alone. ``checks``: a photograph that the gate would reject. ``ghost``: by that
check. ``outline``, ``grain``, ``rim``, ``tone``: outside the middle 90 % of the real ones. ``probe``: told from real
ones by the two-sample probe, as the share of its fold's scores below. For the numbers, the AUROC of unbelievable over
believable; for yes and no, the shares that are flagged of either and Cohen's kappa, with its 95 % interval over crops.
``reasons``: why crops are not believable, by kind of reason, and how many of each kind the gate lets pass.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.files import write_text
from anomaly_gan.core.images import encode_png
from anomaly_gan.core.masks import grow
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.metrics.artefact import FOLDS, probe_scores
from anomaly_gan.metrics.two_sample import describe
from anomaly_gan.synthesis.gate.candidate import Candidate, Outcome, Setting
from anomaly_gan.synthesis.gate.category_metrics.outline import grain_ratio, rim_tone, seam
from anomaly_gan.synthesis.gate.category_metrics.tone import tone
from anomaly_gan.synthesis.gate.checks import check, ghost
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.defects import Defect, RealDefects
from anomaly_gan.synthesis.gate.keeper import ancestors
from anomaly_gan.synthesis.gate.window import Window, window_around
from anomaly_gan.synthesis.generate.stage import pool_items
from anomaly_gan.synthesis.interface import Generate, MethodInputs, PoolItem
from anomaly_gan.synthesis.registry import METHODS

SEED, SIDE, COLUMNS, ROWS = 7, 128, 3, 4
PAINTED, REAL_SHARE = ("exemplar", "copy_paste"), 0.25
"""Real ones among those made, as a share of these."""
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
    "hangs in the air, or beside the part": (
        *("hangs", "beside", "off the ", "below the edge", "away from", "half off", "at the tip"),
    ),
    "stretched, smeared, blurred": (
        *("strip", "stretch", "smear", "swirl", "blur", "streak", "comb", "hatched", "bead", "torn", "ribbon"),
    ),
    "structure of another place": (
        *("fragment", "facet", "another", "across threads", "grain ", "straight", "foreign", "block"),
    ),
    "lies over a bolt, an edge, or where no thread is": ("two bolts", "lies over", "lies on", "no thread"),
    "half there, or nothing to see": (
        *("nothing", "hardly", "transparent", "through", "hollow", "empty", "half there", "smudge", "dull"),
    ),
    "flat: one or two tones": ("flat", "blot", "stamp", "disc", "tone", "lump", "dark dot", "bright", "overexposed"),
}
"""Kinds of reasons by the words that they are told from; the first that fits counts."""


@dataclass(frozen=True)
class Shown:
    """A crop to look at, and what the category metrics see of it; ``outcome``: None of a real defect."""

    method: str
    item: str
    group: str
    window: Window
    crop: np.ndarray
    outcome: Outcome | None = None


def make(run: Path, name: str, out: Path, count: int, first: int, seed: int) -> None:
    train, pool = load_dataset(run / "ingest").split("train"), load_dataset(run / "pool")
    real_defects, inputs = RealDefects(train, 100, seed), MethodInputs(train, pool, seed, "cpu")
    items, rng = pool_items(pool), rng_for(seed, "eye", name)
    each, rows, crops = max(1, round(count / 2 / len(items))), [], []
    paints = {method: METHODS[method].open(inputs) for method in PAINTED}
    for category, own in items.items():
        # another mask for each method: of two alike, neither would be taken for real
        shown = [
            painted(method, paints[method], item, real_defects)
            for at, method in enumerate(PAINTED)
            for item in own[first + at * each : first + (at + 1) * each]
        ]
        shown += real_ones(real_defects.of(category), round(len(shown) * REAL_SHARE), rng)
        shown = [shown[at] for at in rng.permutation(len(shown))]
        rows += rows_of(name, category, shown, real_defects, len(rows))
        crops += [(category, one.crop) for one in shown]
    out.mkdir(parents=True, exist_ok=True)
    for at in range(0, len(crops), ROWS * COLUMNS):
        (out / f"{name}_{at // (ROWS * COLUMNS)}.png").write_bytes(
            encode_png(sheet(crops[at : at + ROWS * COLUMNS], at))
        )
    write_csv(out / f"{name}.csv", rows)


def painted(method: str, paint: Generate, item: PoolItem, real_defects: RealDefects) -> Shown:
    """The largest defect of an item. The gate is asked of it alone, what else was painted taken for a part of the
    photograph: the eye judges one defect, too."""
    sample = paint([item], 0)[0]
    kept = [instance for instance in sample.instances if instance[1].any()]
    largest = max(kept, key=lambda instance: np.count_nonzero(instance[1]))
    others = [mask for _, mask in kept if mask is not largest[1]]
    support, base = int(sample.provenance.get("support_px", 0)), sample.base
    assert base is not None
    own = grow(largest[1], support) != 0
    alone = Candidate(
        sample.pixels, [largest], np.where(own[..., None] if base.ndim == 3 else own, base, sample.pixels), support
    )
    outcome = check(alone, Setting(GateConfig(), real_defects=real_defects))
    owners = ancestors(sample.provenance, [one.provenance for one in item.annotations], "")
    owner = owners[next(at for at, (_, mask) in enumerate(sample.instances) if mask is largest[1])]
    window = window_around(sample.pixels, largest[1], others)
    return Shown(method, item.image.file_name, owner, window, crop(sample.pixels, largest[1]), outcome)


def real_ones(defects: Sequence[Defect], count: int, rng: np.random.Generator) -> list[Shown]:
    """So many real defects, no two of one photograph."""
    drawn = rng.permutation(len(defects))[:count]
    return [
        Shown("real", one.image.file_name, one.group, one.window, crop(one.pixels(), one.mask()))
        for one in (defects[at] for at in sorted(drawn))
    ]


def rows_of(
    name: str, category: str, shown: list[Shown], real_defects: RealDefects, before: int
) -> list[dict[str, object]]:
    real = [one for one in real_defects.of(category) if one.window.mask_01.any()]
    known = {key: [(one.group, value(one)) for one in real] for key, value in VALUES.items()}
    made = [one for one in shown if one.outcome is not None]
    both = [*[(one.window, one.group) for one in real], *[(one.window, one.group) for one in made]]
    rows = np.stack([describe(window.pixels, window.mask_01) for window, _ in both])
    truth, groups = np.repeat([0, 1], [len(real), len(made)]), [group for _, group in both]
    enough = len(made) >= LEAST_MADE and min(len({group for _, group in both[: len(real)]}), len(set(groups))) >= FOLDS
    scores = probe_scores(rows, truth, groups) if enough else [np.nan] * len(both)
    names = [*[("real", one.image.file_name) for one in real], *[(one.method, one.item) for one in made]]
    score_of = dict(zip(names, scores, strict=True))
    found = []
    for number, one in enumerate(shown, start=before):
        score, outcome = score_of[one.method, one.item], one.outcome
        # a real one is held against those of other objects
        ranges = {
            key: spread_of([value for group, value in own if outcome is not None or group != one.group])
            for key, own in known.items()
        }
        found.append(
            {
                "set": name,
                "number": number,
                "category": category,
                "seed": real_defects.seed,
                "item": one.item,
                "method": one.method,
                "rejected": "; ".join(finding.reason for finding in outcome.findings) if outcome else "",
                **{key: outside(value(one), ranges[key]) for key, value in VALUES.items()},
                "probe": "" if np.isnan(score) else round(float(score), 3),
                **{
                    key: "" if outcome is None or (value := outcome.measures.get(key)) is None else value
                    for key in ghost.MEASURES
                },
            }
        )
    return found


def spread_of(values) -> tuple[float, float] | None:
    known = [value for value in values if value is not None and np.isfinite(value)]
    return tuple(np.quantile(known, (0.05, 0.95))) if known else None


def outside(value: float | None, span: tuple[float, float] | None) -> int | str:
    return "" if value is None or span is None else int(not span[0] <= value <= span[1])


def crop(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``SIDE`` × ``SIDE`` around the mask's middle at twice its scale, white where the photograph ends; beside it the
    same at native scale with the mask's outline, and the whole photograph with the crop's place."""
    rows, columns = np.nonzero(mask)
    top = int(np.clip(rows.mean() - SIDE / 2, 0, max(0, pixels.shape[0] - SIDE)))
    left = int(np.clip(columns.mean() - SIDE / 2, 0, max(0, pixels.shape[1] - SIDE)))
    colour = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    part = np.ascontiguousarray(colour[top : top + SIDE, left : left + SIDE])
    lines, _ = cv2.findContours(mask[top : top + SIDE, left : left + SIDE].copy(), 0, cv2.CHAIN_APPROX_NONE)
    drawn = cv2.drawContours(part.copy(), lines, -1, (255, 60, 60), 1)
    wide = cv2.rectangle(colour.copy(), (left, top), (left + part.shape[1], top + part.shape[0]), (60, 60, 255), 3)
    scale = SIDE / max(wide.shape[:2])
    small = cv2.resize(wide, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cell = np.full((2 * SIDE, 3 * SIDE + 2, 3), 255, np.uint8)
    large = cv2.resize(part, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    for shown, at in ((large, (0, 0)), (drawn, (0, 2 * SIDE + 2)), (small, (SIDE, 2 * SIDE + 2))):
        cell[at[0] : at[0] + shown.shape[0], at[1] : at[1] + shown.shape[1]] = shown
    return cell


def sheet(crops: list[tuple[str, np.ndarray]], first: int) -> np.ndarray:
    cells = []
    for number, (category, one) in enumerate(crops, start=first):
        cell, words = (
            cv2.copyMakeBorder(one, 14, 4, 3, 3, cv2.BORDER_CONSTANT, value=(255, 255, 255)),
            f"{number} {category}",
        )
        cells.append(cv2.putText(cell, words, (4, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA))
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
            if key not in ("believable", "why")
        }
    write_csv(judged, rows)


def agree(path: Path) -> None:
    rows = [row for row in csv.DictReader(path.open(encoding="utf-8")) if row["believable"] in ("yes", "no")]
    real = [row for row in rows if row["method"] == "real"]
    rows = [row for row in rows if row["method"] != "real"]
    bad = np.array([row["believable"] == "no" for row in rows])
    sys.stdout.write(f"{len(rows)} crops, {int((~bad).sum())} believable; ")
    sys.stdout.write(f"{len(real)} real ones, {sum(row['believable'] == 'yes' for row in real)} believable\n\n")
    sys.stdout.write("| set | crops | believable | rejected of the believable | rejected of the others | kappa |\n")
    sys.stdout.write("|---|---|---|---|---|---|\n")
    rejected, rng = np.array([bool(row["rejected"]) for row in rows]), np.random.default_rng(SEED)
    looks = {}
    for keys in (("schema",), ("schema", "method")) if "schema" in rows[0] else (("set",), ("method",)):
        of = np.array([" ".join(row[key] for key in keys) for row in rows])
        looks |= {name: of == name for name in sorted(set(of))}
    for name, own in {**looks, "all": np.full(len(rows), True)}.items():
        shares = [share(rejected[own & side]) for side in (~bad, bad)]
        sys.stdout.write(
            f"| {name} | {own.sum()} | {share(~bad[own])} | {shares[0]} | {shares[1]} "
            f"| {with_interval(rejected[own], bad[own], rng)} |\n"
        )
    sys.stdout.write(
        "\n| signal | flagged of the believable | flagged of the others | kappa | AUROC |\n|---|---|---|---|---|\n"
    )
    for key in ("rejected", *(("ghost", *VALUES, "probe") if "probe" in rows[0] else ())):
        value = rejected if key == "rejected" else np.array([signal(row, key) for row in rows])
        known = np.isfinite(value.astype(float))
        flag, own = value[known] > (0.75 if key == "probe" else 0.5), bad[known]
        sys.stdout.write(
            f"| {key} | {share(flag[~own])} | {share(flag[own])} | {kappa(flag, own):.2f} "
            f"| {auroc(value[known], own):.2f} |\n"
        )


def reasons(path: Path) -> None:
    rows = [
        row
        for row in csv.DictReader(path.open(encoding="utf-8"))
        if row["believable"] == "no" and row["method"] != "real"
    ]
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
    making.add_argument("--seed", type=int, default=SEED)
    anew = verbs.add_parser("again")
    anew.add_argument("csv", type=Path)
    anew.add_argument("made", type=Path, nargs="+")
    for name in ("agree", "reasons"):
        verbs.add_parser(name).add_argument("csv", type=Path)
    options = arguments.parse_args()
    if options.verb == "make":
        make(options.run, options.name, options.out, options.count, options.first, options.seed)
    elif options.verb == "again":
        again(options.csv, options.made)
    else:
        {"agree": agree, "reasons": reasons}[options.verb](options.csv)


if __name__ == "__main__":
    main()
