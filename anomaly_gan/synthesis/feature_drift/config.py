"""Configuration of the figure of features over training; no torch here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..gate.config import OfMethodConfig


class FeatureDriftConfig(OfMethodConfig):
    """How many crops are looked at, at how many snapshots, and how they are laid out."""

    count: int = Field(
        60,
        ge=6,
        description="most crops per category: of real defects, of normal places, and of "
        "generated defects at each snapshot",
    )
    view: Literal["crop", "defect"] = "crop"
    """``crop``: a defect with its surroundings; ``defect``: what its mask covers, alone."""
    snapshots: int = Field(6, ge=1, le=12, description="most snapshots looked at, evenly spaced, the last one always")
    perplexity: float = Field(15.0, gt=1, description="of t-SNE: about how many neighbours a crop has")
    repeats: int = Field(20, ge=2, description="random halves of the real objects behind every distance")
    min_n: int = Field(6, ge=2, description="below this many crops on either side no distance is given")

    def gate(self) -> dict[str, object]:
        """What it shares with the gate, whose figures these are."""
        return {"method": self.method, "repeats": self.repeats, "min_n": self.min_n, "max_n": max(self.count, 6)}
