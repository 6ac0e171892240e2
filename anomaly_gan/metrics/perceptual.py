"""Perceptual distance between images: LPIPS (Zhang et al. 2018, eq. 1), or its unlearned form on another backbone.

d(x, y) = sum over levels of the mean over positions of sum_c w_c (x_hat_c - y_hat_c)^2, with feature vectors of
unit length at every position. That is a squared Euclidean distance between two long vectors: each image is embedded
once, and all pairs cost one matrix product.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch

from .features import Backbone, square_input

EPSILON = 1e-10
"""Keeps flat, all-zero feature vectors from dividing by 0, as in the lpips package."""

LEAST_SIZE = 64
"""Below this side (pixels) AlexNet's last maps shrink to nothing."""


def embed_levels(levels: Sequence[torch.Tensor], weights: Sequence[torch.Tensor | None]) -> torch.Tensor:
    """Feature maps (B, C, H, W) of all levels -> (B, K), where squared distances are the perceptual distance.

    ``weights`` are one non-negative (C,) per level, or None for 1 / number of levels each.
    """
    parts = []
    for maps, weight in zip(levels, weights, strict=True):
        unit = maps / (maps.square().sum(dim=1, keepdim=True).sqrt() + EPSILON)
        scale = (torch.full_like(unit[0, :, 0, 0], 1.0 / len(levels)) if weight is None else weight).sqrt()
        parts.append((unit * scale[:, None, None] / float(np.sqrt(maps.shape[2] * maps.shape[3]))).flatten(1))
    return torch.cat(parts, dim=1)


def pairwise_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances (N, M) of embeddings (N, K) and (M, K); at least 0."""
    squares = np.einsum("nk,nk->n", a, a)[:, None] + np.einsum("mk,mk->m", b, b)[None]
    return np.maximum(squares - 2.0 * (a @ b.T), 0.0)


@torch.inference_mode()
def pooled_and_embedded(
    images: Iterable[np.ndarray], backbone: Backbone, weights: Sequence[torch.Tensor | None] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Pooled features (N, D) float64 and perceptual embeddings (N, K) float32 of uint8 images, in one pass.

    ``weights`` as in ``embed_levels``; None: none learned.
    """
    pooled, embedded = [], []
    for image in images:
        vector, levels = backbone.network(square_input(image, backbone.size).to(backbone.device))
        pooled.append(vector.double().cpu())
        embedded.append(embed_levels(levels, weights or [None] * len(levels)).float().cpu())
    if not pooled:
        return np.zeros((0, 0)), np.zeros((0, 0), np.float32)
    return torch.cat(pooled).numpy(), torch.cat(embedded).numpy()


def lpips_backbone(
    trunk: Mapping[str, torch.Tensor], size: int, device: str = "cpu"
) -> tuple[Backbone, list[torch.Tensor | None]]:
    """The lpips package's AlexNet on torchvision's weights, and its learned level weights (C,).

    The package would download the trunk; here it starts random and is overwritten. Its linear layers are inside
    the package.

    Raises:
        ValueError: ``size`` is below ``LEAST_SIZE``.
        KeyError: ``trunk`` is not an AlexNet.
    """
    import lpips

    if size < LEAST_SIZE:
        raise ValueError(f"LPIPS needs a side of at least {LEAST_SIZE} pixels, got {size}")
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the package calls torchvision by a deprecated argument
        model = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    state = {
        f"{slice_name}.{key}": trunk[f"features.{key}"]
        for slice_name, block in model.net.named_children()
        for key in block.state_dict()
    }
    model.net.load_state_dict(state, strict=True)
    model.to(device)

    def network(images_BCHW: torch.Tensor) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        levels = list(model.net(model.scaling_layer(images_BCHW / 127.5 - 1.0)))
        return levels[-1].mean(dim=(2, 3)), levels

    weights = [layer.model[-1].weight.detach().flatten() for layer in model.lins]
    return Backbone("LPIPS", size, network, device), weights
