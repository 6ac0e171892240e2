"""Stages of ``precision: auto``: what was chosen is in their metrics; carried elsewhere they go on, or stay fresh."""

import json

import pytest

from anomaly_gan.core.files import sha256_file
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.engine import loop, precision
from anomaly_gan.synthesis.label_check import stage as label_check
from anomaly_gan.synthesis.label_check.config import LabelCheckConfig
from anomaly_gan.synthesis.methods.config import TrainConfig
from anomaly_gan.synthesis.training import stage as train

SMALLEST = {
    "batch": 4,
    "size": 32,
    "local_size": 8,
    "base_width": 4,
    "depth": 2,
    "widths": (8, 8, 8),
    "features": 8,
    "aware_width": 4,
    "aware_size": 8,
    "aware_steps": 1,
    "sample_every": 0,
    "scales": (1,),
    "threads": 1,
    "steps": 3,
    "checkpoint_every": 1,
}
SEGMENTERS = {"folds": 2, "size": 32, "base_width": 8, "depth": 2, "steps": 3, "batch": 4, "checkpoint_every": 1}
STAGES = {
    "train": (train.run, TrainConfig(**SMALLEST)),
    "label_check": (label_check.run, LabelCheckConfig(**SEGMENTERS)),
}


@pytest.fixture
def machine(monkeypatch):
    """Sets whether this machine has bf16."""

    def become(bf16):
        monkeypatch.setattr(precision, "_of_processor", lambda: precision.Choice(bf16, "says the stub"))

    return become


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize(("first", "then"), [("bf16-mixed", "32-true"), ("32-true", "bf16-mixed")])
def test_cut_off_and_carried_to_another_machine_it_ends_as_it_began(
    name, first, then, small_run, tmp_path, monkeypatch, machine
):
    function, config = STAGES[name]
    assert config.precision == "auto"

    def run(folder):
        return run_stage(name, function, config, Context(3, "cpu", small_run.inputs()), folder)

    machine(first)
    run(tmp_path / "whole")
    real, saved = loop.save_checkpoint, []

    def killing(*arguments, **names):
        real(*arguments, **names)
        saved.append(arguments[1])
        if len(saved) == 3:  # in the second of two segmenters: the first one is done
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(loop, "save_checkpoint", killing)
        if name == "train":
            saved.append(0)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "carried")
    machine(then)
    assert run(tmp_path / "carried")
    for folder in ("whole", "carried"):
        assert json.loads((tmp_path / folder / "metrics.json").read_text())["precision"] == first
        assert "precision: auto" in (tmp_path / folder / "config.yaml").read_text()
    nets = sorted(path.name for path in (tmp_path / "whole").glob("*.safetensors"))
    assert nets
    for net in nets:
        assert sha256_file(tmp_path / "whole" / net) == sha256_file(tmp_path / "carried" / net)
    assert not run(tmp_path / "carried") and not run(tmp_path / "whole"), "finished: fresh on any machine"
