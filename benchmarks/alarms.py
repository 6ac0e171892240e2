"""How close can counted false alarms come to the rate asked for, with so many parts? From scores of sound photographs
that a fold's detector has not seen, one table a fold:

    anomaly-gan one-class score GOOD --model MODEL --out SCORES/0      (and so on, fold by fold)
    python benchmarks/alarms.py SCORES/0 SCORES/1 SCORES/2 SCORES/3 --group-regex 'tile([^_]+)_'

One threshold for all folds, the one that flags just the rate asked for of all their photographs and that nobody knows
in advance, is as right as a threshold can be. How far single folds, and draws of whole parts, are then from the rate
is sampling error alone.
"""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path

import numpy as np

from anomaly_gan.core.progress import say

DRAWS = 20_000


def read(folder: Path, pattern: str) -> tuple[np.ndarray, list[str]]:
    """Scores of a folder's ``scores.csv`` and the part that each photograph shows."""
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = [re.search(pattern, Path(row["file"]).name) for row in rows]
    return np.array([float(row["score"]) for row in rows]), [match[1] for match in found if match]


def drawn(hits: np.ndarray, sizes: np.ndarray, parts: int) -> np.ndarray:
    """Alarm rates of ``parts`` whole parts drawn with replacement, ``DRAWS`` times."""
    rows = np.random.default_rng(0).integers(0, len(hits), (DRAWS, parts))
    rates: np.ndarray = hits[rows].sum(axis=1) / sizes[rows].sum(axis=1)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--group-regex", required=True)
    parser.add_argument("--asked", type=float, default=0.05)
    parser.add_argument("--near", type=float, default=0.03)
    options = parser.parse_args()
    folds = [read(folder, options.group_regex) for folder in options.folders]
    threshold = np.quantile(np.concatenate([scores for scores, _ in folds]), 1 - options.asked)
    hits, sizes = [], []
    for folder, (scores, parts) in zip(options.folders, folds, strict=True):
        above = scores > threshold
        for part in sorted(set(parts)):
            mine = np.array([one == part for one in parts])
            hits.append(int(above[mine].sum()))
            sizes.append(int(mine.sum()))
        say(f"{folder}: {above.mean():.1%} of {len(scores)} photographs of {len(set(parts))} parts")
    say(f"{sum(hits)} alarms, all on {sum(one > 0 for one in hits)} of {len(hits)} parts")
    for parts in (len(hits) // len(folds), len(hits), 2 * len(hits)):
        rates = drawn(np.array(hits), np.array(sizes), parts)
        low, high = np.quantile(rates, (0.025, 0.975))
        near = (abs(rates - options.asked) <= options.near).mean()
        say(f"{parts} parts: 95 % of draws {low:.1%} to {high:.1%}, {near:.0%} within {options.near:.0%}")


if __name__ == "__main__":
    main()
