"""The stage ``pool``: ingest -> pool/annotations.json and pool/images/CATEGORY/000001.png."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from anomaly_gan.core.config import kept_config
from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import sha256_bytes, sha256_file, write_bytes
from anomaly_gan.core.images import encode_png
from anomaly_gan.core.progress import progress_bar, say
from anomaly_gan.core.resources import expand
from anomaly_gan.core.stage import Context
from anomaly_gan.core.time_budget import TimeBudget

from ..elements.expert import ExpertElements, gather_experts
from ..elements.real import cut_prior, without_fragments
from ..placement.on_part import open_part
from ..placement.real_masks import Scenes
from ..placement.regions import read_regions
from ..plausibility.model import Plausibility, PlausibilityModel
from ..recombination.recombine import Placed
from ..recombination.rules import check_categories
from ..statistics.stage import write as write_statistics
from .config import PoolConfig
from .filling import most_plausible, open_plausibility
from .items import CategoryBuilder, Item, open_builder
from .leak_check import prove_train_only

Made = tuple[ImageRecord, Item, list[Plausibility]]
"""A written mask, not numbered yet, what is on it, and what the plausibility model says of each of its elements."""


def run(config: PoolConfig, context: Context, out: Path) -> dict[str, object]:
    """Build the pool of every category of the data set. Where time ends it, it is the pool of a smaller ``count``.

    Returns:
        Metrics: per category what it was made from and what came out, and what was left out.

    Raises:
        ConfigError: ``fixed_shape`` names an unknown category.
        InputError: no labelled defect (E7), unusable expert files, a category without masks, no normal photograph.
        CheckFailed: an ancestor of the pool is not of the training split.
    """
    ingest = _labelled(context.inputs["ingest"])
    _check_names(config, ingest)
    train, cut, experts = ingest.split("train"), cut_prior(ingest), _experts(config, ingest, context.seed)
    regions = read_regions(expand(config.place.regions), ingest) if config.place.regions is not None else None
    scenes = Scenes(ingest)
    model = open_plausibility(config, ingest, context.seed, scenes) if config.plausibility.enabled else None
    part = open_part(config.place, train, scenes, regions)
    say(f"pool: {part if isinstance(part, str) else part.sentence()}")
    fixed = [category.name for category in ingest.categories if config.rules_of(category.name).fixed_shape]
    info = {"description": "mask pool", "mode": ingest.mode, "seed": context.seed}
    pool = Dataset([], [], ingest.categories, {**info, "fixed_shape": fixed}, out)
    placed_on = None if isinstance(part, str) else part
    builders: dict[str, CategoryBuilder] = {}
    for category in ingest.categories:
        name = category.name
        prior, kept = without_fragments(cut[name], config.fragment_share), experts.kept.get(name, [])
        marks = experts.marks.get(name, [])
        builder = open_builder(name, config, context.seed, train, prior, kept, marks, regions, scenes, placed_on)
        _tell(builder)
        builders[name] = builder
    made = _make(builders, config.count, model, train, out, context.deadline)
    metrics: dict[str, object] = {}
    plausible: dict[str, object] = {}
    for category in ingest.categories:
        name, builder = category.name, builders[category.name]
        own, verdicts = _add(pool, category, made[name], context.seed)
        metrics[name] = {
            "prior_elements": len(builder.prior),
            "fragments_left_out": len(cut[name]) - len(builder.prior),
            "expert_drawn": experts.drawn.get(name, 0),
            "expert_kept": len(builder.expert),
            **_item_metrics(own),
            "real": _learned(builder),
        }
        plausible |= {name: _plausibility_metrics(verdicts)} if verdicts else {}
    # the last place where a leak can be stopped: the generator takes its masks from here
    prove_train_only(pool, ingest)
    pool.save(out)
    write_statistics(pool, ingest, out, seed=context.seed, fragment_share=config.fragment_share)
    return {
        "categories": metrics,
        "part": {"sentence": part} if isinstance(part, str) else part.record(),
        "items": len(pool.images),
        "instances": len(pool.annotations),
        **_told_of(experts),
        "plausibility": plausible or None,
        "train_only": True,
        **_told_of_time(made, config.count),
    }


def _told_of(experts: ExpertElements) -> dict[str, object]:
    """What ``metrics.json`` says of the drawings."""
    return {
        "experts_used": bool(experts.kept),
        "experts_rated": experts.rated,
        "rejects": dict(sorted(experts.rejects.items())),
        "evaluation": experts.evaluation,
    }


def _learned(builder: CategoryBuilder) -> dict[str, object]:
    """What the category's real masks show of direction, size and place, as the pool follows it."""
    habits = builder.habits
    return {
        "direction": {**builder.spread.record(), "sentence": builder.spread.sentence()},
        "place": None if habits is None else habits.record(),
        "edge": None if builder.edges is None else builder.edges.record(),
        "material": None if (material := builder.placer.material) is None else material.record(),
    }


