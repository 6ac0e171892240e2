"""Standard weight files that are not ours to ship: which they are, where they lie, whether they are whole.

Nothing here is ever fetched on its own: without a file the caller falls back and names its figures accordingly.
The folder is ``$ANOMALY_GAN_WEIGHTS``, else ``~/.cache/anomaly-gan/weights``.
"""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .config import row_of
from .errors import EnvironmentFailure, InputError
from .files import make_folder, sha256_file, sync_folder
from .progress import progress_bar

FOLDER_VARIABLE = "ANOMALY_GAN_WEIGHTS"
CHUNK = 1 << 20
TORCHVISION = "https://download.pytorch.org/models"
TORCHVISION_LICENCE = "BSD-3-Clause (torchvision); trained on {}, whose own terms apply"


@dataclass(frozen=True)
class WeightFile:
    """One public file. ``sha256`` is the whole digest; torchvision's file names carry its first eight digits."""

    file_name: str
    url: str
    licence: str
    purpose: str
    sha256: str


WEIGHTS = {
    "inception_fid": WeightFile(
        "inception-2015-12-05.pt",
        "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
        "Apache-2.0 (TensorFlow's Inception of 2015-12-05; TorchScript translation published by NVIDIA)",
        "FID and KID in clean-fid's definition (else FD-EffLite0 and KID-EffLite0)",
        "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
    ),
    "alexnet_lpips": WeightFile(
        "alexnet-owt-7be5be79.pth",
        f"{TORCHVISION}/alexnet-owt-7be5be79.pth",
        TORCHVISION_LICENCE.format("ImageNet"),
        "trunk of LPIPS (else PD-EffLite0); its linear layers come with the lpips package",
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    ),
    "vgg16": WeightFile(
        "vgg16-397923af.pth",
        f"{TORCHVISION}/vgg16-397923af.pth",
        TORCHVISION_LICENCE.format("ImageNet"),
        "abnormal aware network of Anomaly-GAN at aware_width 64, gray or colour (else trained on the real crops)",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    ),
    "maskrcnn_resnet50_fpn_coco": WeightFile(
        "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
        f"{TORCHVISION}/maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
        TORCHVISION_LICENCE.format("COCO and ImageNet"),
        "start of the Mask R-CNN detector (else EfficientNet-Lite0 features)",
        "bf2d0c1efbc936eeee2bc95a48e80ebc86b891f61b0106485937fc29f9315fc0",
    ),
}


def weights_folder() -> Path:
    """Where weight files are looked for."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser() if named else Path.home() / ".cache" / "anomaly-gan" / "weights"


def row(name: str) -> WeightFile:
    """The table's row.

    Raises:
        ConfigError: no such name; the nearest is offered.
    """
    return row_of(WEIGHTS, name, "weights", "weight file")


def find(name: str, folder: Path | None = None) -> Path | None:
    """The whole, right file, or None where there is none.

    Raises:
        InputError: I6, a file of that name with other bytes.
    """
    weight, path = row(name), (folder or weights_folder()) / row(name).file_name
    if not path.is_file():
        return None
    state = path.stat()
    digest = _digest(path, state.st_size, state.st_mtime_ns)
    if digest != weight.sha256:
        raise InputError(
            str(path),
            "I6",
            f"SHA-256 is {digest[:12]}..., must be {weight.sha256[:12]}...",
            f"remove it and run `anomaly-gan weights fetch {name}`",
        )
    return path


@lru_cache(maxsize=32)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    """Hash once per process and state of the file: these are 90 to 530 MB."""
    return sha256_file(path)


def listing(folder: Path | None = None) -> list[dict[str, Any]]:
    """A dict per row of the table: its fields, ``name``, ``path`` and whether a file is ``present`` there."""
    place = folder or weights_folder()
    rows = [{"name": name, **vars(weight), "path": place / weight.file_name} for name, weight in WEIGHTS.items()]
    return [{**item, "present": item["path"].is_file()} for item in rows]


def check(folder: Path | None = None) -> list[dict[str, object]]:
    """``listing`` with ``state``: ``ok``, ``missing`` or ``damaged`` (and then ``reason``)."""
    rows = []
    for item in listing(folder):
        try:
            item["state"] = "ok" if find(item["name"], folder) else "missing"
        except InputError as error:
            item.update(state="damaged", reason=str(error))
        rows.append(item)
    return rows


def fetch(names: Iterable[str] = (), folder: Path | None = None) -> list[Path]:
    """Download the named files (none named: all) from their public origin; whole files are left alone.

    Raises:
        EnvironmentFailure: no connection, or the folder cannot be written.
        InputError: I6, other bytes arrived; nothing is kept of them.
    """
    place, wanted = folder or weights_folder(), list(names) or list(WEIGHTS)
    chosen = [(name, row(name)) for name in wanted]
    paths = []
    for name, weight in chosen:
        path = place / weight.file_name
        if not path.is_file() or sha256_file(path) != weight.sha256:
            _download(name, weight, path)
        paths.append(path)
    return paths


TRIES = 4


def _download(name: str, weight: WeightFile, path: Path) -> None:
    """Into ``path.part``, which a download that was cut off leaves and the next one goes on with; over ``path`` only
    where the hash is right."""
    part = path.with_name(f"{path.name}.part")
    for attempt in range(TRIES):
        try:
            _append(name, weight, path, part)
            break
        except EnvironmentFailure:
            if attempt == TRIES - 1 or not part.is_file():
                raise
    digest = sha256_file(part)
    if digest != weight.sha256:
        part.unlink()
        raise InputError(
            weight.url,
            "I6",
            f"what arrived has SHA-256 {digest[:12]}..., must be {weight.sha256[:12]}...",
            "try again; nothing was kept",
        )
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.replace(path)
    sync_folder(path.parent)


def _append(name: str, weight: WeightFile, path: Path, part: Path) -> None:
    there = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(weight.url, headers={"Range": f"bytes={there}-"} if there else {})
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # nothing is left to fetch: the hash decides
            raise _unreachable(weight, path, error) from error
        return
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(weight, path, error) from error
    resumed = bool(there) and getattr(answer, "status", None) == 206
    left = int(answer.headers.get("Content-Length") or 0)
    make_folder(part.parent)
    try:
        with answer, part.open("ab" if resumed else "wb") as target, progress_bar(name, left) as bar:
            arrived = 0
            while chunk := _read(answer, weight, path):
                target.write(chunk)
                arrived += len(chunk)
                bar.update(len(chunk))
    except OSError as error:
        raise EnvironmentFailure(f"{part}: cannot be written: {error.strerror or error}") from error
    if left and arrived < left:
        raise _unreachable(weight, path, OSError(f"cut off after {arrived} of {left} bytes"))


def _read(answer: Any, weight: WeightFile, path: Path) -> bytes:
    try:
        return answer.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(weight, path, error) from error


def _unreachable(weight: WeightFile, path: Path, error: Exception) -> EnvironmentFailure:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return EnvironmentFailure(
        f"{weight.url}: cannot be fetched ({reason}): fetch it on a connected machine and copy it to {path.parent}"
    )
