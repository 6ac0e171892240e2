"""The training's ablations: off they change nothing, on each adds what it promises and nothing else."""

from __future__ import annotations

import pytest
import tiny_training
import torch
from interrupted import interrupted_once
from lightning_fabric import Fabric
from pydantic import ValidationError
from random_batch import random_batch
from safetensors.torch import load_file
from torch import nn

from anomaly_gan.core.masks import decode_rle
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.engine.early_stopping import Plateau
from anomaly_gan.engine.loop import train_step
from anomaly_gan.nets.aware import AwareNet, freeze
from anomaly_gan.nets.crops import masked_crops
from anomaly_gan.synthesis.methods.anomaly_gan.build import build_task
from anomaly_gan.synthesis.methods.anomaly_gan.task import DISCRIMINATORS, AnomalyGanTask, other_noise
from anomaly_gan.synthesis.methods.config import TaskSetup, TrainConfig
from anomaly_gan.synthesis.pairs.windows import Batch, Framing, PairSource
from anomaly_gan.synthesis.training import stage as train
from anomaly_gan.synthesis.training.pretraining import Pretraining

SMALL = {
    "painting": "layered",
    "size": 32,
    "depth": 3,
    "base_width": 4,
    "widths": (4, 4, 4),
    "features": 8,
    "local_size": 16,
    "aware_size": 16,
}
TINY = {**tiny_training.TINY, "batch": 3, "sample_every": 0}
ON = {"r1": 2.0, "r1_every": 1, "augment": 0.7, "mode_seeking": 0.05, "consistency": 0.5}
OFF_LOSSES = {  # of the commit before there were these
    "adv1_abnormal": -0.243421,
    "adv2_abnormal": 0.015297,
    "adv1_normal": 0.032393,
    "adv2_normal": -0.013444,
    "cycle_normal": 0.242115,
    "cycle_abnormal": 0.259603,
    "aware_abnormal": 0.008999,
    "aware_normal": 0.012895,
    "severity": 0.128294,
    "paired_abnormal": 0.292160,
    "paired_features": 0.042525,
    "paired_normal": 0.309604,
    "d1_abnormal": 2.041088,
    "d2_abnormal": 1.978591,
    "d1_normal": 2.035506,
    "d2_normal": 1.978025,
    "mismatch": 0.615026,
}


def small_task(**changes) -> AnomalyGanTask:
    torch.manual_seed(1)
    return build_task(TaskSetup(TrainConfig(**{**SMALL, **changes}), 3, 2, freeze(AwareNet(3, 4)), seed=5))


def losses_of(task: AnomalyGanTask) -> dict[str, dict[str, float]]:
    torch.manual_seed(3)
    out = task.forward(random_batch())
    return {
        update.name: {name: value.item() for name, value in update.losses(out).items()} for update in task.updates()
    }


@pytest.fixture(scope="module")
def off() -> dict[str, dict[str, float]]:
    return losses_of(small_task())


def test_switched_off_the_losses_are_those_of_before(off):
    assert list(off) == ["generators", "discriminators"]
    assert off["generators"] | off["discriminators"] == pytest.approx(OFF_LOSSES, abs=2e-5)


@pytest.mark.parametrize(
    ("change", "added"),
    [
        ({"r1": 2.0}, {"r1": set(DISCRIMINATORS)}),
        ({"augment": 1.0}, {}),
        ({"mode_seeking": 0.1}, {"generators": {"mode_seeking"}}),
        ({"consistency": 0.5}, {"generators": {"consistency"}, "segmenter": {"cross_entropy", "dice"}}),
        (
            {"consistency": 0.5, "consistency_names": True},
            {"generators": {"consistency"}, "segmenter": {"cross_entropy", "dice"}},
        ),
    ],
)
def test_each_ablation_adds_its_terms_and_leaves_the_others(off, change, added):
    on = losses_of(small_task(**change))
    assert set(on) == set(off) | set(added)
    for update, terms in on.items():
        assert set(terms) == set(off.get(update, ())) | added.get(update, set())
        assert all(abs(value) < 1e4 for value in terms.values()), terms
    for update, terms in off.items():
        same = {
            name: value
            for name, value in terms.items()
            if "augment" not in change or not (name.startswith(("adv", "d1", "d2")) or name == "mismatch")
        }
        assert {name: on[update][name] for name in same} == pytest.approx(same, abs=1e-6)
    if "augment" in change:
        assert all(on["discriminators"][name] != off["discriminators"][name] for name in DISCRIMINATORS)


