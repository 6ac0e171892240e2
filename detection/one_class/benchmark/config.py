"""What is benchmarked, and how. Nothing here imports torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from anomaly_gan.core.config import Config, apply_settings, build, merge
from anomaly_gan.core.devices import Device
from anomaly_gan.core.errors import ConfigError

from ..configs.base import OneClassConfig, Split
from ..registry import one_class

Protocol = Literal["honest", "as_published"]
DATASETS = ("mnist", "fashion_mnist", "cifar10", "coil20", "magnetic_tile", "mvtec_screw", "rsdds")
INDUSTRIAL = frozenset({"magnetic_tile", "mvtec_screw", "rsdds"})
"""Data sets of photographs with defects: one kind of normal, split by whole objects."""

QUICK_DATA = {"train_limit": 4000, "test_limit": 2000, "transductive_limit": 3000}
"""The sizes of ``--preset quick``."""

PUBLISHED_DATA: dict[str, dict[str, dict[str, Any]]] = {
    "cvgad": {
        "mnist": {"pooled_test": 0.2},
        "cifar10": {"pooled_test": 0.2},
        "fashion_mnist": {"pooled_train": 0.6, "pooled_test": 0.2, "outlier_share": 0.5},
        "coil20": {"pooled_test": 2 / 72, "outlier_share": 0.5},
    },
    **{
        name: {"cifar10": {"all_abnormal": True}}
        for name in ("skip_ganomaly_pp", "skip_ganomaly", "ganomaly", "ano_gan", "egbad")
    },
    # the released loader leaves these two test splits as they come, classes mixed; the others stand normals first
    "iae_lstm_kl": {"cifar10": {"test_order": "mixed"}, "fashion_mnist": {"test_order": "mixed"}},
}
"""How a paper drew its sets, where that is not the official split: laid below ``--set`` by ``as_published``."""


class DataConfig(Config):
    """Where the images lie and which of them take part.

    ``root``: folder of the packs or of the data set's standard files. ``split``: None for the protocol's own.
    ``train_limit``, ``test_limit``, ``transductive_limit``: at most N images, drawn by the seed and evenly over
    the classes; 0: no limit. ``contamination``: share of unlabelled outliers among the images learned from; None:
    0.1 in the transductive split and none elsewhere. ``held_out``: share of the training normals that the honest
    threshold is taken from (half of ``test_limit`` at most); ``quantile``: of their scores.
    ``pooled_test``: official training and test images are pooled and this share of the normal ones is for testing
    (``pooled_train``: at most this share for training); None: the official split. ``all_abnormal``: abnormal images
    of the official training split are tested too. ``outlier_share``: share of abnormal images in the test set; None:
    all there are. ``categories``: how many classes are normal at once, the further ones drawn by the seed.
    ``test_order``: of the images as a detector's published score sees them: ``normals_first``, as most papers' loaders
    sort them, or ``mixed``, drawn by the seed (Deviation: the files' own order, mixed too, is lost in packs sorted by
    class); no score of ``honest`` depends on it.
    ``folds``: of the industrial sets; None: all.
    """

    root: Path | None = None
    split: Split | None = None
    train_limit: int = Field(0, ge=0)
    test_limit: int = Field(0, ge=0)
    transductive_limit: int = Field(12_000, ge=0)
    contamination: float | None = Field(None, ge=0, lt=0.5)
    held_out: ClassVar[float] = 0.1
    quantile: ClassVar[float] = 0.95
    pooled_test: float | None = Field(None, gt=0, lt=1)
    pooled_train: float = Field(1.0, gt=0, le=1)
    all_abnormal: bool = False
    outlier_share: float | None = Field(None, gt=0, lt=1)
    categories: int = Field(1, ge=1)
    test_order: Literal["normals_first", "mixed"] = "normals_first"
    folds: tuple[int, ...] | None = None


class BenchmarkConfig(Config):
    """One benchmark: a detector on a data set under a protocol, every class in turn, every seed.

    ``normal``: classes by number or name, None for all; in the split ``leave_one_out`` the class left out.
    ``seeds`` counts from ``first_seed``. ``settings``: changes of the detector's settings, laid over the preset and,
    under ``as_published``, over the paper's own. ``workers``: processes of one thread each; 0: one per core, on a
    GPU one; 1: in this process.
    """

    detector: str
    dataset: Literal["mnist", "fashion_mnist", "cifar10", "coil20", "magnetic_tile", "mvtec_screw", "rsdds"]
    protocol: Protocol = "honest"
    preset: Literal["quick", "full"] = "full"
    normal: tuple[int | str, ...] | None = None
    seeds: int = Field(3, ge=1)
    first_seed: int = Field(0, ge=0)
    device: Device = "auto"
    workers: int = Field(0, ge=0)
    data: DataConfig = DataConfig()
    settings: dict[str, Any] = Field(default_factory=dict)

    def split(self) -> Split:
        """The kind of split that the protocol, the detector and ``data.split`` ask for.

        Raises:
            ConfigError: ``transductive`` under ``honest``, whose test images must not be learned from.
        """
        published = one_class(self.detector).settings_class().PUBLISHED_SPLIT.get(self.dataset, "one_vs_rest")
        if self.data.split == "photographs" and self.dataset != "magnetic_tile":
            raise ConfigError("data.split: photographs is of magnetic_tile alone, whose tiles have several photographs")
        if self.protocol == "as_published":
            return self.data.split or published
        if self.data.split == "transductive":
            raise ConfigError(
                "data.split: transductive learns from the very images it is tested on; use --protocol as_published"
            )
        return self.data.split or ("one_vs_rest" if published == "transductive" else published)

    def detector_settings(self, normal: int | None) -> OneClassConfig:
        """The detector's resolved settings for one class (its number; None: an industrial set)."""
        row = one_class(self.detector)
        paper = row.settings_class().published(self.dataset, normal) if self.protocol == "as_published" else {}
        settings: OneClassConfig = row.configure(self.preset, merge(paper, self.settings), "settings")
        if settings.frame != "square" or settings.region:
            raise ConfigError("settings: frame and region are of `one-class train`, not of a benchmark")
        return settings


def benchmark_config(
    detector: str,
    dataset: str,
    protocol: str = "honest",
    preset: str = "full",
    normal: list[str] | None = None,
    seeds: int | None = None,
    settings: list[str] | None = None,
) -> BenchmarkConfig:
    """From command-line values; ``settings`` are ``--set`` texts such as ``data.root=DIR`` or ``settings.epochs=2``.

    Args:
        detector: row of the table of one-class detectors.
        dataset: name of the data set.
        protocol: ``honest`` or ``as_published``.
        preset: ``quick`` (sized for a CPU) or ``full`` (the paper's).
        normal: only these classes; None: each in turn.
        seeds: number of seeds; None: 3.
        settings: ``--set`` texts; None: none.

    Returns:
        The configuration.

    Raises:
        ConfigError: an unknown name or key, or a value that cannot be.
    """
    one_class(detector)
    content: dict[str, Any] = {"detector": detector, "dataset": dataset, "protocol": protocol, "preset": preset}
    data = dict(QUICK_DATA) if preset == "quick" else {}
    if protocol == "as_published":
        data |= PUBLISHED_DATA.get(detector, {}).get(dataset, {})
    content["data"] = data
    if normal:
        content["normal"] = [int(name) if name.isdigit() else name for name in normal]
    if seeds is not None:
        content["seeds"] = seeds
    config = build(BenchmarkConfig, apply_settings(content, settings or []), "benchmark")
    config.split()
    config.detector_settings(None)
    return config
