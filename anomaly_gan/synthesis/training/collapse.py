"""A training that has come to nothing though every number is finite: said aloud and kept in ``metrics.json``.

Three signs are looked for at its end: a discriminator whose loss is 0 for long (it tells everything apart and teaches
nothing any more), defects of one even level, and defects that are all the same, which real ones of the same batch are
not. None of them stops a training: what was learnt before may be of use, and the gate judges it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

SILENT = 1e-3
"""All terms of the discriminators' loss together, below which it counts as 0."""
INTERVALS = 10
"""Logged intervals in a row, at the end of the training, for which it must be so."""
LEVEL = 2 / 255
"""One grey level where images lie in [-1, 1]."""
LEAST_PX, LEAST_ROWS = 4, 3
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def signs(rows: Sequence[Mapping[str, float]], judging: str, columns: Mapping[str, Tensor]) -> list[str]:
    """One sentence for each sign, none where all is well.

    Args:
        rows: of ``losses.csv``.
        judging: the update that trains the discriminators.
        columns: a sample sheet's: ``generated``, ``mask`` and ``real``, (B, C, H, W) in [-1, 1].
    """
    found = [silent(rows, judging)]
    if {"generated", "mask", "real"} <= columns.keys():
        found.append(painted(columns["generated"].float(), columns["mask"], columns["real"].float()))
    return [sentence for sentence in found if sentence]


def silent(rows: Sequence[Mapping[str, float]], judging: str) -> str | None:
    """Whether the discriminators' loss was 0 in the last intervals."""
    last = rows[-INTERVALS:]
    sums = [sum(abs(value) for name, value in row.items() if name.startswith(f"{judging}/")) for row in last]
    told = all(any(name.startswith(f"{judging}/") for name in row) for row in last)
    if len(last) < INTERVALS or not told or max(sums) >= SILENT:
        return None
    first = int(last[0]["step"])
    return f"the discriminators' loss is 0 since step {first} at the latest: they teach the generator nothing"


def painted(generated: Tensor, mask: Tensor, real: Tensor) -> str | None:
    """Whether what is under the masks is of one level each, or the same in all rows of the batch."""
    inside = mask > 0
    made = [row[:, where[0]] for row, where in zip(generated, inside, strict=True) if where.sum() >= LEAST_PX]
    if len(made) < LEAST_ROWS:
        return None
    if max(float(pixels.std(dim=1).max()) for pixels in made) < LEVEL / 2:
        return "all generated defects are of one even level"
    if _unlike(made) < LEVEL / 2 <= _unlike([row.flatten(1) for row in real]):
        return "all generated defects look the same"
    return None


def _unlike(rows: Sequence[Tensor]) -> float:
    """How far the levels of any two rows are apart: the greatest spread of a quantile over the rows."""
    points = torch.tensor(QUANTILES, device=rows[0].device)
    levels = torch.stack([torch.quantile(pixels, points, dim=1) for pixels in rows])
    return float((levels.amax(0) - levels.amin(0)).max())
