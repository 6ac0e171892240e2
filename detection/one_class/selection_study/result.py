"""What the study of choices found: the content of its ``summary.json``, written here alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from detection.evaluation.statistics import Interval, verdict

FIGURES = ("balanced_accuracy", "detection_rate", "false_alarm_rate")
BLIND = "blind"


@dataclass(frozen=True)
class WayResult:
    """One way of choosing: what it chose in each repeat, and by name of ``FIGURES`` how that did on the test split;
    ``against_blind``: the difference in balanced accuracy, None for the blind choice itself."""

    detectors: Sequence[str]
    thresholds: Sequence[float]
    figures: Mapping[str, Interval]
    against_blind: Interval | None

    def to_json(self) -> dict[str, object]:
        content: dict[str, object] = {
            "detectors": list(self.detectors),
            "thresholds": list(self.thresholds),
            **{name: interval.to_json() for name, interval in self.figures.items()},
        }
        if self.against_blind:
            content["against_blind"] = {**self.against_blind.to_json(), "verdict": verdict(self.against_blind)}
        return content

    def sentence(self, way: str) -> str | None:
        """Against the blind choice, in plain words; None for it."""
        if self.against_blind is None:
            return None
        word = verdict(self.against_blind)
        link = "from" if word == "no difference shown" else "than"
        return (
            f"{_how(way)}: {word} {link} the blind choice, balanced accuracy {self.against_blind.mean:+.3f} "
            f"{_between(self.against_blind)}."
        )


@dataclass(frozen=True)
class TestCount:
    """What the choices were judged on."""

    photographs: int
    defects: int
    objects: int
    objects_with_defects: int


@dataclass(frozen=True)
class StudyResult:
    """``default``: the blind detector; ``asked``: its false-alarm rate; ``auroc``: of every repeat by detector and kind
    of defects; ``choices``: by way of choosing."""

    arm: str
    seed: int
    repeats: int
    default: str
    asked: float
    detectors: Sequence[str]
    matched: bool
    bootstrap: int
    test: TestCount
    auroc: Sequence[Mapping[str, Mapping[str, float]]]
    choices: Mapping[str, WayResult]

    @property
    def sentences(self) -> dict[str, str]:
        """By way of choosing, one against the blind choice."""
        return {way: text for way, row in self.choices.items() if (text := row.sentence(way)) is not None}

    def to_json(self) -> dict[str, object]:
        choices = {way: row.to_json() for way, row in self.choices.items()}
        return asdict(self) | {"choices": choices, "sentences": self.sentences}


def _how(way: str) -> str:
    """The way of choosing as the beginning of a sentence."""
    kind, _, part = way.partition(": ")
    if kind.startswith(BLIND):
        return f"Another detector ({way.partition(', ')[2]}) chosen blind"
    what = {"detector only": "Detector", "threshold only": "Threshold"}.get(part, "Detector and threshold")
    return f"{what} chosen on " + {
        "synthetic": "synthetic defects",
        "real_training": "real training defects",
        "oracle": "the test defects themselves (no way to choose)",
    }.get(kind, kind)


def _between(of: Interval) -> str:
    return f"[{of.low:+.3f}, {of.high:+.3f}]" if of.low is not None and of.high is not None else "(no interval)"
