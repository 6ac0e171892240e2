"""Configuration of the rating page. Torch-free."""

from __future__ import annotations

import re
from typing import ClassVar, Self

from pydantic import Field, model_validator

from anomaly_gan.core.config import Config

RESERVED = frozenset({"comment", "skip", "real"})
"""Names that the store uses itself."""
GRADE_NAMES = ("poor", "fair", "medium", "good", "excellent")
"""Linguistic grades, at 0, 2.5, 5, 7.5 and 10 of the scale; a grade bears the name it lies nearest to."""


class RateConfig(Config):
    """What is asked of the experts, and how the page is served.

    Keys: the digits 0 to 9 give exactly that grade, X gives 10 (0 is unreasonable, 10 perfect).
    """

    criteria: dict[str, float] = Field(default={"shape": 1.0, "place": 1.0, "scale": 1.0, "orientation": 1.0})
    """What is graded, in the order it is asked, and its weight in the evaluation, by proportion."""
    pairs: int = Field(30, ge=1)
    """Real-or-generated: most real photographs shown to a rater, beside as many generated ones."""

    host: str = "127.0.0.1"
    """Address to bind. Anything but loopback lets the network in; the token is then the only lock, and plain HTTP
    does not hide it from who listens on that network."""
    port: int = Field(8765, ge=0, le=65535)
    """0 takes any free port."""
    allowed_hosts: tuple[str, ...] = ()
    """Further names (``name`` or ``name:port``) that browsers may use for this machine."""

    backups: ClassVar[int] = 5
    """Copies of the ratings kept in RUN/rate/backups; one is made at each start and each clean stop, and while the
    server works after every ``backup_every`` ratings and every ``backup_minutes`` with any."""
    backup_every: ClassVar[int] = 50
    backup_minutes: ClassVar[float] = 10.0
    comment_chars: ClassVar[int] = 2000
    """Longest comment."""
    body_bytes: int = Field(1_000_000, ge=1000)
    """Longest request body."""
    connections: int = Field(512, ge=1)
    """Most open connections; half of them for one address."""
    requests_per_second: float = Field(200.0, gt=0)
    """Sustained rate allowed to one address; the burst is four seconds' worth."""
    request_seconds: float = Field(20.0, gt=0)
    """A request that has not arrived whole after this long is cut off."""
    busy_seconds: float = Field(5.0, ge=0)
    """How long a write waits for a locked database before the client is told to try again."""

    @model_validator(mode="after")
    def _sense(self) -> Self:
        if not self.criteria:
            raise ValueError("criteria: at least one is needed")
        for name, weight in self.criteria.items():
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name) or name in RESERVED:
                raise ValueError(
                    f"criteria: {name!r} must be a short lower-case word, and none of {', '.join(sorted(RESERVED))}"
                )
            if not 0 < weight < float("inf"):
                raise ValueError(f"criteria: the weight of {name!r} must be positive")
        for host in self.allowed_hosts:
            if not re.fullmatch(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?", host):
                raise ValueError(f"allowed_hosts: {host!r} is no host name")
        return self
