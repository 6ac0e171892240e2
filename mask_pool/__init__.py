"""The mask pool: masks cut from real defects or drawn by experts, rated, recombined, and placed on sound photographs.

``from mask_pool import build_pool`` loads what it needs when it is called, not before.
"""

from typing import TYPE_CHECKING

from anomaly_gan.core.lazy import lazily

if TYPE_CHECKING:
    from .api import build_pool as build_pool
    from .build.config import PoolConfig as PoolConfig
    from .plausibility.config import PlausibilityConfig as PlausibilityConfig
    from .plausibility.model import Plausibility as Plausibility
    from .plausibility.model import PlausibilityModel as PlausibilityModel
    from .scoring.config import EvaluateConfig as EvaluateConfig
    from .scoring.evaluate import Evaluation as Evaluation
    from .scoring.evaluate import evaluate as evaluate
    from .scoring.ratings import Ratings as Ratings
    from .scoring.score_sheet import read_ratings as read_ratings
    from .statistics.shape_statistics import shape_statistics as shape_statistics

_PLACES = {
    "EvaluateConfig": "mask_pool.scoring.config",
    "Evaluation": "mask_pool.scoring.evaluate",
    "Plausibility": "mask_pool.plausibility.model",
    "PlausibilityConfig": "mask_pool.plausibility.config",
    "PlausibilityModel": "mask_pool.plausibility.model",
    "PoolConfig": "mask_pool.build.config",
    "Ratings": "mask_pool.scoring.ratings",
    "build_pool": "mask_pool.api",
    "evaluate": "mask_pool.scoring.evaluate",
    "read_ratings": "mask_pool.scoring.score_sheet",
    "shape_statistics": "mask_pool.statistics.shape_statistics",
}
__all__ = sorted(_PLACES)


__getattr__, __dir__ = lazily(__name__, _PLACES)
