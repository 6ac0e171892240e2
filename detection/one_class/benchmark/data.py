"""The image sets with classes: the packs of this project, or the standard files, as uint8 arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from anomaly_gan.core.errors import ConfigError, InputError

from .standard_files import read_cifar_batches, read_idx_pair, read_npz

NAMES = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": (
        "t-shirt",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle-boot",
    ),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "coil20": tuple(f"obj{number}" for number in range(1, 21)),
}
IDX_FOLDERS = {
    "mnist": ("", "mnist", "MNIST", "MNIST/raw", "mnist/raw"),
    "fashion_mnist": ("", "fashion_mnist", "fashion-mnist", "FashionMNIST", "FashionMNIST/raw", "fashion_mnist/raw"),
}
SIDE = {"mnist": 32, "fashion_mnist": 32, "cifar10": 32, "coil20": 128}
POSE_PERIOD = 4
"""COIL-20 has no official split: of the 72 poses, ten degrees of arc apart at most, every fourth is for testing."""


@dataclass(frozen=True)
class Labelled:
    """``images_NCHW`` uint8, C = 1 or 3; ``labels`` (N,) int64 into ``names``; ``groups``: the object each shows."""

    images_NCHW: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    groups: list[str] | None = None

    def __len__(self) -> int:
        return len(self.labels)


def load(dataset: str, root: Path | None) -> tuple[Labelled, Labelled]:
    """(training, test) images of a data set with classes: 28 x 28 padded by 2 to 32 x 32, COIL-20 128 x 128.

    Raises:
        ConfigError: no root, or a data set without classes.
        InputError: MISSING, no file of it under ``root``; FORMAT, a file is broken, cut off or of another kind.
    """
    if dataset not in NAMES:
        raise ConfigError(f"--dataset {dataset}: has no classes of its own")
    if root is None:
        raise ConfigError("data.root: not set; say --set data.root=DIR, the folder that the data lie in")
    if not root.is_dir():
        raise InputError(str(root), "MISSING", "no such folder", "set data.root to the folder that the data lie in")
    return LOADERS[dataset](dataset, root)


def _gray_squares(dataset: str, root: Path) -> tuple[Labelled, Labelled]:
    pack = root / f"{dataset}.npz"
    if pack.is_file():
        arrays = read_npz(pack, ("x_train", "y_train", "x_test", "y_test"))
        parts = [(arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])]
        where = str(pack)
    else:
        folder = next((root / name for name in IDX_FOLDERS[dataset] if _idx_file(root / name, "train-images")), None)
        if folder is None:
            raise InputError(
                str(root),
                "MISSING",
                f"holds neither {dataset}.npz nor train-images-idx3-ubyte[.gz]",
                "set data.root to the folder that the data lie in",
            )
        parts = [
            read_idx_pair(_needed(folder, f"{part}-images"), _needed(folder, f"{part}-labels"))
            for part in ("train", "t10k")
        ]
        where = str(folder)
    return _pair(parts, dataset, where, lambda images: np.pad(images, ((0, 0), (2, 2), (2, 2)))[:, None])


def _idx_file(folder: Path, stem: str) -> Path | None:
    kind = "idx3" if stem.endswith("images") else "idx1"
    for name in (f"{stem}-{kind}-ubyte", f"{stem}.{kind}-ubyte", f"{stem}-{kind}-ubyte.gz"):
        if (folder / name).is_file():
            return folder / name
    return None


def _needed(folder: Path, stem: str) -> Path:
    found = _idx_file(folder, stem)
    if found is None:
        raise InputError(str(folder / stem), "MISSING", "no such idx file", "the four files belong together")
    return found


def _cifar10(dataset: str, root: Path) -> tuple[Labelled, Labelled]:
    pack = root / "cifar10_jpeg.npz"
    if pack.is_file():
        parts = [_jpeg_bodies(pack, part) for part in ("train", "test")]
        return _pair(parts, dataset, str(pack), lambda images: images)
    for folder in (root / "cifar-10-batches-py", root / "cifar10" / "cifar-10-batches-py", root):
        if (folder / "data_batch_1").is_file():
            parts = [
                read_cifar_batches([folder / f"data_batch_{number}" for number in range(1, 6)]),
                read_cifar_batches([folder / "test_batch"]),
            ]
            return _pair(parts, dataset, str(folder), lambda images: images)
    raise InputError(
        str(root),
        "MISSING",
        "holds neither cifar10_jpeg.npz nor cifar-10-batches-py",
        "unpack cifar-10-python.tar.gz there, or set data.root to where it is",
    )


def _jpeg_bodies(pack: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images stored as JPEG bodies behind common headers -> ((N, 3, H, W) RGB, labels)."""
    arrays = read_npz(pack, ("heads", "heads_len", f"body_{part}", f"len_{part}", f"head_{part}", f"y_{part}"))
    heads = np.split(arrays["heads"], np.cumsum(arrays["heads_len"])[:-1])
    body, which = arrays[f"body_{part}"], arrays[f"head_{part}"]
    ends = np.cumsum(arrays[f"len_{part}"].astype(np.int64))
    broken = InputError(f"{pack}[{part}]", "FORMAT", "lengths and bodies do not fit", "fetch the pack again")
    if len(ends) == 0 or ends[-1] != len(body) or len(which) != len(ends) or which.max(initial=0) >= len(heads):
        raise broken
    images = np.empty((len(ends), 3, 32, 32), np.uint8)
    for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        pixels = cv2.imdecode(np.concatenate([heads[which[number]], body[start:end]]), cv2.IMREAD_COLOR)
        if pixels is None or pixels.shape != (32, 32, 3):
            raise InputError(
                f"{pack}[{part} {number}]", "A12", "does not decode as a 32 x 32 image", "fetch the pack again"
            )
        images[number] = pixels[..., ::-1].transpose(2, 0, 1)
    return images, arrays[f"y_{part}"]


