"""Where one mask of the pool comes from, in words: parents, what was done to them, who rated them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomaly_gan.core.dataset import Annotation, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.errors import InputError

KINDS = {"prior": "cut from real annotation", "expert": "drawn by an expert,"}
TOLD = frozenset({"kind", "parent", "parent_image", "parent_group", "affine", "transforms", "expert_score", "seed"})
CHANGES = {"rotation_deg": "turned {:.1f} degrees", "scale": "scaled {:.3g} times"}


def show(run: Path, item: str) -> str:
    """The ancestry of an item of a run's pool (or of a pool's folder), ``crack/000012.png``, as plain text.

    Raises:
        InputError: there is no pool, or no such item in it.
    """
    pool = load_dataset(run if (run / "annotations.json").is_file() else run / "pool")
    return "\n".join(ancestry(pool, item))


def find_item(pool: Dataset, name: str) -> ImageRecord:
    """The item called ``crack/000012.png``; ``pool/`` before it and ``.png`` behind it do not matter.

    Raises:
        InputError: MISSING there is none; the nearest name is offered.
    """
    wanted = name.strip().replace("\\", "/").removeprefix("./").removeprefix("pool/").removeprefix("images/")
    wanted = wanted if wanted.endswith(".png") else f"{wanted}.png"
    found = next((image for image in pool.images if image.file_name == wanted), None)
    if found is None:
        near = difflib.get_close_matches(wanted, [image.file_name for image in pool.images], 1, 0.0)
        raise InputError(name, "MISSING", "the pool has no such item", f"one is {near[0]}" if near else "it is empty")
    return found


def ancestry(pool: Dataset, item: ImageRecord | str) -> list[str]:
    """Plain lines: the item and its photograph, then each element with its parent, changes, place, scores and seed.

    Raises:
        InputError: MISSING no item of that name.
    """
    image = find_item(pool, item) if isinstance(item, str) else item
    elements = pool.by_image().get(image.id, [])
    lines = [
        f"{image.file_name}: {image.extra.get('category', '?')}, {_count(len(elements), 'element')}, "
        f"{sum(one.area for one in elements)} of {image.width} x {image.height} pixels",
        f"on normal photograph {image.extra.get('normal_file', '?')} (object {image.group_id}, {image.split})",
    ]
    for number, element in enumerate(elements, start=1):
        lines += [f"element {number}:", *(f"  {line}" for line in _element(element))]
    rest = {key: value for key, value in image.extra.items() if key not in {"category", "normal_file", "index"}}
    return [*lines, *(f"{key}: {_words(value)}" for key, value in sorted(rest.items())), f"SHA-256 {image.sha256}"]


def _element(element: Annotation) -> list[str]:
    origin = element.provenance
    kind = KINDS.get(str(origin.get("kind")), f"{origin.get('kind', 'of unknown kind')}:")
    x, y, w, h = element.bbox
    score = origin.get("expert_score")
    lines = [
        f"{kind} {origin.get('parent', '?')} on {origin.get('parent_image', '?')} "
        f"(object {origin.get('parent_group', '?')})",
        f"raters' score: {'not rated' if score is None else f'{score:.4g} of 10'}",
    ]
    transforms = dict(origin.get("transforms") or {})
    place = transforms.pop("place", None)
    # what CHANGES has words for is said in them; whatever is left over is told as it stands, so that nothing is hidden
    changes = [
        form.format(transforms.pop(key))
        for key, form in CHANGES.items()
        if isinstance(transforms.get(key), int | float)
    ]
    if isinstance(transforms.get("flip"), bool):
        changes += ["mirrored"] if transforms.pop("flip") else ["not mirrored"]
    lines.append("changes: " + ", ".join([*changes, *(f"{key} {_words(value)}" for key, value in transforms.items())]))
    lines.append(f"place: {place or 'unknown'}, x {x} to {x + w - 1}, y {y} to {y + h - 1}, {element.area} pixels")
    if origin.get("affine"):
        lines.append(
            "parent's pixel to this one: "
            + "; ".join(" ".join(f"{value:.6g}" for value in row) for row in origin["affine"])
        )
    return [
        *lines,
        *(f"{key}: {_words(origin[key])}" for key in sorted(set(origin) - TOLD) if origin[key] != {}),
        f"seed {origin.get('seed', '?')}",
    ]


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_words(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return " ".join(map(_words, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else "-" if value is None else str(value)
