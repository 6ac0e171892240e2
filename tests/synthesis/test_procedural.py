"""Defects drawn by rule: label and picture agree, and nobody needs a photograph of a defect."""

import numpy as np
import pytest
from typer.testing import CliRunner

from anomaly_gan.cli.main import app
from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.images import write_png
from anomaly_gan.drawn_defects.drawings import KINDS, draw, kind_of
from anomaly_gan.synthesis.generate.stage import method_inputs, pool_items
from anomaly_gan.synthesis.registry import METHODS


def sound(rng, shape=(120, 140)):
    return rng.normal(110, 5, shape).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_drawn_is_under_the_label_and_nowhere_else(kind, colour):
    rng = np.random.default_rng(4)
    base, other = (sound(rng, (120, 140, 3) if colour else (120, 140)) for _ in range(2))
    shown = []
    for number in range(8):
        pixels, mask = draw(kind, base, other, [50, 40, 30, 24], np.random.default_rng(number))
        assert pixels.shape == base.shape and pixels.dtype == np.uint8 and mask.shape == base.shape[:2]
        changed = np.abs(pixels.astype(int) - base)
        changed = changed.max(axis=2) if colour else changed
        rows, columns = np.nonzero(mask)
        assert len(rows) and abs(rows.mean() - 52) < 20 and abs(columns.mean() - 65) < 20
        assert changed[mask == 1].mean() > 3 * changed[mask == 0].mean()
        shown.append(changed[mask == 1].mean())
    assert np.median(shown) > (4 if kind == "patch" else 10)


def test_a_name_tells_the_kind_and_others_get_every_kind():
    rng = np.random.default_rng(0)
    assert {kind_of("Cracks", rng) for _ in range(9)} == {"crack"} and kind_of("blowhole", rng) == "pit"
    assert {kind_of("break", rng) for _ in range(60)} == set(KINDS)


def test_it_draws_at_the_place_of_the_pool_and_labels_what_it_drew(small_run):
    from anomaly_gan.core.stage import Context

    inputs = method_inputs("procedural", Context(1, "cpu", small_run.inputs()))
    items = pool_items(inputs.pool)["scratch"][:6]
    generate = METHODS["procedural"].open(inputs)
    first, again = generate(items, 0), generate(items, 0)
    for item, sample, same in zip(items, first, again, strict=True):
        assert (sample.pixels == same.pixels).all()
        assert len(sample.instances) == len(item.annotations)
        for (label, mask), annotation in zip(sample.instances, item.annotations, strict=True):
            x, y, width, height = annotation.bbox
            rows, columns = np.nonzero(mask)
            assert label == annotation.category_id
            assert abs(columns.mean() - x - width / 2) < 10 and abs(rows.mean() - y - height / 2) < 10
    assert any((one.pixels != other.pixels).any() for one, other in zip(first, generate(items, 1), strict=True))


def test_sound_photographs_alone_are_enough(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(4):
        write_png(tmp_path / "photos" / "good" / f"{number}.png", sound(rng))
    run = CliRunner().invoke
    ingest = ["ingest", str(tmp_path / "photos"), "--format", "mask-png", "--out", str(tmp_path / "run" / "ingest")]
    generate = ["generate", "--run", str(tmp_path / "run"), "--method", "procedural", "--count", "3"]
    assert isinstance(run(app, generate).exception, InputError), "not ingested yet: one line"
    assert run(app, ingest).exit_code == 0
    result = run(app, generate)
    assert result.exit_code == 0, result.output
    made = load_dataset(tmp_path / "run" / "generate@procedural")
    assert [category.name for category in made.categories] == list(KINDS)
    assert len(made.images) == 3 * len(KINDS) and len(made.annotations) >= len(made.images) - 2
