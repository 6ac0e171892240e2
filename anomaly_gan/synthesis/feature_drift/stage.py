"""Stage ``features@METHOD``: defect crops at several snapshots of a training, beside real ones and normal ones.

After Liu et al. 2023, Fig. 10, which shows a t-SNE alone. A layout by t-SNE proves nothing, so the kernel distance of
every snapshot stands beside it, with its interval and with what real defects of different objects reach.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...core.dataset import Dataset, ImageRecord
from ...core.errors import InputError
from ...core.files import write_bytes, write_json
from ...core.images import read_record
from ...core.masks import mask_area
from ...core.progress import track
from ...core.seeding import rng_for, seed_for
from ...core.stage import Context
from ...core.tables import write_csv
from ...core.time_budget import while_time
from ...metrics.backbones import Extractors, build_extractors
from ...metrics.crops import defect_crop, masked_crop
from ..gate.config import GateConfig
from ..gate.distances import Figures, View, figures
from ..generate.stage import method_inputs, pool_items
from ..interface import Generate, MethodInputs, PoolItem
from ..registry import method
from ..training.snapshots import as_training, snapshots_of
from .config import FeatureDriftConfig
from .plot import draw
from .result import CategoryDrift, Distance, Drift, Snapshot

REAL, NORMAL = "real", "normal"
VIEWS = {"crop": defect_crop, "defect": masked_crop}
COLUMNS = ("category", "step", "n", "mean", "p05", "p95", "real_mean", "real_p05", "real_p95", "diversity")


@dataclass(frozen=True)
class Side:
    """Features of crops: ``pooled`` (N, D) and ``embedded`` (N, K)."""

    pooled: np.ndarray
    embedded: np.ndarray


def run(config: FeatureDriftConfig, context: Context, out: Path) -> dict[str, object]:
    """Write ``features.png``, ``features.csv`` (the kernel distance of every snapshot) and ``features.json`` (the
    layout too).

    Raises:
        InputError: the training kept no snapshots (MISSING).
    """
    inputs = method_inputs(config.method, context)
    assert inputs.trained is not None
    snapshots = chosen_snapshots(inputs.trained, config.snapshots)
    extractors = build_extractors(context.device)
    items = {name: own[: config.count] for name, own in pool_items(inputs.pool).items()}
    # the same masks and the same chance for every snapshot: only the weights differ
    made = {
        step: generated_crops(inputs, weights, config, items)
        for step, weights in while_time(track(snapshots, f"features {config.method}"), context.deadline)
    }
    categories = {
        name: _category(
            name,
            items[name],
            {step: crops[name] for step, crops in made.items()},
            inputs,
            extractors,
            config,
            context.seed,
        )
        for name in while_time(items, context.deadline)
    }
    result = Drift(
        extractors.names["kernel"],
        extractors.names["perceptual"],
        config.view,
        config.perplexity,
        context.seed,
        [step for step, _ in snapshots],
        categories,
    )
    write_json(out / "features.json", result.to_json())
    write_csv(out / "features.csv", COLUMNS, table_rows(result))
    write_bytes(out / "features.png", draw(result))
    return {
        "method": config.method,
        "kernel": result.kernel,
        "steps": list(result.steps),
        "categories": {name: part.short_json() for name, part in categories.items()},
    }


def chosen_snapshots(trained: Path, most: int) -> list[tuple[int, Path]]:
    """At most this many of the kept snapshots, evenly spaced, the last one always.

    Raises:
        InputError: none was kept (MISSING).
    """
    found = snapshots_of(trained)
    if not found:
        raise InputError(
            str(trained),
            "MISSING",
            "the training kept no snapshots",
            "train with train.keep_every, for example --set keep_every=500",
        )
    places = np.unique(np.linspace(len(found) - 1, 0, min(most, len(found))).round().astype(int))
    return [found[at] for at in places]


def generated_crops(
    inputs: MethodInputs, weights: Path, config: FeatureDriftConfig, items: dict[str, list[PoolItem]]
) -> dict[str, list[np.ndarray]]:
    """Category -> a crop per pool item, painted as the generator painted at that snapshot, by the same chance."""
    assert inputs.trained is not None
    with tempfile.TemporaryDirectory() as folder:
        trained = as_training(inputs.trained, weights, Path(folder))
        generate = method(config.method).open(replace(inputs, trained=trained))
        return {
            category: [crop for item in own if (crop := _crop_of(generate, item, config)) is not None]
            for category, own in items.items()
        }


def _crop_of(generate: Generate, item: PoolItem, config: FeatureDriftConfig) -> np.ndarray | None:
    """The largest instance of a freshly painted item with its surroundings; None where no label is left."""
    sample = generate([item], 0)[0]
    masks = [mask for _, mask in sample.instances if mask.any()]
    return VIEWS[config.view](sample.pixels, max(masks, key=mask_area)) if masks else None


def _category(
    name: str,
    items: Sequence[PoolItem],
    made: dict[int, list[np.ndarray]],
    inputs: MethodInputs,
    extractors: Extractors,
    config: FeatureDriftConfig,
    seed: int,
) -> CategoryDrift:
    """Distances and layout of one category; equally many crops of each kind in both."""
    owners, real_crops = real_defects(inputs.train, name, config, seed)
    real = Side(*extractors.read(real_crops))
    least = min(len(crops) for crops in made.values())  # a snapshot may leave a label empty: equal N for all
    sides = {str(step): Side(*extractors.read(crops[:least])) for step, crops in made.items()}
    normal = Side(*extractors.read(normal_crops(inputs.train, items[:least], config)))
    gate = GateConfig(**config.gate())

    def measured(side: Side) -> Figures:
        view = View(real.pooled, real.embedded, [image.group_id for image in owners], side.pooled, side.embedded)
        return figures(view, extractors.names, gate, rng_for(seed, "features", name))

    found = {step: measured(side) for step, side in sides.items()}
    kernel, perceptual = extractors.names["kernel"], extractors.names["perceptual"]
    first = next(iter(found.values()))
    shown = min(len(real.pooled), least)
    layout = (
        lay_out(
            [real.pooled, normal.pooled, *(side.pooled for side in sides.values())],
            shown,
            config.perplexity,
            seed_for(seed, "features", name),
        )
        if shown > 1
        else {}
    )
    names = [REAL, NORMAL, *sides]
    return CategoryDrift(
        first["n"],
        shown,
        first.get("reason"),
        _distance(first[kernel], "real"),
        _distance(measured(normal)[kernel], "generated"),
        [
            Snapshot(
                int(step),
                _distance(part[kernel], "generated"),
                part[perceptual]["pairs"]["ratio"] if part[perceptual] else None,
            )
            for step, part in found.items()
        ],
        {names[at]: points for at, points in layout.items()},
    )


def _distance(figure: Figures | None, side: str) -> Distance | None:
    return Distance(**figure[side]) if figure else None


def real_defects(
    train: Dataset, name: str, config: FeatureDriftConfig, seed: int
) -> tuple[list[ImageRecord], list[np.ndarray]]:
    """At most ``config.count`` training photographs of the category, each with the crop of its largest instance: one
    of every object before a second of any."""
    number = next(category.id for category in train.categories if category.name == name)
    gray, rows = train.gray, train.showing(number)
    if len(rows) > config.count:
        rng = rng_for(seed, "features", name, REAL)
        seen: Counter[str] = Counter()
        turns: dict[int, int] = {}
        for at in (int(at) for at in rng.permutation(len(rows))):
            turns[at] = seen[rows[at][0].group_id]
            seen[rows[at][0].group_id] += 1
        rows = [rows[at] for at in sorted(sorted(turns, key=lambda at: turns[at])[: config.count])]
    return [image for image, _ in rows], [
        VIEWS[config.view](read_record(train, image, gray), largest.mask()) for image, largest in rows
    ]


def normal_crops(train: Dataset, items: Sequence[PoolItem], config: FeatureDriftConfig) -> list[np.ndarray]:
    """The same places as the generated crops, unpainted."""
    images, gray = {image.file_name: image for image in train.images}, train.gray
    crops = []
    for item in items:
        largest = max(item.annotations, key=lambda annotation: annotation.area)
        pixels = read_record(train, images[item.image.extra["normal_file"]], gray)
        crops.append(VIEWS[config.view](pixels, largest.mask()))
    return crops


def lay_out(sets: Sequence[np.ndarray], count: int, perplexity: float, seed: int) -> dict[int, list[list[float]]]:
    """t-SNE (van der Maaten & Hinton 2008) of the first ``count`` rows of every set together, from their principal
    components: set's number -> points (count, 2). The same features give the same points on one machine; elsewhere
    the last bits may lead to another picture of the same neighbourhoods."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    together = np.concatenate([rows[:count] for rows in sets])
    together = together - together.mean(axis=0)
    fitting = min(perplexity, (len(together) - 1) / 3)
    with threadpool_limits(1):
        start, size, _ = np.linalg.svd(together, full_matrices=False)
        components = (start * size)[:, :50]
        tsne = TSNE(2, perplexity=fitting, init="pca", random_state=seed % 2**32, n_jobs=1)
        points = tsne.fit_transform(components.astype(np.float32))
    return {
        at: [[round(float(x), 3), round(float(y), 3)] for x, y in points[at * count : (at + 1) * count]]
        for at in range(len(sets))
    }


def table_rows(result: Drift) -> list[list[object]]:
    """Rows of ``features.csv``: each category's normal places (no step), then its snapshots."""
    unknown = Distance(None, None, None)
    rows: list[list[object]] = []
    for name, part in result.categories.items():
        real = part.real or unknown
        of_normal: tuple[int | None, Distance | None, float | None] = (None, part.normal, None)
        for step, kernel, diversity in (of_normal, *((one.step, one.kernel, one.diversity) for one in part.snapshots)):
            own = kernel or unknown
            rows.append([name, step, part.n, own.mean, own.p05, own.p95, real.mean, real.p05, real.p95, diversity])
    return rows
