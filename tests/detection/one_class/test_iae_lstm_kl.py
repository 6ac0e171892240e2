"""IAE-LSTM-KL and Deep SVDD against papers and code: sizes, gates, losses by hand, ablations, the published run."""

import itertools
from pathlib import Path

import pytest
import torch
from torch import nn

from anomaly_gan.core.config import apply_settings
from anomaly_gan.core.errors import ConfigError
from anomaly_gan.engine.loop import make_fabric
from detection.one_class.configs.iae_lstm_kl import ABLATIONS, IaeLstmKlConfig
from detection.one_class.interface import Normals, PublishedScoring, score_all
from detection.one_class.methods.deep_svdd import DeepSvdd, boundary_loss, quantile_radius
from detection.one_class.methods.gcn import ContrastNormalisation, contrast_normalised
from detection.one_class.methods.iae_lstm_kl import IaeLstmKl, IaeLstmKlTask, code_kl, code_radius, moment_kl
from detection.one_class.methods.iae_lstm_kl_nets import LstmGate, RecurrentGate
from detection.one_class.registry import one_class
from detection.one_class.training import build_detector, train_detector

TINY = {"size": 16, "width": 4, "batch": 8, "epochs": 2, "pretrain_epochs": 2}


def images(count: int, channels: int = 1, size: int = 16, seed: int = 0) -> torch.Tensor:
    noise = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8, generator=noise)


def built(name: str = "iae_lstm_kl", channels: int = 1, **changes: object) -> IaeLstmKl:
    detector = build_detector(name, channels, one_class(name).configure(changes={**TINY, **changes}), 0)
    assert isinstance(detector, DeepSvdd)
    return detector  # type: ignore[return-value]


def parameters(*nets: nn.Module) -> int:
    return sum(parameter.numel() for net in nets for parameter in net.parameters())


@pytest.mark.parametrize(("recurrent", "millions"), [(False, 13.4), (True, 34.4)])
def test_parameters_on_cifar(recurrent: bool, millions: float):
    with torch.device("meta"):  # the start values would take seconds and are not looked at
        detector = one_class("iae_lstm_kl").build(3, IaeLstmKlConfig(recurrent=recurrent))
    assert parameters(*detector.nets.values()) / 1e6 == pytest.approx(millions, abs=0.06)


def test_mvtec_net_codes_64_pixels_as_4096_numbers_and_mirrors_them():
    detector = built(channels=3, size=64, width=2, gate="none")
    assert detector.settings.net == "strided"
    x = torch.rand(2, 3, 64, 64)
    code = detector.encoder(x)
    assert code.shape == (2, 4096 * 2 // 32)
    assert detector.decoder(code).shape == x.shape
    full = IaeLstmKlConfig(size=64)
    assert full.net == "strided" and one_class("iae_lstm_kl").configure().net == "lenet"


def test_gate_is_an_lstm_s_first_step():
    torch.manual_seed(0)
    recurrent, gate, x = RecurrentGate(6), LstmGate(6), torch.randn(5, 6)
    i, _, g, o = recurrent.lstm.weight_ih_l0.chunk(4)
    gate.gates.weight.data = torch.cat([i, g, o])
    one_by_one = torch.cat([recurrent.lstm(row[None])[0] for row in x])
    torch.testing.assert_close(recurrent(x), one_by_one)
    torch.testing.assert_close(gate(x), one_by_one)


def test_published_lstm_reads_the_batch_as_a_sequence():
    detector = built(recurrent=True)
    assert isinstance(detector, PublishedScoring)
    ordered = images(8)
    changed = torch.cat([images(1, seed=9), ordered[1:]])
    assert detector.score_published(ordered)[-1] != detector.score_published(changed)[-1]
    assert score_all(detector, ordered).image[-1] == score_all(detector, changed).image[-1]
    assert detector.score_published(ordered)[0] == pytest.approx(score_all(detector, ordered).image[0].item(), rel=1e-4)


def test_recurrent_without_a_gate_is_refused():
    with pytest.raises(ConfigError, match="recurrent needs gate"):
        one_class("iae_lstm_kl").configure(changes={"recurrent": True, "gate": "none"})


def test_kl_of_the_batch_s_moments_by_hand():
    """Dimension 0: mean 1, variance 1: 1/2. Dimension 1: mean 0, variance 4: (4 - 1 - log 4) / 2."""
    code = torch.tensor([[0.0, -2.0], [2.0, 2.0]])
    expected = 0.5 + 0.5 * (3 - torch.tensor(4.0).log().item())
    assert moment_kl(code).item() == pytest.approx(expected, rel=1e-5)
    wide = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0))
    assert moment_kl(wide).item() == pytest.approx(0, abs=1e-3)


