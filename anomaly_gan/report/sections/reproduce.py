"""How to get the same run again: seed, keys, resolved configurations, versions, the command."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import yaml

from ..folders import Run, StageFolder
from ..tables import Table, table

PACKAGES = (
    "anomaly-gan",
    "torch",
    "torchvision",
    "lightning-fabric",
    "numpy",
    "opencv-python-headless",
    "pycocotools",
    "scipy",
    "timm",
)
LONGEST_CONFIG = 12_000


def build(run: Run) -> dict[str, object]:
    return {
        "stages": [stage_facts(stage) for stage in run.stages.values()],
        "seeds": sorted({str(stage.manifest.get("seed")) for stage in run.stages.values()}),
        "versions": versions(),
    }


def stage_facts(stage: StageFolder) -> dict[str, object]:
    text = yaml.safe_dump(stage.config, sort_keys=True, allow_unicode=True) if stage.config else ""
    cut_note = "\n… cut here; the whole is config.yaml in the stage's folder" if len(text) > LONGEST_CONFIG else ""
    inputs = stage.manifest.get("inputs")
    return {
        "name": stage.name,
        "key": str(stage.manifest.get("key", "")),
        "seed": stage.manifest.get("seed"),
        "files": len(stage.manifest.get("files") or []),
        "bytes": sum(item.get("size", 0) for item in stage.manifest.get("files") or []),
        "inputs": list(inputs) if isinstance(inputs, dict) else [],
        "config": text[:LONGEST_CONFIG] + cut_note,
    }


def versions() -> Table:
    """Versions of the packages results depend on, where this report was written."""
    rows = [["Python", platform.python_version()]]
    for package in PACKAGES:
        try:
            rows.append([package, version(package)])
        except PackageNotFoundError:
            rows.append([package, "not installed"])
    return table(["package", "version"], rows)
