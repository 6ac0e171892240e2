"""Cards: a ``README.md`` beside every model and every exported data set, in the layout of the Hugging Face hub.

A card says what a thing is, what it was made from, how to use it and what not to expect; it holds facts of the thing
itself alone, so that equal products have equal cards. The licence is left open: model and data are their owner's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .files import write_text

CARD = "README.md"


@dataclass(frozen=True)
class Card:
    """``kind``: ``model`` or ``dataset``; ``task``: the hub's tag of what it is for; ``facts``: a table, in order;
    ``use``: lines of code or commands; ``limits``: a sentence each."""

    kind: str
    title: str
    task: str
    what: str
    facts: Mapping[str, Any]
    use: Sequence[str]
    limits: Sequence[str] = ()
    tags: Sequence[str] = field(default_factory=tuple)

    def text(self) -> str:
        """The card as Markdown with the hub's front matter."""
        tags = ["anomaly-gan", "visual-inspection", *self.tags]
        head: dict[str, object] = {"license": "other", "license_name": "see-owner", "tags": tags}
        if self.kind == "model":
            head |= {"library_name": "anomaly-gan", "pipeline_tag": self.task}
        else:
            head |= {"task_categories": [self.task], "pretty_name": self.title}
        front = yaml.safe_dump(head, sort_keys=True, allow_unicode=True)
        rows = "".join(f"| {name} | {_cell(value)} |\n" for name, value in self.facts.items() if value is not None)
        limits = "".join(f"- {sentence}\n" for sentence in self.limits)
        code = "\n".join(self.use)
        return (
            f"---\n{front}---\n\n# {self.title}\n\n{self.what}\n\n| | |\n|---|---|\n{rows}\n"
            f"## How to use it\n\n```\n{code}\n```\n" + (f"\n## What not to expect\n\n{limits}" if limits else "")
        )


def _cell(value: Any) -> str:
    return _words(value).replace("|", "\\|").replace("\n", " ")


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_words(one) for one in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_card(folder: Path, card: Card) -> Path:
    """Write ``README.md`` into ``folder``."""
    write_text(folder / CARD, card.text())
    return folder / CARD
