"""Large photographs from file to sheet: what every step takes in memory, and what it makes, at native scale.

Photographs of the rendered sample set, mirrored side by side until they fill 2,000 × 2,000 px or a line scan of
500 × 8,000 px, with one real defect each; and photographs of 12 megapixels with five hundred small polygons each, as
labelme writes them. Each step is a program of its own, as a user calls it; its memory is the peak of the process. The
same photographs at their own 256 px stand beside, for most of a peak is what the program itself takes.

    python benchmarks/large.py OUT

``OUT/SIZE.png``: per category two windows at 1:1, sound with the mask and painted. The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.files import write_json, write_text
from anomaly_gan.core.images import encode_png, read_pixels, write_png

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample"
SIZES = {"256 x 256": (256, 256), "2000 x 2000": (2000, 2000), "500 x 8000": (500, 8000)}
TWELVE, POLYGONS, SPECK_PX = (3000, 4000), 500, 14
SOUND, DEFECTIVE, WINDOW, SHOWN = 6, 8, 192, 2
CATEGORIES = ("cloth_strips", "paper_scraps", "screws_A")


def mirrored(tile: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """The tile and its mirror images by turns, from the upper left corner on."""
    rows, columns = (-(-want // have) for want, have in zip(size_hw, tile.shape[:2], strict=True))
    strip = np.hstack([tile[:, :: 1 - 2 * (at % 2)] for at in range(columns)])
    whole = np.vstack([strip[:: 1 - 2 * (at % 2)] for at in range(rows)])
    return np.ascontiguousarray(whole[: size_hw[0], : size_hw[1]])


def photographs(folder: Path, size_hw: tuple[int, int], rng: np.random.Generator) -> None:
    """``DEFECTIVE`` photographs of each category with their mask beside them, ``SOUND`` without; every other one is
    turned about, so that a defect lies at any corner."""
    groups = {row["file"]: row for row in csv.DictReader((SAMPLE / "groups.csv").open(encoding="utf-8"))}
    seen: set[str] = set()
    for category in ("normal", *CATEGORIES):
        most = SOUND * len(CATEGORIES) if category == "normal" else DEFECTIVE
        for path in sorted((SAMPLE / category).glob("*.jpg")):
            row = groups[f"{category}/{path.name}"]
            if most == 0 or row["fold"] == "0" or row["group"] in seen:
                continue
            seen.add(row["group"])
            most -= 1
            large, turn = mirrored(read_pixels(path, gray=True), size_hw), bool(rng.integers(2))
            write_png(folder / category / f"{path.stem}.png", large[::-1, ::-1] if turn else large)
            if category != "normal":
                mask, label = np.zeros(size_hw, np.uint8), read_pixels(path.with_suffix(".png"), gray=True)
                mask[: label.shape[0], : label.shape[1]] = label
                write_png(folder / category / f"{path.stem}_mask.png", mask[::-1, ::-1] if turn else mask)


def polygons(folder: Path, rng: np.random.Generator) -> None:
    """Two photographs of 12 megapixels with ``POLYGONS`` polygons each, and a sound one."""
    for name, tile in zip(("a", "b", "sound"), sorted((SAMPLE / "normal").glob("*.jpg")), strict=False):
        shapes = []
        for corner in rng.integers(SPECK_PX, np.array(TWELVE) - 2 * SPECK_PX, (POLYGONS, 2)):
            turns = np.sort(rng.uniform(0, 2 * np.pi, 9))
            ring = corner[::-1] + SPECK_PX / 2 * np.stack([np.cos(turns), np.sin(turns)], axis=1)
            shapes.append({"label": "speck", "shape_type": "polygon", "points": ring.round(1).tolist()})
        write_png(folder / f"{name}.png", mirrored(read_pixels(tile, gray=True), TWELVE))
        record = {"imagePath": f"{name}.png", "imageHeight": TWELVE[0], "imageWidth": TWELVE[1]}
        write_json(folder / f"{name}.json", {**record, "shapes": [] if name == "sound" else shapes})


def peak_mib(*arguments: object) -> int:
    """Run the program and return the peak of its memory, in MiB."""
    command = [sys.executable, "-m", "anomaly_gan", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):  # 1: the gate found something to say
        raise RuntimeError(f"{' '.join(command)}: {said[-2000:]}")
    return round(used.ru_maxrss / 1024)


def steps(run: Path, source: Path) -> dict[str, int]:
    return {
        "ingest": peak_mib("ingest", source, "--format", "mask-png", "--out", run / "ingest", "--test-share", "0.01"),
        "pool": peak_mib("pool", "build", "--run", run, "--set", "count=8"),
        "generate": peak_mib("generate", "--run", run, "--method", "copy_paste", "--set", "count=8"),
        "gate": peak_mib("gate", "--run", run, "--method", "copy_paste"),
        "report": peak_mib("report", run),
    }


def sheet(run: Path) -> np.ndarray:
    """Windows at 1:1 of what ``generate`` made: sound with the mask's outline, and painted."""
    made, train = load_dataset(run / "generate@copy_paste"), load_dataset(run / "ingest")
    bases = {image.file_name: image for image in train.images}
    shown: dict[int, list[np.ndarray]] = {}
    images = {image.id: image for image in made.images}
    for one in made.annotations:
        if len(shown.setdefault(one.category_id, [])) == 2 * SHOWN:
            continue
        image, (x, y, width, height) = images[one.image_id], one.bbox
        painted, mask = read_pixels(made.path_of(image), gray=True), one.mask()
        sound = read_pixels(train.path_of(bases[image.extra["provenance"]["base"]]), gray=True)
        corner = (
            int(np.clip(middle - WINDOW / 2, 0, max(0, side - WINDOW)))
            for middle, side in zip((y + height / 2, x + width / 2), mask.shape, strict=True)
        )
        rows, columns = (slice(at, at + WINDOW) for at in corner)
        lines, _ = cv2.findContours(mask[rows, columns].copy(), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        outlined = cv2.drawContours(np.ascontiguousarray(sound[rows, columns]), lines, -1, 255, 1)
        shown[one.category_id] += [outlined, painted[rows, columns]]
    return np.vstack([np.hstack(parts) for _, parts in sorted(shown.items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    found: dict[str, dict[str, int]] = {}
    for name, size_hw in SIZES.items():
        folder = options.out / name.replace(" ", "")
        photographs(folder / "photographs", size_hw, np.random.default_rng(3))
        found[name] = steps(folder / "run", folder / "photographs")
        sys.stdout.write(f"{name:12s} {found[name]}\n")
        sys.stdout.flush()
        (options.out / f"{folder.name}.png").write_bytes(encode_png(sheet(folder / "run")))
    twelve = options.out / "polygons"
    polygons(twelve / "photographs", np.random.default_rng(3))
    found["3000 x 4000, 500 polygons"] = {
        "ingest": peak_mib("ingest", twelve / "photographs", "--format", "labelme", "--out", twelve / "run" / "ingest"),
        "pool": peak_mib("pool", "build", "--run", twelve / "run", "--set", "count=8"),
    }
    write_text(options.out / "large.json", json.dumps(found) + "\n")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
