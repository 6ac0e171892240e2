"""CGAN and LSGAN: objectives by hand, labels where the windows are, the same draw gives the same bytes."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from anomaly_gan.core.dataset import Annotation, load_dataset
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png
from anomaly_gan.core.masks import encode_rle, grow, union
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.nets.noise_generator import NoiseGenerator, WindowDiscriminator
from anomaly_gan.synthesis.generate.stage import pool_items, write_sample
from anomaly_gan.synthesis.interface import MethodInputs, PoolItem
from anomaly_gan.synthesis.methods.config import TaskSetup, TrainConfig
from anomaly_gan.synthesis.methods.from_noise.generate import (
    Source,
    frame_around,
    paint_freely,
    paint_masks,
    set_in,
)
from anomaly_gan.synthesis.methods.from_noise.task import build_cgan, build_lsgan
from anomaly_gan.synthesis.pairs.windows import Batch, Framing
from anomaly_gan.synthesis.registry import method
from anomaly_gan.synthesis.training import stage as train

TINY = {
    "steps": 2,
    "batch": 2,
    "size": 32,
    "local_size": 16,
    "base_width": 4,
    "depth": 2,
    "widths": (4, 4, 4),
    "sample_every": 2,
    "threads": 1,
}
NAMES = ["cgan", "lsgan"]


def open_in_colour(run, folder):
    """The small run's data sets in RGB."""
    ingest, images = run.ingest, []
    for image in ingest.images:
        pixels = np.random.default_rng(image.id).integers(0, 256, (image.height, image.width, 3), dtype=np.uint8)
        content = write_png(folder / "images" / image.file_name, pixels)
        images.append(replace(image, sha256=sha256_bytes(content)))
    replace(ingest, images=images, info={"mode": "RGB"}).save(folder)
    return folder


@pytest.fixture(
    scope="module", params=[(name, mode) for name in NAMES for mode in ("L", "RGB")], ids=lambda param: "-".join(param)
)
def made(request, small_run, tmp_path_factory):
    """(name, mode, training, inputs of generation)."""
    name, mode = request.param
    folder = tmp_path_factory.mktemp(f"{name}{mode}")
    inputs = small_run.inputs()
    if mode == "RGB":
        inputs["ingest"] = open_in_colour(small_run, folder / "ingest")
        (inputs["ingest"] / "manifest.json").write_text('{"key": "colour", "files": []}')
    out = folder / f"train@{name}"
    run_stage(out.name, train.run, TrainConfig(method=name, **TINY), Context(3, "cpu", inputs), out)
    return name, mode, out, MethodInputs(load_dataset(inputs["ingest"]).split("train"), small_run.pool, 7, "cpu", out)


def items(run):
    return [item for of_category in pool_items(run.pool).values() for item in of_category[:2]]


def test_a_training_leaves_a_generator_and_finite_losses(made):
    name, mode, out, _ = made
    assert {"generator.safetensors", "model.json", "samples", "README.md"} <= {path.name for path in out.iterdir()}
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["method"] == name and metrics["channels"] == (1 if mode == "L" else 3)
    assert all(math.isfinite(value) for value in metrics["last_losses"].values())


def test_labels_lie_inside_windows_and_nothing_changes_beyond_them(made, small_run):
    name, mode, _, inputs = made
    for item, sample in zip(items(small_run), method(name).open(inputs)(items(small_run), 0), strict=True):
        assert sample.pixels.shape == (item.image.height, item.image.width) + ((3,) if mode == "RGB" else ())
        assert sample.pixels.dtype == np.uint8
        windows = np.zeros(sample.pixels.shape[:2], bool)
        for x, y, width, height in sample.provenance["windows_xywh"]:
            windows[y : y + height, x : x + width] = True
        labels = union([mask for _, mask in sample.instances], *windows.shape)
        assert not labels[~windows].any()
        assert (sample.pixels[~windows] == sample.base[~windows]).all()
        assert (sample.pixels[windows] != sample.base[windows]).mean() > 0.5
        if labels.any():
            assert grow(labels, sample.provenance["support_px"])[windows].all()
        if name == "cgan":
            assert (labels == union([one.mask() for one in item.annotations], *labels.shape)).all()


