"""A machine with few file handles and no shared memory to speak of; nothing leaves the machine."""

from __future__ import annotations

import json
import os
import re
import resource
from pathlib import Path

from broken_files import encoded, mask, pixels, png, put
from others import in_fork
from PIL import Image

from anomaly_gan.core.stage import Context
from anomaly_gan.ingestion.stage import IngestConfig, run

ROOT = Path(__file__).parents[2]


def source(root: Path, photographs: int) -> Path:
    """Every fifth photograph is a TIFF."""
    for index in range(photographs):
        picture = Image.fromarray(pixels(index))
        name, content = (
            (f"{index}.tif", encoded(picture, "TIFF")) if index % 5 == 0 else (f"{index}.png", png(pixels(index)))
        )
        put(root / "crack" / name, content)
        put(root / "crack" / f"{index}_mask.png", png(mask()))
    return root


def open_handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_forty_handles_are_enough_for_any_number_of_photographs(tmp_path):
    config = IngestConfig(root=str(source(tmp_path / "source", 120)))

    def work():
        before = open_handles()
        room = len(os.listdir("/proc/self/fd")) + 40  # noqa: PTH208 - no handle more than needed
        resource.setrlimit(resource.RLIMIT_NOFILE, (room, room))
        metrics = run(config, Context(0), tmp_path / "out")
        return json.dumps([metrics["accepted"], open_handles() - before])

    code, said = in_fork(work)
    assert code == 0, said
    accepted, more = json.loads(said)
    assert accepted == 120 and more <= 8, "none is left open for each photograph"


def test_nothing_of_ours_needs_shared_memory():
    """Loaders with workers pass their batches through /dev/shm, 64 MB in a container: there are none."""
    used = re.compile(r"shared_memory|/dev/shm|DataLoader\(|num_workers=(?!0)|share_memory_\(")
    found = {
        path.relative_to(ROOT).as_posix()
        for package in ("anomaly_gan", "mask_pool", "detection")
        for path in (ROOT / package).rglob("*.py")
        if used.search(path.read_text(encoding="utf-8"))
    }
    assert found == set()
