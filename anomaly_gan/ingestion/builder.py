"""Taking in one photograph after the other, and building the data set from those accepted."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ..core.dataset import Annotation, Category, Dataset, ImageRecord
from ..core.errors import InputError
from ..core.files import sha256_bytes, sync_folder, write_one_of_many
from .accepted import Accepted
from .config import IngestConfig
from .contradictions import SetChecks, same_photographs
from .depth import Depth
from .formats.base import Item, Label
from .groups import Grouping
from .image_files import MAX_BYTES, orient
from .labels import EVERY, LabelMap, proposal, twins
from .ledger import Ledger, Notes, refuse
from .orientation import resolve_frame
from .reading import ReadingConfig, odd_ones, resolved_colour
from .seen import Ahead, Seen, look_at
from .source_tree import SourceTree
from .splits import (
    FOLDS,
    NORMAL,
    choose_objects,
    merge_duplicates,
    prove_disjoint,
    require_both_sides,
    split_by_fold,
    split_by_hash,
    split_by_image,
    split_by_object,
)

STOPS = frozenset({"A4", "A5", "B14", "B15", "B16"})
"""Faults of one photograph that say how the whole source must be read."""
LONGEST_LABEL = 100
NOT_ASKED = "category not asked for"


class Intake:
    """Decides the fate of every item and stores the accepted photographs under ``out/images``."""

    def __init__(
        self,
        config: IngestConfig,
        tree: SourceTree,
        grouping: Grouping,
        ledger: Ledger,
        out: Path,
        items: Sequence[Item],
        labels: LabelMap | None = None,
        depth: Depth | None = None,
    ) -> None:
        self.labels = labels or LabelMap()
        self.depth = depth or Depth(config.bits or 16)
        self.checks = SetChecks()
        self.config, self.tree, self.grouping, self.ledger, self.out = config, tree, grouping, ledger, out
        self.accepted: list[Accepted] = []
        self.left_out: Counter[str] = Counter()
        self.joins = 0
        self.asked: dict[str, object] = {}
        """What ``split: images`` and ``objects`` did; empty where neither was asked for."""
        self._folders: set[Path] = set()
        self._stems = Counter(_stem(item.file) for item in items)
        looked_at = [item.file for item in items if item.content is None and self._asked_for(item)]
        self._ahead = Ahead(looked_at, self._read, self.depth.bits, config.min_side)

    def _read(self, name: str) -> bytes:
        return self.tree.read(name, MAX_BYTES)

    def _asked_for(self, item: Item) -> bool:
        asked = self.config.categories
        told = None if item.categories is None else [self.labels.of(name) for name in item.categories]
        return not (asked is not None and told and not {*told} & {*asked, EVERY})

    def take(self, item: Item) -> None:
        """Accept, refuse or skip one photograph.

        Raises:
            InputError: a fault that stops the whole stage (``STOPS``).
        """
        if not self._asked_for(item):
            self.ledger.skip(item.file, NOT_ASKED)
            return
        notes = Notes()
        try:
            entry = self._accept(item, notes)
        except InputError as error:
            if error.code in STOPS:
                raise
            self.ledger.reject(item.file, error)
            return
        if entry is None:
            self.ledger.skip(item.file, NOT_ASKED)
            return
        self.accepted.append(entry)
        self.checks.take(item.file, item.categories[0] if item.by_folder and item.categories else "", notes)
        self.ledger.accept(notes, item.file)

    def finalize(self) -> None:
        """What the set as a whole says: contradictions stop, the same photograph in several class folders is one.

        Raises:
            InputError: B14, D18, E10.
        """
        for folder in sorted(self._folders):
            sync_folder(folder)
        self.checks.stop(str(self.tree.root), self.config.classes is not None)
        gone: set[int] = set()
        for first, others in same_photographs(self.accepted):
            for other in others:
                known = {(name, str(item.segmentation)) for name, item in first.instances}
                first.instances.extend(
                    (name, item) for name, item in other.instances if (name, str(item.segmentation)) not in known
                )
                self.ledger.merge(other.source, f"the same photograph as {first.source}: its defects stand there")
                gone.add(id(other))
                (self.out / "images" / other.file).unlink(missing_ok=True)
        self.accepted = [entry for entry in self.accepted if id(entry) not in gone]

    def _accept(self, item: Item, notes: Notes) -> Accepted | None:
        """The photograph written and its label read; None where none of its defects was asked for. Bytes that every
        reader opens alike are kept as they are, others become a PNG."""
        group = self.grouping.of(item.file, item.group)
        label = item.read_label(notes)
        content, seen = self._look_at(item, notes, label.verify is not None)
        if label.verify is not None and seen.picture is not None:
            label.verify(seen.picture)
        instances = self._instances(item, label, seen, notes)
        if instances is None:
            return None
        same_bytes = seen.written is None
        file = item.file if same_bytes else self._png_name(item.file)
        content = content if seen.written is None else seen.written
        stored = self.out / "images" / file
        _store(stored, content)
        self._folders.add(stored.parent)
        return Accepted(
            item.file,
            file,
            seen.size_hw,
            seen.gray,
            group,
            sha256_bytes(content),
            seen.fingerprint,
            instances,
            _extra(item.file, same_bytes, notes),
            item.by_folder,
        )

    def _look_at(self, item: Item, notes: Notes, whole: bool) -> tuple[bytes, Seen]:
        if item.content is None:
            return self._ahead.look_at(item.file, notes, whole)
        content = item.content()
        return content, look_at(item.file, content, notes, self.depth.bits, self.config.min_side, whole)

    def _instances(self, item: Item, label: Label, seen: Seen, notes: Notes) -> list[tuple[str, Annotation]] | None:
        """The annotations in the display frame; None where the photograph shows only categories not asked for."""
        frame, turn = resolve_frame(item.file, seen.raw_hw, seen.orientation, label, self.config.exif, notes)
        kept: list[tuple[str, Annotation]] = []
        left_out: Counter[str] = Counter()
        for instance in label.draw(frame):
            told = unicodedata.normalize("NFC", instance.category).strip()
            category = told if told == EVERY else self.labels.of(told)
            if category != EVERY:
                check_category(label.where or item.file, category or told)
            asked = self.config.categories
            if category is None or (asked is not None and category not in {*asked, EVERY}):
                left_out[told] += 1
                continue
            if instance.box is not None and turn == 1:
                x, y, w, h = instance.box
                part, size = instance.mask_01[y : y + h, x : x + w], instance.mask_01.shape
                annotation = Annotation.from_box(0, 0, 0, part, x, y, (size[0], size[1]), instance.origin)
            else:
                annotation = Annotation.from_mask(0, 0, 0, orient(instance.mask_01, turn), instance.origin)
            kept.append((category, replace(annotation, iscrowd=1 if category == EVERY else instance.iscrowd)))
        if left_out and all(name == EVERY for name, _ in kept):
            return None
        self.left_out.update(left_out)
        return kept

    def _png_name(self, file: str) -> str:
        """``a.tif`` becomes ``a.png``, or ``a.tif.png`` where another photograph has the same stem."""
        path = PurePosixPath(file)
        return str(path.with_suffix(".png") if self._stems[_stem(file)] < 2 else path.with_name(path.name + ".png"))

    def categories(self) -> list[str]:
        """The category names of the accepted photographs, sorted."""
        return sorted({category for entry in self.accepted for category, _ in entry.instances} - {EVERY})

    def dataset(self, format_name: str) -> Dataset:
        """The data set of everything accepted, with its split, which is proved to keep groups together.

        Raises:
            InputError: C10 look-alike labels (under ``strict``), E1, E3, E7.
        """
        names = self.categories()
        self._look_for_twins(names)
        mode = self._mode()
        groups, sides, gone = self._split()
        ids = {name: index for index, name in enumerate(names, start=1)}
        images: list[ImageRecord] = []
        annotations: list[Annotation] = []
        for index, (entry, group) in enumerate(zip(self.accepted, groups, strict=True), start=1):
            height, width = entry.size_hw
            extra = {**entry.extra, "object": entry.group.group} if self.config.split == "images" else entry.extra
            images.append(
                ImageRecord(index, entry.file, width, height, group, sides[group], "real", entry.sha256, extra)
            )
            for category, annotation in entry.instances:
                for name in names if category == EVERY else [category]:
                    number = len(annotations) + 1
                    annotations.append(replace(annotation, id=number, image_id=index, category_id=ids[name]))
        info: dict[str, object] = {"mode": mode, "source_format": format_name}
        if self.depth.files or self.config.bits is not None:
            info["bits"] = self.depth.bits
        if "min_side" in self.config.keyed():
            info["min_side"] = self.config.min_side
        if self.config.split == "images":
            info["split"] = "images"
        whole = Dataset(images, annotations, [Category(ids[name], name) for name in names], info, self.out)
        left = {image.id for image in _defective(whole) if image.group_id in gone}
        dataset = whole.select(lambda image: image.id not in left)  # numbers stay: the test split is the same
        for image in whole.images:
            if image.id in left:
                whole.path_of(image).unlink()
        self.asked = asked_for(self.config, whole, dataset)
        prove_disjoint(dataset)
        return dataset

    def _mode(self) -> str:
        """``L`` or ``RGB`` for all; the few coloured photographs of a gray set are named (A10)."""
        files: dict[bool, list[str]] = {True: [], False: []}
        for entry in self.accepted:
            files[entry.gray].append(entry.source)
        colour = resolved_colour(self.config.colour, len(files[False]), len(self.accepted))
        if odd := odd_ones(self.config.colour, colour, files[False], files[True]):
            self.ledger.warn("A10", *odd)
        return ReadingConfig(colour=colour).mode

    def _split(self) -> tuple[list[str], dict[str, str], set[str]]:
        """The group of every accepted photograph, the side of every group, and the groups that shall show no defect.

        Under ``split: images`` a photograph is its own group: all that keeps groups together then keeps together
        what is left of them, and no check has to be told to look away.
        """
        entries = self.accepted
        by_image = self.config.split == "images"
        groups, self.joins = merge_duplicates(
            [entry.file if by_image else entry.group.group for entry in entries],
            [entry.fingerprint for entry in entries],
        )
        categories_of: dict[str, set[str]] = defaultdict(set)
        for entry, group in zip(entries, groups, strict=True):
            categories_of[group].update({category for category, _ in entry.instances} - {EVERY} or {NORMAL})
        if self.config.fold is None:
            sides = split_by_hash(categories_of, self.config.test_share)
        elif by_image:
            sides = split_by_image(categories_of, self.config.fold)
        elif all(entry.group.fold is None for entry in entries):
            self.ledger.remark(f"No folds are given: whole objects are dealt to {FOLDS}, category by category.")
            sides = split_by_object(categories_of, self.config.fold)
        else:
            sides = split_by_fold(
                groups, [entry.group.fold for entry in entries], self.config.fold, [entry.source for entry in entries]
            )
        if self.config.fold is not None:
            require_both_sides(categories_of, sides)
        gone: set[str] = set()
        if self.config.objects is not None:
            train = {group: categories for group, categories in categories_of.items() if sides[group] == "train"}
            gone = set(train) - choose_objects(train, self.config.objects, self.config.draw)
        return groups, sides, gone

    def _look_for_twins(self, names: list[str]) -> None:
        for alike in twins(names):
            if self.config.strict:
                raise refuse(f"labels {', '.join(map(ascii, alike))}", "C10", "look alike", "write them in one way")
            self.ledger.warn("C10", 1, f"labels {', '.join(map(ascii, alike))} look alike and count as different")
        counts = Counter(category for entry in self.accepted for category, _ in entry.instances if category != EVERY)
        if pairs := proposal(counts):
            self.ledger.remark(f"Labels that may be one: --labels {pairs!r} merges them.")


def asked_for(config: IngestConfig, whole: Dataset, kept: Dataset) -> dict[str, object]:
    """Figures of the options that few runs use, for the metrics: what leaks, and what was left out."""
    figures: dict[str, object] = {}
    if config.split == "images":
        train, test = ({image.object for image in kept.split(side).images} for side in ("train", "test"))
        torn = sum(image.object in train for image in kept.split("test").images)
        figures["split"] = {
            "by": "images",
            "leak": "deliberate",
            "objects_on_both_sides": len(train & test),
            "test_images_of_training_objects": torn,
        }
    if config.objects is not None:
        figures["few_objects"] = {
            "most_per_category": config.objects,
            "images_left_out": len(whole.images) - len(kept.images),
            "objects_left_out": len(
                {image.group_id for image in _defective(whole)} - {image.group_id for image in _defective(kept)}
            ),
        }
    return figures


def _defective(dataset: Dataset) -> list[ImageRecord]:
    sound = {image.id for image in dataset.normals()}
    return [image for image in dataset.images if image.id not in sound]


def check_category(where: str, name: str) -> None:
    """Refuse (C11) labels that cannot name a folder: later stages file their pictures by category."""
    if not name.strip():
        raise refuse(where, "C11", "the label is empty", "name the defect in the file of labels")
    if name.startswith(".") or not name.isprintable() or set(name) & set("/\\"):
        raise refuse(where, "C11", f"the label {name!a} cannot name a folder", f"rename it: --labels {name!r}=NEW")
    if len(name.encode("utf-8", "replace")) > LONGEST_LABEL:
        raise refuse(where, "C11", f"the label {name[:20]!a}... is longer than {LONGEST_LABEL} bytes", "shorten it")


def _stem(file: str) -> str:
    return str(PurePosixPath(file).with_suffix("")).casefold()


def _extra(source: str, same_bytes: bool, notes: Notes) -> dict[str, object]:
    extra: dict[str, object] = {} if same_bytes else {"source_file": source}
    if notes.repairs:
        extra["repairs"] = sorted(notes.repairs)
    if notes.warnings:
        extra["warnings"] = sorted(notes.warnings)
    return extra


def _store(path: Path, content: bytes) -> None:
    """Write unless a run of the same key that was cut off has left just these bytes."""
    if not (path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content):
        write_one_of_many(path, content)
