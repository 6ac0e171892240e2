"""Configuration of the plausibility model of masks. Torch-free."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from anomaly_gan.core.config import Config

Weight = Annotated[float, Field(ge=0.0)]


class PlausibilityConfig(Config):
    """How the plausibility of a mask on a photograph is rated without experts (the paper's future work).

    The paper names the wish only; every number here is ours.
    """

    enabled: bool = False
    """Rate candidates while the pool is filled, and before experts see them."""
    candidates: int = Field(4, ge=1, le=64)
    """Candidates made for one item of the pool, of which the most plausible is taken; 1 takes what comes."""
    calibrate: ClassVar[bool] = True
    """Calibrate against the experts' scores, where there are any."""
    shape_weight: ClassVar[Weight] = 1.0
    """Weight of what the mask looks like."""
    place_weight: ClassVar[Weight] = 1.0
    """Weight of where it lies."""
    folds: int = Field(10, ge=2)
    """Each real mask is rated by a model that has not seen its object: by leaving out single objects, or, where a
    category has more of them than this, this many parts of them."""
    shrinkage: ClassVar[float] = 8.0
    """Objects that the masks of all categories together are worth beside a category's own ones."""
    fragment_share: ClassVar[float] = 0.03
    """Real masks smaller than this share of their category's median area are splinters, and left out."""