def _coil20(dataset: str, root: Path) -> tuple[Labelled, Labelled]:
    pack = root / "coil20.npz"
    if pack.is_file():
        arrays = read_npz(pack, ("x", "y", "pose"))
        images, labels, poses = arrays["x"], arrays["y"], arrays["pose"]
    else:
        images, labels, poses = _coil_folder(root)
        pack = root
    if not len(images) == len(labels) == len(poses):
        raise InputError(str(pack), "FORMAT", "images, objects and poses differ in number", "fetch the set again")
    late = poses % POSE_PERIOD == POSE_PERIOD - 1
    parts = [(images[~late], labels[~late]), (images[late], labels[late])]
    return _pair(parts, dataset, str(pack), lambda array: array[:, None])


def _coil_folder(root: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The files as published: ``objA__B.png``, object A from 1, pose B from 0."""
    for folder in (root / "coil-20-proc", root / "coil20", root):
        files = sorted(folder.glob("obj*__*.png"))
        if files:
            break
    else:
        raise InputError(
            str(root),
            "MISSING",
            "holds neither coil20.npz nor obj1__0.png and its like",
            "set data.root to the folder that the data lie in",
        )
    images, numbers = [], []
    for path in files:
        item, _, pose = path.stem.removeprefix("obj").partition("__")
        pixels = cv2.imdecode(np.frombuffer(path.read_bytes() or b"\0", np.uint8), cv2.IMREAD_GRAYSCALE)
        if pixels is None or pixels.shape != (128, 128) or not (item.isdigit() and pose.isdigit()):
            raise InputError(str(path), "A12", "is no 128 x 128 image named objA__B.png", "fetch the set again")
        images.append(pixels)
        numbers.append((int(item) - 1, int(pose)))
    labels, poses = np.array(numbers, np.int64).T
    return np.stack(images), labels, poses


def _pair(
    parts: list[tuple[np.ndarray, np.ndarray]], dataset: str, where: str, shape: Callable[[np.ndarray], np.ndarray]
) -> tuple[Labelled, Labelled]:
    """Checked and brought into (N, C, H, W)."""
    names, side = NAMES[dataset], SIDE[dataset]
    result = []
    for images, labels in parts:
        if (
            images.dtype != np.uint8
            or images.ndim < 3
            or len(images) == 0
            or labels.shape != (len(images),)
            or not np.issubdtype(labels.dtype, np.integer)
        ):
            raise InputError(
                where,
                "FORMAT",
                f"images {images.dtype}{list(images.shape)} and labels {labels.dtype}{list(labels.shape)} do not fit",
                "fetch the set again",
            )
        shaped = np.ascontiguousarray(shape(images))
        if shaped.shape[1] not in (1, 3) or shaped.shape[2:] != (side, side):
            raise InputError(
                where,
                "FORMAT",
                f"images of shape {list(images.shape[1:])} are not those of {dataset}",
                "check what lies there",
            )
        if labels.min() < 0 or labels.max() >= len(names):
            raise InputError(
                where,
                "K3",
                f"labels {labels.min()} to {labels.max()}, must be 0 to {len(names) - 1}",
                "check what lies there",
            )
        result.append(Labelled(shaped, labels.astype(np.int64), names))
    return result[0], result[1]


LOADERS: dict[str, Callable[[str, Path], tuple[Labelled, Labelled]]] = {
    "mnist": _gray_squares,
    "fashion_mnist": _gray_squares,
    "cifar10": _cifar10,
    "coil20": _coil20,
}