def test_kl_as_in_the_code_is_linear_in_the_code():
    """p = (1/2, 1/2): sum p (log p - z) = log 1/2 - mean z; the gradient is -p, whatever z is."""
    code = torch.tensor([[1.0, 3.0]], requires_grad=True)
    loss = code_kl(code, torch.zeros(1, 2))
    assert loss.item() == pytest.approx(torch.tensor(0.5).log().item() - 2)
    loss.backward()
    assert code.grad.tolist() == [[-0.5, -0.5]]


def test_boundaries_by_hand():
    squared, radius = torch.tensor([1.0, 4.0, 9.0, 16.0]), torch.tensor(3.0)
    assert boundary_loss(squared, radius, None).item() == 7.5
    assert boundary_loss(squared, radius, 0.1).item() == pytest.approx(9 + 7 / 4 / 0.1)
    assert quantile_radius(squared, 0.5).item() == pytest.approx(2.5)  # of 1, 2, 3, 4
    assert code_radius(squared, torch.tensor(0.0), 0.25).item() == pytest.approx(2 * quantile_radius(squared, 0.25))


def test_contrast_normalisation_by_hand_and_its_extremes():
    black_and_white = torch.tensor([[[[0, 255], [0, 255]]]], dtype=torch.uint8)
    assert contrast_normalised(black_and_white).flatten().tolist() == [-1, 1, -1, 1]
    assert contrast_normalised(torch.full((1, 1, 2, 2), 7, dtype=torch.uint8)).abs().max() == 0
    normals, learned = images(300), ContrastNormalisation()
    learned.learn(Normals(normals))
    x = learned(normals)
    assert x.min().item() == pytest.approx(0, abs=1e-6) and x.max().item() == pytest.approx(1, abs=1e-6)
    given = ContrastNormalisation((-2.0, 3.0))
    given.learn(Normals(normals))
    assert (given.low.item(), given.high.item()) == (-2, 3)


TERMS = {
    "deep_svdd": (),
    "dsvdd_kl": ("kl",),
    "dlsvdd": (),
    "dlsvdd_kl": ("kl",),
    "iaead": ("mse",),
    "iae_kl": ("kl", "mse"),
    "iae_lstm": ("mse",),
    "iae_lstm_kl": ("kl", "mse"),
}
WITH_GATE = ("dlsvdd", "dlsvdd_kl", "iae_lstm", "iae_lstm_kl")


@pytest.mark.parametrize("name", ABLATIONS)
def test_ablations_of_table_v(name: str):
    detector = built(**ABLATIONS[name])
    detector._find_centre(Normals(images(8)))
    task = detector._sphere_task()
    for net in task.nets.values():
        net.train()
    losses = task.losses(task.forward(images(8)))
    assert tuple(losses) == ("svdd", *TERMS[name])
    assert (detector.encoder.gate is not None) == (name in WITH_GATE)
    has_map = score_all(detector, images(2)).map_BHW is not None
    assert ("decoder" in detector.nets) == has_map == ("mse" in TERMS[name])


def test_ablations_are_all_different():
    said = apply_settings({}, ["kl=off"])  # as on a command line, where YAML makes a bare off false
    assert IaeLstmKlConfig(**said) == IaeLstmKlConfig(**ABLATIONS["iae_lstm"])
    settings = [IaeLstmKlConfig(**changes) for changes in ABLATIONS.values()]
    assert all(one != other for one, other in itertools.combinations(settings, 2))


