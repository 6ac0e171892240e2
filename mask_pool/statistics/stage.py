"""Statistics of a mask pool beside the real masks it came from: ``stats.json``, ``stats/CATEGORY.png``, a table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anomaly_gan.core.dataset import Annotation, Dataset
from anomaly_gan.core.files import write_bytes, write_json
from anomaly_gan.core.progress import track

from .measures import MOST, Measured, Shape, frames, mean_distance, measure, nearest_distance, position_map, sample

QUANTILES = {"least": 0.0, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "most": 1.0}
COPY = 0.05
"""Distance (1 - IoU of centred outlines of one size) below which a mask is called a copy of a real one."""
DRAWS = 20
"""Draws of the larger set, where diversity is compared at equal numbers."""
DIGITS = 6


def statistics(
    pool: Dataset, ingest: Dataset, *, seed: int = 0, most: int = MOST, fragment_share: float = 0.0
) -> dict[str, object]:
    """Everything about the pool that can be said in figures (JSON-able, None where there is nothing to measure).

    Per category: ``counts``; quantiles of ``sizes`` and ``shapes`` of single elements, real and pool; ``positions``;
    ``diversity`` of outlines before (real masks) and after recombination, at equal numbers; ``nearest``, the distance
    of each pool element to the real mask of the nearest outline, beside that of the real ones to each other;
    ``parents``, how evenly they are used; ``scores``, what raters gave to the parents.

    Outlines are compared centred and scaled to one size, but as they are turned: turning and mirroring count as
    difference, moving and scaling do not.

    Args:
        most: masks per category and kind whose pixels are measured; the sample depends on ``seed``.
        fragment_share: real masks below this share of their median area are left aside, as in the pool's making.
    """
    measured = measure(pool, ingest, seed, most, fragment_share)
    return _figures(pool, dict(_category(one, seed) for one in measured), seed, most)


def _figures(pool: Dataset, found: Mapping[str, dict[str, object]], seed: int, most: int) -> dict[str, object]:
    return {
        "schema": 1,
        "seed": seed,
        "most": most,
        "copy_distance": COPY,
        "items": len(pool.images),
        "elements": len(pool.annotations),
        "categories": dict(found),
    }


def write(
    pool: Dataset, ingest: Dataset, out: Path, *, seed: int = 0, most: int = MOST, fragment_share: float = 0.0
) -> dict[str, object]:
    """``statistics``, written to ``out/stats.json``, with a picture ``out/stats/CATEGORY.png`` of each category.

    The same data sets and seed give the same bytes.

    Args:
        pool: the mask pool.
        ingest: the ingested data set.
        out: folder to write.
        seed: of every random choice made here.
        most: most masks per category that pairs are formed of.
        fragment_share: real masks below this share of the median area are left out.

    Returns:
        What ``stats.json`` holds.
    """
    from .plots import picture

    measured = measure(pool, ingest, seed, most, fragment_share)
    found = dict(_category(one, seed) for one in measured)
    content = _figures(pool, found, seed, most)
    for one in track(measured, "pool statistics", total=len(measured)):
        write_bytes(out / "stats" / f"{one.name}.png", picture(one, found[one.name]))
    write_json(out / "stats.json", content)
    return content


def _category(one: Measured, seed: int) -> tuple[str, dict[str, object]]:
    real, pool = frames(one.real), frames(one.pool)
    kinds = Counter(str(element.provenance.get("kind", "?")) for element in one.elements)
    numbers = Counter(element.image_id for element in one.elements)
    places = Counter(str((element.provenance.get("transforms") or {}).get("place", "?")) for element in one.elements)
    scores = [
        float(element.provenance["expert_score"])
        for element in one.elements
        if element.provenance.get("expert_score") is not None
    ]
    maps = position_map(one.real), position_map(one.pool)
    # how near two real ones come is the reference for what counts as a copy
    nearest = nearest_distance(pool, real)
    return one.name, {
        "counts": {
            "items": len(one.items),
            "elements": len(one.elements),
            "real": one.real_count,
            "by_kind": dict(sorted(kinds.items())),
            "by_place": dict(sorted(places.items())),
            "elements_per_item": dict(sorted(Counter(map(str, numbers.values())).items())),
            "normals": len({item.extra.get("normal_file") for item in one.items}),
        },
        "sizes": {
            name: {"real": quantiles([of(s) for s in one.real]), "pool": quantiles([of(s) for s in one.pool])}
            for name, of in SIZES.items()
        },
        "shapes": {
            name: {"real": quantiles([of(s) for s in one.real]), "pool": quantiles([of(s) for s in one.pool])}
            for name, of in SHAPES.items()
        },
        "positions": {
            "real": _centres(one.real),
            "pool": _centres(one.pool),
            "overlap": _rounded(float(np.minimum(*maps).sum())) if one.real and one.pool else None,
        },
        "diversity": diversity(real, pool, seed, one.name),
        "nearest": {
            "pool_to_real": quantiles(nearest),
            "real_to_real": quantiles(nearest_distance(real)),
            "copies": _rounded(float((nearest < COPY).mean())) if len(nearest) else None,
        },
        "parents": parents(one.elements),
        "scores": {"rated": len(scores), **(quantiles(scores) or {})},
    }


SIZES: dict[str, Callable[[Shape], float]] = {
    "area_px": lambda shape: shape.area,
    "area_share": lambda shape: shape.area / math.prod(shape.size_hw),
    "length_px": lambda shape: shape.sides()[0],
    "width_px": lambda shape: shape.sides()[1],
}
SHAPES: dict[str, Callable[[Shape], float]] = {
    "elongation": lambda shape: shape.sides()[0] / shape.sides()[1],
    "solidity": Shape.solidity,
    "parts": Shape.parts,
}


def quantiles(values: Sequence[float] | np.ndarray) -> dict[str, float] | None:
    """Least, 5 %, 25 %, median, 75 %, 95 %, most; None of nothing."""
    if not len(values):
        return None
    found = np.quantile(np.asarray(values, np.float64), list(QUANTILES.values()))
    return {name: _rounded(float(value)) for name, value in zip(QUANTILES, found, strict=True)}


def diversity(real: np.ndarray, pool: np.ndarray, seed: int, name: str) -> dict[str, float | int | None]:
    """Mean distance of pairs of outlines, of as many real as pool masks (``number``): the larger set is drawn from
    DRAWS times. None where there are fewer than two of either."""
    number = min(len(real), len(pool))
    before, after = [], []
    for draw in range(DRAWS if number > 1 else 0):
        before.append(mean_distance(np.array(sample(list(real), number, seed, f"diversity/{name}/real/{draw}"))))
        after.append(mean_distance(np.array(sample(list(pool), number, seed, f"diversity/{name}/pool/{draw}"))))
    return {"number": number, "before": _mean(before), "after": _mean(after)}


def parents(elements: Sequence[Annotation]) -> dict[str, object]:
    """How evenly the parents are used.

    ``entropy_bits`` of the parents' shares, ``effective`` = 2 ** entropy: this many parents used equally would be as
    diverse; ``most_used`` is the parent with the most elements and ``per_parent`` the quantiles of elements a parent.
    """
    used = Counter(str(element.provenance.get("parent", "?")) for element in elements)
    if not used:
        return {"used": 0, "entropy_bits": None, "effective": None, "most_used": None, "per_parent": None}
    shares = np.array([used[name] for name in sorted(used)], np.float64) / len(elements)
    entropy = float(-(shares * np.log2(shares)).sum())
    top = min(used, key=lambda name: (-used[name], name))
    return {
        "used": len(used),
        "entropy_bits": _rounded(abs(entropy)),
        "effective": _rounded(2.0**entropy),
        "most_used": {"parent": top, "elements": used[top]},
        "per_parent": quantiles(list(used.values())),
    }


def _centres(shapes: Sequence[Shape]) -> dict[str, object] | None:
    """Quantiles of the centres' x and y, as shares of the photograph's sides."""
    if not shapes:
        return None
    return {
        "x": quantiles([(shape.box[0] + shape.box[2] / 2) / shape.size_hw[1] for shape in shapes]),
        "y": quantiles([(shape.box[1] + shape.box[3] / 2) / shape.size_hw[0] for shape in shapes]),
    }


def _rounded(value: float) -> float:
    return round(value, DIGITS)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _rounded(math.fsum(known) / len(known)) if known else None


COLUMNS = (
    "category",
    "masks",
    "elements",
    "prior",
    "expert",
    "real",
    "area px (real)",
    "area px (pool)",
    "elongation (real)",
    "elongation (pool)",
    "same places",
    "diversity before",
    "after",
    "nearest real",
    "copies",
    "parents",
    "evenly used",
    "raters' mean",
)


def rows(content: Mapping[str, Any]) -> list[list[Any]]:
    """One row per category under ``COLUMNS``; None where there is nothing to say."""
    found = []
    for name, own in content["categories"].items():
        counts, kinds = own["counts"], own["counts"]["by_kind"]
        found.append(
            [
                name,
                counts["items"],
                counts["elements"],
                kinds.get("prior", 0),
                kinds.get("expert", 0),
                counts["real"],
                *_medians(own["sizes"]["area_px"]),
                *_medians(own["shapes"]["elongation"]),
                own["positions"]["overlap"],
                own["diversity"]["before"],
                own["diversity"]["after"],
                (own["nearest"]["pool_to_real"] or {}).get("median"),
                own["nearest"]["copies"],
                own["parents"]["used"],
                own["parents"]["effective"],
                own["scores"].get("median"),
            ]
        )
    return found


def _medians(pair: Mapping[str, Mapping[str, float] | None]) -> list[float | None]:
    return [(pair[side] or {}).get("median") for side in ("real", "pool")]


def text(content: Mapping[str, Any]) -> str:
    """The statistics as plain aligned lines: one block per figure, one column per category."""
    table = rows(content)
    cells = [list(COLUMNS), *([_plain(value) for value in row] for row in table)]
    widths = [
        max(len(row[place]) for row in [[*line] for line in zip(*cells, strict=True)]) for place in range(len(cells))
    ]
    lines = [
        "  ".join(
            value.ljust(widths[0]) if place == 0 else value.rjust(widths[place]) for place, value in enumerate(line)
        ).rstrip()
        for line in zip(*cells, strict=True)
    ]
    return "\n".join([*lines, "", *NOTES])


NOTES = (
    "Areas, elongations, distances and raters' scores are medians of single elements.",
    "same places: shared part of the two position maps (1 = equal). diversity: mean distance of two outlines,",
    "0 (equal) to 1, of equally many real and pool masks. nearest real: distance to the nearest real outline;",
    f"copies: share of elements nearer than {COPY:g}. evenly used: this many parents, used equally often, would be as "
    "diverse.",
)


def _plain(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)
