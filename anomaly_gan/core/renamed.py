"""Older names, understood for one more release: a line of notice, once a process, and the new name is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEYS: dict[str, dict[str, str]] = {
    "DetectConfig": {"warm_start": "pretrained_heads"},
    "ExportConfig": {"opinion": "outliers"},
    "GateConfig": {"certificate": "label_check", "judged_n": "verdict_n", "judged_objects": "verdict_objects"},
    "FeatureDriftConfig": {"moments": "snapshots"},
    "PoolConfig": {"judge": "plausibility", "seat_scales": "anchor_scales"},
    "RunConfig": {"certify": "label_check", "opinion": "one_class_filter"},
}
"""Section's class -> what a key of it was called before -> its name."""
GONE: dict[str, dict[str, object]] = {
    "AdversarialConfig": {"input_noise": 0.0},
    "CategoryRules": {"break_parts": None},
    "DenseConfig": {"focus": 0.0, "bank_order": "rarest", "bank_from": 0.0, "bank_until": 1.0},
    "GateConfig": {"certificate_gap": 0.05, "min_certificate": 0.05},
    "LiftConfig": {"keep_banks": False},
    "OneClassFilterConfig": {"found_by": 1, "blamed_by": 1},
    "PlausibilityConfig": {"least_score": 0.0},
}
"""Section's class -> a key that is no more -> its value in every file that wrote it down without having chosen it."""
EXEMPLAR = {"examples": "exemplar"}
"""The method that shows what a generator starts from."""
WORDS: dict[str, dict[str, dict[str, str]]] = {
    "BankConfig": {"method": EXEMPLAR},
    "ChooseConfig": {"methods": EXEMPLAR},
    "CompareConfig": {"arms": EXEMPLAR},
    "ExportConfig": {"method": EXEMPLAR},
    "GateConfig": {"method": EXEMPLAR},
    "GenerateConfig": {"method": EXEMPLAR},
    "LiftArm": {"bank": EXEMPLAR},
    "PainterConfig": {"painting": {"example": "exemplar"}},
}
"""Section's class -> key -> a word that was its value before -> the word."""
STAGES = {"certify": "label_check", "opinion": "one_class_filter"}
"""Of ``run --from`` and ``--to``."""
SUBJECTS = {"judge": "plausibility"}
"""Of ``pool study``."""
FILES = {"switches.yaml": "ablations.yaml"}
"""Configurations that ship."""
NAMES = {"CertifyConfig": "LabelCheckConfig"}
"""What ``anomaly_gan`` offers."""

_SAID: set[str] = set()


def notice(what: str, new: str) -> None:
    """Say on stderr that ``what`` is now called ``new``; a second time nothing."""
    line = f"note: {what} is now called {new}; the older name works until the next release"
    if line not in _SAID:
        _SAID.add(line)
        from .progress import say

        say(line)


def newest(name: str, older: Mapping[str, str], what: str = "") -> str:
    """``name``, or what it is called now; ``what`` says of which kind it is, for the notice."""
    if name not in older:
        return name
    notice(f"{what} {name}".strip(), older[name])
    return older[name]


def with_new_keys(values: Mapping[str, Any], older: Mapping[str, str], where: str) -> dict[str, object]:
    """A mapping with every older key under its new name; of two names for one key, the one that stands later counts.

    Sections (mappings) under both names are merged.
    """
    result: dict[str, object] = {}
    for key, value in values.items():
        name = newest(key, older, where) if isinstance(key, str) else key
        below = result.pop(name, None)
        result[name] = {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
    return result
