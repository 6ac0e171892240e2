"""Renaming, merging and leaving out labels: ``--labels 1=fracture,2=fracture,dust=`` or a file of such pairs.

A name that is not listed stays. An empty new name leaves the label out (its photographs are treated as with
``categories``); ``ignore`` keeps the region as crowd, out of training and scores.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import yaml

from ..core.errors import InputError
from .ledger import printable

EVERY = "*"
"""Stands for every category: a region that counts as nothing for any of them."""
IGNORE = "ignore"
ALIKE = 0.85
"""Likeness (matching letters, twice their number over both lengths) from which two labels may be one misspelt."""


@dataclass(frozen=True)
class LabelMap:
    """``names``: old -> new; ``""`` leaves out. ``used``: those that occurred."""

    names: Mapping[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def of(self, name: str) -> str | None:
        """The category of a label, ``EVERY`` where it is to be ignored, None where it is left out."""
        if name not in self.names:
            return name
        self.used.add(name)
        new = self.names[name]
        return EVERY if new == IGNORE else new or None


def read_labels(told: str | None) -> LabelMap:
    """The map that ``told`` names: pairs with commas between, or a file of them (CSV old,new; YAML; lines old=new).

    Raises:
        InputError: C16 it cannot be understood, or one label is given two names; MISSING no such file.
    """
    if told is None:
        return LabelMap()
    path = Path(told).expanduser()
    if "=" in told and not path.is_file():
        return LabelMap(_checked("--labels", _split("--labels", told.split(","))))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        remedy = "check the path, or write pairs: --labels OLD=NEW"
        raise InputError(str(path), "MISSING", "the file of labels cannot be read", remedy) from error
    if path.suffix.lower() == ".csv":
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
        if any(len(row) != 2 for row in rows):
            raise _unclear(str(path), "has a line that is not old,new")
        pairs: list[tuple[str, str]] = [(row[0], row[1]) for row in rows if row != ["old", "new"]]
    elif path.suffix.lower() in {".yaml", ".yml", ".json"}:
        pairs = _of_yaml(path, text)
    else:
        pairs = _split(str(path), [line for line in text.splitlines() if line.strip() and not line.startswith("#")])
    return LabelMap(_checked(str(path), pairs))


def _of_yaml(path: Path, text: str) -> list[tuple[str, str]]:
    try:
        content: Any = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise _unclear(str(path), "is no YAML") from error
    if not isinstance(content, dict):
        raise _unclear(str(path), "is not a map of old names to new ones")
    return [(str(old), "" if new is None else str(new)) for old, new in content.items()]


def _split(where: str, parts: Iterable[str]) -> list[tuple[str, str]]:
    pairs = []
    for part in parts:
        if not part.strip():
            continue
        old, sign, new = part.partition("=")
        if not sign:
            raise _unclear(where, f"{part[:30]!a} is not old=new")
        pairs.append((old, new))
    return pairs


def _checked(where: str, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    names: dict[str, str] = {}
    for old, new in ((old.strip(), new.strip()) for old, new in pairs):
        if not old:
            raise _unclear(where, "has an empty old name")
        if names.setdefault(old, new) != new:
            raise _unclear(where, f"gives {old[:30]!a} two names")
    return names


def _unclear(where: str, reason: str) -> InputError:
    return InputError(printable(where), "C16", printable(reason), "write pairs as old=new")


def twins(names: Iterable[str]) -> list[list[str]]:
    """Groups of names that differ in case, spaces or Unicode form alone."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[_folded(name)].append(name)
    return [group for group in alike.values() if len(group) > 1]


def proposal(counts: Mapping[str, int]) -> str:
    """Pairs for ``--labels`` that merge look-alikes into the commoner one; empty where there are none.

    Look-alikes are twins, and words of at least 4 letters that agree to 0.85 and differ not only in a number.
    """
    names = sorted(counts, key=lambda name: (-counts[name], name))
    pairs: dict[str, str] = {}
    for at, rare in enumerate(names):
        for common in names[:at]:
            if common not in pairs and _alike(common, rare):
                pairs[rare] = common
                break
    return ",".join(f"{old}={new}" for old, new in sorted(pairs.items()))


def _alike(first: str, second: str) -> bool:
    a, b = _folded(first), _folded(second)
    if a == b:
        return True
    if min(len(a), len(b)) < 4 or any(letter.isdigit() for letter in a + b):
        return False
    return SequenceMatcher(None, a, b).ratio() >= ALIKE


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().replace("_", " ").replace("-", " ").split())
