"""Lengths of time: one spelling each, nonsense refused in words."""

import pytest

from anomaly_gan.cli.options import read_budget
from anomaly_gan.core.config import build
from anomaly_gan.core.durations import canonical, seconds_of
from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.resources import PACKAGE
from anomaly_gan.pipeline.config import read_run_config
from anomaly_gan.synthesis.methods.config import TrainConfig


@pytest.mark.parametrize(
    ("text", "seconds", "spelled"),
    [
        ("90s", 90, "1m30s"),
        ("25m", 1500, "25m"),
        ("1h30m", 5400, "1h30m"),
        ("1.5h", 5400, "1h30m"),
        ("1h 5s", 3605, "1h5s"),
        ("60m", 3600, "1h"),
    ],
)
def test_a_length_of_time_has_one_meaning_and_one_spelling(text, seconds, spelled):
    assert seconds_of(text) == seconds
    assert canonical(text) == spelled and seconds_of(spelled) == seconds


@pytest.mark.parametrize("text", ["soon", "", "25", "0m", "-5m", "5m1h", "1e3s", 25, 90.0, True, "1h30", "٣m"])
def test_nonsense_is_refused_in_one_line_that_says_how_to_write_it(text):
    with pytest.raises(ConfigError, match=r"train: time_budget: .* is no length of time: write .*25m"):
        build(TrainConfig, {"time_budget": text}, "train")


def test_the_command_line_gives_every_training_of_a_run_its_time():
    run = read_run_config(PACKAGE / "configs" / "demo.yaml", ["train.time_budget=90m"])
    assert run.training("anomaly_gan").time_budget == run.training("cyclegan").time_budget == "1h30m"
    assert read_budget(None) is None
    with pytest.raises(ConfigError, match=r"^--time-budget: '' is no length of time"):
        read_budget("")
