"""The one-class detectors: a literal table. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anomaly_gan.core.config import build, merge, row_of
from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.lazy import named

from .configs.base import OneClassConfig

METHODS = "detection.one_class.methods"
SETTINGS = "detection.one_class.configs"


def _named(room: str, place: str) -> Any:
    """What ``module:name`` names; a module without a dot lies in ``room``."""
    return named(place if "." in place.partition(":")[0] else f"{room}.{place}")


@dataclass(frozen=True)
class Row:
    """``builder`` is ``module:function`` taking (channels, settings) and giving a detector; ``settings`` its class;
    ``words`` say in a few what it is. Settings may stand in the detector's own file; reading them then loads torch."""

    builder: str
    settings: str
    words: str
    maps: bool = False
    """Whether it tells where the defect is."""
    exports: bool = True
    """Whether its score can be written as one ONNX graph."""
    reproduction: bool = False
    """A paper's method, here to be reproduced: on parts it tells defects worse than those on ImageNet features."""

    def settings_class(self) -> type[OneClassConfig]:
        return _named(SETTINGS, self.settings)

    def configure(self, preset: str = "full", changes: dict[str, object] | None = None, where: str = "detector") -> Any:
        """The settings of a preset (``quick`` or ``full``) with ``changes`` laid over them.

        Raises:
            ConfigError: an unknown preset or key.
        """
        kind = self.settings_class()
        if preset not in ("quick", "full"):
            raise ConfigError(f"--preset {preset}: must be quick or full")
        return build(kind, merge(kind.QUICK if preset == "quick" else {}, changes or {}), where)

    def build(self, channels: int, settings: OneClassConfig) -> Any:
        """The untrained detector for images of that many channels; draws its weights from torch's global stream."""
        return _named(METHODS, self.builder)(channels, settings)


ONE_CLASS = {
    # the four of the papers
    "cvgad": Row(
        "cvgad:cvgad", "cvgad:CvgadConfig", "CVAE-GAN with informative manifold (2019)", maps=True, reproduction=True
    ),
    "iaead": Row("iaead:iaead", "iaead:IaeadConfig", "auto-encoder with a centre (2021)", maps=True, reproduction=True),
    "iae_lstm_kl": Row(
        "iae_lstm_kl:iae_lstm_kl",
        "iae_lstm_kl:IaeLstmKlConfig",
        "auto-encoder, gates, KL and Deep SVDD (2024)",
        maps=True,
        reproduction=True,
    ),
    "skip_ganomaly_pp": Row(
        "skip_ganomaly_pp:skip_ganomaly_pp",
        "skip_ganomaly:SkipGanomalyPpConfig",
        "residual skip generator with ASPP and a discriminator (2024)",
        maps=True,
        reproduction=True,
    ),
    # their comparison methods
    "cae": Row("iaead:cae", "iaead:CaeConfig", "plain auto-encoder", maps=True, reproduction=True),
    "vae": Row("vae:vae", "vae:VaeConfig", "variational auto-encoder", maps=True, reproduction=True),
    "mem_ae": Row(
        "mem_ae:mem_ae",
        "mem_ae:MemAeConfig",
        "auto-encoder that remembers normal codes (2019)",
        maps=True,
        reproduction=True,
    ),
    "deep_svdd": Row(
        "deep_svdd:deep_svdd", "deep_svdd:DeepSvddConfig", "normals drawn to a centre (2018)", reproduction=True
    ),
    "ganomaly": Row(
        "ganomaly:ganomaly",
        "skip_ganomaly:GanomalyConfig",
        "encoder, decoder, encoder, and a discriminator (2018)",
        maps=True,
        reproduction=True,
    ),
    "skip_ganomaly": Row(
        "skip_ganomaly:skip_ganomaly",
        "skip_ganomaly:SkipGanomalyConfig",
        "U-Net generator and a discriminator (2019)",
        maps=True,
        reproduction=True,
    ),
    "ano_gan": Row(
        "ano_gan:ano_gan",
        "ano_gan:AnoGanConfig",
        "GAN, searched for the nearest normal image (2017)",
        maps=True,
        exports=False,
        reproduction=True,
    ),
    "egbad": Row("egbad:egbad", "egbad:EgbadConfig", "BiGAN (2018)", maps=True, reproduction=True),
    # on features of the embedded ImageNet backbone
    "patch_memory": Row(
        "patch_memory:patch_memory",
        "features:PatchMemoryConfig",
        "memory of ImageNet patch features (as PatchCore, 2022)",
        maps=True,
    ),
    "padim": Row(
        "padim:padim", "features:PadimConfig", "Gaussian of ImageNet patch features at every place (2021)", maps=True
    ),
    "knn": Row("classical:knn", "features:KnnConfig", "nearest neighbours of pooled ImageNet features", exports=False),
    "oc_svm": Row(
        "classical:oc_svm", "features:OcSvmConfig", "one-class SVM on pooled ImageNet features", exports=False
    ),
    "isolation_forest": Row(
        "classical:isolation_forest",
        "features:IsolationForestConfig",
        "isolation forest on pooled ImageNet features",
        exports=False,
    ),
}


def one_class(name: str) -> Row:
    """The row of that name.

    Raises:
        ConfigError: no such detector; the nearest name is offered.
    """
    return row_of(ONE_CLASS, name, f"--detector {name}", "one-class detector")
