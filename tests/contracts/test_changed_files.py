"""What changed on disk is noticed wherever it is read: photographs, labels, nets; no reader goes around it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from small_run import build_run
from torch import nn

from anomaly_gan.core.config import Config
from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import write_bytes, write_json, write_text
from anomaly_gan.core.images import encode_png, read_pixels, read_record
from anomaly_gan.core.manifest import check_product, damage
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.core.versions import mixture, versions
from anomaly_gan.engine.checkpoint import save_weights
from anomaly_gan.pipeline.status import makers
from anomaly_gan.synthesis.gate.config import ExportConfig
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig
from anomaly_gan.synthesis.methods.painting.generator import load_net
from detection.data import read_resized

ROOT = Path(__file__).parents[2]


@pytest.fixture
def small(tmp_path):
    return build_run(tmp_path / "run", groups=4, exposures=1, per_category=2)


def negative(path: Path) -> None:
    """Other pixels in a file of the same size: only its hash tells."""
    size = path.stat().st_size
    content = encode_png(255 - read_pixels(path, gray=True))
    path.write_bytes((content + b"\0" * size)[:size] if len(content) < size else content)


def test_every_reader_of_a_data_set_verifies():
    plain = {
        path.relative_to(ROOT).as_posix()
        for package in ("anomaly_gan", "mask_pool", "detection")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"\bread_pixels\([^)]*path_of", path.read_text(encoding="utf-8"))
    }
    assert plain == set(), "use core.images.read_record"


def test_a_changed_photograph_stops_generate(small, tmp_path):
    for image in small.ingest.split("train").normals():
        negative(small.ingest.path_of(image))
    context = Context(0, "cpu", small.inputs())
    with pytest.raises(InputError, match="A13: has changed"):
        run_stage("generate", generate.run, GenerateConfig(method="copy_paste", count=1), context, tmp_path / "out")


def test_a_changed_test_photograph_stops_a_detector(small):
    test = small.ingest.split("test")
    negative(test.path_of(test.images[0]))
    with pytest.raises(InputError, match="A13: has changed"):
        read_resized(test, test.images[0], 64)
    assert read_record(test, test.images[1], gray=True).dtype == np.uint8


def net_of(folder: Path) -> Path:
    def work(config, context, out):
        save_weights(nn.Linear(3, 2), out / "generator.safetensors")
        return {}

    run_stage("train", work, ExportConfig(), Context(0), folder)
    return folder / "generator.safetensors"


def test_a_changed_net_is_not_loaded(tmp_path):
    path = net_of(tmp_path / "train")
    load_net(nn.Linear(3, 2), tmp_path / "train", "cpu")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"generator\.safetensors: A13: has changed"):
        load_net(nn.Linear(3, 2), tmp_path / "train", "cpu")
    assert damage(tmp_path / "train") == ["generator.safetensors: changed"]


def test_changed_labels_and_unknown_schemas_are_refused(small, tmp_path):
    class Nothing(Config):
        pass

    def copy(config, context, out):
        write_bytes(out / "annotations.json", (small.folder / "ingest" / "annotations.json").read_bytes())
        return {}

    run_stage("ingest", copy, Nothing(), Context(0), tmp_path / "data")
    assert load_dataset(tmp_path / "data").images
    path = tmp_path / "data" / "annotations.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"split": "test"', '"split": "TEST"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"annotations\.json: A13"):
        load_dataset(tmp_path / "data")
    write_text(tmp_path / "other" / "annotations.json", text.replace('"schema": 1', '"schema": 2'))
    with pytest.raises(InputError, match="SCHEMA: has schema 2, this version reads 1"):
        load_dataset(tmp_path / "other")
    check_product(tmp_path / "other" / "annotations.json")  # of no finished stage


def test_who_made_a_run_is_said_and_a_mixture_too(tmp_path):
    net_of(tmp_path / "train@a")
    assert makers(tmp_path) == [f"made by {', '.join(f'{name} {number}' for name, number in versions().items())}"]
    write_json(tmp_path / "gate@a" / "manifest.json", {"key": "k", "files": [], "versions": {"torch": "2.11.0"}})
    assert makers(tmp_path)[0] == "made by torch 2.11.0: gate@a" and len(makers(tmp_path)) == 2
    one, other = {"versions": {"torch": "2.11.0", "numpy": "2"}}, {"versions": {"torch": "2.15.0", "numpy": "2"}}
    assert mixture([one, one]) is None
    assert "(torch 2.11.0, 2.15.0)" in str(mixture([one, other])) and "not told" in str(mixture([one, {}]))
