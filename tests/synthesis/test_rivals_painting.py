"""The rivals that paint: their papers' equations, their trainings cut off and resumed, what their photographs say."""

import json
from dataclasses import replace

import cv2
import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F

from anomaly_gan.core.dataset import Annotation
from anomaly_gan.core.errors import CheckFailed, ConfigError
from anomaly_gan.core.masks import grow
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.engine import loop
from anomaly_gan.engine.graphs import onnx_runner
from anomaly_gan.nets.image_pool import ImageHistory
from anomaly_gan.nets.patch import PatchDiscriminator, layers_for
from anomaly_gan.synthesis.export import graph
from anomaly_gan.synthesis.export.graph import INPUTS, export_generator
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.interface import MethodInputs
from anomaly_gan.synthesis.methods.config import TaskSetup, TrainConfig
from anomaly_gan.synthesis.methods.painting import bare
from anomaly_gan.synthesis.methods.painting.generator import Brush
from anomaly_gan.synthesis.methods.painting.networks import build_framing
from anomaly_gan.synthesis.pairs.compositing import Painter
from anomaly_gan.synthesis.pairs.windows import PairSource
from anomaly_gan.synthesis.registry import METHODS, training_of
from anomaly_gan.synthesis.training import stage as train

from .conftest import SMALLEST

LEARNERS = [name for name, row in METHODS.items() if row.trainable and name != "anomaly_gan"]
PAINTERS = ["cyclegan", "fd_cyclegan", "pix2pix", "hybrid", "exemplar"]


def products(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "logs" not in path.parts
    }


@pytest.mark.parametrize("name", LEARNERS)
def test_a_training_that_was_cut_off_ends_with_the_same_bytes(name, small_run, trainings, tmp_path, monkeypatch):
    out, whole, calls = tmp_path / f"train@{name}", loop.train_step, []
    last = SMALLEST["steps"] + METHODS[name].aware * SMALLEST["aware_steps"]

    def cut(*arguments):
        calls.append(arguments)
        if len(calls) == last:
            raise KeyboardInterrupt
        return whole(*arguments)

    config, context = TrainConfig(method=name, **SMALLEST), Context(5, "cpu", small_run.inputs())
    arguments = (f"train@{name}", train.run, config, context)
    monkeypatch.setattr(loop, "train_step", cut)
    with pytest.raises(KeyboardInterrupt):
        run_stage(*arguments, out)
    assert (out / "checkpoints" / "step-0000002.pt").is_file()
    monkeypatch.setattr(loop, "train_step", whole)
    run_stage(*arguments, out)
    assert products(out) == products(trainings(name))


def opened(small_run, trainings, name, mode="L"):
    train_set, training = small_run.ingest.split("train"), training_of(name)
    train_set = replace(train_set, info={**train_set.info, "mode": mode})
    return METHODS[name].open(MethodInputs(train_set, small_run.pool, 11, "cpu", trainings(training)))