def test_radius_waits_for_its_epoch():
    detector = built(objective="soft", soft_from=1)
    normals = images(16)
    detector.setup(Normals(normals))
    detector._find_centre(Normals(normals))
    task = detector._sphere_task()
    assert isinstance(task, IaeLstmKlTask)
    radii = []
    for step in range(3):  # two steps are an epoch
        task.losses(task.forward(normals[:8]))
        task.after_step(step)
        radii.append(detector.sphere.radius.item())
    assert radii[:2] == [0, 0] and radii[2] > 0


def test_pretraining_leaves_the_gate_out_and_the_centre_has_it_in():
    detector = built()
    pretrain, train = detector.phases()
    pretrain.task().forward(images(8))
    before = detector.encoder.gate.gates.weight.clone()
    task = pretrain.task()
    sum(task.updates()[0].losses(task.forward(images(8))).values()).backward()
    assert detector.encoder.gate.gates.weight.grad is None and torch.equal(before, detector.encoder.gate.gates.weight)
    train.begin(Normals(images(8)))
    assert (detector.sphere.centre.abs() >= 0.1 - 1e-7).all()


def test_nothing_but_the_gate_has_a_bias():
    detector = built(recurrent=True)
    assert {name.split(".")[0] for name, _ in detector.encoder.named_parameters() if "bias" in name} == {"gate"}
    assert not [name for name, _ in detector.decoder.named_parameters() if "bias" in name]


def test_published_run_has_the_code_s_weights_per_class():
    cat = IaeLstmKlConfig(**IaeLstmKlConfig.published("cifar10", 3))
    assert (cat.kl_weight, cat.mse_weight) == (1.525873, 2855.311838)
    assert cat.kl == "as_code" and cat.recurrent and cat.extremes is None
    sandal = IaeLstmKlConfig(**IaeLstmKlConfig.published("fashion_mnist", 5))
    assert (sandal.kl_weight, sandal.mse_weight) == (0.144335, 0.000729)
    assert sandal.extremes == (-0.7698501867861425, 13.103278415430502)
    assert "kl_weight" not in IaeLstmKlConfig.published("magnetic_tile", None)


def test_schedules_are_the_papers():
    settings = one_class("deep_svdd").configure()
    pretrain, train = build_detector("deep_svdd", 1, settings, 0).phases()
    assert (pretrain.epochs, train.epochs, train.batch) == (350, 150, 200)
    assert [pretrain.rate(249), pretrain.rate(250), train.rate(49), train.rate(50)] == [1, 0.1, 1, 0.1]
    ours = one_class("iae_lstm_kl").configure()
    assert (ours.batch, ours.lr, ours.amsgrad, ours.weight_decay) == (100, 1e-4, True, 0.5e-6)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("deep_svdd", {}),
        ("deep_svdd", {"objective": "soft", "soft_from": 2}),
        ("iae_lstm_kl", {}),
        ("iae_lstm_kl", {"kl": "as_code", "recurrent": True}),
    ],
)
def test_training_draws_normals_to_the_centre(tmp_path: Path, name: str, changes: dict):
    detector = built(name, epochs=8, lr=1e-3, **changes)
    ramp = torch.arange(16).mul(15).to(torch.uint8).expand(32, 1, 16, 16)
    normals = (ramp + images(32) // 16).contiguous()
    train_detector(detector, normals, make_fabric("cpu"), tmp_path, 0)
    column = (tmp_path / "train" / "losses.csv").read_text().splitlines()
    rows = [dict(zip(column[0].split(","), map(float, line.split(",")), strict=True)) for line in column[1:]]
    assert rows[-1]["sphere/svdd"] < 0.95 * rows[0]["sphere/svdd"]
    others = score_all(detector, images(32, seed=3)).image
    assert others.mean() > score_all(detector, normals).image.mean()
