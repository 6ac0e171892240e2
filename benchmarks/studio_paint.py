"""How soon a painted defect is there: the studio's painting service, from the request to the PNG of the window.

Colour photographs of 512 pixels, the default generator with weights as they are drawn (that changes no time), masks of
up to 48 pixels. One person alone, then ten who each ask for the next painting as soon as they have seen the last: the
generator paints for one at a time. Seconds by the clock, so nothing else of weight should run.

    python benchmarks/studio_paint.py
    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 python benchmarks/studio_paint.py   # a processor without bf16

The last line is JSON.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from generate import CATEGORY, SIDE, build_inputs, spot

from anomaly_gan.studio.painting import PaintRequest, PaintService, load_sound
from mask_pool.rating.items import Catalogue

PHOTOGRAPHS, ALONE, PEOPLE, EACH = 4, 40, 10, 6


def lengths(mask_01: np.ndarray) -> list[int]:
    """Clear and set pixels in turn, row by row, as the page sends them."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask_01.ravel(), [0]]).astype(int)))
    found: list[int] = np.diff([0, *edges, mask_01.size]).tolist()
    return found


def ask(service: PaintService, number: int) -> float:
    """Seconds until a defect of this number is painted: another photograph, mask, severity and seed each time."""
    listed = service.listing()
    one, rng = listed[number % len(listed)], np.random.default_rng(number)
    mask_01 = spot(SIDE, tuple(int(value) for value in rng.integers(64, SIDE - 64, 2)), rng)
    severity = None if number % 2 else float(rng.random())
    wish = {"photograph": one["id"], "version": one["version"], "method": "anomaly_gan", "category": CATEGORY.name}
    request = PaintRequest.model_validate({**wish, "runs": lengths(mask_01), "severity": severity, "seed": number})
    begin = time.perf_counter()
    service.paint(request)
    return time.perf_counter() - begin


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        run = Path(temporary)
        build_inputs(run, PHOTOGRAPHS)
        service = PaintService(run, Catalogue(lambda: load_sound(run), "salt"), "cpu")
        first = ask(service, 0)
        alone = [ask(service, number) for number in range(1, ALONE)]
        with ThreadPoolExecutor(PEOPLE) as people:
            together = list(people.map(lambda number: ask(service, number), range(ALONE, ALONE + PEOPLE * EACH)))
    found = {"first_s": first}
    for name, times in (("alone", alone), (f"{PEOPLE} people", together)):
        found |= {f"{name} {share} %": float(np.quantile(times, share / 100)) for share in (50, 95, 100)}
    sys.stdout.write(json.dumps({name: round(value, 3) for name, value in found.items()}) + "\n")


if __name__ == "__main__":
    main()
