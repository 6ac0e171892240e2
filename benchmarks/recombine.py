"""Recombining masks: a straightforward loop against ``mask_pool.recombination.many.recombine_many``, in one run.

Both sides get the same draws and write the same annotations. The plain loop warps the whole frame, encodes it with
pycocotools and writes with ``json.dump``; ours warps an element's own box, takes the run-lengths from it and writes
with orjson. They take turns, chunk by chunk; every mask is compared pixel for pixel (outside the timing). ``ratio``
is of wall times, ``cpu_ratio`` of processor times, which a busy machine disturbs less; ``two_cores_per_s`` is with
processes that run already.

    python benchmarks/recombine.py                     # 10,000 masks at 512 x 512
    python benchmarks/recombine.py --quick

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from mask_pool.elements.real import Element, tight
from mask_pool.recombination.many import BLOCK, INVERSE_LINEAR, Turns, draw_block, forward, hulls_of, recombine_many


def elements_of(size: int, number: int = 24) -> list[Element]:
    """Blobs and cracks, between a twentieth and a third of the frame wide, as masks of frames of ``size`` pixels."""
    rng = np.random.default_rng(11)
    elements = []
    for index in range(number):
        mask = np.zeros((size, size), np.uint8)
        reach = size * rng.uniform(0.025, 0.16)
        steps = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        radius = reach * (1 + 0.35 * np.sin(steps * rng.integers(2, 6) + rng.uniform(0, 6)))
        if index % 3:
            points = size / 2 + np.stack([radius * np.cos(steps), 0.6 * radius * np.sin(steps)], axis=1)
            cv2.fillPoly(mask, [points.astype(np.int32)], 1)
            cv2.circle(mask, (size // 2, size // 2), max(1, int(reach / 5)), 0, -1)
        else:
            line = size / 2 + np.stack([np.linspace(-reach, reach, 9), rng.normal(0, reach / 6, 9)], axis=1)
            cv2.polylines(mask, [line.astype(np.int32)], False, 1, int(rng.integers(3, 7)))
        box, bitmap = tight(mask)
        elements.append(
            Element("prior", "benchmark", index + 1, f"{index}.png", f"g{index}", (size, size), box, bitmap)
        )
    return elements


def plain_chunk(
    elements: list[Element],
    sources: list[np.ndarray],
    hulls: np.ndarray,
    first: int,
    count: int,
    size: int,
    seed: int,
    path: Path,
) -> None:
    """The straightforward loop for ``count`` masks of one block."""
    corners = np.array([element.box[:2] for element in elements], float)
    draws = draw_block(hulls, (size, size), seed, first // BLOCK, Turns())
    affines = forward(draws, corners).tolist()
    annotations = []
    for index in range(first, first + count):
        at = index % BLOCK
        number = int(draws.element[at])
        # frame pixel -> parent pixel: the box's inverse, moved by two whole numbers of pixels
        inverse = draws.inverse[at].copy()
        inverse[:, 2] += corners[number] - inverse[:, :2] @ draws.corner_xy[at]
        warped = cv2.warpAffine(sources[number], inverse, (size, size), flags=INVERSE_LINEAR)
        mask = (warped > 127).astype(np.uint8)
        rle = coco_mask.encode(np.asfortranarray(mask))
        element = elements[number]
        annotations.append(
            {
                "id": index + 1,
                "image_id": index + 1,
                "category_id": 1,
                "iscrowd": 0,
                "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()},
                "bbox": [int(side) for side in coco_mask.toBbox(rle)],
                "area": int(coco_mask.area(rle)),
                "provenance": {
                    "kind": element.kind,
                    "parent": element.parent,
                    "parent_image": element.parent_image,
                    "parent_group": element.parent_group,
                    "expert_score": None,
                    "raters": {},
                    "affine": affines[at],
                    "transforms": {
                        "rotation_deg": float(draws.degrees[at]),
                        "scale": float(draws.scale[at]),
                        "flip": bool(draws.flip[at]),
                    },
                    "seed": seed,
                },
            }
        )
    with path.open("w") as stream:
        json.dump(annotations, stream)


def our_chunk(
    elements: list[Element], first: int, count: int, size: int, seed: int, path: Path, executor: Executor | None = None
) -> None:
    lines = recombine_many(elements, count, (size, size), seed, start=first, executor=executor)
    path.write_bytes(b"[" + b",\n".join(lines) + b"]")


def same(first: Path, second: Path) -> bool:
    """Whether two files hold the same annotations; masks are compared by pixel."""
    ours, plain = json.loads(first.read_text()), json.loads(second.read_text())
    for one, other in zip(ours, plain, strict=True):
        masks = [
            coco_mask.decode({**each["segmentation"], "counts": each["segmentation"]["counts"].encode()})
            for each in (one, other)
        ]
        if not np.array_equal(*masks) or one != other:
            return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="1,024 masks")
    options = parser.parse_args()
    count = 1024 if options.quick else options.count
    cv2.setNumThreads(1)
    elements = elements_of(options.size)
    sources = [element.full_mask() * np.uint8(255) for element in elements]
    hulls = hulls_of(elements)
    times: dict[str, list[float]] = {"plain": [], "ours": []}
    processor: dict[str, list[float]] = {"plain": [], "ours": []}
    identical = True
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(options.jobs, initializer=_alone) as pool:
        paths = {side: Path(folder) / f"{side}.json" for side in times}
        plain_chunk(elements, sources, hulls, 0, 32, options.size, options.seed, paths["plain"])
        our_chunk(elements, 0, 32, options.size, options.seed, paths["ours"])
        for turn, first in enumerate(range(0, count, BLOCK)):
            number = min(BLOCK, count - first)
            for side in ("plain", "ours") if turn % 2 else ("ours", "plain"):
                begin, busy = time.perf_counter(), time.process_time()
                if side == "plain":
                    plain_chunk(elements, sources, hulls, first, number, options.size, options.seed, paths[side])
                else:
                    our_chunk(elements, first, number, options.size, options.seed, paths[side])
                times[side].append((time.perf_counter() - begin) / number)
                processor[side].append((time.process_time() - busy) / number)
            identical &= same(paths["ours"], paths["plain"])
        our_chunk(elements, 0, 4 * BLOCK, options.size, options.seed, paths["ours"], pool)
        begin = time.perf_counter()
        our_chunk(elements, 0, count, options.size, options.seed, paths["ours"], pool)
        together = time.perf_counter() - begin
    per_s = {side: 1 / statistics.median(each) for side, each in times.items()}
    sys.stdout.write(f"{count} masks at {options.size} x {options.size}, chunks of {BLOCK}, medians\n")
    for side, rate in per_s.items():
        spread = [1 / each for each in statistics.quantiles(times[side], n=10)]
        sys.stdout.write(f"{side:>6}: {rate:8.0f} masks/s  (tenths {spread[-1]:.0f} to {spread[0]:.0f})\n")
    sys.stdout.write(f"{options.jobs} processes: {count / together:8.0f} masks/s, {together:.2f} s in all\n")
    sys.stdout.write(
        json.dumps(
            {
                "count": count,
                "size": options.size,
                "reference_per_s": round(per_s["plain"], 1),
                "ours_per_s": round(per_s["ours"], 1),
                "ratio": round(per_s["ours"] / per_s["plain"], 2),
                "cpu_ratio": round(statistics.median(processor["plain"]) / statistics.median(processor["ours"]), 2),
                "two_cores_per_s": round(count / together, 1),
                "identical": identical,
            }
        )
        + "\n"
    )
    if not identical:
        sys.exit(1)


def _alone() -> None:
    cv2.setNumThreads(1)


if __name__ == "__main__":
    main()