def _tell(builder: CategoryBuilder) -> None:
    """Say what was learned of a category."""
    if builder.rules.fixed_shape:
        return
    say(f"pool {builder.category}: {builder.spread.sentence()}")
    if builder.habits is not None:
        say(f"pool {builder.category}: {builder.habits.sentence()}")
    if builder.edges is not None:
        say(f"pool {builder.category}: {builder.edges.sentence()}")
    if builder.placer.material is not None:
        say(f"pool {builder.category}: {builder.placer.material.sentence()}")


def _told_of_time(made: Mapping[str, Sequence[Made]], planned: int) -> dict[str, object]:
    """Where time ended the pool: how many masks of each category there are; nothing where all are."""
    count = min((len(own) for own in made.values()), default=planned)
    return {} if count == planned else {"ended_by": "time", "count": count, "planned": planned}


def _make(
    builders: Mapping[str, CategoryBuilder],
    count: int,
    model: PlausibilityModel | None,
    train: Dataset,
    out: Path,
    watch: TimeBudget | None,
) -> dict[str, list[Made]]:
    """The items of every category, in turns, so that time leaves as many of each, and at least one."""
    made: dict[str, list[Made]] = {name: [] for name in builders}
    with progress_bar("pool", count * len(builders), unit="masks") as bar:
        for index in range(count):
            if index and watch is not None and watch.over():
                break
            for name, builder in builders.items():
                item, rated = (
                    (builder.item(index), []) if model is None else most_plausible(builder, model, index, train)
                )
                made[name].append((_write_item(item, name, index, out), item, rated))
                bar.update()
    for name, own in made.items():
        kept = {record.file_name.rpartition("/")[2] for record, _, _ in own}
        for path in (out / "images" / name).glob("*.png"):
            if path.name not in kept:  # of an earlier, cut-off run that came further
                path.unlink()
    return made


def _add(
    pool: Dataset, category: Category, made: Sequence[Made], seed: int
) -> tuple[list[tuple[ImageRecord, Item]], list[Plausibility]]:
    """Add the items of one category to the pool; what was added, and what the model says of each element."""
    own: list[tuple[ImageRecord, Item]] = []
    verdicts: list[Plausibility] = []
    for written, item, rated in made:
        record = replace(written, id=len(pool.images) + 1)
        pool.images.append(record)
        pool.annotations.extend(_annotate(item, rated, record.id, category, len(pool.annotations) + 1, seed))
        own.append((record, item))
        verdicts += rated
    return own, verdicts


def _labelled(folder: Path) -> Dataset:
    """The data set; E7 where it shows no labelled defect."""
    ingest = load_dataset(folder)
    if not ingest.categories:
        alone = f"`anomaly-gan detect train {folder}` learns from sound photographs alone"
        raise InputError(str(folder), "E7", "shows no labelled defect", f"label some; or {alone}")
    return ingest


def _check_names(config: PoolConfig, ingest: Dataset) -> None:
    categories = [category.name for category in ingest.categories]
    for name in categories:
        if name in {"", ".", ".."} or any(character in name for character in "/\\\0"):
            raise InputError(f"category {name!r}", "S6", "cannot be the name of a folder", "rename it and ingest again")
    if not kept_config(ingest.folder).get("categories"):  # else rules may name those that were left out
        check_categories(config.rules, config.fixed_shape, categories)


def source_keys(config: PoolConfig) -> dict[str, str]:
    """Hash of what people drew and rated, for the stage's key: a changed drawing makes the pool stale."""
    files: list[Path] = []
    if config.expert_dir is not None:
        files += sorted(expand(config.expert_dir).glob("*.json"))
    if config.expert_scores is not None:
        files += [expand(config.expert_scores)]
    if config.place.regions is not None:
        files += sorted(
            path for path in expand(config.place.regions).glob("*") if path.suffix.lower() in {".json", ".png"}
        )
    content = "".join(f"{path.name} {sha256_file(path)}\n" for path in files if path.is_file())
    return {"experts": sha256_bytes(content.encode())} if files else {}


