"""Training and painting: resumed training ends with the same bytes; paintings keep to their masks; severity steers."""

import json

import numpy as np
import pytest
import torch

from anomaly_gan.core.dataset import Annotation, load_dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.files import write_json
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.engine import loop
from anomaly_gan.synthesis.export import stage as export
from anomaly_gan.synthesis.gate.config import ExportConfig
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig
from anomaly_gan.synthesis.interface import MethodInputs
from anomaly_gan.synthesis.methods.config import TrainConfig
from anomaly_gan.synthesis.methods.painting.method import open_method
from anomaly_gan.synthesis.methods.presets import PRESETS
from anomaly_gan.synthesis.pairs.compositing import PAINTINGS
from anomaly_gan.synthesis.pairs.windows import Framing, PairSource, cut_window
from anomaly_gan.synthesis.registry import METHODS, training_of
from anomaly_gan.synthesis.training import stage as train

TINY = {
    "steps": 4,
    "batch": 4,
    "size": 32,
    "local_size": 16,
    "base_width": 8,
    "depth": 2,
    "widths": (8, 8, 8),
    "features": 8,
    "aware_width": 4,
    "aware_size": 16,
    "aware_steps": 2,
    "checkpoint_every": 2,
    "sample_every": 2,
    "scales": (1, 2),
    "threads": 1,
}


@pytest.fixture(scope="module")
def trained(small_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "train@anomaly_gan"
    run_stage("train@anomaly_gan", train.run, TrainConfig(**TINY), Context(5, "cpu", small_run.inputs()), out)
    return out


@pytest.fixture(scope="module")
def painter(small_run, trained):
    return open_method(MethodInputs(small_run.ingest.split("train"), small_run.pool, 11, "cpu", trained))


def products(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "logs" not in path.parts
    }


def test_training_leaves_what_it_promises(trained):
    names = set(products(trained))
    assert {
        "generator.safetensors",
        "restorer.safetensors",
        "aware.safetensors",
        "model.json",
        "losses.csv",
        "samples/step-000002.png",
        "samples/step-000004.png",
    } <= names
    assert not [name for name in names if name.startswith("checkpoints")]
    assert list((trained / "logs").rglob("events.out.tfevents*")), "TensorBoard's log"
    model = json.loads((trained / "model.json").read_text())
    assert model["categories"] == ["spot", "scratch"]
    assert all(ratio > 0.3 for ratio, _ in model["severity"]["spot"]), "the defects here are bright"
    assert "warnings" not in json.loads((trained / "metrics.json").read_text()), "no sign of a collapse"


def test_a_training_that_was_cut_off_ends_with_the_same_bytes(small_run, trained, tmp_path, monkeypatch):
    out, whole, calls = tmp_path / "train@anomaly_gan", loop.train_step, []

    def cut(*arguments):
        calls.append(arguments)
        if len(calls) == TINY["aware_steps"] + 4:
            raise KeyboardInterrupt
        return whole(*arguments)

    context = Context(5, "cpu", small_run.inputs())
    monkeypatch.setattr(loop, "train_step", cut)
    with pytest.raises(KeyboardInterrupt):
        run_stage("train@anomaly_gan", train.run, TrainConfig(**TINY), context, out)
    assert (out / "checkpoints" / "step-0000002.pt").is_file()
    monkeypatch.setattr(loop, "train_step", whole)
    run_stage("train@anomaly_gan", train.run, TrainConfig(**TINY), context, out)
    assert products(out) == products(trained)


@pytest.mark.parametrize("name", METHODS)
def test_generation_cut_off_half_way_ends_with_the_same_bytes(name, small_run, trainings, tmp_path):
    training = training_of(name)
    inputs = {**small_run.inputs(), **({f"train@{training}": trainings(training)} if training else {})}
    if METHODS[name].chooses:
        inputs["choose"] = tmp_path / "choose"
        write_json(inputs["choose"] / "choice.json", {"spot": "anomaly_gan", "scratch": "copy_paste"})
    context, config = Context(5, "cpu", inputs), GenerateConfig(method=name, count=3)
    generate.run(config, context, tmp_path / "whole")
    cut = tmp_path / "cut"
    items = generate.choose_items(small_run.pool, config)
    opened = METHODS[name].open(generate.method_inputs(name, context))
    for item in items[:2]:
        note = generate.write_sample(opened([item], 0)[0], item, name, cut)
        generate.write_json(cut / "notes" / f"{item.image.file_name}.json", note)
    (cut / "images" / items[3].image.file_name).parent.mkdir(parents=True, exist_ok=True)
    (cut / "images" / items[3].image.file_name).write_bytes(b"half a picture")
    generate.run(config, context, cut)
    assert products(cut) == products(tmp_path / "whole")
    made = load_dataset(cut)
    assert len(made.images) == 6 and all(image.source == "synthetic" for image in made.images)
    train_groups = {image.group_id for image in small_run.ingest.split("train").images}
    assert {image.group_id for image in made.images} <= train_groups
    config, inputs = ExportConfig(method=name), {**small_run.inputs(), f"gate@{name}": cut}
    exported = export.run(config, Context(5, "cpu", inputs), tmp_path / "export")
    assert exported["synthetic"] == 6 and exported["verified"]["leaks"] == 0, "and what it makes can be exported"


def test_every_pixel_beyond_the_support_is_the_photographs_own(small_run, painter):
    for item in generate.pool_items(small_run.pool)["scratch"]:
        sample = painter([item], 0)[0]
        mask = np.maximum.reduce([annotation.mask() for annotation in item.annotations])
        reach = 2 * sample.provenance["support_px"] + 1
        import cv2

        near = cv2.dilate(mask, np.ones((reach, reach), np.uint8)) > 0
        assert (sample.pixels != sample.base)[~near].sum() == 0
        assert (sample.pixels != sample.base)[near].any(), "something is painted"


def test_a_painting_depends_on_seed_item_and_attempt_alone(small_run, trained, painter):
    items = generate.pool_items(small_run.pool)["spot"][:2]
    alone, together = painter([items[1]], 0)[0], painter(items, 0)[1]
    assert (alone.pixels == together.pixels).all()
    assert (painter([items[1]], 1)[0].pixels != alone.pixels).any(), "another attempt is another painting"


def test_a_defect_larger_than_the_window_is_painted_whole(small_run, painter):
    item = generate.pool_items(small_run.pool)["scratch"][0]
    mask = np.zeros((item.image.height, item.image.width), np.uint8)
    mask[3:6, 2:-2] = 1
    long = Annotation.from_mask(1, item.image.id, 2, mask)
    sample = painter([type(item)(item.image, [long])], 0)[0]
    changed = (sample.pixels != sample.base)[3:6]
    assert changed[:, :20].any() and changed[:, -20:].any()


def test_other_categories_than_the_models_are_refused(small_run, trained):
    ingest = small_run.ingest.split("train")
    import dataclasses

    other = dataclasses.replace(ingest, categories=ingest.categories[:1])
    with pytest.raises(InputError, match="H10: trained for \\['spot', 'scratch'\\], the data set has \\['spot'\\]"):
        open_method(MethodInputs(other, small_run.pool, 0, "cpu", trained))


def test_more_than_the_pool_holds_is_refused_with_numbers(small_run):
    with pytest.raises(InputError, match="H9: 11 photographs of 'spot' asked for, the pool has 10 masks"):
        generate.choose_items(small_run.pool, GenerateConfig(count=11))


def test_a_batch_depends_on_seed_and_step_alone_and_pairs_one_category(small_run):
    def source():
        return PairSource(
            small_run.ingest.split("train"),
            small_run.pool,
            Framing(32),
            6,
            9,
            gray=True,
            paint_out=True,
            exemplars=True,
        )

    one, two = source(), source()
    two.batch(0)
    first, again = one.batch(3), two.batch(3)
    columns = [name for name in vars(first) if name != "row_before"]
    assert all(torch.equal(getattr(first, name), getattr(again, name)) for name in columns)
    assert not torch.equal(first.abnormal_BCHW, one.batch(4).abnormal_BCHW)
    inside = (first.abnormal_BCHW * first.abnormal_mask_B1HW).sum((1, 2, 3)) / first.abnormal_mask_B1HW.sum((1, 2, 3))
    assert (inside > 0.3).all(), "a real defect, bright here, lies under its own mask"
    assert first.normal_BCHW.min() >= -1 and first.normal_BCHW.max() <= 1


@pytest.mark.parametrize(("box", "scale"), [([0, 0, 10, 20], 1), ([0, 0, 27, 5], 2), ([0, 0, 300, 5], 2)])
def test_the_window_is_the_smallest_that_shows_the_whole_defect(box, scale):
    assert Framing(32, (1, 2)).scale_for(box) == scale


def test_a_photograph_smaller_than_the_window_is_mirrored(small_run):
    photograph = read_pixels(small_run.ingest.path_of(small_run.ingest.images[0]), True)[:20, :24]
    mask = np.zeros_like(photograph)
    mask[5:9, 5:9] = 1
    window, piece = cut_window(photograph, mask, [5, 5, 4, 4], Framing(32), np.random.default_rng(0))
    assert window.shape == piece.shape == (32, 32) and piece.sum() == 16
    assert (window[20:24, :20] == window[15:19, :20][::-1]).all()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"preset": "papre"}, "no preset 'papre' \\(did you mean 'paper'\\?\\)"),
        ({"size": 48}, "size: 48 must be a power of two"),
        ({"widths": (8, 8)}, "size 64 px needs 4 widths"),
        ({"depth": 7}, "lean U-Net has 2 to 4 stages"),
    ],
)
def test_a_training_that_cannot_be_built_is_refused_by_field(values, words):
    from anomaly_gan.core.config import build

    with pytest.raises(ConfigError, match=words):
        build(TrainConfig, values, "train")


