"""How cost grows: ingest of very many small files and annotations, and what 10^6 photographs of 2,048 px would take.

``photographs``: ingest of N sound photographs of 48 px, and the same command again, which finds nothing to do;
``coco``: of a COCO file of N annotations, 100 on each photograph of 128 px. Processor time with all children, and
the memory of the largest process.

``stages``: ingest, pool, generate, gate, export and shards of a few photographs of 2,048 px with grain, one thread, at
two counts (two minutes of processor time); what the second took more than the first gives seconds, bytes and files a
photograph, and from these 10^6. Ingest and training are done once. What is generated is painted by an Anomaly-GAN of
two steps, which costs what any costs; what is gated and exported are pasted defects, which pass.

    python benchmarks/growth.py photographs 10000
    python benchmarks/growth.py coco 100000
    python benchmarks/growth.py stages 8 24

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

SIDE, SMALL, OF_COCO = 2048, 48, 128
PER_PHOTOGRAPH = 100
KINDS = 64
"""Different photographs among the small ones; each file differs by a mark."""
WANTED = 1_000_000
REAL = 12
"""Defective photographs of 2,048 px, and as many sound ones."""
GROWING = ("pool", "generate", "gate", "export", "shards")
"""What works on as many photographs as are generated; ``ingest`` is divided by what it reads."""


@dataclass(frozen=True)
class Used:
    """Processor seconds with all children, and MiB of the largest process."""

    seconds: float
    mib: float


def grain(side: int, rng: np.random.Generator) -> np.ndarray:
    coarse = rng.uniform(70, 180, (8, 8)).astype(np.float32)
    smooth = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return (smooth + rng.normal(0, 4, (side, side))).clip(0, 255).astype(np.uint8)


def small(count: int, folder: Path, side: int) -> None:
    """``count`` photographs that differ, ``photo/000000.png`` and so on."""
    rng = np.random.default_rng(0)
    kinds = [grain(side, rng) for _ in range(KINDS)]
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = kinds[number % KINDS].copy()
        code = np.frombuffer(number.to_bytes(4, "little"), np.uint8)
        pixels[:4, :8] = np.repeat(np.unpackbits(code).reshape(4, 8) * 255, 1).reshape(4, 8)
        pixels[4:, :] = np.roll(pixels[4:, :], number // KINDS, axis=1)
        (folder / f"{number:07d}.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def coco(annotations: int, folder: Path) -> None:
    """``annotations.json`` with 100 outlines on every photograph beside it."""
    photographs = annotations // PER_PHOTOGRAPH
    small(photographs, folder / "photo", OF_COCO)
    images, rows = [], []
    for number in range(photographs):
        images.append({"id": number + 1, "file_name": f"{number:07d}.png", "width": OF_COCO, "height": OF_COCO})
        for place in range(PER_PHOTOGRAPH):
            x, y = 12 * (place % 10) + 3, 12 * (place // 10) + 3
            outline = [x, y, x + 7, y, x + 7, y + 5, x + 3, y + 8, x, y + 5]
            rows.append(
                {
                    "id": len(rows) + 1,
                    "image_id": number + 1,
                    "category_id": 1 + place % 3,
                    "segmentation": [outline],
                    "bbox": [x, y, 7, 8],
                    "area": 45,
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(("pit", "crack", "dent"), start=1)]
    content = {"images": images, "annotations": rows, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(content))


def run(*words: object) -> Used:
    """One command of ours; exit code 1 is a failed check, and an answer."""
    command = [sys.executable, "-m", "anomaly_gan", *map(str, words)]
    around = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(command, env=around, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1) or "Traceback" in said:
        sys.exit(f"{' '.join(command)}: {said[-2000:]}")
    return Used(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def extent(folder: Path) -> tuple[int, int]:
    """Bytes on disk, of a file with several names a name's share, and files."""
    files = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return round(sum(file.st_blocks * 512 / file.st_nlink for file in files)), len(files)


def ingest(what: str, count: int, folder: Path) -> dict[str, object]:
    source = folder / "source"
    if what == "photographs":
        small(count, source / "good", SMALL)
        told = ["--format", "mask-png", "--set", "normal=[good]"]
    else:
        coco(count, source)
        told = ["--format", "coco"]
    used = run("ingest", source, "--out", folder / "out", *told)
    again = run("ingest", source, "--out", folder / "out", *told)
    return {
        what: count,
        "seconds": round(used.seconds, 1),
        "again": round(again.seconds, 1),
        "ms_each": round(1000 * used.seconds / count, 3),
        "mib": round(used.mib),
        "bytes": extent(folder / "out")[0],
    }


