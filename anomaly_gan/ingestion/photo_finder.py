"""The photograph that a label file names, wherever in the source it lies.

Looked for below the label file's folder, then in the folder of ``--images``, then anywhere in the source by the longest
common end of the two paths, whatever the case of letters. Foreign paths never lead outside: only files that were
listed in the source are ever taken, and where several fit equally, none is.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import unquote

from .paths import confined
from .polygons import ShapeFault
from .source_tree import SourceTree

MARK = re.compile(r"^[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the names of uploaded files."""
LEAST_WORD = 3
PLACES = ("", "images", "JPEGImages", "img", "data", "imgs", "image")


class PhotoFinder:
    """``images``: the folder (relative to the source) where photographs are looked for first."""

    def __init__(
        self, tree: SourceTree, images: str | None = None, code: str = "D14", leave_out: Iterable[str] = ()
    ) -> None:
        self._photos = set(tree.photos()) - set(leave_out)
        self._images = images.strip("/") if images else None
        self._code = code
        self.guessed: set[str] = set()
        """Photographs that no label file names by a path that leads to them."""
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for photo in sorted(self._photos):
            name = _folded(PurePosixPath(photo).name)
            self._by_name[name].append(photo)
            self._by_stem[PurePosixPath(name).stem].append(photo)

    def find(self, named: object, label_file: str) -> str | None:
        """The photograph, or None where there is none.

        Raises:
            ShapeFault: the code given for what names no file; B11 several photographs fit equally.
        """
        folder = PurePosixPath(label_file).parts[:-1]
        try:
            path = confined(named, folder, self._code, climb=True)
        except ShapeFault:
            tail = self._tail(named)
            if tail is None:
                raise
            path = tail
        else:
            inner = path.removeprefix("/".join((*folder, ""))) if folder else path
            name = PurePosixPath(path).name
            if self._images is not None:
                first = [f"{self._images}/{inner}", f"{self._images}/{name}"]
                if (found := next((place for place in first if place in self._photos), None)) is not None:
                    return found
            if path in self._photos:
                return path
            beside = ["/".join(part for part in (*folder, place, inner) if part) for place in PLACES]
            if (found := next((place for place in beside if place in self._photos), None)) is not None:
                return found
        found = self._by_end(path, label_file)
        for other in _other_names(path) if found is None else ():
            found = found or self._by_end(other, label_file)
        self.guessed.update([found] if found is not None else [])
        return found

    def same_stem(self, label_file: str) -> str | None:
        """The one photograph of the label file's own stem, beside it before anywhere else; None where none is."""
        path = PurePosixPath(label_file)
        found = self._nearest(self._by_stem.get(_folded(path.stem), []), label_file, strict=False)
        self.guessed.update([found] if found is not None else [])
        return found

    def _tail(self, named: object) -> str | None:
        """The name alone of a path that leads outside, of a URL or a drive, where a photograph here has it."""
        if not isinstance(named, str):
            return None
        name = PurePosixPath(re.split(r"[?&]d=", unquote(named))[-1].replace("\\", "/")).name
        return next((one for one in (name, name.partition("?")[0]) if _folded(one) in self._by_name), None)

    def _by_end(self, path: str, label_file: str) -> str | None:
        wanted = [_folded(part) for part in PurePosixPath(path).parts][::-1]
        fits: dict[int, list[str]] = defaultdict(list)
        for photo in self._by_name.get(wanted[0], []):
            parts = [_folded(part) for part in PurePosixPath(photo).parts][::-1]
            fits[_common(parts, wanted)].append(photo)
        return self._nearest(fits[max(fits)], label_file, strict=True) if fits else None

    def _nearest(self, found: list[str], label_file: str, strict: bool) -> str | None:
        if len(found) < 2:
            return found[0] if found else None
        folder = PurePosixPath(label_file).parts[:-1]
        hint = re.findall(r"[^\W_]+", PurePosixPath(label_file).stem.casefold())
        scores = {photo: self._score(photo, folder, hint) for photo in found}
        best = [photo for photo in found if scores[photo] == max(scores.values())]
        if len(best) == 1:
            return best[0]
        if strict:
            raise ShapeFault("B11", f"names a photograph that {', '.join(best[:3])} fit equally")
        return None

    def _score(self, photo: str, folder: tuple[str, ...], hint: list[str]) -> tuple[int, int, int]:
        parts = PurePosixPath(photo).parts[:-1]
        inside = int(self._images is not None and photo.startswith(f"{self._images}/"))
        words = sum(any(_begins(word, part.casefold()) for word in hint) for part in parts)
        return inside, _common(parts, folder), words


def _other_names(path: str) -> list[str]:
    """What a program may have made of a photograph's name: escapes of URLs, and Label Studio's mark before it."""
    plain = unquote(path)
    folder, slash, name = plain.rpartition("/")
    unmarked = MARK.sub("", name)
    return [other for other in dict.fromkeys([plain, f"{folder}{slash}{unmarked}"]) if other != path]


def _begins(word: str, part: str) -> bool:
    """Whether a word of a label file's name is a folder's (``instances_train2017`` and ``train``)."""
    return word == part or (len(part) >= LEAST_WORD and word.startswith(part))


def _folded(name: str) -> str:
    """Without case, and in one Unicode form: macOS parts letters and their dots."""
    return unicodedata.normalize("NFC", name).casefold()


def _common(first: Iterable[str], second: Iterable[str]) -> int:
    count = 0
    for a, b in zip(first, second, strict=False):
        if a != b:
            break
        count += 1
    return count
