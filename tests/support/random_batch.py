"""A batch of noise with a box of a mask in every picture, for tests of losses."""

import torch

from anomaly_gan.synthesis.pairs.windows import Batch


def random_batch(rows: int = 3, side: int = 32) -> Batch:
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(2, rows, 3, side, side, generator=generator) * 2 - 1
    masks = torch.zeros(2, rows, 1, side, side)
    for row in range(rows):
        masks[0, row, 0, 4 + row : 12, 6 : 20 - row] = 1
        masks[1, row, 0, 16:27, 3 + 2 * row : 15] = 1
    noise = torch.randn(rows, 2, side, side, generator=generator)
    return Batch(images[0], masks[0], images[1], masks[1], torch.arange(rows) % 2, noise, images[1])
