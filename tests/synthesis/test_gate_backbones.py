"""Which network measures, and that the figures' names say so."""

import numpy as np
import pytest
import torch
import torchvision

from anomaly_gan.core import weights
from anomaly_gan.core.errors import InputError
from anomaly_gan.metrics.backbones import Extractors, build_extractors
from anomaly_gan.metrics.features import Backbone
from anomaly_gan.synthesis.gate.config import GateConfig, source_keys
from anomaly_gan.synthesis.gate.views import CategoryViews


class Layers(torch.nn.Module):
    def forward(self, x):
        return torch.nn.functional.adaptive_avg_pool2d(x, (1, 2048))[:, :1].flatten(1)


class StandIn(torch.nn.Module):
    """The interface of the TorchScript Inception, without its weights."""

    def __init__(self):
        super().__init__()
        self.layers = Layers()

    def forward(self, x):
        return self.layers(x)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


PICTURES = [np.full((50, 60), level, np.uint8) for level in (10, 200)]


def test_without_weight_files_the_embedded_network_measures_under_its_own_name(folder):
    extractors = build_extractors("cpu")
    assert extractors.names == {"frechet": "FD-EffLite0", "kernel": "KID-EffLite0", "perceptual": "PD-EffLite0"}
    pooled, embedded = extractors.read(PICTURES)
    assert pooled.shape == (2, 320) and np.isfinite(embedded).all()
    assert source_keys() == {}


def test_with_weight_files_the_standard_names_are_used(folder, monkeypatch):
    torch.jit.script(StandIn()).save(str(folder / weights.WEIGHTS["inception_fid"].file_name))
    torch.save(torchvision.models.alexnet().state_dict(), folder / weights.WEIGHTS["alexnet_lpips"].file_name)
    monkeypatch.setattr(weights, "find", lambda name: folder / weights.WEIGHTS[name].file_name)
    extractors = build_extractors("cpu")
    assert extractors.names == {"frechet": "FID", "kernel": "KID", "perceptual": "LPIPS"}
    pooled, embedded = extractors.read(PICTURES)
    assert pooled.shape == (2, 2048) and len(embedded) == 2
    # clean-fid's range: 0..255 becomes (x - 128) / 128
    assert pooled[:, 0] == pytest.approx([(10 - 128) / 128, (200 - 128) / 128], abs=1e-4)
    assert set(source_keys()) == {"weights/inception_fid", "weights/alexnet_lpips"}


def test_a_damaged_weight_file_stops_the_gate(folder):
    (folder / weights.WEIGHTS["inception_fid"].file_name).write_bytes(b"cut short")
    with pytest.raises(InputError, match="I6"):
        build_extractors("cpu")


def test_the_real_side_is_looked_at_once_for_all_arms(small_run):
    looked = []

    def network(images_BCHW):
        looked.append(len(images_BCHW))
        return images_BCHW.mean(dim=1).flatten(1), [images_BCHW / 255]

    toy = Backbone("Toy", 8, network)
    extractors = Extractors(toy, toy, None, {"frechet": "FD-Toy", "kernel": "KID-Toy", "perceptual": "PD-Toy"})
    train, config = small_run.ingest.split("train"), GateConfig(method="copy_paste", repeats=2, min_n=5)
    arms = [CategoryViews(train, train, extractors, config, seed=3).figures("spot") for _ in range(2)]
    shown = 3 * len(train.showing(1))  # of each photograph the whole, the defect's surroundings, the defect
    assert arms[0] == arms[1] and sum(looked) == 3 * shown, "real and generated, then generated alone"
    fewer = train.select(lambda image: not image.group_id.endswith("0"))
    before = sum(looked)
    CategoryViews(fewer, fewer, extractors, config, seed=3).figures("spot")
    assert sum(looked) - before == 6 * len(fewer.showing(1)), "other photographs are not those remembered"