@pytest.mark.parametrize("name", ["anomaly_gan", *LEARNERS])
def test_its_onnx_graph_makes_the_pictures_that_it_makes(name, small_run, trainings, tmp_path, monkeypatch):
    out = tmp_path / "generator.onnx"
    if name == "pix2pix":
        with pytest.raises(ConfigError, match="dropout is its chance"):
            export_generator(trainings(name), out)
        return
    calls = []
    paint = Painter.paint
    monkeypatch.setattr(Painter, "paint", lambda *given: calls.append((given, made := paint(*given))) or made)
    done = export_generator(trainings(name), out)
    calls.clear()
    run, facts = onnx_runner(out), {row.key: row.value for row in onnx.load(str(out)).metadata_props}
    assert json.loads(facts["categories"]) == ["spot", "scratch"]
    assert all(facts[f"input {key}"] == INPUTS[key] for key in done.inputs)
    opened(small_run, trainings, name)([generate.pool_items(small_run.pool)["spot"][0]], 0)
    for (painter, _, image, mask, maps, *exemplar), made in calls:  # of the methods that paint
        shown, steering = maps.amax((2, 3)) + maps.amin((2, 3)), maps[:, max(1, painter.categories) :]
        given = {"image": image, "mask": mask, "category": shown[:, : painter.categories or 1].argmax(1)}
        given |= {"severity": shown[:, -4:-2], "noise": steering[:, 2:], "exemplar": exemplar[0] if exemplar else None}
        (found,) = run({key: given[key].numpy() for key in done.inputs})
        assert np.abs((found - made.numpy()) * mask.numpy()).max() < 1e-4 and mask.any()
    monkeypatch.setattr(graph, "onnx_runner", lambda path: lambda inputs: [array + 1e-3 for array in run(inputs)])
    with pytest.raises(CheckFailed, match="differs from the generator"):
        export_generator(trainings(name), tmp_path / "other.onnx")
    assert not (tmp_path / "other.onnx").exists()


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("name", PAINTERS)
def test_a_photograph_has_the_sets_own_channels_the_pools_masks_and_one_fate(name, mode, small_run, trainings):
    paint, item = opened(small_run, trainings, name, mode), generate.pool_items(small_run.pool)["scratch"][0]
    sample, again, other = paint([item], 0)[0], paint([item], 0)[0], paint([item], 1)[0]
    assert sample.pixels.dtype == np.uint8 and sample.pixels.ndim == (2 if mode == "L" else 3)
    assert (sample.pixels == again.pixels).all()
    assert [category for category, _ in sample.instances] == [2]
    assert (sample.instances[0][1] == item.annotations[0].mask()).all()
    assert (other.pixels != sample.pixels).any() == ("cyclegan" not in name), "CycleGAN has no noise"
    changed = sample.pixels != sample.base
    changed = changed if mode == "L" else changed.any(axis=2)
    reach = 2 * sample.provenance["support_px"] + 1
    assert changed.any() and not changed[cv2.dilate(item.annotations[0].mask(), np.ones((reach, reach))) == 0].any()


@pytest.fixture(scope="module")
def batch(small_run):
    config = TrainConfig(**SMALLEST)
    return PairSource(
        small_run.ingest.split("train"), small_run.pool, build_framing(config), 4, 9, gray=True, paint_out=True
    ).batch(0)


def gray_task(name, **changes):
    config = TrainConfig(method=name, **{**SMALLEST, "precision": "32-true", **changes})
    return METHODS[name].build(TaskSetup(config, 1, 2, None, 3, torch.device("cpu")))


def maps(mask, batch):
    return mask * F.one_hot(batch.category_B, 2)[:, :, None, None]


def close(losses, expected):
    assert set(losses) == set(expected)
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value.item(), rel=1e-4), name


@pytest.mark.parametrize("name", ["cyclegan", "fd_cyclegan"])
def test_the_unpaired_objectives_are_the_papers_equations(name, batch):
    task = gray_task(name)
    x, m, y, n = batch.normal_BCHW, batch.normal_mask_B1HW, batch.abnormal_BCHW, batch.abnormal_mask_B1HW

    def net(key, image, mask):
        return (image + task.nets[key](torch.cat([image, maps(mask, batch)], 1))).clamp(-1, 1)

    fake_y, fake_x = net("generator", x, m), net("restorer", y, n)
    expected = {
        "cycle_normal": 10 * (net("restorer", fake_y, m) - x).abs().mean(),
        "cycle_abnormal": 10 * (net("generator", fake_x, n) - y).abs().mean(),
        "identity_abnormal": 5 * (net("generator", y, n) - y).abs().mean(),
        "identity_normal": 5 * (net("restorer", x, m) - x).abs().mean(),
    }
    judged = {}
    for side, fake, real in (("abnormal", fake_y, y), ("normal", fake_x, x)):
        one = task.nets[f"d1_{side}"]
        if name == "cyclegan":
            expected[f"adv1_{side}"] = (one(fake) - 1).square().mean()
            judged[f"d1_{side}"] = 0.5 * ((one(real) - 1).square().mean() + one(fake).square().mean())
            continue
        two = task.nets[f"d2_{side}"]
        d1, d2 = (lambda image, net=one: F.softplus(net(image))), (lambda image, net=two: F.softplus(net(image)))
        expected[f"adv1_{side}"], expected[f"adv2_{side}"] = -d1(fake).mean(), d2(fake).log().mean()
        judged[f"d1_{side}"] = -d1(real).log().mean() + d1(fake).mean()
        judged[f"d2_{side}"] = d2(real).mean() - d2(fake).log().mean()
    out = task.forward(batch)
    close(task.generator_losses(out), expected)
    close(task.discriminator_losses(out), judged)  # the history is still filling: it shows what it gets


