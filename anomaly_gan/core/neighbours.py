"""The project's other top-level packages, told from strangers of the same name."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("mask_pool", "detection")
MARK = "from anomaly_gan."
"""What the first file of each of them imports, and no stranger's."""


def stranger() -> str | None:
    """What to say where another package of one of our names would be imported in place of ours; None where none is.

    ``detection`` is a common name: a folder of notes with an ``__init__.py`` beside the user's script is enough.
    """
    home = Path(__file__).resolve().parents[2]
    for name in PACKAGES:
        spec = find_spec(name)
        if spec is None:
            return f"package {name} is missing beside anomaly_gan in {home}: install anomaly-gan again"
        place = Path(spec.origin or next(iter(spec.submodule_search_locations or ()), "")).resolve()
        if home not in place.parents or len(place.relative_to(home).parts) > 2:
            return f"another package named {name} ({place}) hides ours: rename or uninstall it, or start elsewhere"
        if MARK not in place.read_text("utf-8", "replace"):
            return f"another package named {name} lies over ours ({place}): uninstall it and install ours again"
    return None
