"""Public image sets: read as they come, refused by name where they are broken, and never a line of code run."""

import gzip
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from anomaly_gan.core.errors import ConfigError, InputError
from detection.one_class.benchmark import data as data_module
from detection.one_class.benchmark.data import load
from detection.one_class.benchmark.standard_files import read_idx


def digits(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 28, 28), np.uint8), (np.arange(count) % 10).astype(np.uint8)


def write_npz(root, name="mnist", **changes):
    (x_train, y_train), (x_test, y_test) = digits(40), digits(20, 1)
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test, **changes}
    np.savez(root / f"{name}.npz", **arrays)
    return arrays


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def write_idx(folder, packed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for part, (images, labels) in (("train", digits(40)), ("t10k", digits(20, 1))):
        for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
            else:
                (folder / name).write_bytes(idx_bytes(array))


def write_cifar(folder):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(2)
    rows = rng.integers(0, 256, (6, 20, 3072), np.uint8)
    for name, pixels in zip([*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"], rows, strict=True):
        batch = {
            b"batch_label": name.encode(),
            b"labels": [place % 10 for place in range(20)],
            b"data": pixels,
            b"filenames": [b"a.png"] * 20,
        }
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    return rows


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("folder", ["", "MNIST/raw"])
def test_idx_files_say_what_the_pack_says(tmp_path: Path, packed: bool, folder: str) -> None:
    (tmp_path / "pack").mkdir()
    write_npz(tmp_path / "pack")
    write_idx(tmp_path / "idx" / folder, packed)
    for ours, theirs in zip(load("mnist", tmp_path / "pack"), load("mnist", tmp_path / "idx"), strict=True):
        assert np.array_equal(ours.images_NCHW, theirs.images_NCHW)
        assert np.array_equal(ours.labels, theirs.labels)


def test_small_squares_gain_a_black_margin_of_two(tmp_path: Path) -> None:
    arrays = write_npz(tmp_path)
    train, test = load("mnist", tmp_path)
    assert train.images_NCHW.shape == (40, 1, 32, 32) and test.images_NCHW.shape == (20, 1, 32, 32)
    assert np.array_equal(train.images_NCHW[:, 0, 2:30, 2:30], arrays["x_train"])
    assert train.images_NCHW[:, :, :2].max() == 0 and train.images_NCHW[:, :, :, 30:].max() == 0
    assert train.labels.dtype == np.int64 and train.names == tuple("0123456789")


def test_cifar_batches_give_planes_of_rgb(tmp_path: Path) -> None:
    rows = write_cifar(tmp_path / "cifar-10-batches-py")
    train, test = load("cifar10", tmp_path)
    assert train.images_NCHW.shape == (100, 3, 32, 32) and test.images_NCHW.shape == (20, 3, 32, 32)
    assert np.array_equal(train.images_NCHW[25].reshape(-1), rows[1, 5])
    assert np.array_equal(test.labels, np.arange(20) % 10)
    assert [len(part) for part in load("cifar10", tmp_path / "cifar-10-batches-py")] == [100, 20]


class Touch:
    """A pickle that would leave a file behind if it were obeyed."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_batch_that_names_a_function_is_refused_and_not_obeyed(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    canary = tmp_path / "canary"
    (tmp_path / "data_batch_3").write_bytes(pickle.dumps({b"data": Touch(canary), b"labels": []}, protocol=2))
    with pytest.raises(InputError, match=r"data_batch_3: FORMAT: .*it names"):
        load("cifar10", tmp_path)
    assert not canary.exists()


@pytest.mark.parametrize(
    "batch",
    [
        b"",
        b"\x80",
        pickle.dumps([1, 2]),
        pickle.dumps({b"labels": [0]}),
        pickle.dumps({b"data": b"x", b"labels": [0]}),
        pickle.dumps({b"data": np.zeros((2, 3072)), b"labels": [0, 1]}, protocol=2),
        pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]}, protocol=2),
        pickle.dumps({b"data": np.array([None, 1]), b"labels": [0]}, protocol=2),
        pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": ["a", "b"]}, protocol=2),
    ],
)
def test_broken_batches(tmp_path: Path, batch: bytes) -> None:
    write_cifar(tmp_path)
    (tmp_path / "test_batch").write_bytes(batch)
    with pytest.raises(InputError, match="test_batch: FORMAT"):
        load("cifar10", tmp_path)


def test_every_cut_of_a_batch_is_refused(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    whole = (tmp_path / "test_batch").read_bytes()
    for length in range(0, len(whole), 4999):
        (tmp_path / "test_batch").write_bytes(whole[:length])
        with pytest.raises(InputError, match="FORMAT"):
            load("cifar10", tmp_path)


def test_jpeg_bodies_are_decoded_to_rgb(tmp_path: Path) -> None:
    def bodies(count):
        files = []
        for number in range(count):
            picture = np.zeros((32, 32, 3), np.uint8)
            picture[..., 2] = 200  # OpenCV's order: this is red
            picture[: 2 * number] = 30
            files.append(cv2.imencode(".jpg", picture)[1])
        return files

    def fields(part, count):
        files = bodies(count)
        return {
            f"body_{part}": np.concatenate([file[2:] for file in files]),
            f"len_{part}": np.array([len(file) - 2 for file in files], np.uint16),
            f"head_{part}": np.zeros(count, np.uint8),
            f"y_{part}": np.arange(count, dtype=np.uint8),
        }

    heads = {"heads": np.array([255, 216], np.uint8), "heads_len": np.array([2], np.int32)}
    whole = {**heads, **fields("train", 4), **fields("test", 3)}
    np.savez(tmp_path / "cifar10_jpeg.npz", **whole)
    train, test = load("cifar10", tmp_path)
    assert train.images_NCHW.shape == (4, 3, 32, 32) and len(test) == 3
    assert abs(int(train.images_NCHW[0, 0].mean()) - 200) < 5 and train.images_NCHW[0, 2].mean() < 5
    np.savez(tmp_path / "cifar10_jpeg.npz", **{**whole, "body_test": whole["body_test"][:-1]})
    with pytest.raises(InputError, match=r"\[test\]: FORMAT"):
        load("cifar10", tmp_path)


def test_coil_has_every_fourth_pose_for_testing_in_pack_and_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    pictures = rng.integers(0, 256, (20, 8, 128, 128), np.uint8)
    (tmp_path / "pack").mkdir()
    np.savez(
        tmp_path / "pack" / "coil20.npz",
        x=pictures.reshape(-1, 128, 128),
        y=np.repeat(np.arange(20), 8),
        pose=np.tile(np.arange(8), 20),
    )
    folder = tmp_path / "files" / "coil-20-proc"
    folder.mkdir(parents=True)
    for item in range(20):
        for pose in range(8):
            cv2.imwrite(str(folder / f"obj{item + 1}__{pose}.png"), pictures[item, pose])
    for root in (tmp_path / "pack", tmp_path / "files"):
        train, test = load("coil20", root)
        assert (len(train), len(test)) == (120, 40)
        mine = test.images_NCHW[test.labels == 6][:, 0]
        assert {picture.tobytes() for picture in mine} == {pictures[6, 3].tobytes(), pictures[6, 7].tobytes()}
    (folder / "obj3__5.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"obj3__5.png: A12"):
        load("coil20", tmp_path / "files")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"y_train": np.full(40, 10, np.uint8)}, "K3"),
        ({"y_test": np.zeros(19, np.uint8)}, "FORMAT"),
        ({"x_test": np.zeros((20, 28, 28), np.float32)}, "FORMAT"),
        ({"x_test": np.zeros((20, 30, 30), np.uint8)}, "FORMAT"),
        ({"x_test": np.zeros((0, 28, 28), np.uint8), "y_test": np.zeros(0, np.uint8)}, "FORMAT"),
        ({"y_test": np.zeros(20)}, "FORMAT"),
        ({"x_train": np.array([{"a": 1}] * 40, dtype=object)}, "FORMAT"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, changes: dict[str, np.ndarray], said: str) -> None:
    write_npz(tmp_path, **changes)
    with pytest.raises(InputError, match=f"mnist.npz: {said}"):
        load("mnist", tmp_path)


def test_half_and_foreign_archives(tmp_path: Path) -> None:
    write_npz(tmp_path)
    whole = (tmp_path / "mnist.npz").read_bytes()
    for content in (
        b"",
        whole[:100],
        whole[: len(whole) // 2],
        whole[:-30],
        b"PK" + bytes(100),
        pickle.dumps({"x_train": 1}),
    ):
        (tmp_path / "mnist.npz").write_bytes(content)
        with pytest.raises(InputError, match=r"mnist.npz: FORMAT"):
            load("mnist", tmp_path)
    np.savez(tmp_path / "mnist.npz", x_train=np.zeros(3))
    with pytest.raises(InputError, match="holds no array y_train"):
        load("mnist", tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08\x03",
        bytes([0, 0, 9, 3]) + bytes(12),
        idx_bytes(np.zeros((3, 28, 28), np.uint8))[:-1],
        idx_bytes(np.zeros((3, 28, 28), np.uint8)) + b"x",
        bytes([0, 0, 8, 3]) + b"\xff" * 12,
    ],
)
def test_broken_idx_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(InputError, match="FORMAT"):
        read_idx(path, 3)
    packed = tmp_path / "cut.gz"
    packed.write_bytes(gzip.compress(content or b"nothing")[:-9])
    with pytest.raises(InputError, match=r"cut.gz: FORMAT"):
        read_idx(packed, 3)


def test_idx_sets_with_a_file_missing_or_another_count(tmp_path: Path) -> None:
    write_idx(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(3, np.uint8)))
    with pytest.raises(InputError, match="3 labels for 20 images"):
        load("mnist", tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match="t10k-labels: MISSING"):
        load("mnist", tmp_path)


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist", "cifar10", "coil20"])
def test_nothing_there(tmp_path: Path, dataset: str) -> None:
    with pytest.raises(InputError, match="MISSING"):
        load(dataset, tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        load(dataset, tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"data\.root"):
        load(dataset, None)


def test_every_set_has_its_names_and_side() -> None:
    assert set(data_module.NAMES) == set(data_module.SIDE) == set(data_module.LOADERS)
