"""A training that came to nothing says so; one that learns does not."""

from __future__ import annotations

import json

import torch

from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.synthesis.methods.config import TrainConfig
from anomaly_gan.synthesis.training import stage as train
from anomaly_gan.synthesis.training.collapse import INTERVALS, painted, signs, silent

SMALL = {"steps": 1, "batch": 4, "size": 32, "base_width": 4, "depth": 2, "patch_width": 4, "scales": (1, 2)}


def rows(*losses: float) -> list[dict[str, float]]:
    return [{"step": 10.0 * (at + 1), "generators/cycle": 1.0, "judges/d1": loss} for at, loss in enumerate(losses)]


def batch(levels: float, spread: float, seed: int = 0) -> torch.Tensor:
    """(6, 1, 16, 16) in [-1, 1]: each row its own level, apart by about ``levels`` grey levels, with so much grain."""
    draw = torch.Generator().manual_seed(seed)
    own = torch.randn(6, 1, 1, 1, generator=draw) * levels * 2 / 255
    return own + torch.randn(6, 1, 16, 16, generator=draw) * spread * 2 / 255


MASK = torch.zeros(6, 1, 16, 16)
MASK[:, :, 4:12, 3:13] = 1
REAL = batch(40, 10, 1)


def test_a_discriminator_that_is_silent_to_the_end_is_told_from_one_that_was_for_a_while():
    assert "0 since step 20" in str(silent(rows(1.0, *[1e-5] * INTERVALS), "judges"))
    assert silent(rows(*[1e-5] * (INTERVALS - 1)), "judges") is None, "too short to say"
    assert silent(rows(*[1e-5] * INTERVALS, 0.4), "judges") is None, "it came back"
    assert silent(rows(*[1e-5] * INTERVALS), "other") is None, "no such update"


def test_one_level_and_one_look_are_told_from_defects_that_vary():
    assert painted(batch(40, 8), MASK, REAL) is None
    assert "one even level" in str(painted(batch(40, 0), MASK, REAL))
    same = batch(0, 8)[:1].expand(6, -1, -1, -1)
    assert "look the same" in str(painted(same, MASK, REAL))
    assert painted(same, MASK, REAL[:1].expand(6, -1, -1, -1)) is None, "the real ones are alike too"
    assert painted(same, MASK * 0, REAL) is None and painted(same[:2], MASK[:2], REAL[:2]) is None
    colour = batch(40, 0).expand(-1, 3, -1, -1)
    assert signs([], "judges", {"generated": colour, "mask": MASK, "real": REAL.expand(-1, 3, -1, -1)})


def test_the_training_stage_says_it_and_keeps_it(small_run, tmp_path, monkeypatch, capsys):
    """That a sound training says nothing, ``test_train_generate.py`` looks at."""
    whole = train.previews
    monkeypatch.setattr(
        train, "previews", lambda *given: {**whole(*given), "generated": whole(*given)["generated"] * 0}
    )
    run_stage(
        "train",
        train.run,
        TrainConfig(method="pix2pix", sample_every=0, threads=1, **SMALL),
        Context(5, "cpu", small_run.inputs()),
        tmp_path / "train",
    )
    metrics = json.loads((tmp_path / "train/metrics.json").read_text(encoding="utf-8"))
    assert metrics["warnings"] == ["all generated defects are of one even level"]
    assert "train pix2pix: G11: all generated defects" in capsys.readouterr().err
