"""Sets of several objects in one root, as published sets come: each object a folder, one of them picked."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.config import nearest
from ...core.errors import ConfigError
from ..ledger import refuse
from ..source_tree import SourceTree
from .base import ReadOptions


def pick_object(tree: SourceTree, objects: Iterable[str], options: ReadOptions) -> str:
    """The folder (``""``: the root itself) of the object to be read.

    Raises:
        InputError: OBJECT there are several, and none is picked.
        ConfigError: the one picked is not there.
    """
    found = sorted(set(objects))
    names = {folder.rsplit("/", 1)[-1] or tree.root.name: folder for folder in found}
    if options.object is not None:
        wanted = options.object.strip("/")
        if wanted in found:
            return wanted
        if wanted not in names:
            raise ConfigError(f"--object {options.object}: not in {tree.root}{nearest(options.object, sorted(names))}")
        return names[wanted]
    if len(found) > 1:
        raise refuse(
            str(tree.root),
            "OBJECT",
            f"holds {len(found)} objects: {', '.join(sorted(names))}",
            f"pick one: --object {min(names)}",
        )
    return found[0]


def below(folder: str, name: str) -> str | None:
    """The path of ``name`` below ``folder`` (``""``: the root); None where it lies elsewhere."""
    if not folder:
        return name
    return name[len(folder) + 1 :] if name.startswith(f"{folder}/") else None
