"""The paper's way from end to end: trained on whole photographs, painted whole, written with its mask.

``PAPER_PX=512 pytest`` (``make paper-check``) takes the preset as it is, batch and steps apart: 5 GB, a minute or two.
"""

import json
import os
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torchvision.models.vgg import cfgs, make_layers

from anomaly_gan.core import weights
from anomaly_gan.core.dataset import Annotation, load_dataset
from anomaly_gan.core.files import sha256_file
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.engine.loop import make_fabric
from anomaly_gan.nets.aware import AwareNet
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig
from anomaly_gan.synthesis.methods.anomaly_gan.aware import prepare_aware
from anomaly_gan.synthesis.methods.config import TrainConfig
from anomaly_gan.synthesis.methods.painting.generator import Brush
from anomaly_gan.synthesis.pairs.windows import Framing, PairSource
from anomaly_gan.synthesis.training import stage as train

SIDE = int(os.environ.get("PAPER_PX", "32"))
SMALLER = {
    "size": SIDE,
    "depth": 3,
    "base_width": 4,
    "widths": (4, 4, 4),
    "features": 8,
    "local_size": 16,
    "aware_width": 4,
    "aware_size": 16,
}
SHORT = {"steps": 1, "batch": 2, "aware_steps": 1, "sample_every": 0, "threads": 1}


@pytest.fixture(scope="module")
def trained(small_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("paper") / "train@anomaly_gan_paper"
    config = TrainConfig(method="anomaly_gan_paper", **SHORT, **({} if SIDE == 512 else SMALLER))
    run_stage(out.name, train.run, config, Context(5, "cpu", small_run.inputs()), out)
    return out


@pytest.mark.timeout(1800)
def test_a_training_of_the_paper_preset_paints_whole_photographs_with_their_masks(small_run, trained, tmp_path):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["steps"] == 1 and metrics["channels"] == 3
    assert all(np.isfinite(value) and value != 0 for value in metrics["last_losses"].values())
    if SIDE == 512:
        assert metrics["parameters"]["generator"] == 54_414_979 and metrics["aware_network"] == "training crops"
    context = Context(5, "cpu", {**small_run.inputs(), "train@anomaly_gan_paper": trained})
    generate.run(GenerateConfig(method="anomaly_gan_paper", count=1), context, tmp_path / "made")
    made, pool, real = load_dataset(tmp_path / "made"), small_run.pool, small_run.ingest
    assert {image.extra["category"] for image in made.images} == {"spot", "scratch"}
    names = {image.file_name: image for image in pool.images}
    for image in made.images:
        item = names[image.file_name]
        base = read_pixels(real.folder / "images" / item.extra["normal_file"], gray=True)
        painted = read_pixels(made.folder / "images" / image.file_name, gray=True)
        assert painted.shape == base.shape and (painted != base).mean() > 0.5, "all of it is painted"
        assert (
            "support_px" not in image.extra["provenance"] and image.extra["provenance"]["method"] == "anomaly_gan_paper"
        )
        written, wanted = (
            np.maximum.reduce([row.mask() for row in of.by_image()[number]])
            for of, number in ((made, image.id), (pool, item.id))
        )
        assert np.array_equal(written, wanted)


class Marks(torch.nn.Module):
    """In place of a generator: the photograph as it is, white under the mask, red beside it where told so."""

    def __init__(self, tint=0.0):
        super().__init__()
        self.tint = tint

    def forward(self, inputs):
        photograph, mask = inputs[:, :3], inputs[:, 3:4]
        shift = torch.tensor([self.tint, 0.0, 0.0]).view(1, 3, 1, 1)
        return torch.where(mask > 0, torch.ones_like(photograph), photograph + shift)


def brush(net, side=128):
    config = TrainConfig(method="anomaly_gan_paper", **{**SMALLER, "size": side, "widths": (4,) * 6})
    return Brush(net, config, ["spot"], {"spot": [(0.5, 0.1)]}, torch.device("cpu"))


def annotated(masks):
    return [Annotation.from_mask(number + 1, 1, 1, mask) for number, mask in enumerate(masks)]


def two_masks(shape):
    masks = np.zeros((2, *shape), np.uint8)
    masks[0, 20:60, 30:90], masks[1, 80:95, 120:190] = 1, 1
    return masks


@pytest.mark.parametrize("colour", [False, True])
def test_all_masks_are_painted_at_once_and_the_square_is_stretched_back_in_place(colour):
    rows, columns = np.mgrid[:100, :220]
    base = (60 + rows // 2 + columns // 4).astype(np.uint8)
    base = np.repeat(base[:, :, None], 3, axis=2) if colour else base
    masks = two_masks(base.shape[:2])
    painting = brush(Marks()).paint_whole(base, annotated(masks), "spot", np.random.default_rng(0))
    assert painting.pixels.shape == base.shape and painting.pixels.dtype == np.uint8
    assert painting.support_px is None
    shown = painting.pixels if not colour else painting.pixels[:, :, 0]
    inside = np.maximum(*masks)
    core = cv2.erode(inside, np.ones((9, 9), np.uint8)) > 0
    outside = cv2.dilate(inside, np.ones((9, 9), np.uint8)) == 0
    assert (shown[core] > 250).all()
    plain = base if not colour else base[:, :, 0]
    assert np.abs(shown[outside].astype(int) - plain[outside]).max() <= 3, "in its place, in its proportions"


def test_a_gray_photograph_gets_the_mean_of_the_three_channels():
    base = np.full((64, 96), 100, np.uint8)
    masks = np.zeros((1, 64, 96), np.uint8)
    masks[0, 20:40, 20:40] = 1
    painted = brush(Marks(tint=0.3)).paint_whole(base, annotated(masks), "spot", np.random.default_rng(0)).pixels
    assert painted[60, 90] == pytest.approx(100 + 0.3 * 127.5 / 3, abs=1)


@pytest.fixture
def vgg16(tmp_path, monkeypatch):
    """A file of VGG-16's names and shapes, as far as the network goes, whose hash is that of its row."""
    state = {f"features.{name}": value for name, value in make_layers(cfgs["D"][:10]).state_dict().items()}
    path = tmp_path / weights.WEIGHTS["vgg16"].file_name
    torch.save(state, path)
    row = replace(weights.WEIGHTS["vgg16"], sha256=sha256_file(path))
    monkeypatch.setattr(weights, "WEIGHTS", {**weights.WEIGHTS, "vgg16": row})
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path))
    return state


