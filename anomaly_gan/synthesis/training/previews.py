"""What a method paints while it learns, shown without touching the training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...core.contact_sheet import contact_sheet
from ..interface.task import MethodTask
from ..pairs.windows import Batch, to_pixels

SAMPLE_ROWS = 8


def previews(task: MethodTask, batch: Batch) -> dict[str, Tensor]:
    """The task's columns; nets are in evaluation mode meanwhile."""
    modes = {name: net.training for name, net in task.nets.items()}
    with torch.no_grad():
        for net in task.nets.values():
            net.eval()  # a picture must not move the running statistics of batch norm
        columns = task.previews(batch)
    for name, net in task.nets.items():
        net.train(modes[name])
    return columns


def sample_grid(task: MethodTask, batch: Batch) -> np.ndarray:
    """Contact sheet of fixed pairs, in the task's own columns: normal, mask, generated ..."""
    rows = min(SAMPLE_ROWS, len(batch.category_B))
    columns = previews(task, batch.rows(0, rows))
    pictures = [[to_pixels(column[row]) for column in columns.values()] for row in range(rows)]
    return contact_sheet(pictures, list(columns), cell=96)
