"""The smallest training that a configuration may ask for takes a step; anything smaller is refused before it starts."""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch

from anomaly_gan.core.errors import ConfigError
from anomaly_gan.engine.loop import make_fabric, train_step
from anomaly_gan.nets.aware import AwareNet
from anomaly_gan.synthesis.methods.config import TaskSetup, TrainConfig
from anomaly_gan.synthesis.pairs.windows import Framing, PairSource
from anomaly_gan.synthesis.registry import METHODS

LEAST = {"batch": 2, "size": 16, "base_width": 4, "depth": 2, "widths": (4, 4), "patch_width": 4, "scales": (1,)}
LEARNERS = [name for name in METHODS if METHODS[name].trainable]


@pytest.fixture(scope="module")
def sources(small_run):
    """As the training stage makes them: a method is given what its recipe asks for, and no more."""

    @cache
    def source(paint_out, exemplars):
        train = small_run.ingest.split("train")
        framing = Framing(16, (1,))
        return PairSource(train, small_run.pool, framing, 2, 3, gray=True, paint_out=paint_out, exemplars=exemplars)

    return source


@pytest.mark.parametrize("norm", ["none", "batch", "instance"])
@pytest.mark.parametrize("name", LEARNERS)
def test_two_rows_of_sixteen_pixels_are_enough_for_every_norm(sources, name, norm):
    """One pixel a channel is too few for a norm: it must never come to that within the sizes that are allowed."""
    torch.manual_seed(0)
    local = {"local_size": 8} if name.startswith("anomaly_gan") else {}
    config = TrainConfig(method=name, **{**LEAST, **local, "norm": norm})
    row = METHODS[name]
    source = sources(config.recipe.paints_out, config.recipe.exemplars)
    task = row.build(TaskSetup(config, 1, 2, AwareNet(1, 4) if row.aware else None, 0, torch.device("cpu")))
    values = train_step(task, task.updates(), source.batch(0), make_fabric("cpu"))
    assert values and all(math.isfinite(value) for value in values.values())


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("less", [{"batch": 1}, {"size": 8}, {"depth": 1}, {"depth": 5}])
def test_less_is_refused_before_anything_is_built(name, less):
    with pytest.raises((ValueError, ConfigError)):
        TrainConfig(method=name, **{**LEAST, **less})


@pytest.mark.parametrize("side", [4, 24, 32])
def test_a_crop_that_the_local_discriminator_cannot_halve_is_refused_by_name(side):
    """Sixteen pixels have widths for two convolutions; a crop of 32 needs three."""
    with pytest.raises(ValueError, match="local_size"):
        TrainConfig(**LEAST, local_size=side)