def test_a_draw_depends_on_seed_item_and_attempt_alone(made, small_run):
    name, _, _, inputs = made
    wanted = items(small_run)
    together = method(name).open(inputs)(wanted, 0)
    alone = method(name).open(inputs)(wanted[2:3], 0)[0]
    again = method(name).open(inputs)(wanted[2:3], 1)[0]
    assert (together[2].pixels == alone.pixels).all() and (again.pixels != alone.pixels).any()
    assert [mask.tolist() for _, mask in together[2].instances] == [mask.tolist() for _, mask in alone.instances]


def test_a_written_label_names_the_pools_element_only_where_it_is_its_mask(made, small_run, tmp_path):
    name, _, _, inputs = made
    item = items(small_run)[0]
    sample = method(name).open(inputs)([item], 0)[0]
    if name == "lsgan":
        sample.instances[0][1][30:34, 30:34] = 1  # whatever two steps have made of it
    row = write_sample(sample, item, name, tmp_path)
    assert row["annotations"][0]["provenance"]["kind"] == {"cgan": "prior", "lsgan": "generated"}[name]
    assert row["image"]["extra"]["provenance"]["base"] == item.image.extra["normal_file"]


def random_batch():
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(2, 1, 16, 16, generator=rng) * 2 - 1
    masks = (torch.rand(2, 1, 16, 16, generator=rng) < 0.2).float()
    noise = torch.randn(2, 2, 16, 16, generator=rng)
    return Batch(images, masks, images, masks, torch.tensor([0, 1]), noise, images)


class Scores(torch.nn.Module):
    """A discriminator with fixed opinions, of real and of everything else."""

    def __init__(self, real, real_scores, fake_scores):
        super().__init__()
        self.real, self.real_scores, self.fake_scores = real, torch.tensor(real_scores), torch.tensor(fake_scores)

    def forward(self, image, mask, category):
        return (self.real_scores if image is self.real else self.fake_scores)[:, None]


@pytest.mark.parametrize(
    ("build", "name", "generator", "discriminator"),
    [
        # real score 2 and 1, fakes 0 and -1; the generator's side is the mean over the fakes
        (
            build_cgan,
            "cgan",
            (math.log(2) + math.log(1 + math.e)) / 2,
            (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1))) / 2
            + (math.log(2) + math.log(1 + math.exp(-1))) / 2,
        ),
        (build_lsgan, "lsgan", (1 + 4) / 2, ((1 + 0) / 2 + (0 + 1) / 2) / 2),
    ],
)
def test_objectives_are_the_papers(build, name, generator, discriminator):
    task = build(TaskSetup(TrainConfig(method=name, **{**TINY, "size": 16}), 1, 2, None, 0))
    out = task.forward(random_batch())
    task.nets["discriminator"] = Scores(out.batch.abnormal_BCHW, [2.0, 1.0], [0.0, -1.0])
    assert float(task.generator_losses(out)["adversarial"]) == pytest.approx(generator)
    assert float(task.discriminator_losses(out)["adversarial"]) == pytest.approx(discriminator)


def test_cgan_is_judged_at_the_real_masks_and_lsgan_at_its_own():
    batch = random_batch()
    cgan = build_cgan(TaskSetup(TrainConfig(method="cgan", **{**TINY, "size": 16}), 1, 2, None, 0)).forward(batch)
    lsgan = build_lsgan(TaskSetup(TrainConfig(method="lsgan", **{**TINY, "size": 16}), 1, 2, None, 0)).forward(batch)
    assert torch.equal(cgan.fake_mask_B1HW, batch.abnormal_mask_B1HW * 2 - 1) and not cgan.fake_mask_B1HW.requires_grad
    assert lsgan.fake_mask_B1HW.requires_grad and lsgan.fake_mask_B1HW.abs().max() < 1


def test_the_generator_sees_noise_category_and_mask():
    net = NoiseGenerator(1, 2, size=16, latent=4, base_width=4, masked=True)
    z, category, mask = torch.zeros(1, 4), torch.tensor([0]), torch.zeros(1, 1, 16, 16)
    dot = mask.clone()
    dot[0, 0, 9, 9] = 1
    plain = net(z, category, mask)
    assert plain.shape == (1, 1, 16, 16)
    for other in (net(z + 1, category, mask), net(z, category + 1, mask), net(z, category, dot)):
        assert (other - plain).abs().max() > 1e-4


