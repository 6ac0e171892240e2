"""The paper's own values, and those of its released code: what ``preset`` names. No torch here.

``recipe`` holds Anomaly-GAN's own settings; the rest (sizes, optimiser, nets) is what every method can share.
"""

from __future__ import annotations

from ...core.config import merge

PAPER: dict[str, object] = {
    # Liu et al. 2023: whole photographs at 512 px, U-Net of depth 8, local and global discriminators as Iizuka's, BCE.
    # Deviation: learning rate 2e-4, usual for such nets; the paper prints "2 x e^-3". `paper_rate` has 2e-3; which of
    # the two paints better has not been measured.
    # Deviation: `steps` is what the user gives (2,000 unless given: 32,000 pairs). The paper trains 1,000 epochs: 7,700
    # steps of 16 at its 123 cloth strips, 75,000 at 1,200 pairs. On one thread a step at 512 px takes minutes.
    # Deviation: one net paints all categories that it is given, told nothing of them (`conditional: false`). The paper
    # trains one net a category: `data.categories: [crack]` does the same.
    # Deviation: the nets' widths and the U-Net's depth are not in the paper: pix2pix's, and Iizuka's discriminators.
    # The released code has another generator (`paper_released`).
    # Deviation: cycle a takes any mask of the pool, not experts' alone: without drawings a pool holds cut ones only.
    # Deviation: photographs are mirrored at random (`flips`), which the paper does not mention.
    # Deviation: bf16 where the device has it (`precision`), on one device; the paper names three cards of 11 GB and no
    # precision.
    # Deviation: half of the steps at a constant rate, then linear to 0; betas 0.5 and 0.999, weight decay 0.01. The
    # paper gives none of them.
    "framing": "whole",
    "size": 512,
    "batch": 16,
    "channels": 3,
    "learning_rate": 2e-4,
    "betas": (0.5, 0.999),
    "ema": 0.0,
    "nets": {
        "generator": "unet",
        "base_width": 64,
        "depth": 8,
        "norm": "batch",
        "widths": (64, 128, 256, 512, 512, 512, 512),
    },
    "recipe": {
        "painter": {"conditional": False, "noise": False, "composite": False, "painting": "image"},
        "features": 1024,
        "local_size": 64,
        "masked_local": True,
        "discriminator_norm": "batch",
        "adversarial": "bce",
        "aware_width": 64,
        "aware_size": 64,
        "aware_compare": "positions",
        "cycle": 1.0,
        "inside": 1.0,
        "aware": 1.0,
        "severity": 0.0,
        "mismatch": 0.0,
        "paired": 0.0,
    },
}
PRESETS: dict[str, dict[str, object]] = {
    "default": {},
    "paper": PAPER,
    "paper_cycle10": merge(PAPER, {"recipe": {"cycle": 10.0}}),
    # What the released code and its checkpoints hold: a ResNet of nine blocks at 256 px.
    "paper_released": merge(
        PAPER, {"size": 256, "nets": {"generator": "resnet", "widths": (64, 128, 256, 512, 512, 512)}}
    ),
    "paper_rate": merge(PAPER, {"learning_rate": 2e-3}),
}
