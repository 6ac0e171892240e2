"""anomaly-gan: synthetic, labelled defects for visual inspection.

``import anomaly_gan as ag`` loads neither torch nor any other heavy library; each name below loads what it needs when
it is first asked for. See docs/api.md.
"""

from typing import TYPE_CHECKING, Any

from .core.lazy import lazily
from .core.renamed import NAMES, newest

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mask_pool.api import build_pool as build_pool
    from mask_pool.build.config import PoolConfig as PoolConfig

    from . import metrics as metrics
    from .api import Gated as Gated
    from .api import Generated as Generated
    from .api import TrainedGenerator as TrainedGenerator
    from .api import export as export
    from .api import gate as gate
    from .api import generate as generate
    from .api import ingest as ingest
    from .api import train as train
    from .core.dataset import Dataset as Dataset
    from .core.dataset import load_dataset as load_dataset
    from .core.errors import AnomalyGanError as AnomalyGanError
    from .core.errors import CheckFailed as CheckFailed
    from .core.errors import ConfigError as ConfigError
    from .core.errors import InputError as InputError
    from .ingestion.config import IngestConfig as IngestConfig
    from .synthesis.gate.config import ExportConfig as ExportConfig
    from .synthesis.gate.config import GateConfig as GateConfig
    from .synthesis.generate.config import GenerateConfig as GenerateConfig
    from .synthesis.label_check.config import LabelCheckConfig as LabelCheckConfig
    from .synthesis.methods.config import TrainConfig as TrainConfig

_PLACES = {
    "AnomalyGanError": "anomaly_gan.core.errors",
    "CheckFailed": "anomaly_gan.core.errors",
    "ConfigError": "anomaly_gan.core.errors",
    "Dataset": "anomaly_gan.core.dataset",
    "ExportConfig": "anomaly_gan.synthesis.gate.config",
    "GateConfig": "anomaly_gan.synthesis.gate.config",
    "Gated": "anomaly_gan.api",
    "GenerateConfig": "anomaly_gan.synthesis.generate.config",
    "Generated": "anomaly_gan.api",
    "IngestConfig": "anomaly_gan.ingestion.config",
    "InputError": "anomaly_gan.core.errors",
    "LabelCheckConfig": "anomaly_gan.synthesis.label_check.config",
    "PoolConfig": "mask_pool.build.config",
    "TrainConfig": "anomaly_gan.synthesis.methods.config",
    "TrainedGenerator": "anomaly_gan.api",
    "build_pool": "mask_pool.api",
    "export": "anomaly_gan.api",
    "gate": "anomaly_gan.api",
    "generate": "anomaly_gan.api",
    "ingest": "anomaly_gan.api",
    "load_dataset": "anomaly_gan.core.dataset",
    "metrics": "anomaly_gan",
    "train": "anomaly_gan.api",
}
__all__ = sorted([*_PLACES, "__version__"])


_get, _ = lazily(__name__, _PLACES)


def __getattr__(name: str) -> Any:
    if name in NAMES:
        name = newest(name, NAMES, "anomaly_gan's")
    return _get(name)


def __dir__() -> list[str]:
    return __all__
