"""Settings of CVGAD."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from anomaly_gan.core.config import Config

from .base import CodeConfig, Split


class CvgadReadings(Config):
    """Other readings of what the paper leaves open; the defaults are ours, and none has been trained to its end.

    ``latent``: eq. 4 summed over the code, or its mean, as SSIM and L1 are means. ``optimisers``: one Adam for all
    terms of the CVAE, or one for each term, which divides the terms' weights out. ``ssim_constants``: c1 = 0.01 and
    c2 = 0.03 as printed, in place of (K span)². ``decoder_label``: the decoder sees p(y|z) beside z, as in eq. 4.
    """

    latent: Literal["sum", "mean"] = "sum"
    optimisers: Literal["one", "each"] = "one"
    ssim_constants: bool = False
    decoder_label: bool = False


class CvgadConfig(CodeConfig):
    """The seven ``weight_*`` are those of the loss terms; 0 leaves a term, and its step of the schedule, out. Table 1
    of the paper is ``weight_mutual``, ``weight_latent``, ``weight_ssim``, ``weight_l1``, ``weight_wasserstein`` and
    ``weight_negative`` set to 0 one at a time; ``weight_categorical`` is the paper's optional term.

    ``classes``: estimated number of kinds of normal images, each with a mean of its own; ``means``: where those start.
    ``latent``: length of the code; ``width``: channels after the first convolution (doubled twice).
    ``window``: side of the SSIM patches; ``penalty``: weight of the critic's gradient penalty. ``literal``: other
    readings of the paper.

    Negative training: codes at least ``negative_distance`` x sqrt(latent) from every mean (the paper's distance of 2
    is 0.125 in that unit and excludes nothing, as normal codes lie at 1.0); their reconstruction loss is raised until
    it is ``negative_margin`` above that of the normal images. It starts after ``negative_after`` epochs, on steps whose
    latent loss is below ``negative_below`` (the paper's T, no value stated; None: the median of the last 64 losses).
    """

    FULL: ClassVar[dict[str, object]] = {"lr": 1e-3, "latent": 256}
    QUICK: ClassVar[dict[str, object]] = {"epochs": 6, "width": 32}
    PUBLISHED_SPLIT: ClassVar[dict[str, Split]] = dict.fromkeys(("mnist", "cifar10"), "leave_one_out")

    MULTIPLE: ClassVar[int] = 8

    classes: int = Field(1, ge=1)
    means: ClassVar[Literal["normal", "zeros"]] = "normal"
    window: ClassVar[int] = 11
    weight_ssim: float = Field(50.0, ge=0)
    weight_l1: float = Field(10.0, ge=0)
    weight_latent: float = Field(5.0, ge=0)
    weight_categorical: ClassVar[float] = 1.0
    weight_mutual: float = Field(10.0, ge=0)
    weight_wasserstein: float = Field(1.0, ge=0)
    weight_negative: float = Field(1.0, ge=0)
    penalty: ClassVar[float] = 10.0
    negative_distance: ClassVar[float] = 1.25
    negative_margin: ClassVar[float] = 1.0
    negative_after: int = Field(2, ge=0)
    negative_below: ClassVar[float | None] = None
    literal: CvgadReadings = CvgadReadings()

    @classmethod
    def published(cls, dataset: str, normal: int | None) -> dict[str, object]:
        """Nine kinds of normal images where one class is left out; a heavier latent term on MNIST."""
        kinds: dict[str, dict[str, object]] = {
            "mnist": {"classes": 9, "weight_latent": 15.0},
            "cifar10": {"classes": 9},
        }
        return kinds.get(dataset, {})
