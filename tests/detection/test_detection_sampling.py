"""What the detector is shown: batch shares, exposure, categories, degenerate instances."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.images import write_png
from detection.data import CategoryMap, Example, augment, boxes_xyxy, load_examples, working_size
from detection.detectors.config import DetectConfig
from detection.training.sampling import BatchSampler, exposure

REAL_DEFECT, REAL_NORMAL, SYNTHETIC = range(5), range(5, 25), range(25, 325)


def sampler(**changes: object) -> BatchSampler:
    settings: dict = {"batch": 4, "real_share": 0.5, "normal_share": 0.5, "seed": 1, **changes}
    kinds = settings.pop("kinds", (REAL_DEFECT, REAL_NORMAL, SYNTHETIC))
    return BatchSampler(*kinds, **settings)


@pytest.mark.parametrize(("batch", "share", "real"), [(2, 0.5, 1), (3, 0.5, 2), (4, 0.75, 3), (10, 0.7, 7)])
def test_every_batch_holds_the_real_share(batch: int, share: float, real: int) -> None:
    chosen = sampler(batch=batch, real_share=share)
    for step in range(50):
        indices = chosen.batch(step)
        assert len(indices) == batch
        assert sum(index < 25 for index in indices) == real


def test_the_last_steps_show_real_photographs_alone_and_the_first_are_as_without() -> None:
    without, chosen = sampler(), sampler(mixed_steps=30)
    assert [chosen.batch(step) for step in range(30)] == [without.batch(step) for step in range(30)]
    tail = [chosen.batch(step) for step in range(30, 60)]
    assert all(len(batch) == 4 and max(batch) < 25 for batch in tail)
    counts = Counter(index for step in range(60) for index in chosen.batch(step) if index < 5)
    assert max(counts.values()) - min(counts.values()) <= 1, "the deal of real photographs goes on"


def test_without_synthetic_images_everything_is_real() -> None:
    chosen = sampler(kinds=(REAL_DEFECT, REAL_NORMAL, ()))
    assert all(index < 25 for step in range(50) for index in chosen.batch(step))


@pytest.mark.parametrize("synthetic", [2, 10, 40])
def test_a_free_share_shows_every_defect_equally_often(synthetic: int) -> None:
    """4 real photographs with a defect, and as many steps as show each of them ten times."""
    kinds = (range(4), range(4, 10), range(10, 10 + synthetic))
    chosen = sampler(kinds=kinds, real_share=None, normal_share=0.2, batch=3)
    batches = [chosen.batch(step) for step in range(round((5 + synthetic) * 10 / 3))]
    counts = Counter(index for batch in batches for index in batch)
    assert all(len(batch) == 3 for batch in batches)
    assert {counts[index] for index in (*kinds[0], *kinds[2])} <= {9, 10, 11}
    assert sum(counts[index] for index in kinds[1]) == pytest.approx(10, abs=1)
    alone = (kinds[0], kinds[1], ())
    assert sampler(kinds=alone, real_share=None).batch(3) == sampler(kinds=alone).batch(3), "none is the same"


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_at_least_half_of_the_real_photographs_show_a_defect(batch: int) -> None:
    chosen = sampler(batch=batch)
    real = [index for step in range(40) for index in chosen.batch(step) if index < 25]
    assert sum(index < 5 for index in real) == len(real) / 2
    assert {index for index in real if index >= 5}, "defect-free photographs are shown too"


def test_a_step_is_a_function_of_seed_and_step() -> None:
    forward = [sampler().batch(step) for step in range(30)]
    one = sampler()
    backward = [one.batch(step) for step in reversed(range(30))][::-1]
    assert forward == backward
    assert forward != [sampler(seed=2).batch(step) for step in range(30)]


def test_exposure_is_even_within_a_kind_and_counted_right() -> None:
    chosen, steps = sampler(), 60
    sources = {
        index: kind
        for kind, indices in (("real_defect", REAL_DEFECT), ("real_normal", REAL_NORMAL), ("synthetic", SYNTHETIC))
        for index in indices
    }
    report = {kind: row.to_json() for kind, row in exposure(chosen, steps, sources).items()}
    counts = Counter(index for step in range(steps) for index in chosen.batch(step))
    assert report["real_defect"] == {"images": 5, "mean": 12.0, "max": 12, "never": 0, "shown": 60}
    assert report["synthetic"] == {"images": 300, "mean": 0.4, "max": 1, "never": 180, "shown": 120}
    assert max(counts[index] for index in REAL_NORMAL) - min(counts[index] for index in REAL_NORMAL) <= 1


def test_no_real_defect_is_refused() -> None:
    with pytest.raises(InputError, match="K8"):
        sampler(kinds=((), REAL_NORMAL, SYNTHETIC))


def test_generated_photographs_alone_can_be_asked_for_and_are_not_mixed() -> None:
    chosen = sampler(real_share=DetectConfig(real_share=0.0).real_share)
    made = set(SYNTHETIC)
    assert all(set(chosen.batch(step)) <= made for step in range(20))


def test_real_share_below_a_half_is_refused() -> None:
    with pytest.raises(ValueError, match="real_share"):
        DetectConfig(real_share=0.4)


def test_category_ids_with_gaps_become_contiguous_labels() -> None:
    mapping = CategoryMap.of([Category(90, "crack"), Category(3, "hole"), Category(17, "break")])
    assert [mapping.label(key) for key in (3, 17, 90)] == [1, 2, 3]
    assert [mapping.category_id(label) for label in (1, 2, 3)] == [3, 17, 90]
    assert mapping.names == ("hole", "break", "crack")


HOLE = Category(3, "hole")


def one_image(mask: np.ndarray, category_id: int = 3, category: Category = HOLE) -> Dataset:
    image = ImageRecord(1, "a.png", mask.shape[1], mask.shape[0], "g", "train", "real", "0")
    return Dataset([image], [Annotation.from_mask(1, 1, category_id, mask)], [category], {"mode": "L"}, Path("d"))


def test_other_categories_stop_the_run() -> None:
    mask = np.ones((4, 4), np.uint8)
    mapping = CategoryMap.of([Category(3, "hole")])
    mapping.check(one_image(mask), "d")
    with pytest.raises(InputError, match="K4"):
        mapping.check(one_image(mask, category=Category(3, "crack")), "d")
    with pytest.raises(InputError, match=r"annotation 1.*K3"):
        mapping.check(one_image(mask, category_id=0), "d")


def test_instances_that_vanish_are_dropped_counted_and_their_image_is_not_shown_as_normal(tmp_path: Path) -> None:
    speck = np.zeros((200, 200), np.uint8)
    speck[100, 100] = 1
    data = one_image(speck)
    data = Dataset(data.images, data.annotations, data.categories, data.info, tmp_path)
    write_png(tmp_path / "images" / "a.png", np.full((200, 200), 99, np.uint8))
    examples = load_examples(data, CategoryMap.of(data.categories), 32)
    assert examples.items == []
    assert examples.dropped == {"vanished_at_working_size": 1, "image_left_without_instances": 1}


@pytest.mark.parametrize(("width", "height"), [(632, 403), (103, 222), (55, 1250), (64, 64)])
def test_working_size_keeps_the_longest_side(width: int, height: int) -> None:
    size = working_size(width, height, 256)
    assert max(size) == 256
    assert size[0] / size[1] == pytest.approx(width / height, rel=0.03)


def test_mirroring_moves_mask_and_pixels_together_and_leaves_the_original() -> None:
    mask = np.zeros((6, 9), np.uint8)
    mask[1:3, 0:2] = 1
    example = Example(mask * 200, [mask], [1], "real")
    mirrored = [augment(example, True, 0.0, np.random.default_rng(seed)) for seed in range(20)]
    assert {tuple(boxes_xyxy(item.masks)[0]) for item in mirrored} == {(0, 1, 2, 3), (7, 1, 9, 3)}
    assert all(np.array_equal(item.pixels, item.masks[0] * 200) for item in mirrored)
    fixed_pose = [augment(example, False, 0.0, np.random.default_rng(seed)) for seed in range(20)]
    assert all(np.array_equal(item.pixels, example.pixels) for item in fixed_pose)


def test_gamma_stays_in_its_range() -> None:
    gray = Example(np.full((1, 1), 128, np.uint8), [], [], "real")
    values = [int(augment(gray, False, 0.2, np.random.default_rng(seed)).pixels[0, 0]) for seed in range(200)]
    low, high = (255 * (128 / 255) ** power for power in (1.2, 1 / 1.2))
    assert low - 1 <= min(values) < 120 and 136 < max(values) <= high + 1


def test_exposure_per_category_counts_a_photograph_of_two_for_both() -> None:
    chosen = sampler(kinds=(range(2), range(2, 4), range(4, 8)), batch=4)
    sources = {index: "real_defect" if index < 2 else "real_normal" if index < 4 else "synthetic" for index in range(8)}
    shows = {0: {"crack"}, 1: {"crack", "fray"}, 4: {"fray"}, 5: {"fray"}, 6: {"fray"}, 7: set()}
    report = {kind: row.to_json() for kind, row in exposure(chosen, 8, sources, shows).items()}
    assert report["real_defect"]["shown"] == report["real_normal"]["shown"] == 8
    assert report["real_defect"]["categories"] == {
        "crack": {"images": 2, "shown": 8},
        "fray": {"images": 1, "shown": 4},
    }
    assert report["synthetic"]["shown"] == 16
    assert report["synthetic"]["categories"] == {"fray": {"images": 3, "shown": 12}}
    assert report["real_normal"]["categories"] == {}
