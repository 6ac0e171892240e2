"""The paper preset is the paper: every loss term of both updates against eq. 1-8 written out on its own nets."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from random_batch import random_batch

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png
from anomaly_gan.losses.adversarial import bce_d, bce_d2, bce_g, bce_g2
from anomaly_gan.losses.aware import semantic_difference
from anomaly_gan.nets.aware import AwareNet, freeze
from anomaly_gan.nets.crops import masked_crops
from anomaly_gan.synthesis.methods.anomaly_gan.build import build_task
from anomaly_gan.synthesis.methods.anomaly_gan.task import DISCRIMINATORS, AnomalyGanTask, Outputs
from anomaly_gan.synthesis.methods.config import TaskSetup, TrainConfig
from anomaly_gan.synthesis.methods.painting.networks import build_generator
from anomaly_gan.synthesis.pairs.windows import Framing, PairSource, shrink_mask

SMALL = {
    "size": 32,
    "depth": 3,
    "base_width": 4,
    "widths": (4, 4, 4),
    "features": 8,
    "local_size": 16,
    "aware_size": 16,
}


def small_task(preset: str = "paper", **changes) -> AnomalyGanTask:
    config = TrainConfig(preset=preset, **{**SMALL, **changes})
    torch.manual_seed(1)
    return build_task(TaskSetup(config, 3, 2, freeze(AwareNet(3, 4)), seed=5))


@pytest.fixture(scope="module")
def task() -> AnomalyGanTask:
    return small_task()


@pytest.fixture(scope="module")
def out(task) -> Outputs:
    return task.forward(random_batch())


def judged(task: AnomalyGanTask, name: str, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return task.nets[name](masked_crops(image, mask, 16), image)


def test_the_preset_builds_the_networks_of_the_specification():
    config = TrainConfig(preset="paper")
    with torch.device("meta"):
        task = build_task(TaskSetup(config, 3, 4, freeze(AwareNet(3, config.recipe.aware_width)), seed=0))
        fake = task.nets["generator"](torch.empty(2, 4, 512, 512))
        logits = task.nets["d1_normal"](torch.empty(2, 3, 64, 64), torch.empty(2, 3, 512, 512))
    count = {name: sum(parameter.numel() for parameter in net.parameters()) for name, net in task.nets.items()}
    assert fake.shape == (2, 3, 512, 512) and logits.shape == (2, 1)
    assert count == {
        "generator": 54_414_979,
        "restorer": 54_414_979,
        "aware": 1_735_488,
        **dict.fromkeys(DISCRIMINATORS, 45_060_225),
    }


def test_the_released_preset_paints_with_the_net_of_the_released_checkpoint():
    config = TrainConfig(preset="paper_released")
    with torch.device("meta"):
        net = build_generator(config, 3, 4)
        fake = net(torch.empty(1, 4, 256, 256))
    assert sum(parameter.numel() for parameter in net.parameters()) == 11_391_811 and fake.shape == (1, 3, 256, 256)


def test_both_cycles_use_one_mask_each_and_hand_the_generators_four_channels(task, out):
    batch = out.batch
    generator, restorer = task.nets["generator"], task.nets["restorer"]
    pool_mask, own_mask = batch.normal_mask_B1HW, batch.abnormal_mask_B1HW
    fake_abnormal = generator(torch.cat([batch.normal_BCHW, pool_mask], 1))
    fake_normal = restorer(torch.cat([batch.abnormal_BCHW, own_mask], 1))
    torch.testing.assert_close(out.fake_abnormal, fake_abnormal)
    torch.testing.assert_close(out.rebuilt_normal, restorer(torch.cat([fake_abnormal, pool_mask], 1)))
    torch.testing.assert_close(out.fake_normal, fake_normal)
    torch.testing.assert_close(out.rebuilt_abnormal, generator(torch.cat([fake_normal, own_mask], 1)))


def test_the_generators_minimise_equation_8_term_by_term(task, out):
    batch = out.batch
    pool_mask, own_mask = batch.normal_mask_B1HW, batch.abnormal_mask_B1HW

    def features(image, mask):
        return task.nets["aware"](masked_crops(image, mask, 16))

    expected = {
        "adv1_abnormal": bce_g(judged(task, "d1_abnormal", out.fake_abnormal, pool_mask)),
        "adv2_abnormal": 0.3 * bce_g2(judged(task, "d2_abnormal", out.fake_abnormal, pool_mask)),
        "adv1_normal": bce_g(judged(task, "d1_normal", out.fake_normal, own_mask)),
        "adv2_normal": 0.3 * bce_g2(judged(task, "d2_normal", out.fake_normal, own_mask)),
        "cycle_normal": (out.rebuilt_normal - batch.normal_BCHW).abs().mean(),
        "cycle_abnormal": (out.rebuilt_abnormal - batch.abnormal_BCHW).abs().mean(),
        "aware_abnormal": semantic_difference(
            features(out.fake_abnormal, pool_mask), features(batch.abnormal_BCHW, own_mask)
        ),
        "aware_normal": semantic_difference(
            features(out.fake_normal, own_mask), features(batch.normal_BCHW, pool_mask)
        ),
    }
    terms = task.generator_losses(out)
    assert set(terms) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, msg=name)
        assert value > 0


def test_the_discriminators_see_real_and_generated_batches_apart(task, out):
    """With batch norm a joint batch would tell fakes by statistics the generator's update never shows."""
    batch = out.batch
    cases = {
        "abnormal": (batch.abnormal_BCHW, batch.abnormal_mask_B1HW, out.fake_abnormal, batch.normal_mask_B1HW),
        "normal": (batch.normal_BCHW, batch.normal_mask_B1HW, out.fake_normal, batch.abnormal_mask_B1HW),
    }
    expected = {}
    for side, (real, real_mask, fake, fake_mask) in cases.items():
        for name, loss in ((f"d1_{side}", bce_d), (f"d2_{side}", bce_d2)):
            expected[name] = loss(judged(task, name, real, real_mask), judged(task, name, fake, fake_mask))
    terms = task.discriminator_losses(out)
    assert set(terms) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, msg=name)


