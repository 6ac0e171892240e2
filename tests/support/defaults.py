"""All default values of all configuration sections, as they stood when ``SCHEMA`` was last decided.

Keys leave defaults out (``Config.keyed``), so a default that changes would leave old products looking fresh. The
snapshot ``tests/contracts/defaults.json`` notices: ``make defaults`` writes new fields into it, and a changed default
only where ``anomaly_gan.core.manifest.SCHEMA`` was raised.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from anomaly_gan.core.config import Config
from anomaly_gan.core.stage import SCHEMA

REPOSITORY = Path(__file__).parents[2]
SNAPSHOT = REPOSITORY / "tests" / "contracts" / "defaults.json"
PACKAGES = ("anomaly_gan", "mask_pool", "detection")


def sections() -> list[type[Config]]:
    """Every configuration section of the project, found in its sources and imported."""
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            if re.search(r"^class \w+\(.*Config\):", path.read_text(encoding="utf-8"), re.MULTILINE):
                importlib.import_module(".".join(path.relative_to(REPOSITORY).with_suffix("").parts))
    found, queue = [], [Config]
    while queue:
        below = queue.pop().__subclasses__()
        queue += below
        found += below
    ours = {kind for kind in found if _in_sources(kind.__module__)}
    return sorted(ours, key=lambda kind: (kind.__module__, kind.__name__))


def _in_sources(module: str) -> bool:
    """Whether a module is a file of the project; a guest that another test laid into a package is none."""
    path = REPOSITORY.joinpath(*module.split("."))
    return module.partition(".")[0] in PACKAGES and (path.with_suffix(".py").is_file() or path.is_dir())


def defaults() -> dict[str, Any]:
    """``module.Section.field`` -> its default, as JSON; of a section within a section, what it changes there."""
    return {
        f"{kind.__module__}.{kind.__name__}.{name}": _plain(field.get_default(call_default_factory=True))
        for kind in sections()
        for name, field in kind.model_fields.items()
        if not field.is_required()
    }


def _plain(value: Any) -> Any:
    return value.keyed() if isinstance(value, Config) else to_jsonable_python(value)


def changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """One line for each default that has another value than before."""
    both = sorted(before.keys() & now.keys())
    return [f"{name}: {before[name]!r} -> {now[name]!r}" for name in both if before[name] != now[name]]


def problems(snapshot: dict[str, Any], now: dict[str, Any], schema: int) -> list[str]:
    """Why the snapshot cannot simply be written anew: defaults that changed while SCHEMA did not."""
    return [] if schema > snapshot["schema"] else changed(snapshot["defaults"], now)


def main() -> int:
    now = defaults()
    if SNAPSHOT.is_file():
        found = problems(json.loads(SNAPSHOT.read_text(encoding="utf-8")), now, SCHEMA)
        if found:
            print(*found, sep="\n", file=sys.stderr)  # noqa: T201
            print("a default changed: raise SCHEMA in anomaly_gan/core/manifest.py, then again", file=sys.stderr)  # noqa: T201
            return 1
    SNAPSHOT.write_text(json.dumps({"schema": SCHEMA, "defaults": now}, indent=0, sort_keys=True) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
