"""Drawing masks: normal photographs of the training split laid out for labelme, and what was saved taken up.

labelme is started as the program it is, never imported. ``out`` then is a folder of drawings (``pool.expert_dir``)::

    out/NAME.json               what was saved, one file per photograph
    out/photographs/NAME.jpg    read-only copies of the photographs
    out/photographs/index.json  which ingested photograph each copy is
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from anomaly_gan.core.dataset import Dataset, ImageRecord, load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import sha256_bytes, write_bytes, write_json, write_text
from anomaly_gan.core.progress import track
from anomaly_gan.core.seeding import seed_for

from .drawings import (
    PHOTOGRAPHS,
    Index,
    Original,
    PhotographFinder,
    list_drawings,
    read_drawings,
    read_file,
    read_index,
)
from .label_files import prepare
from .labelme_program import find_program, run_program

LONGEST_NAME = 120
UNSAFE = re.compile(r"[^\w.+@=-]+|^[.-]+", re.ASCII)


@dataclass(frozen=True)
class TakenUp:
    """What lies in a folder of drawings: ``drawings`` per category, and what cannot be used, one error each.

    ``ended`` says in plain words how labelme ended, where it did not end by being closed.
    """

    out: Path
    photographs: int
    files: int
    drawings: dict[str, int] = field(default_factory=dict)
    faults: list[InputError] = field(default_factory=list)
    ended: str | None = None

    def lines(self) -> list[str]:
        """For people: the faults, the drawings per category, and last what lies where."""
        faults = [f"cannot be used: {fault}" for fault in self.faults]
        counts = [f"{name}: {count} drawn" for name, count in self.drawings.items()]
        total = sum(self.drawings.values())
        return [
            *([self.ended] if self.ended else []),
            *faults,
            *counts,
            f"{total} drawings on {self.files} of {self.photographs} photographs in {self.out}"
            + (f"; {len(self.faults)} faults" if self.faults else ""),
        ]


def draw(
    source: Path,
    out: Path,
    *,
    count: int = 8,
    files: Sequence[str] = (),
    categories: Sequence[str] = (),
    labelme: str | None = None,
    seed: int = 0,
    say: Callable[[str], object] = lambda line: None,
    launch: bool = True,
    show: Path | None = None,
) -> TakenUp:
    """Lay out photographs, open labelme on them, wait until it is closed, and take up what was saved.

    Args:
        source: a run, or its ingested data set.
        out: folder of drawings; drawings that it holds already are shown in labelme and kept.
        count: photographs to choose where ``files`` names none; a larger count adds to a smaller one's choice.
        files: photographs by the end of their path (``normal/003.jpg``).
        categories: labels that labelme offers; all of the data set's where empty.
        labelme: the program, where it is not in this environment or on the PATH.
        seed: of the choice of photographs.
        say: takes each line of progress.
        launch: False only lays out, for drawing on another machine, and takes up.
        show: a folder of drawings made elsewhere; its photographs (``count`` of them) are laid out with them.

    Returns:
        How many drawings there are, on how many photographs, and what is wrong with them.

    Raises:
        InputError: no such photograph or category, or the photograph is not a normal one of the training split.
        EnvironmentFailure: labelme is missing, there is no screen, or it ended without having been usable.
        KeyboardInterrupt: passed on after labelme was ended; files saved until then stay and are counted.
    """
    ingest = open_ingest(source)
    names = check_categories(ingest, categories)
    chosen = (
        named(ingest, files)
        if files
        else drawn_on(ingest, show, count)
        if show is not None
        else choose(ingest, count, seed)
    )
    program = find_program(labelme) if launch else None
    lay_out(ingest, chosen, names, out)
    if show is not None:
        say(f"{prepare(out, show, ingest)} drawings of {show} are shown")
    say(f"{len(chosen)} photographs lie in {out / PHOTOGRAPHS}; labels: {', '.join(names)}")
    ended = None
    if program is not None:
        say("labelme is open: draw, and close its window when done (every change is saved at once)")
        before = _state(out)
        try:
            ended = run_program(
                program, out / PHOTOGRAPHS, out, out / PHOTOGRAPHS / "labels.txt", changed=lambda: _state(out) != before
            )
        except KeyboardInterrupt:
            _tell(take_up(out), say)
            raise
    found = take_up(out, ended)
    _tell(found, say)
    return found


def _tell(found: TakenUp, say: Callable[[str], object]) -> None:
    for line in found.lines():
        say(line)


def _state(out: Path) -> dict[str, str]:
    return {path.name: sha256_bytes(path.read_bytes()) for path in out.glob("*.json") if path.is_file()}


def open_ingest(source: Path) -> Dataset:
    """The data set in ``source``, or in the folder ``ingest`` of the run ``source``."""
    return load_dataset(source if (source / "annotations.json").is_file() else source / "ingest")


def check_categories(ingest: Dataset, categories: Sequence[str]) -> list[str]:
    """The labels to offer, in the data set's order.

    Raises:
        InputError: C11 one is not in the data set, S6 one cannot be a line in labelme's list.
    """
    known = list(ingest.category_names().values())
    for name in categories:
        if name not in known:
            raise InputError(f"category {name!r}", "C11", "is not in the data set", f"it has {', '.join(known)}")
    chosen = [name for name in known if not categories or name in categories]
    for name in chosen:
        if name != name.strip() or not name or not name.isprintable():
            raise InputError(f"category {name!r}", "S6", "cannot be typed in labelme", "rename it and ingest again")
    return chosen


def drawable(image: ImageRecord, normal_ids: set[int]) -> bool:
    """Whether experts may draw on it: real, of the training split, without defect. A test photograph would leak."""
    return image.split == "train" and image.source == "real" and image.id in normal_ids


def choose(ingest: Dataset, count: int, seed: int) -> list[ImageRecord]:
    """``count`` normal training photographs by chance, of as many objects as there are; in order of their names.

    Raises:
        InputError: E7 there is none.
    """
    normal_ids = {image.id for image in ingest.normals()}
    ranked = sorted(
        (image for image in ingest.images if drawable(image, normal_ids)),
        key=lambda image: seed_for(seed, "draw", image.file_name),
    )
    if not ranked:
        raise InputError(
            str(ingest.folder / "annotations.json"),
            "E7",
            "the training split has no normal photograph",
            "ingest photographs without defects too",
        )
    turns: Counter[str] = Counter()
    turn_of = []
    for image in ranked:
        turn_of.append(turns[image.group_id])
        turns[image.group_id] += 1
    spread = [ranked[place] for place in sorted(range(len(ranked)), key=lambda place: (turn_of[place], place))]
    return sorted(spread[: max(1, count)], key=lambda image: image.file_name)


def drawn_on(ingest: Dataset, drawings: Path, count: int) -> list[ImageRecord]:
    """The first ``count`` photographs that ``drawings`` were made on, and that may be drawn on.

    Raises:
        InputError: MISSING there is none; or a drawing cannot be read.
    """
    finder, normal_ids = PhotographFinder(ingest), {image.id for image in ingest.normals()}
    found = [finder.find(drawing.photograph) for drawing in read_drawings(drawings)]
    usable = {image.id: image for image in found if image is not None and drawable(image, normal_ids)}
    if not usable:
        raise InputError(
            str(drawings),
            "MISSING",
            "none of its drawings lies on a normal training photograph",
            "give the folder of labelme files that belongs to this ingest",
        )
    return list(usable.values())[:count]


def named(ingest: Dataset, files: Sequence[str]) -> list[ImageRecord]:
    """The photographs of these names, each once.

    Raises:
        InputError: MISSING no (single) photograph of that name; E4 it is not a normal one of the training split.
    """
    finder, normal_ids = PhotographFinder(ingest), {image.id for image in ingest.normals()}
    found: dict[int, ImageRecord] = {}
    for name in files:
        image = finder.find(name)
        if image is None:
            raise InputError(
                name,
                "MISSING",
                "the data set has no photograph of this name, or several",
                "give the end of its path, as in normal/003.jpg",
            )
        if not drawable(image, normal_ids):
            raise InputError(
                image.file_name,
                "E4",
                "is not a normal photograph of the training split: masks drawn on "
                "it would let the training see what is tested",
                "choose another",
            )
        found[image.id] = image
    return list(found.values())


def lay_out(ingest: Dataset, images: Sequence[ImageRecord], categories: Sequence[str], out: Path) -> None:
    """Write the copies, the index and the labels; what was laid out before stays and keeps its name.

    Raises:
        InputError: A13 a photograph has changed since it was ingested.
    """
    index = read_index(out).photographs
    known = {(entry.file_name, entry.sha256): name for name, entry in index.items()}
    taken = {Path(name).stem.casefold() for name in index}
    for image in track(images, "lay out photographs"):
        content = ingest.path_of(image).read_bytes()
        if sha256_bytes(content) != image.sha256 and re.fullmatch("[0-9a-f]{64}", image.sha256):
            raise InputError(image.file_name, "A13", "has changed since ingest (another SHA-256)", "run ingest again")
        name = known.get((image.file_name, image.sha256)) or flat_name(image.file_name, taken)
        taken.add(Path(name).stem.casefold())
        path = out / PHOTOGRAPHS / name
        if not (path.is_file() and path.read_bytes() == content):
            write_bytes(path, content)
            path.chmod(0o444)
        index[name] = Original(image.file_name, image.sha256, image.height, image.width)
    write_json(out / PHOTOGRAPHS / "index.json", asdict(Index(list(categories), index)))
    write_text(out / PHOTOGRAPHS / "labels.txt", "".join(f"{name}\n" for name in categories))


def flat_name(file_name: str, taken: set[str]) -> str:
    """A file name without folders whose stem (labelme names its file by that alone) is not in ``taken``.

    ``normal/003.jpg`` becomes ``normal__003.jpg``; what a shell or another system may stumble over becomes ``_``.
    """
    path = Path(file_name)
    stem = UNSAFE.sub("_", "__".join((*path.parts[:-1], path.stem)))[-LONGEST_NAME:] or "photograph"
    suffix = path.suffix if re.fullmatch(r"\.\w+", path.suffix, re.ASCII) else ".png"
    number, free = 1, stem
    while free.casefold() in taken:
        number += 1
        free = f"{stem}~{number}"
    return free + suffix


def take_up(out: Path, ended: str | None = None) -> TakenUp:
    """Read every file in a folder of drawings and draw every instance; nothing is changed, faults are listed.

    Raises:
        InputError: the folder, or the index of its photographs, cannot be read.
    """
    index = read_index(out)
    tree, files = list_drawings(out)
    categories = index.categories
    drawings: Counter[str] = Counter()
    faults: list[InputError] = []
    used = set()
    for file in files:
        try:
            found = read_file(tree, file, index)
        except InputError as error:
            faults.append(error)
            continue
        for drawing in found:
            # the photograph's own size where it was laid out here: labelme may have saved it otherwise
            size = next(
                (
                    (entry.height, entry.width)
                    for entry in index.photographs.values()
                    if entry.file_name == drawing.photograph
                ),
                drawing.size_hw,
            )
            try:
                if categories and drawing.label not in categories:
                    raise InputError(
                        f"{file}[shape {drawing.index}]",
                        "C11",
                        f"has the label {drawing.label!r}",
                        f"use one of {', '.join(categories)}",
                    )
                if size is None:
                    raise InputError(file, "C1", "gives no size, and its photograph is not known", "draw it again")
                drawing.draw(
                    ImageRecord(0, drawing.photograph, size[1], size[0], "", "train", "real", drawing.sha256 or "")
                )
            except InputError as error:
                faults.append(error)
            else:
                drawings[drawing.label] += 1
                used.add(file)
    ordered = {name: drawings[name] for name in [*categories, *sorted(set(drawings) - set(categories))]}
    return TakenUp(out, len(index.photographs), len(used), ordered, faults, ended)