def test_the_paired_objective_is_the_papers_equations(batch):
    task = gray_task("pix2pix", dropout=0.0)
    y, clean, condition = batch.abnormal_BCHW, batch.painted_out_BCHW, maps(batch.abnormal_mask_B1HW, batch)
    condition = torch.cat([clean, condition], 1)
    fake = (clean + task.nets["generator"](condition)).clamp(-1, 1)

    def judge(image):
        return torch.sigmoid(task.nets["discriminator"](torch.cat([condition, image], 1)))

    out = task.forward(batch)
    close(task.generator_losses(out), {"adversarial": -judge(fake).log().mean(), "l1": 100 * (fake - y).abs().mean()})
    close(
        task.discriminator_losses(out), {"adversarial": 0.5 * (-judge(y).log().mean() - (1 - judge(fake)).log().mean())}
    )


def test_a_patch_sees_70_pixels_as_published_and_at_most_half_of_a_small_window():
    for size, pixels in ((256, 70), (64, 34), (32, 16)):
        net = PatchDiscriminator(1, layers_for(size), 4, "none")
        image = torch.randn(1, 1, 128, 128, requires_grad=True)
        logits = net(image)
        logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
        rows = image.grad[0, 0].abs().sum(1).nonzero()
        assert rows.max() - rows.min() + 1 == pixels
    assert sum(p.numel() for p in PatchDiscriminator(3, 3, 64, "instance").parameters()) == 2_764_737


def test_a_history_shows_old_pictures_for_half_of_the_new_ones_once_it_is_full():
    history, torch_stream = ImageHistory(50, 1, 2), torch.manual_seed(0)
    first = torch.arange(50.0)[:, None, None, None].expand(-1, 1, 2, 2)
    assert torch.equal(history.swap(first), first)
    shown = torch.cat([history.swap(first + 50 * turn) for turn in range(1, 9)])[:, 0, 0, 0]
    fresh = (shown == torch.arange(50.0, 450.0)).float().mean()
    assert 0.4 < fresh < 0.6 and torch_stream.initial_seed() == 0
    assert len(set(shown.tolist())) == 400, "every picture is shown once at most"


def test_painting_leaves_torchs_own_stream_alone(small_run, trainings):
    paint, item = opened(small_run, trainings, "pix2pix"), generate.pool_items(small_run.pool)["spot"][0]
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    paint([item], 0)
    assert torch.equal(torch.rand(3), expected)


def test_neighbours_in_one_window_are_painted_once_and_together(small_run, trainings, monkeypatch):
    from anomaly_gan.synthesis.methods.painting.generator import Brush

    item, calls, whole = generate.pool_items(small_run.pool)["spot"][0], [], Brush.paint

    def noted(self, pixels, mask, *rest):
        calls.append(int(mask.sum()))
        return whole(self, pixels, mask, *rest)

    monkeypatch.setattr(Brush, "paint", noted)
    spots = []
    for x in (20, 30, 70):
        mask = np.zeros((item.image.height, item.image.width), np.uint8)
        mask[30:34, x : x + 4] = 1
        spots.append(Annotation.from_mask(len(spots) + 1, item.image.id, 1, mask))
    sample = opened(small_run, trainings, "cyclegan")([type(item)(item.image, spots)], 0)[0]
    assert calls == [48, 48] and len(sample.instances) == 3


