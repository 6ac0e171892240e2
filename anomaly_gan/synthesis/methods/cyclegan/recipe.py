"""What CycleGAN's and FD-Cycle-GAN's papers fixes. No torch here."""

from __future__ import annotations

from typing import Any

from ..plain import PLAIN

_BOTH: dict[str, Any] = {**PLAIN, "cycle": 10.0, "identity": 5.0, "discriminator_norm": "instance"}
CYCLEGAN: dict[str, Any] = {**_BOTH, "adversarial": "lsgan"}
FD_CYCLEGAN: dict[str, Any] = {**_BOTH, "adversarial": "d2gan", "lambda_1": 1.0}