def test_every_preset_is_a_valid_configuration():
    for name in PRESETS:
        assert TrainConfig(preset=name).preset == name


def test_a_defect_is_painted_out_under_its_mask_alone(small_run):
    source = PairSource(small_run.ingest.split("train"), small_run.pool, Framing(32), 8, 9, gray=True, paint_out=True)
    batch = source.batch(0)
    near = torch.nn.functional.max_pool2d(batch.abnormal_mask_B1HW, 5, stride=1, padding=2) > 0
    assert torch.equal(batch.painted_out_BCHW[~near], batch.abnormal_BCHW[~near])
    own = batch.abnormal_mask_B1HW > 0
    # bright defects (190 to 210) on dark texture (about 60): what is left is as dark as its surroundings
    assert batch.abnormal_BCHW[own].mean() > 0.4
    assert batch.painted_out_BCHW[own].mean() < -0.2


def test_a_painted_layer_can_hide_what_lies_beneath():
    photograph = torch.rand(1, 1, 8, 8) * 2 - 1
    opaque = torch.cat(
        [torch.full_like(photograph, 0.5), torch.zeros_like(photograph), torch.full_like(photograph, 50.0)], dim=1
    )
    clear = torch.cat(
        [torch.full_like(photograph, 0.5), torch.zeros_like(photograph), torch.full_like(photograph, -50.0)], dim=1
    )
    layered = PAINTINGS["layered"]
    assert torch.allclose(layered(photograph, opaque), torch.full_like(photograph, 0.5).tanh())
    assert torch.equal(layered(photograph, clear), photograph)
