"""Render the sample set: ``python data/render --out DIR --seed 7 --counts sample|paper``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
from plan import COUNTS, shots
from write import write_figure, write_set, write_sheet


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python data/render",
        description="Render photographs of train equipment with and without defects.",
        epilog="example: python data/render --out /tmp/sample --counts sample --sheet /tmp/sheet.png",
    )
    parser.add_argument("--out", type=Path, help="folder to write the set into")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same bytes (default 7)")
    parser.add_argument(
        "--counts",
        choices=sorted(COUNTS),
        default="sample",
        help="sample: the embedded set; paper: the counts of the paper's Table 3 and 600 normals",
    )
    parser.add_argument("--size", type=int, help="pixels to the side (default: 256 for sample, 512 for paper)")
    parser.add_argument("--quality", type=int, default=92, help="JPEG quality of the photographs (default 92)")
    parser.add_argument("--sheet", type=Path, help="also write a contact sheet to this PNG file")
    parser.add_argument("--figure", type=Path, help="also write the documentation's picture to this PNG file")
    given = parser.parse_args()
    if not (given.out or given.sheet or given.figure):
        parser.error("nothing to write: give --out, --sheet or --figure")
    if given.size is not None and not 64 <= given.size <= 2048:
        parser.error("--size must be from 64 to 2048")
    if not 1 <= given.quality <= 100:
        parser.error("--quality must be from 1 to 100")
    return given


def main() -> int:
    given = arguments()
    cv2.setNumThreads(1)  # the same bytes whatever the number of cores
    size = given.size or {"sample": 256, "paper": 512}[given.counts]
    plan = list(shots(COUNTS[given.counts]))
    if given.out:
        try:
            written = write_set(given.out, plan, given.seed, size, given.quality)
        except FileExistsError as error:
            sys.stderr.write(f"{error}\n")
            return 2
        sys.stdout.write(f"{len(plan)} photographs ({written / 1e6:.1f} MB) written to {given.out}\n")
    if given.sheet:
        write_sheet(given.sheet, plan, given.seed, size)
        sys.stdout.write(f"contact sheet written to {given.sheet}\n")
    if given.figure:
        write_figure(given.figure, plan, given.seed, size)
        sys.stdout.write(f"figure written to {given.figure}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