def test_all_together_train_under_bf16_and_spectral_norm():
    task = small_task(**ON)
    updates, batch = task.updates(), random_batch()
    assert [update.name for update in updates] == ["generators", "discriminators", "segmenter", "r1"]
    before = {name: [p.detach().clone() for p in net.parameters()] for name, net in task.nets.items()}
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    values = [train_step(task, updates, batch, fabric, step) for step in range(2)]
    assert set(values[0]) == set(values[1]) and all(abs(value) < 1e4 for value in values[1].values())
    moved = {
        name
        for name, net in task.nets.items()
        if any(not torch.equal(a, b) for a, b in zip(before[name], net.parameters(), strict=True))
    }
    assert moved == {"generator", "restorer", "segmenter", *DISCRIMINATORS}


class Linear(nn.Module):
    """Logit = <a, crop> + <b, picture>."""

    def __init__(self, crop: torch.Size, picture: torch.Size) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(crop)), nn.Parameter(torch.randn(picture))

    def forward(self, crops, pictures):
        return ((crops * self.a).flatten(1).sum(1) + (pictures * self.b).flatten(1).sum(1))[:, None]


def test_r1_of_a_linear_discriminator_is_its_squared_weights_and_runs_now_and_then():
    task = small_task(r1=3.0, r1_every=4)
    batch = random_batch()
    crops, pictures = task.views(batch.abnormal_BCHW, batch.abnormal_mask_B1HW, batch.category_B)
    for name in DISCRIMINATORS:
        task.nets[name] = Linear(crops.shape[1:], pictures.shape[1:])
    update = task.updates()[-1]
    with torch.autocast("cpu", torch.bfloat16):
        terms = update.losses(task.forward(batch))
    for name, value in terms.items():
        weights = task.nets[name].a.square().sum() + task.nets[name].b.square().sum()
        assert value.item() == pytest.approx(3.0 / 2 * 4 * weights.item(), rel=1e-5)
        assert torch.autograd.grad(value, task.nets[name].b)[0].allclose(12 * task.nets[name].b)
    assert [step for step in range(9) if update.runs_at(step)] == [0, 4, 8]