def _experts(config: PoolConfig, ingest: Dataset, seed: int) -> ExpertElements:
    if config.expert_dir is None:
        return ExpertElements()
    scores = expand(config.expert_scores) if config.expert_scores is not None else None
    return gather_experts(
        expand(config.expert_dir), scores, ingest, evaluate=config.evaluate, seed=seed, line_width=config.line_width
    )


def _write_item(item: Item, category: str, index: int, out: Path) -> ImageRecord:
    """Write the item's PNG (0/255) unless an earlier, cut-off run has done so, and make its record."""
    content = encode_png(item.mask() * 255)
    name = f"{category}/{index + 1:06d}.png"
    path = out / "images" / name
    if not (path.is_file() and path.read_bytes() == content):
        write_bytes(path, content)
    return ImageRecord(
        0,
        name,
        item.normal.width,
        item.normal.height,
        item.normal.group_id,
        "train",
        "synthetic",
        sha256_bytes(content),
        {"normal_file": item.normal.file_name, "category": category, "index": index},
    )


def _annotate(
    item: Item, rated: Sequence[Plausibility], image_id: int, category: Category, first_id: int, seed: int
) -> list[Annotation]:
    size_hw = item.normal.height, item.normal.width
    return [
        Annotation.from_box(
            first_id + offset,
            image_id,
            category.id,
            placed.turned.bitmap,
            placed.x,
            placed.y,
            size_hw,
            provenance(placed, seed, rated[offset] if rated else None),
        )
        for offset, placed in enumerate(item.placed)
    ]


def provenance(placed: Placed, seed: int, rated: Plausibility | None = None) -> dict[str, object]:
    """The ancestry of one placed element, with the 2x3 affine that maps its parent's pixels to the item's.

    ``expert_score`` and ``raters`` (each one's mean) are the parent's, ``plausibility`` is what its model says of the
    element where it lies.
    """
    element = placed.turned.element
    found: dict[str, object] = {
        "kind": element.kind,
        "parent": element.parent,
        "parent_image": element.parent_image,
        "parent_group": element.parent_group,
        "affine": placed.affine(),
        "transforms": {**placed.turned.transforms, **placed.place},
        "expert_score": None if element.score is None else round(element.score, 6),
        "raters": {name: round(mean, 6) for name, mean in sorted(element.raters.items())},
        "seed": seed,
    }
    if rated is not None:
        found["plausibility"] = {
            "score": round(rated.score, 4),
            "shape": round(rated.shape, 4),
            "place": round(rated.place, 4),
            "reasons": list(rated.reasons),
        }
    return found


def _plausibility_metrics(verdicts: Sequence[Plausibility]) -> dict[str, object]:
    """Medians of what the model said of a category's elements, 0..10."""
    return {
        "elements": len(verdicts),
        **{
            f"median_{name}": round(statistics.median(getattr(one, name) for one in verdicts), 4)
            for name in ("score", "shape", "place")
        },
    }


def _item_metrics(own: Sequence[tuple[ImageRecord, Item]]) -> dict[str, object]:
    placed = [one for _, item in own for one in item.placed]
    of_items = [{one.turned.element.kind for one in item.placed} for _, item in own]
    kinds = Counter(min(found) if len(found) == 1 else "mixed" for found in of_items)
    places = Counter(one.place["place"] for one in placed)
    masks = Counter((record.extra["normal_file"], record.sha256) for record, _ in own)
    covered = [sum(one.turned.area for one in item.placed) for _, item in own]
    shares = [area / (item.normal.height * item.normal.width) for area, (_, item) in zip(covered, own, strict=True)]
    return {
        "items": len(own),
        "items_by_kind": dict(sorted(kinds.items())),
        "elements_by_place": dict(sorted(places.items())),
        "mean_elements": round(len(placed) / len(own), 6),
        "mean_area_px": round(sum(covered) / len(own), 3),
        "mean_area_share": round(sum(shares) / len(own), 8),
        "repeated_items": len(own) - len(masks),
        "normals_used": len({record.extra["normal_file"] for record, _ in own}),
    }