def prepared(small_run, out, channels, width):
    train, pool = small_run.ingest.split("train"), small_run.pool
    source = PairSource(train, pool, Framing(32, whole=True), 2, 0, gray=channels == 1, flips=False)
    return prepare_aware(source, channels, 2, width, 16, 1, 0, make_fabric("cpu"), out)


@pytest.mark.parametrize("channels", [1, 3])
def test_vgg16_is_taken_from_its_file_for_gray_and_for_colour(small_run, vgg16, tmp_path, channels):
    net, origin = prepared(small_run, tmp_path / "out", channels, 64)
    assert origin == "vgg16" and torch.equal(net.convs[0].weight, vgg16["features.0.weight"])
    crops = torch.rand(2, channels, 16, 16) * 2 - 1
    expected = AwareNet(3, 64)
    expected.load_vgg16(vgg16)
    for ours, theirs in zip(net(crops), expected(crops.expand(-1, 3, -1, -1)), strict=True):
        assert torch.equal(ours, theirs)
    again, _ = prepared(small_run, tmp_path / "out", channels, 64)
    assert torch.equal(again(crops)[-1], net(crops)[-1]), "the same from the training's own folder"


def test_a_width_that_is_not_vgg16_s_is_learnt_and_says_why(small_run, vgg16, tmp_path, capsys):
    net, origin = prepared(small_run, tmp_path / "out", 1, 8)
    assert origin == "training crops" and net.convs[0].weight.shape[:2] == (8, 1)
    said = capsys.readouterr().err
    assert "cannot be narrowed to 8" in said and "aware_width=64" in said
