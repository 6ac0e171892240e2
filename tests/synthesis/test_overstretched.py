"""What would be stretched too far to be believed: others are looked at, or the mask's own defect is moved whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anomaly_gan.synthesis.generate.stage import pool_items
from anomaly_gan.synthesis.interface import MethodInputs
from anomaly_gan.synthesis.methods.config import TrainConfig
from anomaly_gan.synthesis.methods.painting.bare import Bare
from anomaly_gan.synthesis.methods.painting.generator import CANDIDATES, Brush
from anomaly_gan.synthesis.pairs import exemplar
from anomaly_gan.synthesis.pairs.exemplar import MOST_STRETCHED, Exemplar, overstretched
from anomaly_gan.synthesis.registry import METHODS


def bar(length: int) -> np.ndarray:
    mask = np.zeros((64, 64), np.uint8)
    mask[30:34, 32 - length // 2 : 32 + length // 2] = 1
    return mask


def seen(length: int) -> Exemplar:
    return Exemplar(np.full((64, 64), 90, np.uint8), bar(length))


def test_it_is_told_by_the_longer_of_both():
    assert not overstretched(bar(40), [seen(40), seen(30)])
    assert overstretched(bar(40), [seen(40), seen(6)]) and not overstretched(bar(40), [seen(40), seen(6)], enough=1)
    assert seen(6).strip.stretch(seen(40).strip) > MOST_STRETCHED


def test_all_exemplars_are_looked_at_where_those_drawn_do_not_fit():
    bank = [seen(6)] * 400 + [seen(40), seen(38)]
    brush = Brush(
        Bare(1), TrainConfig(), ["bar"], {"bar": [[0.1, 0.1]] * len(bank)}, torch.device("cpu"), {"bar": bank}
    )
    rng = np.random.default_rng(1)
    assert max(np.random.default_rng(1).integers(len(bank), size=CANDIDATES)) < 400, "none that fits is drawn"
    _, drawn = brush._draw("bar", np.full((64, 64), 120, np.uint8), bar(40), rng)
    assert drawn is not None and {id(one) for one in drawn} == {id(one) for one in bank[400:]}


@pytest.mark.parametrize("fits", [True, False])
def test_where_none_fits_the_masks_own_defect_is_moved_as_a_whole(fits, small_run, monkeypatch):
    monkeypatch.setattr(exemplar, "MOST_STRETCHED", np.inf if fits else -1.0)
    inputs = MethodInputs(small_run.ingest.split("train"), small_run.pool, 11, "cpu")
    item = next(
        one for one in pool_items(small_run.pool)["scratch"] if one.annotations[0].provenance["kind"] == "prior"
    )
    bare, pasted = (METHODS[name].open(inputs)([item], 0)[0] for name in ("exemplar", "copy_paste"))
    inside = item.annotations[0].mask() != 0
    near = np.abs(bare.pixels.astype(int) - pasted.pixels)[inside].mean()
    assert (near < 2) == (not fits)
