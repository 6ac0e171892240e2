"""Shared by the tests of synthesis: a small run, trainings on it, a run's records renamed, coarse features."""

from dataclasses import replace

import pytest
from small_run import build_run

from anomaly_gan.metrics.backbones import Extractors
from anomaly_gan.metrics.features import Backbone
from anomaly_gan.synthesis.gate import stage as gate


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """Shared; tests that write choose folders of their own."""
    return build_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def renamed():
    """A copy of an image record under another provenance entry."""

    def change(image, **provenance):
        return replace(image, extra={**image.extra, "provenance": {**image.extra["provenance"], **provenance}})

    return change


@pytest.fixture(scope="session")
def trainings(small_run, tmp_path_factory):
    """A method's name -> its finished training, as small as can be, with nets of three channels."""
    from anomaly_gan.core.stage import Context, run_stage
    from anomaly_gan.synthesis.methods.config import TrainConfig
    from anomaly_gan.synthesis.training import stage as train

    done = {}

    def finished(name):
        if name not in done:
            done[name] = tmp_path_factory.mktemp("trainings") / f"train@{name}"
            run_stage(
                f"train@{name}",
                train.run,
                TrainConfig(method=name, **SMALLEST),
                Context(5, "cpu", small_run.inputs()),
                done[name],
            )
        return done[name]

    return finished


SMALLEST = {
    "steps": 3,
    "batch": 4,
    "size": 32,
    "local_size": 8,
    "base_width": 8,
    "depth": 2,
    "widths": (8, 8, 8),
    "features": 8,
    "patch_width": 4,
    "aware_width": 4,
    "aware_size": 8,
    "aware_steps": 1,
    "checkpoint_every": 2,
    "sample_every": 3,
    "scales": (1, 2),
    "threads": 1,
    "channels": 3,
}


@pytest.fixture
def toy_extractors(monkeypatch):
    """Coarse pictures in place of network features: decisions do not depend on them."""

    def network(images_BCHW):
        return images_BCHW.mean(dim=1).flatten(1), [images_BCHW / 255]

    toy = Backbone("Toy", 8, network)
    names = {"frechet": "FD-Toy", "kernel": "KID-Toy", "perceptual": "PD-Toy"}
    monkeypatch.setattr(gate, "build_extractors", lambda device: Extractors(toy, toy, None, names))