def test_a_hybrid_paints_with_each_part_in_turn_and_names_it(small_run, trainings, tmp_path):
    paint, items = opened(small_run, trainings, "hybrid"), generate.pool_items(small_run.pool)["spot"][:6]
    samples = paint(items, 0)
    parts = ["anomaly_gan", "copy_paste", "geometric"] * 2
    assert [sample.provenance["method"] for sample in samples] == parts
    assert (paint([items[4]], 0)[0].pixels == samples[4].pixels).all()
    row = generate.write_sample(samples[1], items[1], "hybrid", tmp_path)
    assert row["image"]["extra"]["provenance"]["method"] == "copy_paste"
    assert row["annotations"][0]["provenance"]["method"] == "copy_paste"


def test_bare_exemplars_are_whole_defects_laid_and_left(small_run, trainings, monkeypatch):
    """A generator's own are windows of the size it was trained on, of a larger defect a part."""
    item, given, made, banks = generate.pool_items(small_run.pool)["spot"][0], {}, {}, {}
    whole = Brush._net_output

    def seen(brush, pixels, mask, category, wanted, rng, warped):
        output, asked = whole(brush, pixels, mask, category, wanted, rng, warped)
        given[name], made[name], banks[name] = warped[0].numpy(), output, brush.exemplars["spot"]
        return output, asked

    monkeypatch.setattr(Brush, "_net_output", seen)
    monkeypatch.setattr(bare, "stands_alone", lambda *_: False)
    trained = Context(11, "cpu", {**small_run.inputs(), "train@anomaly_gan": trainings("anomaly_gan")})
    inputs = {name: generate.method_inputs(name, trained) for name in ("anomaly_gan", "exemplar")}
    inputs["untrained"] = replace(inputs["exemplar"], trained=None)
    for name, own in inputs.items():
        method = "exemplar" if name == "untrained" else name
        (sample,) = METHODS[method].open(own)([item], 0)
        assert sample.provenance["method"] == method
    areas = {annotation.area for annotation in small_run.ingest.split("train").annotations}
    for name in ("exemplar", "untrained"):
        assert np.array_equal(made[name], given[name])
        assert {np.count_nonzero(one.mask_01) for one in banks[name]} <= areas
    assert max(one.mask_01.shape[0] for one in banks["anomaly_gan"]) == SMALLEST["size"]
    assert np.abs(made["anomaly_gan"] - given["anomaly_gan"]).max() > 0.01


def test_a_bare_object_is_the_very_one_that_its_mask_was_cut_from(small_run, monkeypatch):
    """A bolt is not stretched, and no other shows through it: moved as its mask is, as copy-paste does."""
    monkeypatch.setattr(bare, "stands_alone", lambda *_: True)
    item = generate.pool_items(small_run.pool)["spot"][0]
    inputs = MethodInputs(small_run.ingest.split("train"), small_run.pool, 11, "cpu")
    alone, pasted = (METHODS[name].open(inputs)([item], 0)[0] for name in ("exemplar", "copy_paste"))
    assert np.array_equal(alone.pixels, pasted.pixels) and alone.provenance["method"] == "exemplar"
    monkeypatch.setattr(bare, "paste", lambda pixels, *_: (255 - pixels, {}))
    alone = METHODS["exemplar"].open(inputs)([item], 0)[0]
    near = np.maximum.reduce([grow(mask, alone.provenance["support_px"]) for _, mask in alone.instances])
    changed = (alone.pixels != alone.base).reshape(*near.shape, -1).any(axis=2)
    assert changed.any() and not changed[near == 0].any()


def test_examples_want_a_training_that_has_some(small_run, trainings, tmp_path):
    folder = tmp_path / "train@anomaly_gan"
    run_stage(
        "train@anomaly_gan",
        train.run,
        TrainConfig(**{**SMALLEST, "painting": "residual"}),
        Context(5, "cpu", small_run.inputs()),
        folder,
    )
    with pytest.raises(ConfigError, match=r"train with painter\.painting"):
        opened(small_run, lambda name: folder, "exemplar")
