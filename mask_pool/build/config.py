"""Configuration of the mask pool. Torch-free."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from anomaly_gan.core.config import Config, Place

from ..placement.config import PlaceConfig
from ..plausibility.config import PlausibilityConfig
from ..recombination.rules import CategoryRules, Growth, Positive, Rules, SeverityScale, in_pixels, ordered
from ..recombination.spread import Spread
from ..scoring.config import EvaluateConfig

Share = Annotated[float, Field(ge=0.0, le=1.0)]


PAPER = Spread("free", 0, 0, None, None, None, 180.0, (0.7, 1.4), True, 3)
"""Where no real mask was looked at: turned freely, as the paper does."""


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
    rules: dict[str, CategoryRules] = Field(default_factory=dict)
    """Constraints per category; they go before the pool's own settings."""
    px_per_mm: Positive | None = None
    """Pixels per millimetre in the photographs, for sizes in millimetres."""
    expert_dir: Place | None = None
    """Folder of labelme JSON drawn by experts; ``embedded:`` names the embedded data folder. None: prior only."""
    expert_scores: Place | None = None
    """Sheet of the raters' grades (``mask_pool.scoring.score_sheet``); None: drawings are unrated and all kept."""
    line_width: Positive | None = None
    """Width in pixels of experts' lines and linestrips that give none themselves; None: such a line is refused."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """How the raters' grades become scores, and which drawings are kept."""
    expert_share: Share | Literal["mixed"] = 0.5
    """Share of a category's items that are made of expert masks, where it has any. ``mixed``: any element of an item
    may be of either kind, each kind as likely, as the paper combines them."""

    elements: tuple[int, int] | None = None
    """Fewest and most elements wanted in one item; each further one is half as likely. None: from 1 to what nine of
    ten real photographs show, at most 3."""
    rotation: float | None = Field(None, ge=0.0, le=180.0)
    """Rotation is uniform in ± this many degrees about an element's own direction; 180 is the paper's 0-360°. None:
    as the real ones' directions spread, freely where they have no preferred one (``recombination.spread``). On a part
    (``place``) it is about the pose that the part gives."""
    scale: tuple[float, float] | None = None
    """Scale is log-uniform between these. None: as the real ones' sizes spread."""
    flip: bool | None = None
    """Mirror half of the elements. None: where that keeps the real ones' direction."""
    severity: tuple[Share, Share] | None = None
    """Severity s of the items is uniform between these, and sets their sizes; None: sizes come from ``scale``."""
    severity_scale: SeverityScale = SeverityScale()
    """What s = 0 and s = 1 mean."""
    elastic: float = Field(0.0, ge=0.0, le=0.3)
    """Root mean square of an elastic displacement, relative to the square root of the element's area; 0: none."""
    grow: tuple[Growth, Growth] = (0.0, 0.0)
    """An element grows (> 0) or is thinned (< 0) by a share of its area, uniform between these."""
    break_chance: Share = 0.0
    """Share of the elements that are broken in 2 to ``break_parts`` parts."""
    break_parts: ClassVar[int] = 3
    break_gap_px: ClassVar[float] = 2.5
    """Width of the gaps between the parts."""
    keep_at_border: ClassVar[bool] = True
    """An element that its photograph's border cut off is turned by quarters and stays at a border: its straight edge
    would look wrong elsewhere. Deviation: the paper turns and places all alike."""
    fragment_share: ClassVar[Share] = 0.03
    """Real masks smaller than this share of their category's median area are splinters, and left out."""
    margin_px: ClassVar[int] = 1
    """Free pixels kept between an element and the photograph's border."""
    gap_px: ClassVar[int] = 3
    """Free pixels kept between two elements of one item, so that they stay two instances."""
    min_area_px: ClassVar[int] = 4
    """An element is not shrunk below this many pixels, unless it was smaller already."""
    max_area_share: float = Field(0.35, gt=0.0, le=1.0)
    """Largest share of the photograph that an item's mask may cover."""

    place: PlaceConfig = PlaceConfig()
    """Where free elements go."""
    plausibility: PlausibilityConfig = PlausibilityConfig()
    """The model of the items' plausibility, which fills the pool where there are no experts."""

    anchor_score: ClassVar[float] = 0.75
    """Least normalised correlation, under a round outline, at which a fixed object is taken as found."""
    anchor_scales: tuple[float, ...] = (0.8, 0.9, 1.0, 1.1, 1.25)
    """Sizes looked for, relative to the experts' drawings."""
    anchor_margin: ClassVar[float] = 0.1
    """Surroundings taken into a template, as a share of the drawing's box on each side."""
    anchor_templates: ClassVar[int] = 16
    """Most templates per category (the best rated drawings are taken)."""
    anchor_tries: ClassVar[int] = 8
    """Normals looked at for an anchor before an item falls back to the experts' own photographs."""

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if self.elements is not None and not 1 <= self.elements[0] <= self.elements[1]:
            raise ValueError("elements: must be [fewest, most] with 1 <= fewest <= most")
        ordered("severity", self.severity)
        ordered("grow", self.grow)
        for name, rules in self.rules.items():
            for field in ("area_mm2", "length_mm"):
                if getattr(rules, field) is not None and self.px_per_mm is None:
                    raise ValueError(f"rules.{name}.{field}: needs px_per_mm")
            if name in self.fixed_shape and rules.changing():
                raise ValueError(f"fixed_shape, rules.{name}.{rules.changing()[0]}: a fixed shape is only moved")
        if self.scale is not None and not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError("scale: must be [smallest, largest] with 0 < smallest <= largest")
        if not self.anchor_scales or min(self.anchor_scales) <= 0:
            raise ValueError("anchor_scales: must hold at least one positive number")
        if self.expert_scores is not None and self.expert_dir is None:
            raise ValueError("expert_scores: needs expert_dir")
        return self

    def rules_of(self, category: str, spread: Spread = PAPER) -> Rules:
        """The rules of one category: its own, the pool's where it has none, and else what its real masks show."""
        own = self.rules.get(category, CategoryRules())
        given = {name: value for name, value in (*self, *own) if value is not None}
        turn = 0.0 if own.fixed_orientation else given.get("rotation", spread.rotation)
        kept = spread.flip if "rotation" not in given else True
        return Rules(
            fixed_shape=own.fixed_shape or category in self.fixed_shape,
            rotation=turn if isinstance(turn, tuple) else (-turn, turn),
            flip=_first(own.flip, False if own.fixed_orientation else None, self.flip, kept),
            scale=given.get("scale", spread.scale),
            elements=given.get("elements", (1, spread.number)),
            fewest=own.elements[0] if own.elements else 1,
            area_px=in_pixels(own.area_px, own.area_mm2, self.px_per_mm, 2),
            length_px=in_pixels(own.length_px, own.length_mm, self.px_per_mm, 1),
            severity=given.get("severity", self.severity),
            severity_scale=given.get("severity_scale", self.severity_scale),
            elastic=given.get("elastic", self.elastic),
            grow=given.get("grow", self.grow),
            break_chance=given.get("break_chance", self.break_chance),
            break_parts=self.break_parts,
            break_gap_px=self.break_gap_px,
            max_area_share=given.get("max_area_share", self.max_area_share),
            min_area_px=self.min_area_px,
            keep_at_border=self.keep_at_border,
        )


def _first(*values: bool | None) -> bool:
    """The first value that is given."""
    return next((value for value in values if value is not None), False)
