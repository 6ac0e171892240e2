"""How long things took, to say how long the rest will take."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..core.progress import in_words


@dataclass
class Clock:
    """Seconds by kind of work. Only what was done in this process counts: what was linked or found took no time."""

    _seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def took(self, kind: str, seconds: float) -> None:
        self._seconds[kind].append(seconds)

    def left(self, kinds: Sequence[str]) -> str:
        """``, about 1 h 20 min`` for so much work still to do; says where some of it has no precedent yet."""
        known = {kind: sum(values) / len(values) for kind, values in self._seconds.items()}
        counts = Counter(kinds)
        seconds = sum(known[kind] * count for kind, count in counts.items() if kind in known)
        unknown = sum(count for kind, count in counts.items() if kind not in known)
        if not seconds:
            return ""
        return f", about {in_words(seconds)}" + (f" and {unknown} of unknown length" if unknown else "")