def test_sizes_that_no_doubling_reaches_are_refused():
    with pytest.raises(ValueError, match="4 times a power of two"):
        NoiseGenerator(1, 2, size=48)
    with pytest.raises(ValueError, match="needs 4 widths, got 2"):
        WindowDiscriminator(1, 2, size=64, widths=(4, 4))


@pytest.mark.parametrize(
    ("box", "shape", "frame"),
    [
        ([40, 40, 6, 6], (90, 90), (27, 27, 32, 32)),
        ([0, 84, 6, 6], (90, 90), (58, 0, 32, 32)),
        ([10, 10, 50, 3], (90, 90), (0, 3, 64, 64)),  # larger than a window: twice its side
        ([5, 5, 4, 4], (20, 24), (0, 0, 20, 24)),
    ],
)
def test_the_window_lies_in_the_photograph_and_shows_the_whole_defect(box, shape, frame):
    found = frame_around(box, Framing(32), shape)
    assert (found.top, found.left, found.height, found.width) == frame
    whole = frame_around(box, Framing(32, whole=True), shape)
    assert (whole.top, whole.left, whole.height, whole.width) == (0, 0, *shape)


def test_a_window_fades_in_at_its_border_but_not_at_the_photographs():
    black, white = np.zeros((40, 40), np.uint8), np.full((32, 32), 255, np.uint8)
    frame = frame_around([2, 10, 4, 4], Framing(32), black.shape)
    row = set_in(black, white, frame)[20]
    assert frame.left == 0 and row[:30].min() == 255 and row[30:34].tolist() == [170, 85, 0, 0]


class Painted:
    """A source whose pictures are gray, brighter each time, with a mask of the four middle pixels."""

    framing = Framing(32)

    def __init__(self):
        self.given = []

    def picture(self, frame, category, mask, rng):
        self.given.append(mask)
        made = np.zeros((32, 32), np.uint8)
        made[15:17, 15:17] = 1
        return np.full((32, 32), 100 + len(self.given), np.uint8), made


def neighbours(*corners):
    masks = [np.zeros((90, 90), np.uint8) for _ in corners]
    for mask, (y, x) in zip(masks, corners, strict=True):
        mask[y : y + 4, x : x + 4] = 1
    return [Annotation.from_mask(number, 1, 2, mask) for number, mask in enumerate(masks, start=1)]


def test_neighbours_in_one_window_are_made_once_by_cgan_and_twice_by_lsgan():
    source, base, close = Painted(), np.zeros((90, 90), np.uint8), neighbours((40, 40), (44, 46))
    pixels, instances, frames = paint_masks(source, base, close, [2], np.random.default_rng(0))
    assert len(frames) == 1 and (source.given[0] == close[0].mask() | close[1].mask()).all() and len(instances) == 2
    pixels, instances, frames = paint_freely(source, base, close, [2], np.random.default_rng(0))
    assert len(frames) == 2 and [int(mask.sum()) for _, mask in instances] == [0, 4], "painted over: no label is left"
    assert pixels.max() == 103


@pytest.mark.parametrize("paint", [paint_masks, paint_freely])
def test_a_whole_photograph_is_made_once_however_many_defects_it_shows(paint):
    net = NoiseGenerator(1 + (paint is paint_freely), 1, size=32, base_width=4, masked=paint is paint_masks)
    source = Source(net, 1, Framing(32, whole=True), True, torch.device("cpu"))
    base = np.zeros((60, 90), np.uint8)
    defects = [replace(one, segmentation=encode_rle(one.mask()[:60])) for one in neighbours((0, 0), (40, 46))]
    pixels, instances, frames = paint(source, base, defects, [2], np.random.default_rng(0))
    assert len(frames) == 1 and pixels.shape == (60, 90) and (pixels > 0).mean() > 0.9
    assert all(mask.shape == (60, 90) for _, mask in instances)


def test_an_item_of_several_categories_keeps_them(made, small_run):
    name, _, _, inputs = made
    item = items(small_run)[0]
    (first,) = item.annotations
    both = PoolItem(item.image, [first, replace(first, category_id=2)])
    sample = method(name).open(inputs)([both], 0)[0]
    assert [category for category, _ in sample.instances] == [1, 2]
