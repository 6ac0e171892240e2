"""What the values and colours of mask pictures mean: told by the user, or by a file that lies beside the masks.

``1=inclusion,2=patch,255=ignore`` or ``#ff0000=crack,#0000ff=patch`` or the path of a file:

* CVAT's ``labelmap.txt`` (``name:r,g,b:parts:actions``);
* a table with the columns name, r, g, b (``class_dict.csv``), or value and name (``_classes.csv``: Pixel Value, Class);
* YAML or JSON, value to name, or a list of names;
* one name a line (``class_names.txt``): line 0 is the value 0, labelme's leading ``__ignore__`` is 255.

The name ``ignore`` keeps the region out of training and scores; ``background`` is ground; ``*`` is the category of the
photograph's folder. 0 and black are ground unless they are named.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Self

import yaml

from ..core.errors import InputError
from .ledger import printable

IGNORE, GROUND, FOLDER = "ignore", "background", "*"
IGNORED = frozenset({"ignore", "__ignore__", "_ignore_", "void", "unlabeled", "unlabelled", "don't care", "dontcare"})
GROUNDS = frozenset({"background", "_background_", "__background__", "bg", "ground"})
SOUND = frozenset({"good", "ok", "normal", "sound", "no_defect"})
"""Names of classes of masks that are no defects either."""
BESIDE = ("labelmap.txt", "class_dict.csv", "_classes.csv", "class_names.txt", "classes.yaml", "classes.json")
"""Names of files that tell the classes, where they lie in the source."""
LISTS = ("classes.txt", "labels.txt")
"""Names of lists that count where their first line is the ground: of YOLO's, line 0 is a class."""
COLOUR = re.compile(r"#([0-9a-fA-F]{6})|(\d{1,3})[:;/ ](\d{1,3})[:;/ ](\d{1,3})")
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class ClassMap:
    """Names by value and by colour (r, g, b); ``source``: where they are told, for messages."""

    values: dict[int, str] = field(default_factory=dict)
    colours: dict[Colour, str] = field(default_factory=dict)
    source: str = "--classes"

    def names(self) -> list[str]:
        """The categories of defects, in order of their first value or colour."""
        found = dict.fromkeys((*self.values.values(), *self.colours.values()))
        return [name for name in found if name not in {IGNORE, GROUND, FOLDER}]

    def told(self) -> list[Any]:
        """All of it as JSON, for another process; :meth:`of` reads it."""
        return [list(self.values.items()), list(self.colours.items()), self.source]

    @classmethod
    def of(cls, told: list[Any]) -> Self:
        """What :meth:`told` wrote."""
        values, colours, source = told
        return cls(dict(values), {(red, green, blue): name for (red, green, blue), name in colours}, source)


def read_classes(told: str | None, root: Path, files: Iterable[str]) -> ClassMap | None:
    """The classes that ``told`` names (pairs, or a file), else those of a file in the source; None where neither is.

    Raises:
        InputError: B15 what is told cannot be understood, MISSING no such file.
    """
    if told is not None:
        path = Path(told).expanduser()
        if "=" in told and not path.is_file():
            return _of_pairs("--classes", (pair.split("=", 1) for pair in told.split(",") if pair.strip()))
        return of_file(path)
    beside = sorted((len(PurePosixPath(name).parts), name) for name in files if _tells(root, name))
    return of_file(root / beside[0][1]) if beside else None


def _tells(root: Path, name: str) -> bool:
    """Whether a file of the source tells classes: by its name, or a list of names that begins with the ground."""
    last = PurePosixPath(name).name
    if last not in LISTS:
        return last in BESIDE
    try:
        first = (root / name).read_text(encoding="utf-8-sig").split("\n")[0]
    except (OSError, UnicodeDecodeError):
        return False
    return first.strip().casefold() in GROUNDS


