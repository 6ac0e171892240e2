"""What is decided on: one attempt at one pool item, and what every check of it may know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ...core.files import sha256_bytes
from .config import GateConfig

if TYPE_CHECKING:
    from .defects import RealDefects


@dataclass(frozen=True)
class Finding:
    """A reason to reject: the fault's code and one plain sentence."""

    code: str
    reason: str

    def to_json(self) -> dict[str, str]:
        return {"code": self.code, "reason": self.reason}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Finding:
        return cls(str(content["code"]), str(content["reason"]))


@dataclass(frozen=True)
class Outcome:
    """What one check says of one candidate: reasons to reject (none: nothing to say against it), and what it measured
    (plain JSON values under the names that the check's row declares)."""

    findings: tuple[Finding, ...] = ()
    measures: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return {"findings": [finding.to_json() for finding in self.findings], "measures": dict(self.measures)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Outcome:
        return cls(tuple(map(Finding.from_json, content["findings"])), dict(content["measures"]))


@dataclass(frozen=True)
class Candidate:
    """One attempt at one pool item, as it would be accepted.

    ``pixels`` (H, W) or (H, W, 3) uint8; ``instances`` are (category number, mask_01 (H, W)). ``base`` is the untouched
    photograph, which may have changed only within ``support_px`` of the masks; None where every pixel may have
    changed. ``ancestors`` are the objects each instance's mask or texture came from, as far as known; ``pasted``: the
    method lays training defects into photographs, so copies are its purpose.
    """

    pixels: np.ndarray
    instances: list[tuple[int, np.ndarray]]
    base: np.ndarray | None
    support_px: int
    ancestors: tuple[str | None, ...] = ()
    pasted: bool = False

    @property
    def masks(self) -> list[np.ndarray]:
        return [mask for _, mask in self.instances]


class Inspects(Protocol):
    """The segmenters of ``label_check`` (``gate.inspector``), as far as a check asks them."""

    def inspect(self, candidate: Candidate) -> tuple[list[Finding], dict[str, object]]:
        """Reasons to reject, and what was measured."""


@dataclass
class Seen:
    """Pixels accepted or trained on so far, by hash: a synthetic photograph must be none of them."""

    owners: dict[str, str] = field(default_factory=dict)

    def add(self, pixels: np.ndarray, owner: str) -> None:
        self.owners.setdefault(pixels_key(pixels), owner)


@dataclass(frozen=True)
class Setting:
    """What a check may know besides the candidate: the limits, the pixels met so far, the real training defects (for
    limits that are measured and not set), and the segmenters of ``label_check`` where the gate asks them."""

    config: GateConfig
    seen: Seen = field(default_factory=Seen)
    real_defects: RealDefects | None = None
    inspector: Inspects | None = None


def pixels_key(pixels: np.ndarray) -> str:
    """Hash of shape and pixels, whatever file they came from."""
    return sha256_bytes(f"{pixels.shape}{pixels.dtype}".encode() + np.ascontiguousarray(pixels).tobytes())
