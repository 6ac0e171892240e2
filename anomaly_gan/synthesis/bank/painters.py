"""A method opened as it is, and opened on sound texture for its shams."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..interface import Generate, MethodInputs
from ..registry import method
from .shams import sham_split


class Painters:
    """Opens a method when it is first needed, and once for each of ``sets`` sets of sham textures.

    ``folder`` is where the sham photographs are written; whoever gives it removes it.
    """

    def __init__(self, name: str, inputs: MethodInputs, folder: Path, sets: int) -> None:
        self.name, self.inputs, self.folder, self.sets = name, inputs, folder, sets
        self._groups = {image.file_name: image.group_id for image in inputs.train.images}
        self._painted: Generate | None = None
        self._shams: dict[int, tuple[Generate, set[str]]] = {}

    def painted(self) -> Generate:
        """The method itself."""
        if self._painted is None:
            self._painted = method(self.name).open(self.inputs)
        return self._painted

    def sham(self, attempt: int) -> tuple[Generate, set[str]]:
        """The method with sound texture for defects, and the groups of the photographs the textures are from."""
        number = attempt % self.sets
        if number not in self._shams:
            split = sham_split(self.inputs.train, self.folder / str(number), self.inputs.seed, number)
            textures = {image.group_id for image in split.images if self._groups[image.file_name] != image.group_id}
            opened = method(self.name).open(replace(self.inputs, train=split, exemplars=split))
            self._shams[number] = opened, textures
        return self._shams[number]
