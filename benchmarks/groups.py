"""How well ``ingest --suggest-groups`` finds the photographs of one part: pairs, against a hand-made table.

    anomaly-gan ingest TILES --format mask-png --suggest-groups groups.csv
    python benchmarks/groups.py groups.csv data/magnetic_tile_groups.csv --column tile

Precision: the share of proposed pairs that stand in one group of the table; recall: the share of the table's pairs that
are proposed. Photographs are told by their file's name; those that only one of the two knows are left out and counted.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from itertools import combinations
from pathlib import Path, PurePosixPath


def groups(path: Path, column: str) -> dict[str, str]:
    """File's name -> its group."""
    with path.open(newline="", encoding="utf-8") as stream:
        return {PurePosixPath(row["file"]).stem: row[column] for row in csv.DictReader(stream)}


def pairs(group_of: dict[str, str]) -> set[tuple[str, str]]:
    members: dict[str, list[str]] = defaultdict(list)
    for name in sorted(group_of):
        members[group_of[name]].append(name)
    return {pair for names in members.values() for pair in combinations(names, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("proposed", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--column", default="group", help="column of the table that names the group")
    given = parser.parse_args()
    proposed, table = groups(given.proposed, "group"), groups(given.table, given.column)
    both = proposed.keys() & table.keys()
    found, true = (pairs({name: side[name] for name in both}) for side in (proposed, table))
    right = len(found & true)
    sys.stdout.write(
        f"{len(both)} photographs in both, {len(proposed.keys() ^ table.keys())} in one\n"
        f"precision {right / max(1, len(found)):.3f} ({right} of {len(found)} pairs)\n"
        f"recall    {right / max(1, len(true)):.3f} ({right} of {len(true)} pairs)\n"
    )


if __name__ == "__main__":
    main()
