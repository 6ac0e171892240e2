"""The classical methods: labels follow pixels, bases stay untouched, the same draw gives the same bytes."""

import json
from dataclasses import replace

import numpy as np
import pytest

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.masks import grow, mask_box_xywh, union
from anomaly_gan.drawn_defects.blending import SUPPORT_PX, blend
from anomaly_gan.synthesis.generate.stage import pool_items
from anomaly_gan.synthesis.interface import MethodInputs
from anomaly_gan.synthesis.registry import method

METHODS = ["geometric", "copy_paste"]


def inputs(run, **pool_info):
    pool = run.pool
    return MethodInputs(run.ingest.split("train"), replace(pool, info={**pool.info, **pool_info}), 5, "cpu")


def all_items(run):
    return [item for items in pool_items(run.pool).values() for item in items]


@pytest.mark.parametrize("name", METHODS)
def test_a_draw_depends_on_seed_item_and_attempt_alone(name, small_run):
    items = all_items(small_run)[:6]
    together = method(name).open(inputs(small_run))(items, 0)
    alone = [method(name).open(inputs(small_run))([item], 0)[0] for item in reversed(items)][::-1]
    other = method(name).open(inputs(small_run))(items, 1)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(together, alone, strict=True))
    assert sum(np.array_equal(a.pixels, b.pixels) for a, b in zip(together, other, strict=True)) < len(items)


@pytest.mark.parametrize("name", METHODS)
def test_samples_keep_the_registrys_contract(name, small_run):
    ids = {category.name: category.id for category in small_run.ingest.categories}
    train = {image.file_name: image.group_id for image in small_run.ingest.split("train").images}
    items = all_items(small_run)
    for item, sample in zip(items, method(name).open(inputs(small_run))(items, 0), strict=True):
        assert sample.pixels.dtype == np.uint8
        assert all(mask.shape == sample.pixels.shape[:2] and mask.any() for _, mask in sample.instances)
        assert ids[item.image.extra["category"]] in {category for category, _ in sample.instances}
        json.dumps(sample.provenance)
        assert all(train[donor["image"]] == donor["group"] for donor in sample.provenance["donors"])


def test_copy_paste_changes_the_photograph_under_the_pools_mask_and_nowhere_else(small_run):
    items = all_items(small_run)
    samples = method("copy_paste").open(inputs(small_run))(items, 0)
    for item, sample in zip(items, samples, strict=True):
        masks = [annotation.mask() for annotation in item.annotations]
        assert all(np.array_equal(a, b) for a, (_, b) in zip(masks, sample.instances, strict=True))
        normal = small_run.folder / "ingest" / "images" / item.image.extra["normal_file"]
        assert np.array_equal(sample.base, read_pixels(normal, gray=True))
        support = grow(union(masks, *sample.pixels.shape), sample.provenance["support_px"])
        assert np.array_equal(sample.pixels[support == 0], sample.base[support == 0])
        inside = union(masks, *sample.pixels.shape) != 0
        assert np.abs(sample.pixels[inside].astype(int) - sample.base[inside]).mean() > 40


@pytest.mark.parametrize("mode", list(SUPPORT_PX))
@pytest.mark.parametrize("corner", [(0, 0), (20, 30), (52, 70)])
@pytest.mark.parametrize("colour", [False, True])
def test_a_photograph_blended_into_itself_is_itself(mode, corner, colour):
    rng = np.random.default_rng(3)
    base = rng.integers(0, 256, (64, 80, 3) if colour else (64, 80), dtype=np.uint8)
    mask = np.zeros((64, 80), np.uint8)
    mask[corner[0] : corner[0] + 12, corner[1] : corner[1] + 10] = 1
    same = blend(base, base, mask, mode)
    assert np.abs(same.astype(int) - base).max() <= (1 if mode == "poisson" else 0)
    other = blend(base, 255 - base, mask, mode)
    assert np.array_equal(other[grow(mask, SUPPORT_PX[mode]) == 0], base[grow(mask, SUPPORT_PX[mode]) == 0])
    assert not np.array_equal(other, base)


def test_a_parent_outside_the_training_split_is_refused(small_run):
    everything = inputs(small_run)
    without = everything.train.select(lambda image: not image.file_name.startswith("spot/"))
    generate = method("copy_paste").open(replace(everything, train=without))
    with pytest.raises(InputError, match="E4"):
        generate(all_items(small_run)[:1], 0)


def test_a_category_without_a_training_defect_is_refused_by_name(small_run):
    everything = inputs(small_run)
    without = everything.train.select(lambda image: not image.file_name.startswith("spot/"))
    with pytest.raises(InputError, match="spot: G13"):
        method("geometric").open(replace(everything, train=without))(all_items(small_run)[:1], 0)


def test_geometric_labels_follow_the_pixels_also_where_the_border_mirrors_them(small_run):
    items = all_items(small_run)
    generate = method("geometric").open(inputs(small_run))
    shapes = set()
    for attempt in range(2):
        for sample in generate(items, attempt):
            shown = sample.pixels > 130
            labelled = union([mask for _, mask in sample.instances], *sample.pixels.shape) != 0
            assert (shown & labelled).sum() / (shown | labelled).sum() > 0.6
            assert sample.base is None
            shapes.add(sample.pixels.shape)
    assert len(shapes) == 2  # quarter turns happen


def test_geometric_keeps_the_pose_of_fixed_shapes(small_run):
    train = small_run.ingest.split("train")
    of_id = {annotation.id: annotation for annotation in train.annotations}
    items = pool_items(small_run.pool)["scratch"]
    moved = 0
    for sample in method("geometric").open(inputs(small_run, fixed_shape=["scratch"]))(items, 0):
        donor = of_id[sample.provenance["donors"][0]["annotation"]]
        x, y, width, height = mask_box_xywh(sample.instances[0][1])
        left, top, *size = donor.bbox
        assert [width, height] == size
        assert np.array_equal(
            sample.instances[0][1][y : y + height, x : x + width], donor.mask()[top : top + height, left : left + width]
        )
        moved += (x, y) != (left, top)
    assert moved > 0