def of_file(path: Path) -> ClassMap:
    """The classes that a file tells, by its name and content (see the module's words)."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        remedy = "check the path, or write pairs: --classes 255=crack"
        raise InputError(str(path), "MISSING", "the file of classes cannot be read", remedy) from error
    if path.suffix.lower() == ".csv":
        return _of_table(path, text)
    if path.suffix.lower() in {".yaml", ".yml", ".json"}:
        try:
            content = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
        except (ValueError, yaml.YAMLError, RecursionError) as error:
            raise _unclear(str(path), "cannot be read as YAML or JSON") from error
        return _of_tree(path, content)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if lines and all(line.count(":") >= 3 for line in lines):
        rows = [line.split(":") for line in lines]
        return _of_pairs(str(path), ((row[1].replace(",", ":"), row[0]) for row in rows))
    if lines and all("=" in line for line in lines):
        return _of_pairs(str(path), (line.split("=", 1) for line in lines))
    first = -1 if lines and lines[0] == "__ignore__" else 0
    return _of_pairs(str(path), ((str(255 if at < 0 else at), name) for at, name in enumerate(lines, start=first)))


def _of_table(path: Path, text: str) -> ClassMap:
    rows = list(csv.DictReader(io.StringIO(text), skipinitialspace=True))
    wanted = {key.strip().casefold(): key for key in (rows[0] if rows else {}) if key}
    name = next((wanted[key] for key in ("name", "class", "label", "category") if key in wanted), None)
    value = next((wanted[key] for key in ("value", "pixel value", "id", "index") if key in wanted), None)
    if name is not None and {"r", "g", "b"} <= wanted.keys():
        colours = (":".join(str(row[wanted[part]]).strip() for part in "rgb") for row in rows)
        return _of_pairs(str(path), zip(colours, (str(row[name]) for row in rows), strict=True))
    if name is not None and value is not None:
        return _of_pairs(str(path), ((str(row[value]), str(row[name])) for row in rows))
    raise _unclear(str(path), "has neither the columns name, r, g, b nor value, name")


def _of_tree(path: Path, content: Any) -> ClassMap:
    if isinstance(content, dict) and isinstance(content.get("names"), dict | list):
        content = content["names"]
    if isinstance(content, list):
        content = dict(enumerate(content))
    if not isinstance(content, dict):
        raise _unclear(str(path), "is neither a list of names nor value: name")
    pairs = list(content.items())
    if not all(COLOUR.fullmatch(str(key)) or str(key).strip().lstrip("-").isdigit() for key in content):
        pairs = [(value, key) for key, value in pairs]  # name: value
    return _of_pairs(str(path), ((_text(key), str(name)) for key, name in pairs))


def _text(value: Any) -> str:
    return ":".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _of_pairs(where: str, pairs: Iterable[Iterable[str]]) -> ClassMap:
    values: dict[int, str] = {}
    colours: dict[Colour, str] = {}
    for key, raw in (tuple(pair) for pair in pairs):
        key, name = key.strip(), _plain(raw)
        if not name:
            raise _unclear(where, f"gives no name for {key[:20]!a}")
        colour = COLOUR.fullmatch(key)
        if colour is not None:
            rgb = tuple(bytes.fromhex(colour[1])) if colour[1] else tuple(int(part) for part in colour.groups()[1:])
            if max(rgb) > 255:
                raise _unclear(where, f"has the colour {key!a}, beyond 255")
            colours[rgb[0], rgb[1], rgb[2]] = name
        elif key.lstrip("-").isdigit():
            values[int(key)] = name
        else:
            raise _unclear(where, f"{printable(key[:30])!r} is neither a value nor a colour")
    if not values and not colours:
        raise _unclear(where, "names no class")
    return ClassMap(values, colours, where)


def _plain(raw: str) -> str:
    name = raw.strip().strip("'\"").strip()
    folded = name.casefold()
    return IGNORE if folded in IGNORED else GROUND if folded in GROUNDS | SOUND else name


def _unclear(where: str, reason: str) -> InputError:
    return InputError(printable(where), "B15", printable(reason), "write it as 1=crack,2=patch,255=ignore")