class Witness(nn.Module):
    """Notes the pictures it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.weight = [], nn.Parameter(torch.ones(()))

    def forward(self, crops, pictures):
        self.seen.append(pictures.detach())
        return (pictures * self.weight).mean((1, 2, 3))[:, None]


def test_augmented_pictures_and_masks_move_alike_for_real_and_fake_in_both_updates():
    task = small_task(augment=0.8, composite=False, painting="image")
    for name in DISCRIMINATORS:
        task.nets[name] = Witness()
    batch = random_batch()
    # Pictures that are their own masks: what a discriminator sees must stay so, up to the brightness.
    out = task.forward(batch)
    batch = Batch(
        batch.normal_mask_B1HW.repeat(1, 3, 1, 1),
        batch.normal_mask_B1HW,
        batch.abnormal_mask_B1HW.repeat(1, 3, 1, 1),
        batch.abnormal_mask_B1HW,
        batch.category_B,
        batch.noise_B2HW,
        batch.painted_out_BCHW,
    )
    out.batch, out.fake_abnormal, out.fake_normal = batch, batch.normal_BCHW, batch.abnormal_BCHW
    torch.manual_seed(0)
    task.generator_losses(out)
    task.weights = type(task.weights)()  # without mismatched pairs, which are no pairs
    task.discriminator_losses(out)
    for name in DISCRIMINATORS:
        assert [len(seen) for seen in task.nets[name].seen] == [3, 6], "generated alone, then with real ones before"
    moved = 0
    for name in DISCRIMINATORS:
        own, other = (
            (batch.normal_mask_B1HW, batch.abnormal_mask_B1HW)
            if name.endswith("_abnormal")
            else (batch.abnormal_mask_B1HW, batch.normal_mask_B1HW)
        )
        for seen, before in zip(task.nets[name].seen, (own, torch.cat([other, own])), strict=True):
            picture, mask = seen[:, :1], seen[:, 3:].sum(1, keepdim=True)
            offset = (picture - mask).flatten(1)
            torch.testing.assert_close(offset, offset[:, :1].expand_as(offset), atol=1e-6, rtol=0)
            moved += sum(not torch.equal(a, b) for a, b in zip(mask, before, strict=True))
    assert 18 <= moved <= 35, "of 36 pictures about four in five"


def test_the_segmenter_learns_real_windows_in_its_own_turn_only():
    task = small_task(consistency=0.5)
    net, batch = task.nets["segmenter"], random_batch()
    updates = {update.name: update for update in task.updates()}
    fabric = Fabric(accelerator="cpu", devices=1)
    for name in ("generators", "discriminators"):
        before = [p.detach().clone() for p in net.parameters()]
        values = train_step(task, [updates[name]], batch, fabric)
        assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True)), name
        assert ("generators/consistency" in values) == (name == "generators")
    out = task.forward(batch)
    term = task.generator_losses(out)["consistency"]
    assert any(
        g.any()
        for g in torch.autograd.grad(term, list(task.nets["generator"].parameters()), allow_unused=True)
        if g is not None
    ), "the generator is taught by it"
    losses = updates["segmenter"].losses
    out.fake_abnormal = out.fake_normal = torch.full_like(out.fake_abnormal, float("nan"))
    assert all(value.isfinite() for value in losses(out).values()), "no generated picture teaches the segmenter"
    with torch.no_grad():
        net.head.weight.zero_()
    asked = task.consistency.ask(batch.normal_BCHW, batch.normal_mask_B1HW, batch.category_B).item()
    half = [(2 * 0.5 * area + 1) / (0.5 * 1024 + area + 1) for area in batch.normal_mask_B1HW.sum((1, 2, 3)).tolist()]
    assert asked == pytest.approx(0.5 * (0.693147 + 1 - sum(half) / 3), rel=1e-4), "a segmenter that knows nothing"


def test_a_segmenter_that_names_wants_each_mask_in_its_categorys_map():
    task, batch = small_task(consistency=0.5, consistency_names=True), random_batch()
    assert task.nets["segmenter"](batch.normal_BCHW).shape[1] == 2
    mask, other = batch.normal_mask_B1HW, 1 - batch.category_B

    def perfect_for(category_B):
        wanted = mask * torch.eye(2)[category_B][:, :, None, None]
        task.consistency.net = lambda pictures: 40 * wanted - 20
        return task.consistency.ask(batch.normal_BCHW, mask, batch.category_B).item()

    assert perfect_for(batch.category_B) < 1e-3
    area = mask.sum((1, 2, 3))
    dice = (1 - 1 / (2 * area + 1)).mean().item()  # wholly found, all of it in another category's map
    assert perfect_for(other) == pytest.approx(0.5 * (20 * mask.mean().item() + dice), rel=1e-3)


def test_mode_seeking_counts_what_differs_inside_the_mask():
    task, batch = small_task(mode_seeking=1.0), random_batch()
    out = task.forward(batch)
    mask = batch.normal_mask_B1HW
    out.fake_abnormal, out.second_abnormal = batch.normal_BCHW, batch.normal_BCHW + 0.2 * mask + 9 * (1 - mask)
    codes = (batch.noise_B2HW - other_noise(batch).noise_B2HW).abs() * mask
    per_row = codes.sum((1, 2, 3)) / (2 * mask.sum((1, 2, 3))) / (0.2 + 0.05)
    assert task.generator_losses(out)["mode_seeking"].item() == pytest.approx(per_row.mean().item(), rel=1e-4)
    out = task.forward(batch)
    assert not torch.equal(out.fake_abnormal, out.second_abnormal)


def test_the_ablations_of_table_1():
    pixels = small_task(preset="paper", aware_compare="pixels")
    batch = random_batch()
    out = pixels.forward(batch)
    by_hand = (
        (
            masked_crops(out.fake_abnormal, batch.normal_mask_B1HW, 16)
            - masked_crops(batch.abnormal_BCHW, batch.abnormal_mask_B1HW, 16)
        )
        .square()
        .mean()
    )
    assert pixels.generator_losses(out)["aware_abnormal"].item() == pytest.approx(by_hand.item(), rel=1e-5)
    whole = small_task(preset="paper", discriminator_view="global", r1=1.0)
    assert [view.shape[-1] for view in whole.views(batch.normal_BCHW, batch.normal_mask_B1HW, batch.category_B)] == [32]
    assert not any("local" in name for name, _ in whole.nets["d1_normal"].named_parameters())
    assert all(value == value for terms in losses_of(whole).values() for value in terms.values())


def test_values_that_cannot_work_are_refused():
    with pytest.raises(ValidationError, match="consistency_names: there is no segmenter"):
        TrainConfig(consistency_names=True)
    with pytest.raises(ValidationError, match="mode_seeking: there is no noise"):
        TrainConfig(mode_seeking=0.1, noise=False)
    with pytest.raises(ValidationError, match="pretrain_steps: 30 leave none of 30"):
        TrainConfig(steps=30, pretrain_steps=30)
    with pytest.raises(ValidationError, match="the time may end before a real defect is seen"):
        TrainConfig(pretrain_steps=30, time_budget="1m")


def test_the_aware_network_learns_wherever_its_features_are_compared():
    assert TrainConfig(aware=0).recipe.steps_before == 150, "pairs compare them too"
    assert not TrainConfig(aware=0, paired=0).recipe.steps_before
    assert not TrainConfig(aware_compare="pixels", paired=0).recipe.steps_before


def test_a_plateau_does_not_look_while_pretraining():
    plateau = Plateau(10, 2, dict, dict, after=25)
    assert [step for step in range(1, 51) if plateau.due(step)] == [30, 40, 50]


def test_pretraining_shows_no_pixel_of_a_defect_and_paints_inside_the_mask(small_run):
    source = PairSource(small_run.ingest.split("train"), small_run.pool, Framing(16, (1, 2)), 6, 3, True)
    course = Pretraining(source, 2)
    real = course.batch(2)
    assert torch.equal(real.abnormal_BCHW, source.batch(2).abnormal_BCHW) and course.names(2) == source.names(2)
    assert torch.equal(course.batch(-1).noise_B2HW, source.batch(-1).noise_B2HW), "measurements stay with real ones"
    for files in source.abnormal.values():
        for rows in files.values():
            for name, annotation in rows:
                assert decode_rle(annotation.segmentation).any()
                source.pixels.pop(name, None)
    for step in (0, 1):
        batch = course.batch(step)
        changed = (batch.abnormal_BCHW != batch.painted_out_BCHW).float()
        assert not (changed * (1 - batch.abnormal_mask_B1HW)).any()
        assert ((changed.sum((1, 2, 3)) / batch.abnormal_mask_B1HW.sum((1, 2, 3))) > 0.5).all()
        assert all(name.startswith("a pseudo-defect on normal/") for name in course.names(step))
        assert torch.equal(batch.abnormal_BCHW, course.batch(step).abnormal_BCHW)
    with pytest.raises(KeyError):
        course.batch(2)


def test_a_training_cut_off_while_pretraining_ends_with_the_same_weights(small_run, tmp_path, monkeypatch):
    config = TrainConfig(**TINY, **ON, pretrain_steps=3)
    context = Context(5, "cpu", small_run.inputs())
    monkeypatch.setattr(train, "training_defects", lambda *_: ({}, {}))  # takes longer than the training

    def weights(out, config=config):
        run_stage("train@anomaly_gan", train.run, config, context, out)
        return load_file(out / "generator.safetensors")

    whole = weights(tmp_path / "whole")
    with interrupted_once(monkeypatch, Pretraining, at=2):
        with pytest.raises(KeyboardInterrupt):
            weights(tmp_path / "cut")
        resumed = weights(tmp_path / "cut")
    assert whole.keys() == resumed.keys() and all(torch.equal(whole[name], resumed[name]) for name in whole)
    again = weights(tmp_path / "again", config.model_copy(update={"repeat": 1}))
    assert any(not torch.equal(whole[name], again[name]) for name in whole), "a repeat is another training"
