"""The books of an ingest: every record found is accepted, refused or skipped, and none is lost between."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..core.errors import InputError
from ..core.files import write_text


def printable(name: str) -> str:
    """``name`` on one line: control characters and undecodable bytes are escaped, other letters are kept."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name)


def refuse(where: str, code: str, reason: str, remedy: str = "") -> InputError:
    """The typed refusal of one record, its place printed on one line."""
    return InputError(printable(where), code, printable(reason), printable(remedy))


@dataclass
class Notes:
    """What was found out about one photograph: fault codes repaired (with words) and things worth a warning."""

    repairs: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)
    mask_value: int | None = None
    """The one value but 0 of the photograph's mask picture."""
    boxes: list[bool] = field(default_factory=list)
    """Of every label that tells a box beside its mask: whether the two agree."""

    def repair(self, code: str, words: str) -> None:
        self.repairs.setdefault(code, words)

    def warn(self, code: str, words: str) -> None:
        self.warnings.setdefault(code, words)

    def told(self) -> dict[str, dict[str, str]]:
        """All of it, for another process."""
        return {"repairs": self.repairs, "warnings": self.warnings}

    def take(self, told: dict[str, dict[str, str]]) -> None:
        """What another process has found out."""
        for code, words in told["repairs"].items():
            self.repair(code, words)
        for code, words in told["warnings"].items():
            self.warn(code, words)


class Ledger:
    """Counts records (photographs, and labels without one) by their fate.

    ``found`` is counted where records are listed, the fates where they are decided, so that
    ``close`` can prove that nothing was dropped in silence.
    """

    def __init__(self) -> None:
        self.found = 0
        self.accepted = 0
        self.rows: list[dict[str, str]] = []
        self.ignored: Counter[str] = Counter()
        self.ignored_suffixes: Counter[str] = Counter()
        self.examples: dict[str, dict[str, str]] = {}
        """Of every code of a repair or warning: the first photograph, and its words."""
        self.remarks: list[str] = []
        """What a person should know of the set as a whole, one sentence each."""
        self.repaired: Counter[str] = Counter()
        self.warned: Counter[str] = Counter()

    def reject(self, file: str, error: InputError) -> None:
        self.rows.append(
            {
                "outcome": "rejected",
                "file": file,
                "where": error.where,
                "code": error.code,
                "reason": error.reason,
                "remedy": error.remedy,
                "message": str(error),
            }
        )

    def skip(self, file: str, reason: str) -> None:
        self.rows.append({"outcome": "skipped", "file": file, "reason": reason})

    def accept(self, notes: Notes, file: str) -> None:
        self.accepted += 1
        self.repaired.update(notes.repairs.keys())
        self.warned.update(notes.warnings.keys())
        for code, words in (notes.repairs | notes.warnings).items():
            self.examples.setdefault(code, {"file": printable(file), "words": words})

    def merge(self, file: str, reason: str) -> None:
        """A photograph that was accepted is the same as another one, and no record of its own any more."""
        self.accepted -= 1
        self.skip(file, reason)

    def remark(self, words: str) -> None:
        self.remarks.append(words)

    def warn(self, code: str, count: int, words: str, file: str | None = None) -> None:
        """Something about ``count`` photographs together."""
        self.warned[code] += count
        self.examples.setdefault(code, {"words": words, **({"file": printable(file)} if file else {})})

    def ignore(self, reason: str, file: str = "") -> None:
        """Files that are no records at all: ``Thumbs.db``, read-me files, label files of accepted records."""
        self.ignored[reason] += 1
        if file and reason != "mask of a photograph":
            name = PurePosixPath(file)
            self.ignored_suffixes[name.suffix.casefold() or name.name] += 1

    def warnings(self) -> list[str]:
        """One sentence on every code that was warned of: how often, and the first photograph."""
        found = ((code, count, self.examples[code]) for code, count in sorted(self.warned.items()))
        return [f"{code} {one['words']} ({count} such, first {one.get('file', '?')})" for code, count, one in found]

    @property
    def rejected(self) -> list[dict[str, str]]:
        return [row for row in self.rows if row["outcome"] == "rejected"]

    def counts(self) -> dict[str, Any]:
        """JSON-able: found = accepted + sum(rejected) + sum(skipped)."""
        skipped = [row for row in self.rows if row["outcome"] == "skipped"]
        return {
            "found": self.found,
            "accepted": self.accepted,
            "rejected": dict(sorted(Counter(row["code"] for row in self.rejected).items())),
            "skipped": dict(sorted(Counter(row["reason"] for row in skipped).items())),
            "repaired": dict(sorted(self.repaired.items())),
            "warned": dict(sorted(self.warned.items())),
            "ignored": dict(sorted(self.ignored.items())),
            "ignored_suffixes": dict(sorted(self.ignored_suffixes.items())),
            "remarks": self.remarks,
            "examples": dict(sorted(self.examples.items())),
        }

    def close(self, path: Path) -> dict[str, object]:
        """Write ``rejects.jsonl`` (refused and skipped records) and prove conservation.

        Raises:
            AssertionError: a record was found and has no fate, or two (a fault of ours, not of the input).
        """
        lines = [json.dumps(row, sort_keys=True) for row in sorted(self.rows, key=lambda row: row["file"])]
        write_text(path, "".join(line + "\n" for line in lines))
        if self.found != self.accepted + len(self.rows):
            raise AssertionError(
                f"ingest lost count: {self.found} found, {self.accepted} accepted, {len(self.rows)} refused or skipped"
            )
        return self.counts()
