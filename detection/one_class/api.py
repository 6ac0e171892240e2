"""The public functions of the one-class detectors. Nothing here imports torch until it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.stage_calls import Device, Pixels

if TYPE_CHECKING:
    import torch

    from .inspection.checkpoint import Model


@dataclass(frozen=True)
class Scores:
    """How abnormal N photographs are.

    ``image`` (N,) float64, higher is more abnormal, in the detector's own unit. ``p_value`` (N,) in (0, 1]: the share
    of held-out normals at least as abnormal; None where the model has no held-out normals. ``abnormal`` (N,) bool:
    above the threshold; None where there is none. ``maps``: one float32 (H, W) per photograph, of the photograph's
    size and in the same sense; None where the detector does not tell where a defect is.
    """

    image: NDArray[np.float64]
    p_value: NDArray[np.float64] | None
    abnormal: NDArray[np.bool_] | None
    maps: tuple[NDArray[np.float32], ...] | None


@dataclass(frozen=True)
class OneClass:
    """A trained one-class detector, ready to score: what ``folder`` holds, its nets on ``device``."""

    folder: Path
    model: Model
    device: torch.device

    @property
    def name(self) -> str:
        """The row of the table of detectors, such as ``patch_memory``."""
        return self.model.name

    @property
    def threshold(self) -> float | None:
        """Score above which a photograph is called abnormal; None for a model that was never calibrated."""
        return None if self.model.threshold is None else self.model.threshold.value

    def score(self, images: Sequence[Pixels] | Pixels) -> Scores:
        """Score photographs, each by itself.

        Args:
            images: uint8 (H, W) or (H, W, 3), RGB, of any sizes; one photograph, or a sequence of them.

        Raises:
            ConfigError: an array of another kind.
        """
        import cv2

        from .inspection.calibration import p_values
        from .inspection.scoring import BATCH, score_photographs

        photos = _each(images)
        model, found, maps = self.model, [], []
        for photo in photos:
            _check(photo)
        for start in range(0, len(photos), BATCH):
            part = photos[start : start + BATCH]
            squares = [model.view.squares(photo, model.mode) for photo in part]
            scores, found_maps = score_photographs(model.detector, squares, self.device)
            found.append(scores)
            for photo, heats in zip(part, found_maps or [], strict=bool(found_maps)):
                height, width = photo.shape[:2]
                heat = model.view.spread(heats, (height, width))
                maps.append(np.asarray(cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR), np.float32))
        image = np.concatenate(found) if found else np.zeros(0)
        return Scores(
            image,
            p_values(model.held_out, image) if len(model.held_out) else None,
            None if self.threshold is None else image > self.threshold,
            tuple(maps) if maps or not photos else None,
        )


def _each(images: Sequence[Pixels] | Pixels) -> list[Pixels]:
    """The photographs one by one; an array (H, W, 3) is one photograph."""
    if not isinstance(images, np.ndarray):
        return list(images)
    shape: tuple[int, ...] = images.shape
    return [images] if len(shape) == 2 or (len(shape) == 3 and shape[2] == 3) else list(images)


def _check(photo: Pixels) -> None:
    shape: tuple[int, ...] = np.shape(photo)
    if np.asarray(photo).dtype != np.uint8 or len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] != 3):
        raise ConfigError(f"images: {shape} of {np.asarray(photo).dtype}: must be uint8, (H, W) or (H, W, 3)")


def train_one_class(
    data: str | Path,
    out: str | Path,
    *,
    detector: str = "patch_memory",
    preset: str = "full",
    false_alarm: float = 0.05,
    group_regex: str | None = None,
    seed: int = 0,
    device: Device = "auto",
    settings: dict[str, object] | None = None,
) -> OneClass:
    """Learn what sound parts look like, and set the threshold on held-out ones.

    Args:
        data: folder of photographs of good parts, at any depth; or a data set folder, whose training normals count.
        out: folder of the model; a training that was cut off goes on, a finished one is opened.
        detector: a row of the table, such as ``patch_memory`` or ``padim``.
        preset: ``quick`` (sized for a CPU) or ``full`` (the paper's).
        false_alarm: share of good parts that may be called abnormal, in (0, 1).
        group_regex: expression on the file name whose first group names the object; None: each photograph is one.
        seed: of weights, batches, and which objects are held out.
        device: where to train.
        settings: single values of the detector's configuration that differ from the preset's.

    Returns:
        The calibrated detector.

    Raises:
        ConfigError: an unknown detector, preset, setting or share.
        InputError: no photographs; K5, too few normals for the rate; J6, ``out`` holds other work.
    """
    from .inspection.train import train_folder

    train_folder(
        Path(data),
        Path(out),
        detector,
        preset,
        settings,
        false_alarm,
        group_regex=group_regex,
        seed=seed,
        device=device,
    )
    return load_one_class(out, device)


def load_one_class(folder: str | Path, device: Device = "auto") -> OneClass:
    """Open a trained one-class detector.

    Raises:
        InputError: a file is missing, is not one of ours, or the two do not belong together.
    """
    from .inspection.checkpoint import load_model
    from .inspection.scoring import choose_device

    chosen = choose_device(device)
    return OneClass(Path(folder), load_model(Path(folder), chosen), chosen)
