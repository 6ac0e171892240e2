"""Configuration of the mask pool. Torch-free."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from anomaly_gan.core.config import Config

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class PoolConfig(Config):
    """How the pool is built (Anomaly-GAN, section 4.1.2).

    The paper gives the operations (reposition, rotate 0-360°, scale, combine; fixed-shape categories only change
    place and number; the top 10 % of the experts' drawings), but no numbers for scale, combination and place;
    those defaults are ours.
    """

    count: int = Field(200, ge=1)
    """Items per category."""
    fixed_shape: tuple[str, ...] = ()
    """Categories of which only place and number vary (the paper's screws)."""
    expert_dir: str | None = None
    """Folder of labelme JSON drawn by experts; ``embedded:`` names the embedded data folder. None: prior only."""
    expert_scores: str | None = None
    """CSV ``file,shape,label,rater_01..rater_10``; None: drawings are not rated and all are kept."""
    expert_top: float = Field(0.10, gt=0.0, le=1.0)
    """Share of the drawings with the best mean scores that is kept per category (at least one)."""
    expert_share: Share = 0.5
    """Share of a category's items that are made of expert masks, where it has any."""

    elements: tuple[int, int] = (1, 3)
    """Fewest and most elements wanted in one item; each further one is half as likely."""
    rotation: float = Field(180.0, ge=0.0, le=180.0)
    """Rotation is uniform in ± this many degrees; 180 is the paper's 0-360°."""
    scale: tuple[float, float] = (0.7, 1.4)
    """Scale is log-uniform between these."""
    flip: bool = True
    """Mirror half of the elements."""
    keep_at_border: bool = True
    """An element that its photograph's border cut off is turned by quarters and stays at a border: its straight edge
    would look wrong elsewhere. Deviation: the paper turns and places all alike."""
    fragment_share: Share = 0.03
    """Real masks smaller than this share of their category's median area are splinters, and left out."""
    margin_px: int = Field(1, ge=0)
    """Free pixels kept between an element and the photograph's border."""
    gap_px: int = Field(3, ge=1)
    """Free pixels kept between two elements of one item, so that they stay two instances."""
    min_area_px: int = Field(4, ge=1)
    """An element is not shrunk below this many pixels, unless it was smaller already."""
    max_area_share: float = Field(0.35, gt=0.0, le=1.0)
    """Largest share of the photograph that an item's mask may cover."""

    position_prior: Share = 0.5
    """Share of elements placed near the position of a real one (normalised by width and height)."""
    position_jitter: float = Field(0.05, ge=0.0)
    """Standard deviation of that nearness, as a share of width and height."""

    seat_score: float = Field(0.75, gt=0.0, le=1.0)
    """Least normalised correlation, under a round outline, at which a fixed object is taken as found."""
    seat_scales: tuple[float, ...] = (0.8, 0.9, 1.0, 1.1, 1.25)
    """Sizes looked for, relative to the experts' drawings."""
    seat_margin: float = Field(0.1, ge=0.0)
    """Surroundings taken into a template, as a share of the drawing's box on each side."""
    seat_templates: int = Field(16, ge=1)
    """Most templates per category (the best rated drawings are taken)."""
    seat_tries: int = Field(8, ge=1)
    """Normals looked at for a seat before an item falls back to the experts' own photographs."""

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if not 1 <= self.elements[0] <= self.elements[1]:
            raise ValueError("elements: must be [fewest, most] with 1 <= fewest <= most")
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError("scale: must be [smallest, largest] with 0 < smallest <= largest")
        if not self.seat_scales or min(self.seat_scales) <= 0:
            raise ValueError("seat_scales: must hold at least one positive number")
        if self.expert_scores is not None and self.expert_dir is None:
            raise ValueError("expert_scores: needs expert_dir")
        return self
