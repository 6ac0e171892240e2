"""Configuration of a crop bank."""

from __future__ import annotations

from pydantic import Field

from ...core.config import Config


class BankConfig(Config):
    """How many crops a method makes for a detector to draw from, and how many of them are shams.

    ``aim``: by training annotation id, how often masks cut from that defect are painted, relative to 1; for defects
    that a detector misses.
    """

    method: str = "copy_paste"
    count: int = Field(600, ge=1, description="painted crops of each category")
    shams: float = Field(1.0, ge=0, le=4, description="sham crops for each painted one")
    size: int = Field(224, ge=32, description="side of a crop in pixels of the photograph")
    sham_sets: int = Field(4, ge=1, description="how often each training defect is replaced by another sound texture")
    aim: dict[int, float] = Field(default_factory=dict)
    threads: int = Field(0, ge=0, description="CPU threads; 0 leaves torch's choice")
