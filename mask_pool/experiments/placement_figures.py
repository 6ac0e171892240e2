"""Pictures of the placement study; the same rows and places give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from anomaly_gan.core.images import write_png

from ..placement.real_masks import Scenes
from .plausibility_figures import _figure, _save

if TYPE_CHECKING:
    from .placement_trial import Put

TILE_PX = 176
COLUMNS = 8
COLOUR = (90, 255, 60)


def draw_bars(rows: Sequence[dict[str, object]], path: Path) -> None:
    """AUROC with its control, and the two distances to the real defects, per category, with their intervals."""
    figure = _figure(13, 4)
    categories = list(dict.fromkeys(row["category"] for row in rows))
    for place, name in enumerate(("AUROC", "position", "look"), start=1):
        axes = figure.add_subplot(1, 3, place)
        arms = list(dict.fromkeys(row["arm"] for row in rows if row["measure"] == name))
        for offset, arm in enumerate(arms):
            own = {row["category"]: row for row in rows if row["measure"] == name and row["arm"] == arm}
            x = [index + 0.8 * (offset - (len(arms) - 1) / 2) / len(arms) for index in range(len(categories))]
            values = [own[category]["value"] for category in categories]
            axes.plot(x, values, "o", label=arm)
            for at, category in zip(x, categories, strict=True):
                if own[category]["low"] is not None:
                    axes.plot([at, at], [own[category]["low"], own[category]["high"]], color="0.5", linewidth=1)
        axes.set_xticks(range(len(categories)), categories, fontsize=8)
        axes.set_title("AUROC of the real place" if name == "AUROC" else f"distance to real ones: {name}")
        axes.axhline(0.5 if name == "AUROC" else 0.0, color="0.8", linewidth=1)
        axes.legend(fontsize=7)
    _save(figure, path)


def contact_sheet(puts: Sequence[Put], scenes: Scenes, path: Path) -> None:
    """One row to an arm, one column to a normal photograph: the same masks, outlined where each arm put them."""
    arms = list(dict.fromkeys(put.arm for put in puts))
    rows = []
    for arm in arms:
        own = [put for put in puts if put.arm == arm]
        step = max(1, len(own) // COLUMNS)
        tiles = [_tile(put, scenes) for put in own[::step][:COLUMNS]]
        row = np.hstack(tiles + [np.zeros_like(tiles[0])] * (COLUMNS - len(tiles)))
        head = np.zeros((22, row.shape[1], 3), np.uint8)
        cv2.putText(head, arm, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
        rows += [head, row]
    if rows:
        write_png(path, np.vstack(rows))


def _tile(put: Put, scenes: Scenes) -> np.ndarray:
    gray = scenes.gray(put.normal.file_name)
    mask_01 = np.zeros(gray.shape, np.uint8)
    h, w = put.real.bitmap.shape
    mask_01[put.y : put.y + h, put.x : put.x + w] = put.real.bitmap
    factor = TILE_PX / max(gray.shape)
    size = (max(1, round(gray.shape[1] * factor)), max(1, round(gray.shape[0] * factor)))
    picture = cv2.cvtColor(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2RGB)
    shown = cv2.resize(mask_01 * 255, size, interpolation=cv2.INTER_AREA)
    contours, _ = cv2.findContours((shown > 60).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, COLOUR, 1)
    tile = np.zeros((TILE_PX + 4, TILE_PX + 4, 3), np.uint8)
    tile[: size[1], : size[0]] = picture
    return tile
