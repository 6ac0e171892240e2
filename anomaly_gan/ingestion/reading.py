"""How photographs become pixels: one section for every verb that reads some, kept with every model that learnt so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field

from ..core.config import Config, Place
from ..core.dataset import Dataset
from ..core.errors import ConfigError

FEW_COLOURED = 0.05
"""Share of coloured photographs up to which a set is read as gray."""
COLOUR_OF_MODE: dict[str, Literal["gray", "rgb"]] = {"L": "gray", "RGB": "rgb"}


class ReadingConfig(Config):
    """How photographs are read.

    ``bits``: the depth of photographs of more than 8 bits; null: found over the set. ``colour``: ``auto`` reads all as
    gray where nearly all are. ``min_side``: smaller ones, in pixels, are refused (A19).

    A model keeps what its own photographs came to, and reads new ones in the same way; what is told wins.
    """

    bits: int | None = Field(None, ge=8, le=16)
    colour: Literal["auto", "gray", "rgb"] = "auto"
    min_side: int = Field(16, ge=1)

    def over(self, learnt: ReadingConfig) -> ReadingConfig:
        """``learnt`` but for what was told here.

        Raises:
            ConfigError: colour is told for a model that looks at gray photographs.
        """
        told = {name: getattr(self, name) for name in ReadingConfig.model_fields if name in self.model_fields_set}
        if told.get("colour") == "auto":
            del told["colour"]
        if told.get("colour") == "rgb" and learnt.colour == "gray":
            raise ConfigError("--colour rgb: the model learned from gray photographs and sees no colour; train it anew")
        return ReadingConfig(**{**{name: getattr(learnt, name) for name in ReadingConfig.model_fields}, **told})

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> Self:
        """How a data set was read."""
        return cls.of({"mode": dataset.mode, **dataset.info})

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Self:
        """How a model reads, by what it says of its own."""
        told = {name: info[name] for name in cls.model_fields if name in info}
        return cls(**{"colour": COLOUR_OF_MODE.get(info.get("mode", ""), "auto"), **told, **info.get("reading", {})})

    @property
    def mode(self) -> Literal["L", "RGB"]:
        return "L" if self.colour == "gray" else "RGB"

    def words(self) -> str:
        """For people: ``read as gray, from 12 bits``."""
        depth = "" if self.bits is None else f", from {self.bits} bits"
        return f"read as {'gray' if self.colour == 'gray' else 'colour'}{depth}"


class LabelledReadingConfig(ReadingConfig):
    """How photographs and their labels are read.

    ``exif``: the frame the labels were drawn in, where photographs are turned by EXIF. ``classes``: what values or
    colours of masks mean (``ingest.classes``).
    """

    exif: Literal["auto", "raw", "display"] = "auto"
    classes: Place | None = None


def resolved_colour(told: str, coloured: int, total: int) -> Literal["gray", "rgb"]:
    """How all photographs of a set are read, of whose ``total`` N are in colour."""
    few = coloured <= FEW_COLOURED * total or (coloured == 1 and total >= 4)
    return "gray" if told == "gray" or (told == "auto" and few) else "rgb"


def odd_ones(told: str, colour: str, coloured: Sequence[str], gray: Sequence[str]) -> tuple[int, str, str] | None:
    """Of a set read as ``colour``: how many photographs are otherwise, words on it, and the first; None of none (A10).

    ``told``: what was asked for; ``coloured`` and ``gray``: the files of the two kinds.
    """
    total = len(coloured) + len(gray)
    if coloured and colour == "gray":
        words = f"{len(coloured)} of {total} photographs are in colour, first {coloured[0]}; all are read as gray"
        return len(coloured), f"{words}{' (colour=rgb keeps the colour)' if told == 'auto' else ''}", coloured[0]
    if coloured and gray:
        return len(gray), f"{len(gray)} of {total} photographs are gray; all are read as colour", gray[0]
    return None
