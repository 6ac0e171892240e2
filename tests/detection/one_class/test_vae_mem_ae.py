"""The variational and the memory-augmented auto-encoder: their terms by hand, and a training that lowers the loss."""

from pathlib import Path

import pytest
import torch

from anomaly_gan.engine.loop import make_fabric
from detection.one_class.interface import score_all
from detection.one_class.methods.mem_ae import Memory, addressing_entropy, shrunk
from detection.one_class.methods.vae import gaussian_kl, half_squares
from detection.one_class.registry import one_class
from detection.one_class.training import build_detector, train_detector


def images(count: int, seed: int = 0) -> torch.Tensor:
    noise = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 1, 16, 16), dtype=torch.uint8, generator=noise)


def test_gaussian_kl_by_hand():
    """Mean 1, variance 1: 1/2; mean 0, variance e: (e - 2) / 2."""
    mean, log_variance = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert gaussian_kl(mean, log_variance).item() == pytest.approx(0.5 + (torch.e - 2) / 2)
    assert gaussian_kl(torch.zeros(1, 3), torch.zeros(1, 3)).item() == 0


def test_half_squares_are_per_image():
    assert half_squares(torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2)).tolist() == [2, 2]


def test_vae_scores_by_the_mean_code_and_the_elbo_adds_the_kl():
    plain = build_detector("vae", 1, one_class("vae").configure(changes={"size": 16, "width": 4}), 0)
    elbo = build_detector("vae", 1, one_class("vae").configure(changes={"size": 16, "width": 4, "score_by": "elbo"}), 0)
    first, again = score_all(plain, images(4)), score_all(plain, images(4))
    assert torch.equal(first.image, again.image)
    assert first.map_BHW is not None and first.map_BHW.shape == (4, 16, 16)
    kl = score_all(elbo, images(4)).image - 0.5 * 256 * first.image
    assert (kl > 0).all()


def test_hard_shrinkage_by_hand():
    """0.5 and 0.3 stay and are brought back to sum 1; 0.2 lies on the threshold and goes."""
    assert shrunk(torch.tensor([0.5, 0.3, 0.2]), 0.2).tolist() == pytest.approx([0.625, 0.375, 0])


def test_entropy_by_hand():
    even, sure = torch.full((2, 4), 0.25), torch.tensor([[1.0, 0, 0, 0]])
    assert addressing_entropy(even).item() == pytest.approx(torch.tensor(4.0).log().item())
    assert addressing_entropy(sure).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("cosine", [True, False])
def test_memory_gives_back_combinations_of_its_items(cosine: bool):
    torch.manual_seed(0)
    memory = Memory(5, 3, 1.0, cosine)
    out, weights = memory(torch.randn(2, 3, 4, 4))
    assert out.shape == (2, 3, 4, 4) and weights.shape == (2, 4, 4, 5)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 4, 4))
    assert ((weights == 0) | (weights > 0.2)).all()  # shrunk at 1 / 5
    torch.testing.assert_close(out[0, :, 1, 2], weights[0, 1, 2] @ memory.items)


def test_a_memory_of_papers_size():
    detector = build_detector("mem_ae", 3, one_class("mem_ae").configure(), 0)
    memory = detector.nets["memory"]
    assert isinstance(memory, Memory) and memory.items.shape == (500, 256)


@pytest.mark.parametrize("name", ["vae", "mem_ae"])
def test_training_lowers_the_reconstruction_error(tmp_path: Path, name: str):
    settings = one_class(name).configure(changes={"size": 16, "width": 8, "batch": 8, "epochs": 12, "lr": 5e-3})
    detector = build_detector(name, 1, settings, 0)
    normals = (torch.arange(16).mul(15).to(torch.uint8).expand(32, 1, 16, 16) + images(32) // 16).contiguous()
    before = score_all(detector, normals).image.mean()
    train_detector(detector, normals, make_fabric("cpu"), tmp_path, 0)
    assert score_all(detector, normals).image.mean() < 0.7 * before
