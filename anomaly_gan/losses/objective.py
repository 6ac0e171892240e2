"""The weights of the full objective (Liu et al. 2023, eq. 4, 5 and 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Objective:
    """lambda_1 weighs D2 against D1; eq. 8 prints no other weight, so cycle and aware are 1 (CycleGAN's cycle: 10)."""

    lambda_1: float = 0.3
    cycle: float = 1.0
    aware: float = 1.0

    def weights(self) -> dict[str, float]:
        """Weight of each generator term; abnl is the cycle's side of G (eq. 4), norm that of H (eq. 5)."""
        adversarial = {"adv1": 1.0, "adv2": self.lambda_1}
        sides = {f"{name}_{side}": weight for side in ("abnl", "norm") for name, weight in adversarial.items()}
        halves = {f"{name}_{side}": getattr(self, name) for name in ("cycle", "aware") for side in ("abnl", "norm")}
        return sides | halves


def weighted(terms: Mapping[str, torch.Tensor], weights: Mapping[str, float]) -> dict[str, torch.Tensor]:
    """Each term times its weight.

    Raises:
        ValueError: a term without a weight, or a weight other than 0 whose term is absent: either would silently
            be another method.
    """
    unknown = sorted(set(terms) - set(weights))
    absent = sorted(name for name, weight in weights.items() if weight and name not in terms)
    if unknown or absent:
        raise ValueError(f"loss terms without a weight: {unknown}; weights without a term: {absent}")
    return {name: term * weights[name] for name, term in terms.items()}


def total(terms: Mapping[str, torch.Tensor], weights: Mapping[str, float]) -> torch.Tensor:
    """The weighted sum: eq. 8 with ``Objective().weights()``. Errors as ``weighted``."""
    return torch.stack(list(weighted(terms, weights).values())).sum()
