"""Configuration of the gate and of the export; no torch here."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from ...core import weights
from ...core.config import Config
from ...core.durations import TimeLimit
from ...core.errors import ConfigError
from ..registry import method

REJECTED = "rejected"
"""Below the gate's folder: the data set of the photographs that it refused."""


class OfMethodConfig(Config):
    """Of a stage that works on what one method made: ``method`` is a row of the registry."""

    method: str = "anomaly_gan"

    @field_validator("method")
    @classmethod
    def _known(cls, name: str) -> str:
        return known_method(name)


class GateConfig(OfMethodConfig):
    """What a synthetic photograph must satisfy, and how a category as a whole is judged.

    Grey levels are of 0..255; shares are of 1; a ratio is a figure over the same figure of real against real.
    """

    min_contrast: float = Field(4.0, ge=0)
    """Least mean absolute change inside each instance, in grey levels."""
    changed_by: ClassVar[float] = 3.0
    """A pixel counts as changed above this many grey levels."""
    min_fill: float = Field(0.3, ge=0, le=1)
    """Least share of each instance's pixels that must have changed."""
    over_texture: float = Field(1.15, ge=0)
    """Where the mean of an instance stays, its change must exceed this multiple of the texture around it: exchanging
    normal texture for normal texture is no defect."""
    min_area_px: ClassVar[int] = 4
    max_area_share: ClassVar[float] = 0.9
    least_likely: float = Field(0.1, ge=0, le=1)
    """A photograph is rejected where a defect's direction, place or distance to the border is less likely than N
    times that of the least likely real one, or less of it on the part than of any; 0: nothing is, and it is measured
    all the same. Below ``verdict_objects`` real objects nothing is asked."""
    retries: int = Field(2, ge=0)
    """New attempts for a rejected item; after them, spare items of the pool are tried."""
    max_spares: int = Field(100, ge=0)
    """Most spare items tried per category."""
    min_n: int = Field(6, ge=2)
    """Below this many photographs on either side no distance is given: small sets are all bias."""
    max_n: int = Field(100, ge=2)
    """Most photographs per category and side that are looked at."""
    repeats: int = Field(20, ge=1)
    """Random halves of the real photographs (by group) behind each reference."""
    crop_margin: ClassVar[float] = 0.5
    """Surroundings of a defect crop, as a share of its box on each side."""
    warn_ratio: ClassVar[float] = 1.0
    fail_ratio: float = Field(2.5, ge=warn_ratio)
    """A category is warned or failed where the kernel distance of its generated defects to real ones exceeds these
    multiples of the 95th percentile of real against real. One trial each, by copy-paste: 0.2 to 0.6 at N from 9 to
    25 (2.1 where texture fitted badly), up to 1.5 at N = 6; masks filled with noise 2.7 to 15, with one level 1.4 to 5.
    At N = 6 a pass or a warning says little; a fail says something. Where real defects pasted on other parts would
    fail, the limit to fail counts from them."""
    verdict_objects: int = Field(6, ge=2)
    """With fewer real objects of a category in the training split than this its verdict is "too few to say": halves of
    two or three objects are no reference. Nothing of it is dropped for a figure."""
    verdict_n: int = Field(9, ge=2)
    """With fewer photographs on either side a distance is given and decides nothing: at N = 6 pasted real defects have
    come to 3.9 times the 95th percentile of real against real. Shares of so few accepted ones decide nothing either."""
    warn_outside: ClassVar[float] = 0.2
    fail_outside: ClassVar[float] = 0.5
    """A category is warned or failed where this share of its generated defects has a direction, size, place, tone or
    colour outside everything real, beyond the share of a further real object's defects that would be outside too."""
    most_by_chance: ClassVar[float] = 0.005
    """It is failed only where so many objects lie outside less often than this, were generated and real ones alike:
    of five objects a side, three lie outside the others in one of four trials."""
    on_fail: Literal["drop", "keep"] = "drop"
    """Whether a category that fails is left out of the export; ``keep`` exports and compares everything that was
    accepted, as it was generated."""
    min_diversity: ClassVar[float] = 0.5
    """Warn where pairs of generated crops are less unlike than this multiple of pairs of real ones."""
    artefact: int = Field(24, ge=0)
    """Shams (sound texture put in by the method) per category, from which a probe learns whether compositing can be
    seen; 0: it is not asked."""
    label_check: bool = False
    """Ask the segmenters of stage ``label_check``, which saw real training photographs only, whether they find each
    defect where its mask is, and look for copies of training defects."""
    min_label_iou: ClassVar[float] = 0.05
    """A photograph with an instance found worse than this (intersection over union) is empty there: rejected, unless
    the category's real defects are missed as often as ``max_missed`` says."""
    max_missed: ClassVar[float] = 0.25
    """Where the segmenters miss a greater share of real defects of objects they have not seen, they reject nothing:
    what they miss would be the faint defects, and the accepted ones would grow conspicuous."""
    min_objects: int = Field(4, ge=2)
    """With fewer real objects of a category than this nothing of it is rejected as empty or as a copy: the segmenters
    know one or two objects, and the nearest of the few pairs of objects is far. Of magnetic tiles with two objects a
    category, 66 to 78 % counted as copies and nine of ten breaks as empty; with four, 10 to 37 % as copies; with
    eight, 2 to 15 %."""
    label_iou_gap: ClassVar[float] = 0.05
    """Warn where the median IoU lies further than this below that of real defects."""
    max_empty: ClassVar[float] = 0.01
    """Warn where more than this share of instances is empty beyond the share of real ones that is missed."""
    reject_copies: bool = True
    """Reject what is nearer to a training defect than real ones of different objects are to each other; not where a
    method pastes training defects by construction."""
    time_budget: TimeLimit = None
    """``5m``: no further photograph is looked at then, of each category a like share; None: all are."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_n > self.max_n:
            raise ValueError("min_n: must not exceed max_n")
        return self


class ExportConfig(OfMethodConfig):
    """What goes into the training set for detectors."""

    normals: bool = True
    """Keep training photographs without a defect."""
    outliers: Literal["keep", "drop"] = "keep"
    """Whether photographs that the one-class filter finds to be outliers go out; it needs ``one_class.detectors``."""
    real_times: int = Field(1, ge=1)
    """How often each real photograph with a defect goes out: once as it is, the other times turned, mirrored, scaled
    and lit otherwise (the method ``geometric``). They count as real."""
    per_real: float | None = Field(None, ge=0)
    """Synthetic photographs per real one with a defect, in the pool's order and balanced over the categories; None:
    all that were accepted."""


def known_method(name: str) -> str:
    """``name`` itself; pydantic gets the nearest name where the registry has no such row."""
    try:
        method(name)
    except ConfigError as error:
        raise ValueError(str(error).removeprefix("method: ")) from error
    return name


def source_keys(section: Config | None = None) -> dict[str, str]:
    """What the gate depends on besides its inputs: the weight files at hand, as figures by other networks are other
    figures; the same whatever the section says."""
    present = {item["name"]: item["sha256"] for item in weights.listing() if item["present"]}
    return {f"weights/{name}": present[name] for name in ("inception_fid", "alexnet_lpips") if name in present}
