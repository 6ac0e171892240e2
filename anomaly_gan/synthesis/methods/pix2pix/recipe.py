"""What pix2pix's paper fixes. No torch here."""

from __future__ import annotations

from typing import Any

from ..plain import PLAIN

PIX2PIX: dict[str, Any] = {
    **PLAIN,
    "adversarial": "bce",
    "paired": 100.0,
    "dropout": 0.5,
    "discriminator_norm": "batch",
}
