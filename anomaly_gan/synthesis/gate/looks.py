"""What a job of a cluster found in one photograph by itself, as a note that the gate reads."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ...core.files import write_json
from ...core.json_files import read_as
from ..generate.stage import Row
from .candidate import Seen
from .results import Decision

LOOKS = "looks"


class Asked(dict[str, str]):
    """Owners of pictures that knows none, and remembers which were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.keys_asked: list[str] = []

    def get(self, key: str, default: Any = None) -> Any:
        self.keys_asked.append(key)
        return default


@dataclass(frozen=True)
class Look:
    """What became of one photograph: its ``decisions`` and the ``rejected`` rows among them, the ``row`` of the one
    that was accepted (None: none was), and the ``keys`` of the pictures that were decided on, in order."""

    decisions: list[Decision]
    rejected: list[Row]
    row: Row | None
    keys: list[str]

    def write(self, out: Path, file_name: str) -> None:
        write_json(note_of(out, file_name), vars(self))

    @classmethod
    def read(cls, out: Path, file_name: str) -> Look | None:
        path = note_of(out, file_name)
        if not path.is_file():
            return None
        note = read_as(path, _Note, "delete it and run again")
        return cls(cast(list[Decision], note.decisions), note.rejected, note.row, note.keys)

    def alone(self, seen: Seen) -> bool:
        """Whether none of its pictures is one of ``seen``."""
        return not any(key in seen.owners for key in self.keys)


@dataclass(frozen=True)
class _Note:
    """A :class:`Look` as its file holds it; rows are not looked into."""

    decisions: list[dict[str, object]]
    rejected: list[Row]
    row: Row | None
    keys: list[str]


def forget(out: Path) -> None:
    """The notes are no product."""
    shutil.rmtree(out / LOOKS, ignore_errors=True)


def note_of(out: Path, file_name: str) -> Path:
    """The file that says that a photograph has been looked at."""
    return out / LOOKS / f"{file_name}.json"
