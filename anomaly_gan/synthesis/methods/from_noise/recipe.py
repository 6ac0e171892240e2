"""What CGAN's and LSGAN's papers fixes. No torch here."""

from __future__ import annotations

from typing import Any

from ..plain import PLAIN

CGAN: dict[str, Any] = {**PLAIN, "adversarial": "bce", "discriminator_norm": "batch"}
LSGAN: dict[str, Any] = {**PLAIN, "adversarial": "lsgan", "discriminator_norm": "batch"}
