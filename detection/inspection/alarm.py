"""When a photograph raises an alarm: a threshold from sound photographs that the training never saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.errors import ConfigError, InputError

from ..one_class.inspection.calibration import Threshold, calibrate

if TYPE_CHECKING:
    from ..evaluation.reading import Reading


@dataclass(frozen=True)
class SoundScores:
    """Scores of held-out sound photographs, ascending, and a number for the object that each shows."""

    scores: tuple[float, ...] = ()
    objects: tuple[int, ...] = ()

    @classmethod
    def of(cls, held: Dataset, seen: Reading) -> SoundScores:
        """From what a detector says of held-out photographs; those with a defect count nowhere."""
        highest = {image.id: 0.0 for image in held.images} if seen.scores is None else dict(seen.scores)
        for row in seen.rows if seen.scores is None else ():
            highest[row["image_id"]] = max(highest[row["image_id"]], row["score"])
        sound = held.normals()
        number = {group: place for place, group in enumerate(sorted({image.group_id for image in sound}))}
        pairs = sorted((highest[image.id], number[image.group_id]) for image in sound)
        return cls(tuple(score for score, _ in pairs), tuple(place for _, place in pairs))

    def threshold(self, false_alarm: float) -> Threshold:
        """The threshold for a rate: what scores above it raises an alarm.

        Raises:
            InputError: K5, too few held-out photographs for the rate.
            ConfigError: no share.
        """
        if not 0 < false_alarm < 1:
            raise ConfigError(f"--false-alarm {false_alarm:g}: must lie between 0 and 1, for example 0.05")
        try:
            return calibrate(np.array(self.scores), false_alarm, [str(number) for number in self.objects])
        except InputError as error:
            raise InputError(
                "threshold",
                error.code,
                f"{len(self.scores)} held-out sound photographs cannot promise a false-alarm rate of {false_alarm:g}",
                "train with more sound photographs, ask for a higher rate, or give --threshold yourself",
            ) from error

    def to_json(self) -> dict[str, object]:
        return {"scores": list(self.scores), "objects": list(self.objects)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> SoundScores:
        return cls(tuple(map(float, content["scores"])), tuple(map(int, content["objects"])))
