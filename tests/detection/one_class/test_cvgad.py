"""CVGAD against the paper: its losses by hand, Algorithm 1, negative training, its two scores."""

import math

import pytest
import torch
from scipy.ndimage import uniform_filter

from anomaly_gan.engine.loop import Schedule, fit, make_fabric
from anomaly_gan.engine.task import frozen
from detection.one_class.configs.cvgad import CvgadConfig
from detection.one_class.interface import Normals, score_all
from detection.one_class.methods import cvgad_losses as terms
from detection.one_class.methods.cvgad import RECENT, Cvgad, CvgadTask, Gate, outlying_codes
from detection.one_class.methods.cvgad_nets import FeatureDiscriminator
from detection.one_class.registry import one_class
from detection.one_class.training import build_detector, state_of, train_detector

SMALL = {"size": 16, "width": 4, "latent": 8, "batch": 8, "precision": "32-true"}


def small(**changes):
    settings = one_class("cvgad").configure("quick", {**SMALL, **changes})
    return build_detector("cvgad", 1, settings, seed=0)


def pictures(count, seed=0, size=16):
    return torch.randint(
        0, 256, (count, 1, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


def task_of(detector, negative_after=0):
    assert isinstance(detector, Cvgad)
    return CvgadTask(detector.nets | detector._only_training, detector.settings, negative_after)


def images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_paper_s_settings_are_the_defaults():
    settings = one_class("cvgad").configure()
    assert (settings.size, settings.batch, settings.lr, settings.latent, settings.window) == (32, 64, 1e-3, 256, 11)
    weights = (settings.weight_ssim, settings.weight_l1, settings.weight_mutual, settings.weight_latent)
    assert weights == (50, 10, 10, 5) and settings.weight_categorical == 1
    assert type(settings).published("mnist", None) == {"classes": 9, "weight_latent": 15.0}


def test_ssim_agrees_with_an_independent_reckoning():
    x, y = images(2, 3, 20, 20), images(2, 3, 20, 20, seed=1)

    def local(image):
        return uniform_filter(image.double().numpy(), (1, 1, 11, 11))[:, :, 5:15, 5:15]

    mean_x, mean_y = local(x), local(y)
    spread_x, spread_y, shared = local(x**2) - mean_x**2, local(y**2) - mean_y**2, local(x * y) - mean_x * mean_y
    c1, c2 = 0.02**2, 0.06**2
    expected = (
        (2 * mean_x * mean_y + c1) * (2 * shared + c2) / ((mean_x**2 + mean_y**2 + c1) * (spread_x + spread_y + c2))
    ).mean(axis=(1, 2, 3))
    assert terms.ssim(x, y, 11).tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_the_structural_loss_is_nought_for_equal_images_and_bounded_for_opposite_ones():
    x = images(2, 1, 16, 16)
    assert terms.structural_loss(x, x, 11).tolist() == pytest.approx([0, 0], abs=1e-5)
    inverted = 1 - x.abs()  # the same brightness on the whole, light for dark
    assert terms.structural_loss(x.abs(), inverted, 11).tolist() == pytest.approx([-math.log(1e-3)] * 2, rel=1e-5)


def test_the_latent_loss_by_hand():
    """z = (1, 2); means (1, 2) and (0, 0) with p = 3/4 and 1/4; log var = (0, 1)."""
    z, log_var = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 1.0]])
    log_kinds, means = torch.tensor([[0.75, 0.25]]).log(), torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    assert terms.latent_loss(z, log_var, log_kinds, means).item() == pytest.approx(0.5 * 0.25 * 5 - 0.5 * 3)


def test_the_latent_loss_is_the_divergence_of_two_gaussians():
    """Over many draws of z it is KL(N(m, s²) || N(u, 1)), by the closed form."""
    generator = torch.Generator().manual_seed(0)
    m, s, u = 0.7, 0.5, -0.3
    z = m + s * torch.randn(200_000, 1, generator=generator)
    log_var = torch.full_like(z, 2 * math.log(s))
    found = terms.latent_loss(z, log_var, torch.zeros(len(z), 1), torch.tensor([[u]])).mean().item()
    assert found == pytest.approx(0.5 * (s**2 + (m - u) ** 2 - 1 - 2 * math.log(s)), abs=0.01)


def test_the_categorical_loss_is_nought_when_uniform_and_log_k_when_certain():
    assert terms.categorical_loss(torch.full((1, 4), 0.25).log()).item() == pytest.approx(0, abs=1e-6)
    certain = torch.tensor([[100.0, 0, 0, 0]]).log_softmax(1)
    assert terms.categorical_loss(certain).item() == pytest.approx(math.log(4), rel=1e-5)


def test_the_gradient_penalty_of_a_linear_critic():
    """D(x) = 3 x_1 has a gradient of norm 3 everywhere: (3 - 1)² = 4; and its weight is told so."""
    weight = torch.tensor(3.0, requires_grad=True)
    penalty = terms.gradient_penalty(
        lambda x: weight * x[:, 0, 0, 0], images(4, 1, 8, 8), images(4, 1, 8, 8, seed=1), torch.rand(4)
    )
    penalty.backward()
    assert penalty.item() == pytest.approx(4.0) and weight.grad.item() == pytest.approx(2 * (3 - 1))


