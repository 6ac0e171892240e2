"""How masks are called in a source whose names follow no known rule: every way that pairs each of them is tried.

A way tells masks from photographs by a folder at one level (``parts/a.jpg``, ``drawn/a.png``), by what their names
begin or end with (``img_1``, ``mask_1``; ``1_rgb``, ``1_seg``), or by the suffix; what is left of both names is the
same, by letters, then without their case, their Unicode form and leading zeros (``im1``, ``im001_mask``). Names alone
cannot tell a mask from a second exposure: only ways whose masks look like masks, and whose photographs do not, count.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath

LEAST_PAIRS = 3
MOST_VALUES = 24
"""Folders, beginnings or endings tried at most, the commonest first."""
LOOKED_AT = 6
LETTER = re.compile(r"[^\W\d_]")
TOKEN = re.compile(r"[^\W\d_]+|\d+|[\W_]+")
JOINED = re.compile(r"\{stem\}[^\W_=]|[^\W_=]\{stem\}")
Key = tuple[tuple[str, ...], str]
Affixes = tuple[str, str]


@dataclass(frozen=True)
class Way:
    """``pattern``: as ``--mask-name`` takes it. ``pairs``: the photograph of every mask. ``lost``: masks without.
    ``folders``: the names of the folders that tell masks and photographs apart."""

    pattern: str
    pairs: dict[str, str]
    lost: list[str] = field(default_factory=list)
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Split:
    """Pictures divided into masks and photographs. ``level``: of the folders that differ; None: by their names."""

    masks: list[str]
    photos: list[str]
    level: int | None = None
    of_masks: str = ""
    of_photos: str | None = None

    def told(self) -> tuple[str, ...]:
        """The names of the folders that differ."""
        return tuple(name for name in (self.of_masks, self.of_photos) if name)

    def folders(self, name: str, mask: bool) -> tuple[str, ...]:
        """The folders without the one that says what is a mask."""
        parts = PurePosixPath(name).parts[:-1]
        wanted = self.of_masks if mask else self.of_photos
        if self.level is None or wanted is None or len(parts) <= self.level or parts[self.level] != wanted:
            return parts
        return parts[: self.level] + parts[self.level + 1 :]


def find_ways(names: Iterable[str], looks_drawn: Callable[[str], bool]) -> list[Way]:
    """The ways in which masks may be called, those first that pair every mask; none where nothing fits.

    ``looks_drawn(name)``: whether the picture looks like a mask.
    """
    drawn = lru_cache(maxsize=None)(looks_drawn)
    found: dict[frozenset[tuple[str, str]], Way] = {}
    for split in _splits(tuple(sorted(names))):
        if not all(map(drawn, _spread(split.masks))):
            continue
        for way in _ways_of(split):
            if all(map(drawn, _spread(way.pairs.values()))):
                continue
            known = found.get(mark := frozenset(way.pairs.items()))
            if known is None or _ease(way) < _ease(known):
                found[mark] = way
    kept: list[Way] = []
    for way in sorted(found.values(), key=lambda way: (bool(way.lost), -len(way.pairs), way.pattern)):
        if not any(way.pairs.items() <= other.pairs.items() for other in kept):
            kept.append(way)
    return kept


def _ease(way: Way) -> tuple[int, int]:
    """How easy a pattern reads: beginnings and endings parted by a separator, and short."""
    return len(JOINED.findall(way.pattern)), len(way.pattern)


def _spread(names: Iterable[str]) -> list[str]:
    every = sorted(names)
    return every[:: max(1, len(every) // LOOKED_AT)][:LOOKED_AT]


def _splits(names: tuple[str, ...]) -> Iterator[_Split]:
    """By a folder at some level, by beginnings and endings, by the suffix."""
    yield from _by_folder(names)
    begins, ends = _affixes(names)
    having = {(word, ""): {name for name in names if _bare(name, (word, "")) is not None} for word in begins}
    having |= {("", word): {name for name in names if _bare(name, ("", word)) is not None} for word in ends}
    for begin, end in ((b, e) for b in ("", *begins) for e in ("", *ends) if b or e):
        masks = sorted(set.intersection(*(having[one] for one in ((begin, ""), ("", end)) if one in having)))
        if LEAST_PAIRS <= len(masks) <= len(names) // 2:
            yield _Split(masks, _without(names, masks))
    for suffix in sorted({PurePosixPath(name).suffix.lower() for name in names}):
        masks = [name for name in names if PurePosixPath(name).suffix.lower() == suffix]
        if LEAST_PAIRS <= len(masks) <= len(names) // 2:
            yield _Split(masks, _without(names, masks))


def _by_folder(names: tuple[str, ...]) -> Iterator[_Split]:
    tally: Counter[tuple[int, str]] = Counter(
        (level, part) for name in names for level, part in enumerate(PurePosixPath(name).parts[:-1])
    )
    common = [place for place, count in tally.most_common(MOST_VALUES) if count >= LEAST_PAIRS]
    for level, value in common:
        masks = [name for name in names if _part(name, level) == value]
        photos = _without(names, masks)
        if len(photos) < LEAST_PAIRS:
            continue
        yield _Split(masks, photos, level, value)
        for place, other in common:
            if place == level and other != value:
                yield _Split(masks, photos, level, value, other)


def _part(name: str, level: int) -> str | None:
    parts = PurePosixPath(name).parts[:-1]
    return parts[level] if level < len(parts) else None


def _without(names: Iterable[str], others: Iterable[str]) -> list[str]:
    gone = set(others)
    return [name for name in names if name not in gone]


def _affixes(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """The commonest beginnings and endings that hold a letter."""
    begins: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    for name in names:
        tokens = TOKEN.findall(PurePosixPath(name).stem)
        for count in range(1, min(4, len(tokens))):
            begins["".join(tokens[:count])] += 1
            ends["".join(tokens[-count:])] += 1
    kept = [
        [word for word, count in tally.most_common(MOST_VALUES) if count >= LEAST_PAIRS and LETTER.search(word)]
        for tally in (begins, ends)
    ]
    return kept[0], kept[1]


def _ways_of(split: _Split) -> Iterator[Way]:
    of_masks = _cuts(split.masks)
    inside = [name for name in split.photos if _part(name, split.level or 0) == split.of_photos]
    of_photos = _cuts(inside if split.of_photos is not None else split.photos)
    if split.level is None:
        begins, ends = _affixes(split.photos)
        of_photos = sorted({*of_photos, *((b, e) for b in ("", *begins[:6]) for e in ("", *ends[:6]))})
    for plain in (_composed, _plain):
        for cut in of_photos:
            index = _index(split, cut, plain)
            for other in of_masks:
                if (way := _paired(split, cut, other, index, plain)) is not None:
                    yield way
    if split.level is not None and (way := _one_a_folder(split)) is not None:
        yield way


def _cuts(names: list[str]) -> list[Affixes]:
    """Beginnings and endings that all these names share, word by word, and nothing."""
    stems = [TOKEN.findall(PurePosixPath(name).stem) for name in names]
    if not stems:
        return [("", "")]
    begin = shared_start(stems)[:3]
    end = shared_start([tokens[::-1] for tokens in stems])[:3][::-1]
    begins = ["".join(begin[:count]) for count in range(len(begin) + 1)]
    ends = ["".join(end[len(end) - count :]) for count in range(len(end) + 1)]
    return [(b, e) for b in begins for e in ends]


def shared_start(rows: Sequence[list[str]]) -> list[str]:
    """What all rows begin with."""
    least, most = min(rows), max(rows)
    count = next((at for at, (a, b) in enumerate(zip(least, most, strict=False)) if a != b), min(len(least), len(most)))
    return list(least[:count])


def _index(split: _Split, cut: Affixes, plain: Callable[[str], str]) -> dict[Key, str | None]:
    """The photograph of every key; None where several have it."""
    index: dict[Key, str | None] = {}
    for name in split.photos:
        bare = _bare(name, cut)
        if bare is not None:
            key = tuple(map(plain, split.folders(name, False))), plain(bare)
            index[key] = None if key in index else name
    return index


def _paired(
    split: _Split, cut: Affixes, other: Affixes, index: dict[Key, str | None], plain: Callable[[str], str]
) -> Way | None:
    pairs: dict[str, str] = {}
    lost = []
    for at, mask in enumerate(split.masks):
        bare = _bare(mask, other)
        key = (tuple(map(plain, split.folders(mask, True))), plain(bare)) if bare is not None else None
        photo = index.get(key) if key is not None else None
        if photo is None:
            lost.append(mask)
            if len(lost) > len(split.masks) // 2 or (at > 20 and len(lost) > at // 2):
                return None
        else:
            pairs[mask] = photo
    if len(pairs) < LEAST_PAIRS or len(set(pairs.values())) < len(pairs):
        return None
    return Way(_pattern(split, cut, other), pairs, lost, split.told())


def _one_a_folder(split: _Split) -> Way | None:
    """Each photograph in a folder of its own, with masks of any name: ``a/image/a.png``, ``a/drawn/17.png``."""
    places: dict[tuple[str, ...], list[str]] = {}
    for name in split.photos:
        places.setdefault(split.folders(name, False), []).append(name)
    if len(places) < LEAST_PAIRS or any(len(found) > 1 for found in places.values()):
        return None
    folders = {mask: split.folders(mask, True) for mask in split.masks}
    if not set(folders.values()) <= places.keys() or len(set(folders.values())) < LEAST_PAIRS:
        return None
    pairs = {mask: places[folder][0] for mask, folder in folders.items()}
    own = sorted({folder[-1] for folder in places if folder})
    return Way(f"{split.of_masks}/*", pairs, folders=(*split.told(), *own))


def _pattern(split: _Split, cut: Affixes, other: Affixes) -> str:
    mask = f"{other[0]}{{stem}}{other[1]}"
    photo = f"{cut[0]}{{stem}}{cut[1]}"
    if split.level is not None:
        mask = f"{split.of_masks}/{mask}"
        photo = f"{split.of_photos}/{photo}" if split.of_photos is not None else photo
    return mask if photo == "{stem}" else f"{photo}={mask}"


def _bare(name: str, affixes: Affixes) -> str | None:
    """The stem without its beginning and ending; None where it has them not, or nothing is left."""
    stem = PurePosixPath(name).stem
    begin, end = affixes
    if len(stem) <= len(begin) + len(end) or not stem.startswith(begin) or not stem.endswith(end):
        return None
    return stem[len(begin) : len(stem) - len(end)]


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _plain(text: str) -> str:
    """Without case and leading zeros."""
    return re.sub(r"\d+", lambda match: match[0].lstrip("0") or "0", _composed(text).casefold())