def test_the_second_preset_differs_in_the_cycle_weight_alone(out):
    ten = small_task("paper_cycle10")
    one = small_task()
    batch = out.batch
    terms, tenfold = one.generator_losses(one.forward(batch)), ten.generator_losses(ten.forward(batch))
    for name, value in terms.items():
        torch.testing.assert_close(tenfold[name], value * (10 if name.startswith("cycle") else 1), msg=name)


def test_each_update_moves_its_own_nets_only():
    task = small_task()
    before = {name: [p.detach().clone() for p in net.parameters()] for name, net in task.nets.items()}
    updates = {update.name: update for update in task.updates()}
    outputs = task.forward(random_batch())
    for moving, still in (("generators", DISCRIMINATORS), ("discriminators", ("generator", "restorer"))):
        parameters = [p for name in still for p in task.nets[name].parameters()]
        updates[moving].optimizer.zero_grad()
        held = [p.clone() for p in parameters]
        total = torch.stack(list(updates[moving].losses(outputs).values())).sum()
        total.backward(inputs=[p for group in updates[moving].optimizer.param_groups for p in group["params"]])
        updates[moving].optimizer.step()
        assert all(torch.equal(a, b) for a, b in zip(held, parameters, strict=True))
    changed = {
        name
        for name, net in task.nets.items()
        if any(not torch.equal(a, b) for a, b in zip(before[name], net.parameters(), strict=True))
    }
    assert changed == {"generator", "restorer", *DISCRIMINATORS}


def test_the_generators_are_pushed_by_every_term():
    """Each term alone reaches the net it is there to teach."""
    task = small_task()
    terms = task.generator_losses(task.forward(random_batch()))
    taught = {
        "adv1_abnormal": "generator",
        "adv2_abnormal": "generator",
        "aware_abnormal": "generator",
        "adv1_normal": "restorer",
        "adv2_normal": "restorer",
        "aware_normal": "restorer",
    }
    for name, net in taught.items():
        gradients = torch.autograd.grad(terms[name], list(task.nets[net].parameters()), retain_graph=True)
        assert any(gradient.any() for gradient in gradients), name
    for name in ("cycle_normal", "cycle_abnormal"):
        for net in ("generator", "restorer"):
            gradients = torch.autograd.grad(terms[name], list(task.nets[net].parameters()), retain_graph=True)
            assert any(gradient.any() for gradient in gradients), (name, net)


def test_a_whole_photograph_is_masked_with_all_its_defects_of_one_kind(tmp_path):
    masks = np.zeros((3, 100, 120), np.uint8)
    masks[0, 10:20, 5:15] = masks[1, 60:80, 90:110] = masks[2, 40, 3:117] = 1
    images = [
        ImageRecord(number, f"{number}.png", 120, 100, str(number), "train", "real", "", {"normal_file": "1.png"})
        for number in (1, 2)
    ]
    content = write_png(tmp_path / "images" / "1.png", np.full((100, 120), 90, np.uint8))
    images = [replace(image, sha256=sha256_bytes(content)) for image in images]
    write_png(tmp_path / "images" / "2.png", np.full((100, 120), 90, np.uint8))
    annotations = [
        Annotation.from_mask(number + 1, 2, category, masks[number]) for number, category in enumerate((1, 1, 2))
    ]
    dataset = Dataset(images, annotations, [Category(1, "spot"), Category(2, "crack")], {}, tmp_path)
    source = PairSource(dataset, dataset, Framing(32, whole=True), 16, 0, gray=True, flips=False)
    batch = source.batch(0)
    for shown in (batch.normal_mask_B1HW, batch.abnormal_mask_B1HW):
        for index, expected in ((0, masks[0] | masks[1]), (1, masks[2])):
            wanted = torch.from_numpy(shrink_mask(expected, 32)).float()
            assert wanted.sum() > 20
            assert all(torch.equal(mask[0], wanted) for mask in shown[batch.category_B == index])
    assert set(batch.category_B.tolist()) == {0, 1}
