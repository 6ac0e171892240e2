"""Beginning from another training's weights: a first stage on generated defects, a second one on real ones."""

from __future__ import annotations

from pathlib import Path

from ..data import CategoryMap
from ..dense.net import DenseNet


def load_start(net: DenseNet, folder: Path, categories: CategoryMap) -> None:
    """Load what fits of the model in ``folder``: all of it, or, where its categories are others, all but the heads.

    Raises:
        InputError: no model there.
    """
    from .checkpoint import load_detector

    first, of_first, _ = load_detector(folder)
    state, own = first.state_dict(), net.state_dict()
    heads = () if of_first == categories else ("maps.", "coarse.")
    fitting = {
        name: tensor
        for name, tensor in state.items()
        if name in own and tensor.shape == own[name].shape and not name.startswith(heads)
    }
    net.load_state_dict(fitting, strict=False)
