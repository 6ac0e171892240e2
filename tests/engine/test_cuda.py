"""Every way of the program through a GPU: run where torch sees one, skipped and counted elsewhere.

``CUDA_TESTS_ON=cpu`` rehearses the tests themselves on the processor.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from small_verbs import CAE, DENSE, OWN, SETTINGS, small_verbs, without_heavy_nets, write_source

from anomaly_gan.cli.main import out_of_memory
from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.engine.loop import make_fabric
from anomaly_gan.engine.precision import decide
from anomaly_gan.metrics.backbones import build_extractors
from anomaly_gan.synthesis.methods.config import TrainConfig
from anomaly_gan.synthesis.registry import METHODS
from anomaly_gan.synthesis.training import stage as training
from detection.detectors.config import DetectConfig
from detection.detectors.registry import DETECTORS
from detection.one_class.inspection.train import train_folder
from detection.one_class.registry import ONE_CLASS
from detection.training.finetune import train_detector

DEVICE = os.environ.get("CUDA_TESTS_ON", "cuda")
pytestmark = [
    pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="no CUDA device here"),
    pytest.mark.filterwarnings("default"),
]
VERBS = [
    *("ingest", "pool", "train@anomaly_gan", "generate@anomaly_gan", "label_check", "gate@anomaly_gan"),
    *("export@anomaly_gan", "compare", "paint", "control-card", "detect train", "detect eval", "detect predict"),
    *("one-class train", "one-class score", "one-class recalibrate"),
]
"""In the order in which each finds its inputs."""
TRAINED = [name for name, row in METHODS.items() if row.trainable]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """(a run folder, its verbs): the verbs before one's own have been run on the GPU."""
    source = write_source(tmp_path_factory.mktemp("photos") / "in" / "source")
    with pytest.MonkeyPatch.context() as patched:
        without_heavy_nets(patched.setattr)
        folder = tmp_path_factory.mktemp("run")
        yield folder, {verb.name: verb for verb in small_verbs(source, DEVICE)}, source


@pytest.mark.parametrize("name", VERBS)
def test_every_verb(home, name):
    folder, verbs, _ = home
    verbs[name].work(folder)


def test_photographs_differ_from_those_of_the_processor_by_rounding(home, tmp_path):
    from anomaly_gan.synthesis.generate import stage as generate
    from anomaly_gan.synthesis.generate.config import GenerateConfig

    folder, _, _ = home
    inputs = {name: folder / name for name in ("ingest", "pool", "train@anomaly_gan")}
    config = GenerateConfig(count=2, threads=1)
    run_stage("generate", generate.run, config, Context(0, "cpu", inputs), tmp_path / "cpu")
    here, there = load_dataset(tmp_path / "cpu"), load_dataset(folder / "generate@anomaly_gan")
    assert [item.segmentation for item in here.annotations] == [item.segmentation for item in there.annotations]
    for one, other in zip(here.images, there.images, strict=True):
        pixels = [read_pixels(made.path_of(image), True) for made, image in ((here, one), (there, other))]
        assert np.abs(pixels[0].astype(int) - pixels[1]).max() <= 2


@pytest.mark.parametrize("name", TRAINED)
def test_every_method_trains(home, tmp_path, name):
    folder, _, _ = home
    config = TrainConfig(method=name, **SETTINGS["train"], **(OWN if name.startswith("anomaly_gan") else {}))
    context = Context(0, DEVICE, {"ingest": folder / "ingest", "pool": folder / "pool"})
    run_stage(f"train@{name}", training.run, config, context, tmp_path / "out")


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_trains(home, tmp_path, name):
    folder, _, _ = home
    small = {"image_size": 64, "proposals": 8, "proposals_before_nms": 16, "roi_samples": 8}
    config = DetectConfig(detector=name, iterations=2, dense=DENSE, **small)
    train = load_dataset(folder / "ingest").split("train")
    trained = train_detector(train, config, make_fabric(DEVICE), tmp_path, seed=0, where="ingest")
    assert next(trained.net.parameters()).device.type == DEVICE


@pytest.mark.parametrize("name", ONE_CLASS)
def test_every_one_class_detector_trains_and_scores(home, tmp_path, name):
    _, _, source = home
    fields = ONE_CLASS[name].settings_class().model_fields
    changes = {key: value for key, value in {**CAE, "size": 32}.items() if key in fields}
    asked = {"group_regex": r"g(\d+)_", "held_out": 0.5, "device": DEVICE}
    train_folder(source / "good", tmp_path / "model", name, "quick", changes, 0.5, **asked)


def test_the_measuring_networks():
    pixels = [np.random.default_rng(seed).integers(0, 255, (40, 40), np.uint8) for seed in range(2)]
    read = [build_extractors(place).read(pixels) for place in (DEVICE, "cpu")]
    for there, here in zip(*read, strict=True):
        assert np.abs(there - here).max() <= 0.02 * np.abs(here).max()


@pytest.mark.skipif(DEVICE == "cpu", reason="of the GPU alone")
def test_what_the_gpu_computes_natively_is_chosen():
    assert decide("auto", "cuda").precision == (
        "bf16-mixed" if torch.cuda.get_device_capability()[0] >= 8 else "32-true"
    )


@pytest.mark.skipif(DEVICE == "cpu", reason="of the GPU alone")
def test_too_little_memory_is_said_in_a_line():
    with pytest.raises(torch.OutOfMemoryError) as raised:
        torch.empty(2**50, device="cuda")
    assert "the GPU has too little memory" in str(out_of_memory(raised.value))


@pytest.mark.skipif(DEVICE == "cuda" and torch.cuda.device_count() < 2, reason="no two CUDA devices here")
def test_two_devices_share_a_training():
    program = Path(__file__).parents[2] / "benchmarks" / "shared_mean.py"
    done = subprocess.run([sys.executable, str(program), DEVICE], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip().endswith("1.5"), done.stderr
