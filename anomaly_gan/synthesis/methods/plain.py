"""What every rival's recipe starts from. No torch here."""

from __future__ import annotations

from typing import Any

PLAIN: dict[str, Any] = {
    # What the rivals' papers do not have: steering by severity and noise, pasting under the mask, our own terms.
    "noise": False,
    "composite": False,
    "painting": "residual",
    "inside": 1.0,
    "aware": 0.0,
    "severity": 0.0,
    "mismatch": 0.0,
    "paired": 0.0,
}