def test_negative_training_stops_at_the_margin_and_leaves_the_normal_level_alone():
    level, normal = torch.tensor(2.5, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    loss = terms.negative_loss(level, normal, 1.0)
    loss.backward()
    assert loss.item() == pytest.approx(0.5) and level.grad.item() == -1 and normal.grad is None
    assert terms.negative_loss(torch.tensor(3.1), torch.tensor(2.0), 1.0).item() == 0


@pytest.mark.parametrize("kinds", [1, 9])
@pytest.mark.parametrize("spread", [0.0, 0.1, 1.0, 30.0])
def test_outlying_codes_keep_their_distance_from_every_mean(kinds, spread):
    torch.manual_seed(0)
    means = spread * torch.randn(kinds, 16)
    nearest = torch.cdist(outlying_codes(means, 500, 5.0), means).amin(dim=1)
    assert (nearest > 5.0).all()


def test_the_feature_discriminator_is_two_1x1_convolutions_on_the_joined_maps():
    torch.manual_seed(0)
    net, features, z = FeatureDiscriminator(4, 3, hidden=5), torch.randn(2, 4, 2, 2), torch.randn(2, 3)
    joined = torch.cat([features, z[:, :, None, None].expand(-1, -1, 2, 2)], dim=1)
    weight = torch.cat([net.on_map.weight, net.on_code.weight[:, :, None, None]], dim=1)
    together, apart = net(features, z)
    expected = net.out(torch.nn.functional.conv2d(joined, weight, net.on_map.bias))
    assert torch.allclose(together, expected, atol=1e-5)
    assert torch.allclose(apart, net(features, z.flip(0))[0], atol=1e-5)


def test_algorithm_1_over_its_six_counts():
    updates = task_of(small()).updates()
    regular = ["critic", "reconstruction", "latent", "negative", "mutual_information", "reconstruction_again"]
    for count in range(12):
        expected = regular if count % 6 < 4 else ["critic"] if count % 6 == 4 else ["generator"]
        assert [update.name for update in updates if update.runs_at(count)] == expected
    optimizers = {update.name: update.optimizer for update in updates}
    assert len({id(optimizers[name]) for name in optimizers if name != "critic"}) == 1
    assert optimizers["critic"] is not optimizers["latent"]


@pytest.mark.parametrize(
    ("left_out", "missing"),
    [
        ("weight_mutual", {"mutual_information"}),
        ("weight_latent", {"latent"}),
        ("weight_negative", {"negative"}),
        ("weight_wasserstein", {"critic", "generator"}),
        ("weight_ssim", set()),
        ("weight_l1", set()),
    ],
)
def test_the_six_ablations_of_table_1(left_out, missing, tmp_path):
    every = {update.name for update in task_of(small()).updates()}
    detector = small(**{left_out: 0.0}, negative_after=0)
    task = task_of(detector)
    assert every - {update.name for update in task.updates()} == missing
    history = fit(task, lambda step: pictures(8, seed=step), Schedule(6, seed=0), make_fabric("cpu"), tmp_path)
    assert any("/l1" in name for name in history.rows[-1]) == (left_out != "weight_l1")
    assert any("/ssim" in name for name in history.rows[-1]) == (left_out != "weight_ssim")


def test_each_update_moves_only_what_it_should():
    detector = small()
    task = task_of(detector)
    updates = {update.name: update for update in task.updates()}

    def moved(name):
        step = task.forward(pictures(8))
        for net in task.nets.values():
            net.zero_grad(set_to_none=True)
        with frozen(updates[name].frozen):
            sum(updates[name].losses(step).values()).backward()
        return {key for key, net in task.nets.items() if any(p.grad is not None for p in net.parameters())}

    assert moved("critic") == {"critic"}
    assert moved("generator") == moved("reconstruction_again") == {"encoder", "decoder"}
    assert moved("latent") == {"encoder", "kinds"}
    assert moved("mutual_information") == {"encoder", "feature_discriminator"}


def test_the_gate_opens_below_the_median_once_enough_was_seen():
    gate = Gate(None)
    opened = [gate.opens(torch.tensor(value), after=3) for value in (5.0, 4.0, 3.0, 2.0, 9.0, 1.0)]
    assert opened == [False, False, False, True, False, True]
    for value in range(2 * RECENT):
        gate.opens(torch.tensor(100.0 + value), after=3)
    assert gate.opens(torch.tensor(100.0), after=3) and not gate.opens(torch.tensor(300.0), after=3)
    assert Gate(2.0).opens(torch.tensor(1.9), after=0) and not Gate(2.0).opens(torch.tensor(2.1), after=0)


def test_a_shut_gate_moves_no_weight_and_an_open_one_no_running_statistic(monkeypatch):
    monkeypatch.setattr(CvgadConfig, "negative_margin", 50.0)
    for threshold, moves in ((-1e9, False), (1e9, True)):
        monkeypatch.setattr(CvgadConfig, "negative_below", threshold)
        detector = small()
        task = task_of(detector)
        negative = next(update for update in task.updates() if update.name == "negative")
        step = task.forward(pictures(8))
        step.reconstruction, step.latent = torch.tensor(1.0), torch.tensor(0.0)
        before = state_of(detector)
        sum(negative.losses(step).values()).backward()
        negative.optimizer.step()
        changed = {key for key, value in state_of(detector).items() if not torch.equal(value, before[key])}
        assert bool(changed) == moves and not any("running" in key for key in changed)
        assert detector.nets["encoder"].training and detector.nets["decoder"].training


def test_training_lowers_the_reconstruction_loss_without_nan_in_bf16(tmp_path):
    detector = small(precision="bf16-mixed", classes=3)
    data = torch.full((8, 1, 16, 16), 40, dtype=torch.uint8)
    data[:, :, 4:12, 4:12] = 200
    history = fit(
        task_of(detector),
        lambda step: data,
        Schedule(48, seed=0, log_every=12),
        make_fabric("cpu", "bf16-mixed"),
        tmp_path,
    )
    assert history.rows[-1]["reconstruction/ssim"] < 0.7 * history.rows[0]["reconstruction/ssim"]
    assert history.rows[-1]["negative/hinge"] >= 0 and history.rows[-1]["critic/penalty"] < 100


def test_cut_off_between_two_checkpoints_it_takes_the_same_steps(tmp_path):
    def run(folder, stop=None):
        detector = small(negative_after=0)

        def batch(step):
            if step == stop:
                raise KeyboardInterrupt
            return pictures(8, seed=step)

        fit(task_of(detector), batch, Schedule(14, seed=0, checkpoint_every=5), make_fabric("cpu"), folder)
        return state_of(detector)

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", stop=8)
    again = run(tmp_path / "cut")
    assert all(torch.equal(whole[key], again[key]) for key in whole)


def test_the_score_is_standard_on_the_normals_and_the_published_one_looks_at_the_whole_set(tmp_path):
    detector = small(epochs=1)
    normals = pictures(32)
    train_detector(detector, normals, make_fabric("cpu"), tmp_path, seed=0)
    scores = score_all(detector, normals)
    assert scores.image.mean().item() == pytest.approx(0, abs=1e-4)
    assert scores.map_BHW.shape == (32, 16, 16)
    published = detector.score_published(normals)
    assert published.min() >= 0 and published.max() <= 2 + 1e-5
    assert not torch.allclose(detector.score_published(normals[:8]), published[:8])
    assert torch.allclose(score_all(detector, normals[:8]).image, scores.image[:8], atol=1e-5)


def test_the_standard_survives_normals_that_are_all_alike():
    detector = small()
    detector.finalize(Normals(pictures(1).repeat(4, 1, 1, 1)))
    assert torch.isfinite(score_all(detector, pictures(3, seed=1)).image).all()


def test_the_literal_readings_change_what_they_name_and_nothing_else(tmp_path):
    ours = task_of(small())
    mean = task_of(small(literal={"latent": "mean"}))
    x = images(8, 1, 16, 16)
    torch.manual_seed(3)
    summed, categorical = ours._manifold(x)
    torch.manual_seed(3)
    averaged, same = mean._manifold(x)
    assert averaged.item() == pytest.approx(summed.item() / 8) and same.item() == pytest.approx(categorical.item())

    one = {update.optimizer for update in ours.updates() if update.name != "critic"}
    apart = {update.name: update.optimizer for update in task_of(small(literal={"optimisers": "each"})).updates()}
    assert len(one) == 1 and len(set(apart.values())) == 6
    assert apart["reconstruction"] is apart["reconstruction_again"]

    flat, rising = torch.zeros(1, 1, 16, 16), torch.linspace(-0.05, 0.05, 16).expand(1, 1, 16, 16)
    assert terms.ssim(flat, rising, 11, literal=True).item() > terms.ssim(flat, rising, 11).item() + 0.1


def test_a_decoder_that_sees_the_kind_is_saved_with_it_and_scores(tmp_path):
    detector = small(literal={"decoder_label": True, "optimisers": "each", "latent": "mean"}, classes=3, epochs=1)
    train_detector(detector, pictures(24), make_fabric("cpu"), tmp_path, seed=0)
    assert detector.nets["decoder"].body[0].in_features == 8 + 3 and "kinds" in detector.nets
    z = torch.zeros(1, 8)
    plain = detector.nets["decoder"].eval()(torch.cat([z, torch.eye(3)[:1]], 1))
    other = detector.nets["decoder"](torch.cat([z, torch.eye(3)[1:2]], 1))
    assert not torch.equal(plain, other)
    again = small(literal={"decoder_label": True}, classes=3)
    assert {name.split(".")[0] for name in state_of(detector)} == {"encoder", "decoder", "standard", "kinds"}
    for name, net in again.nets.items():
        net.load_state_dict(detector.nets[name].state_dict())
    assert torch.equal(score_all(again, pictures(4, 1)).image, score_all(detector, pictures(4, 1)).image)
