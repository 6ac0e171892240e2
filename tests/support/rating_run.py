"""A small run folder for the rating page: photographs, drawings on them, a pool, a gate; and a real server on it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.files import sha256_bytes, write_json, write_text
from anomaly_gan.core.images import read_pixels, write_png

SIDE = 48
KINDS = ("crack", "scrap")
SERVER = """
import sys
from pathlib import Path
from mask_pool.rating.config import RateConfig
from mask_pool.rating.server import serve
serve(Path(sys.argv[1]), RateConfig.model_validate_json(sys.argv[3]), what=sys.argv[2],
      say=lambda text: print(text, flush=True))
"""


def make_run(folder: Path, masks: int = 8) -> Path:
    """``masks`` drawings and pool items, and as many real and accepted generated defect photographs."""
    rng = np.random.default_rng(3)
    ingest: tuple[list[ImageRecord], list[Annotation]] = ([], [])
    gate: tuple[list[ImageRecord], list[Annotation]] = ([], [])
    pool: tuple[list[ImageRecord], list[Annotation]] = ([], [])

    def add(
        to: tuple[list[ImageRecord], list[Annotation]],
        root: str,
        name: str,
        source: str,
        kind: int | None,
        extra: dict[str, Any] | None = None,
        split: str = "train",
    ) -> None:
        pixels = rng.integers(90, 130, (SIDE, SIDE)).astype(np.uint8)
        sha256 = sha256_bytes(write_png(folder / root / "images" / name, pixels))
        to[0].append(ImageRecord(len(to[0]) + 1, name, SIDE, SIDE, name, split, source, sha256, extra or {}))
        if kind is not None:
            mask_01 = np.zeros((SIDE, SIDE), np.uint8)
            x, y = rng.integers(2, SIDE - 14, 2)
            mask_01[y : y + 9, x : x + 12] = 1
            to[1].append(Annotation.from_mask(len(to[1]) + 1, len(to[0]), kind + 1, mask_01))

    for index in range(masks):
        add(ingest, "ingest", f"normal_{index}.png", "real", None)
        add(ingest, "ingest", f"defect_{index}.png", "real", index % 2)
        add(gate, "gate@anomaly_gan", f"{KINDS[index % 2]}/{index + 1:06d}.png", "synthetic", index % 2)
        add(
            pool,
            "pool",
            f"{KINDS[index % 2]}/{index + 1:06d}.png",
            "synthetic",
            index % 2,
            {"normal_file": f"normal_{index}.png", "category": KINDS[index % 2], "index": index},
        )
    add(ingest, "ingest", "secret_test.png", "real", None, split="test")
    categories = [Category(number, name) for number, name in enumerate(KINDS, 1)]
    for name, rows in (("ingest", ingest), ("gate@anomaly_gan", gate), ("pool", pool)):
        Dataset(*rows, categories, {"mode": "L"}, folder / name).save(folder / name)
    for index in range(masks):
        draw(folder, index, "secret_test" if index == masks else f"normal_{index}")
    draw(folder, masks, "secret_test")
    write_text(folder / "pool" / "config.yaml", f"expert_dir: {folder / 'drawn'}\n")
    return folder


def refuse(gate: Path) -> str:
    """Let the gate have rejected another photograph as well, like its first; the name it goes by in a review."""
    dataset = load_dataset(gate)
    first, name = dataset.images[0], f"{Path(dataset.images[0].file_name).with_suffix('')}-0.png"
    pixels = read_pixels(dataset.path_of(first), gray=True) + np.uint8(1)
    sha256 = sha256_bytes(write_png(gate / "rejected" / "images" / name, pixels))
    provenance = dict(first.extra.get("provenance") or {})
    provenance["gate"] = {"attempt": 0, "rejected": [{"code": "H7", "reason": "nothing is to be seen"}]}
    image = replace(first, file_name=name, sha256=sha256, extra={**first.extra, "provenance": provenance})
    labels = dataset.by_image()[first.id]
    replace(dataset, images=[image], annotations=labels).save(gate / "rejected")
    return f"rejected/{name}"


def draw(folder: Path, index: int, photograph: str, right: float = 30.5) -> None:
    """The labelme file ``drawn/INDEX.json`` with one polygon."""
    write_json(
        folder / "drawn" / f"{index:03d}.json",
        {
            "version": "5.5.0",
            "flags": {},
            "imageData": None,
            "imagePath": f"{photograph}.png",
            "imageHeight": SIDE,
            "imageWidth": SIDE,
            "shapes": [
                {
                    "label": KINDS[index % 2],
                    "shape_type": "polygon",
                    "flags": {},
                    "group_id": None,
                    "points": [[8.0, 8.0], [right, 10.0], [20.0, 35.0]],
                }
            ],
        },
    )


@dataclass
class Running:
    """A server process, and a client of it that keeps the cookie as a browser does."""

    process: subprocess.Popen[str]
    link: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return urlsplit(self.link).port or 0

    def ask(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Status and parsed answer of GET, or of POST where there is a body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(
                "GET" if body is None else "POST",
                path,
                None if body is None else json.dumps(body),
                {**self.headers, **(headers or {}), **({} if body is None else {"content-type": "application/json"})},
            )
            answer = connection.getresponse()
            content = answer.read()
            if answer.getheader("set-cookie"):
                self.headers["cookie"] = str(answer.getheader("set-cookie")).partition(";")[0]
            return answer.status, json.loads(content) if content.startswith((b"{", b"[")) else content
        finally:
            connection.close()

    def enter(self) -> dict[str, Any]:
        """Open the link, as a browser does first of all."""
        parts = urlsplit(self.link)
        self.ask(f"/?{parts.query}")
        session = self.ask("/api/session")[1]
        self.headers |= {"origin": f"http://127.0.0.1:{self.port}", "x-page-token": session["page_token"]}
        return session

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def served(command: list[str]) -> Running:
    """The server that the command starts; it has said its link when this returns."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "http://" in line:
            return Running(process, line[line.index("http://") :].strip())
    raise AssertionError(process.communicate()[1])


def start(run: Path, what: str = "drawings", port: int = 0, **config: Any) -> Running:
    """A real server process on ``run``; ready when this returns."""
    return served([sys.executable, "-c", SERVER, str(run), what, json.dumps({"port": port, **config})])
