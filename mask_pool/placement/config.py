"""Configuration of placement. Torch-free."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from anomaly_gan.core.config import Config, Place

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class PlaceConfig(Config):
    """Where free elements go. The paper says "reposition"; where to is ours."""

    strategy: Literal["auto", "random", "position", "prior"] = "auto"
    """``auto``: on the part where the sound photographs show one (``part``), and turned with it; else ``position``.
    ``random``: anywhere. ``position``: near the place of a real defect on its photograph, as shares of width and
    height. ``prior``: where it looks like the places of real defects (position, border, brightness and texture
    around), learned from the training split with every defect painted out."""
    share: Share = 0.5
    """Share of the elements that follow the strategy; the others go anywhere, so that no place is impossible."""
    part: Literal["auto", "none", "regions"] = "auto"
    """``auto``: where the part is, is found on each photograph (``part.foreground``), if the sound ones agree that they
    show one; where they show none but two materials, masks of a category that keeps to one of them lie on that
    (``materials``), unless regions are given. ``regions``: the part is the legal region of all categories. ``none``:
    there is neither."""
    edge: Literal["auto", "none"] = "auto"
    """``auto``: where there is no part, masks of a category whose real ones keep to the edge of the surface (the
    photograph's border, or a dark gap beside it) lie at that edge too, facing the sides that real ones do; ``share`` of
    them near to where along a side a real one was. With the strategy ``auto`` alone."""
    jitter: float = Field(0.05, ge=0.0)
    """``position``: standard deviation of the nearness, as a share of width and height."""
    candidates: int = Field(24, ge=2, le=1000)
    """``prior``: uniform places of which one is drawn, each by its likelihood ratio."""
    temperature: ClassVar[float] = 1.0
    """``prior``: above 1 flattens the ratios, below 1 sharpens them."""
    shrinkage: ClassVar[float] = 8.0
    """``prior``: objects that "anywhere" is worth beside the real ones; with few of these little is believed. On the
    training splits of the sample set and the magnetic tiles (seven categories, by whole objects) 16 gave held-out real
    places a slightly better likelihood in sum, 8 put masks where it looked more like real places in six of seven."""

    snap: bool = True
    """Fixed shapes go where the photograph looks as it does at the places that experts marked on other photographs."""
    regions: Place | None = None
    """Folder of legal and illegal regions (``placement.regions``); ``embedded:`` names the embedded data folder."""
    background: Literal["none", "dark", "bright"] = "none"
    """What lies at the frame's border and is this against the rest is no part of the object, and illegal."""
    inside: float = Field(1.0, gt=0.0, le=1.0)
    """Least share of a mask's pixels that must lie in the legal region."""