def large(folder: Path) -> None:
    """Sound photographs of 2,048 px, and some with a mask beside each."""
    rng = np.random.default_rng(1)
    for name in ("good", "crack"):
        (folder / name).mkdir(parents=True)
        for number in range(REAL):
            pixels = grain(SIDE, rng)
            if name == "crack":
                mask = np.zeros((SIDE, SIDE), np.uint8)
                x, y = (int(value) for value in rng.integers(200, SIDE - 200, 2))
                cv2.ellipse(mask, (x, y), (30, 8), float(rng.uniform(0, 180)), 0, 360, 255, -1)
                pixels[mask > 0] //= 2
                cv2.imwrite(str(folder / name / f"{number:03d}_mask.png"), mask)
            cv2.imwrite(str(folder / name / f"{number:03d}.png"), pixels)


@dataclass(frozen=True)
class Cost:
    """Of one stage, in all or a photograph: processor seconds, MiB of the largest process, bytes and files left."""

    seconds: float
    mib: float
    bytes: float
    files: float

    def more_than(self, fewer: Cost, photographs: int) -> Cost:
        """A photograph's share of what this took more; memory as it is."""
        shares = (max(0.0, (mine - its) / photographs) for mine, its in zip(self._sums, fewer._sums, strict=True))
        seconds, size, files = shares
        return Cost(seconds, self.mib, size, files)

    @property
    def _sums(self) -> tuple[float, float, float]:
        return self.seconds, self.bytes, self.files


def stages(counts: list[int], folder: Path) -> dict[str, object]:
    """Seconds, MiB, bytes and files of each stage at both counts, and a photograph's share of what grew."""
    large(folder / "photos")
    few, many = counts
    out, pools = folder / "run", folder / "few"
    once = {name: stage(name, out, settings(folder, many)) for name in ("ingest", "pool", "train")}
    stage("ingest", pools, settings(folder, few))
    found = {few: {"pool": stage("pool", pools, settings(folder, few))}, many: {"pool": once["pool"]}}
    for count in counts:
        for method in ("copy_paste", "anomaly_gan"):
            found[count]["generate"] = verb("generate", out, method, "--count", count, "--threads", 1)
        for name in ("gate", "export"):
            found[count][name] = verb(name, out, "copy_paste")
        words = ("export", "--run", out / "export@copy_paste", "--shards", 1000, "--out", folder / f"shards{count}")
        found[count]["shards"] = cost("shards", run(*words), [folder / f"shards{count}"])
    each = {name: found[many][name].more_than(found[few][name], many - few) for name in GROWING}
    each["ingest"] = once["ingest"].more_than(Cost(0, 0, 0, 0), 2 * REAL)
    million = {
        name: {
            "hours": round(row.seconds * WANTED / 3600, 1),
            "GB": round(row.bytes * WANTED / 1e9),
            "files": round(row.files * WANTED),
            "mib": round(row.mib),
        }
        for name, row in each.items()
    }
    return {"each": {name: vars(row) for name, row in each.items()}, "million": million}


def settings(folder: Path, masks: int) -> Path:
    """The run's configuration, with so many masks in the pool."""
    config = folder / f"{masks}.yaml"
    content = {
        "data": {"root": str(folder / "photos"), "format": "mask-png", "normal": ["good"]},
        "train": {"steps": 2, "threads": 1},
        "train_methods": {"anomaly_gan": {"aware_steps": 2}},
        "pool": {"count": masks},
        "gate": {"on_fail": "keep"},
        "compare": {"arms": ["none", "copy_paste", "anomaly_gan"]},
        "device": "cpu",
    }
    config.write_text(json.dumps(content))
    return config


def stage(name: str, out: Path, config: Path) -> Cost:
    return cost(name, run("run", config, "--out", out, "--from", name, "--to", name), list(out.glob(f"{name}*")))


def verb(name: str, out: Path, method: str, *more: object) -> Cost:
    return cost(name, run(name, "--run", out, "--method", method, *more), [out / f"{name}@{method}"])


def cost(name: str, used: Used, folders: list[Path]) -> Cost:
    size, files = map(sum, zip((0, 0), *map(extent, folders), strict=True))
    sys.stdout.write(f"{name:>8}: {used.seconds:6.1f} s, {used.mib:5.0f} MiB, {files} files\n")
    sys.stdout.flush()
    return Cost(used.seconds, used.mib, size, files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("photographs", "coco", "stages"))
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--folder", type=Path, help="where to work; default: the system's place for temporary files")
    given = parser.parse_args()
    if len(given.counts) != (2 if given.what == "stages" else 1):
        parser.error("stages takes two counts, photographs and coco take one")
    with tempfile.TemporaryDirectory(dir=given.folder) as temporary:
        folder = Path(temporary)
        done = stages(given.counts, folder) if given.what == "stages" else ingest(given.what, given.counts[0], folder)
    sys.stdout.write(json.dumps(done) + "\n")


if __name__ == "__main__":
    main()
