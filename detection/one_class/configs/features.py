"""Settings of the detectors on features of an ImageNet backbone. Nothing is trained, so none has epochs."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .base import OneClassConfig

Layer = Literal[2, 3, 4, 5, 6, 7]
"""A stage of EfficientNet-Lite: channels 24, 40, 80, 112, 192, 320 (Lite0) at strides 4, 8, 16, 16, 32, 32. Of another
backbone the map at stride 4, 8, 16 or 32 (2 to 5)."""
LITE = ("efficientnet_lite0", "efficientnet_lite2")
"""Backbones whose weights come with a package."""


class FeaturesConfig(OneClassConfig):
    """``backbone``: ``efficientnet_lite0``, ``efficientnet_lite2`` (the extra ``lite2``), or a file of weights of timm
    or torchvision, whose network is told by its tensors. ``layers``: the backbone's stages, finest first; all are
    brought to the first one's grid; of a backbone from a file 3 and 4 unless said. ``neighbourhood``: odd side of the
    mean over each position and its neighbours (1: none). ``illumination``: what is taken out of the
    photograph before the backbone: ``none``; ``global``, its mean and contrast; ``shade``, the mean of the
    surroundings (a quarter of the side); ``local``, mean and contrast of the surroundings (an eighth of the side).
    ``at_least``: smaller photographs are enlarged to this side. ``mirror``: also learn from copies turned over left to
    right (``h``), or that and top to bottom and both (``hv``).
    """

    FULL: ClassVar[dict[str, object]] = {"size": 256, "batch": 16}
    TRAINS: ClassVar[bool] = False

    backbone: str = LITE[0]
    layers: tuple[Layer, ...] = (3, 5)
    neighbourhood: int = Field(3, ge=1)
    illumination: ClassVar[Literal["none", "global", "shade", "local"]] = "none"
    at_least: int = Field(128, ge=32)
    mirror: ClassVar[Literal["none", "h", "hv"]] = "none"

    @model_validator(mode="before")
    @classmethod
    def _of_a_file(cls, content: Any) -> Any:
        """Layers as in PatchCore where the backbone is another one."""
        return {"layers": (3, 4), **content} if content.get("backbone", LITE[0]) not in LITE else content

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.backbone not in LITE and self.layers[-1:] > (5,):
            raise ValueError("layers of this backbone are 2 to 5, at strides 4 to 32")
        if not self.layers or list(self.layers) != sorted(set(self.layers)):
            raise ValueError("layers must be different stages, finest first")
        if self.neighbourhood % 2 == 0:
            raise ValueError("neighbourhood must be odd")
        return self


class PatchesConfig(FeaturesConfig):
    """``top``: share of the positions whose mean distance is the photograph's score (0: the farthest alone)."""

    top: float = Field(0.01, ge=0, le=1)


class PatchMemoryConfig(PatchesConfig):
    """A memory of patch features of normal photographs; a patch is as abnormal as it is far from its nearest there.

    ``candidates``: patches drawn from all photographs; ``memory``: patches kept of them, spread out by ``choice``
    (``k_centre``: each next one the farthest from those kept, looked for in ``projection`` random dimensions, 0 for
    all; ``random``). ``scaling`` of the features: ``none``, ``deviation`` (each by its standard deviation) or
    ``white``. ``position``: how much a patch's place counts beside its look (0: not at all, as for tiles always).
    """

    FULL: ClassVar[dict[str, object]] = {"layers": (5, 6), "neighbourhood": 1}
    QUICK: ClassVar[dict[str, object]] = {"memory": 1000, "candidates": 20000}

    candidates: int = Field(100_000, ge=2)
    memory: int = Field(4000, ge=1)
    choice: ClassVar[Literal["k_centre", "random"]] = "k_centre"
    projection: ClassVar[int] = 48
    scaling: ClassVar[Literal["none", "deviation", "white"]] = "none"
    position: ClassVar[float] = 1.0


class PadimConfig(PatchesConfig):
    """A Gaussian of patch features at every position; a patch is as abnormal as its Mahalanobis distance.

    ``features``: how many, drawn at random (0: all). ``ridge``: share of the mean variance added to each variance.
    ``places``: Gaussians per ``position``, per ``row`` or one for ``anywhere``; of several kinds, the mean distance
    counts. Where photographs are cut into tiles, ``anywhere`` unless said: a place in a tile is none on the part.
    """

    FULL: ClassVar[dict[str, object]] = {"layers": (4, 5, 6)}
    QUICK: ClassVar[dict[str, object]] = {"features": 100}

    illumination: ClassVar[Literal["none", "global", "shade", "local"]] = "global"
    features: int = Field(200, ge=0)
    ridge: ClassVar[float] = 0.1
    places: tuple[Literal["position", "row", "anywhere"], ...] = Field(("position", "row"), min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _of_tiles(cls, content: Any) -> Any:
        return {"places": ("anywhere",), **content} if content.get("frame") == "tiles" else content


class PooledConfig(FeaturesConfig):
    """Features averaged over the photograph, each divided by its standard deviation over the normals; ``spread``: with
    their standard deviations over the photograph beside them."""

    FULL: ClassVar[dict[str, object]] = {"layers": (4, 5, 6), "neighbourhood": 1}

    spread: ClassVar[bool] = True


class KnnConfig(PooledConfig):
    """``neighbours``: the score is the mean distance to N nearest normal photographs."""

    neighbours: ClassVar[int] = 5


class OcSvmConfig(PooledConfig):
    """One-class support vector machine (Schoelkopf et al. 2001) with Gaussian kernel. ``nu``: share of normals that may
    lie outside; ``gamma``: of the kernel, times the number of features (1: scikit-learn's ``scale``)."""

    nu: ClassVar[float] = 0.05
    gamma: ClassVar[float] = 1.0


class IsolationForestConfig(PooledConfig):
    """Isolation forest (Liu et al. 2008) of ``trees`` trees."""

    trees: ClassVar[int] = 200
