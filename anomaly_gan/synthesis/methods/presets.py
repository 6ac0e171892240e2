"""The paper's own values, and those of its released code: what ``preset`` names. No torch here."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    # The paper as written (SPEC 1): whole photographs at 512 px, U-Net of depth 8, Iizuka discriminators, BCE.
    "paper": {
        "framing": "whole",
        "size": 512,
        "batch": 16,
        "channels": 3,
        "generator": "unet",
        "base_width": 64,
        "depth": 8,
        "norm": "batch",
        "widths": (64, 128, 256, 512, 512, 512, 512),
        "features": 1024,
        "local_size": 64,
        "discriminator_norm": "batch",
        "adversarial": "bce",
        "conditional": False,
        "noise": False,
        "composite": False,
        "painting": "image",
        "masked_local": True,
        "aware_width": 64,
        "aware_size": 64,
        "aware_compare": "positions",
        "cycle": 1.0,
        "inside": 1.0,
        "aware": 1.0,
        "severity": 0.0,
        "mismatch": 0.0,
        "paired": 0.0,
        "learning_rate": 2e-4,
        "betas": (0.5, 0.999),
        "ema": 0.0,
        "precision": "32-true",
    },
}
PRESETS["paper_cycle10"] = {**PRESETS["paper"], "cycle": 10.0}
# What the released code and its checkpoints hold: a ResNet of nine blocks at 256 px (SPEC 3, 8).
PRESETS["paper_released"] = {
    **PRESETS["paper"],
    "generator": "resnet",
    "size": 256,
    "widths": (64, 128, 256, 512, 512, 512),
}
PAPER = PRESETS["paper"]
"""The recipe of the method ``anomaly_gan_paper``, before a preset of the paper's other sizes."""
