"""The public names, that they cost nothing until used, and that docs/api.md runs as it stands."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from doc_blocks import DOCS, python_blocks

import anomaly_gan as ag

PUBLIC = [
    "AnomalyGanError",
    "CheckFailed",
    "ConfigError",
    "Dataset",
    "ExportConfig",
    "GateConfig",
    "Gated",
    "GenerateConfig",
    "Generated",
    "IngestConfig",
    "InputError",
    "LabelCheckConfig",
    "PoolConfig",
    "TrainConfig",
    "TrainedGenerator",
    "__version__",
    "build_pool",
    "export",
    "gate",
    "generate",
    "ingest",
    "load_dataset",
    "metrics",
    "train",
]


def test_the_public_names_are_these_and_each_is_there() -> None:
    assert ag.__all__ == PUBLIC
    assert [name for name in PUBLIC if not hasattr(ag, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        ag.paint  # noqa: B018


PACKAGES = {
    "detection": [
        "CompareConfig",
        "DetectConfig",
        "Detector",
        "Inspection",
        "Instance",
        "evaluate",
        "load_detector",
        "train_detector",
    ],
    "detection.one_class": ["OneClass", "Scores", "load_one_class", "train_one_class"],
    "mask_pool": [
        "EvaluateConfig",
        "Evaluation",
        "Plausibility",
        "PlausibilityConfig",
        "PlausibilityModel",
        "PoolConfig",
        "Ratings",
        "build_pool",
        "evaluate",
        "read_ratings",
        "shape_statistics",
    ],
}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_other_packages_offer_these_names(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__all__ == PACKAGES[package]
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        module.paint  # noqa: B018


def test_no_import_and_no_name_loads_torch_before_it_is_used() -> None:
    script = (
        "import sys, anomaly_gan, detection, detection.one_class, mask_pool\n"
        "first = sorted({'torch', 'cv2', 'pydantic'} & set(sys.modules))\n"
        "for package in (anomaly_gan, detection, detection.one_class, mask_pool):\n"
        "    for name in package.__all__:\n"
        "        if name != 'metrics': getattr(package, name)\n"
        "print(first, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[] False", done.stdout + done.stderr


def test_every_package_that_ships_says_that_it_is_typed() -> None:
    root = DOCS.parent
    shipped = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert [name for name in shipped["wheel"]["packages"] if not (root / name / "py.typed").is_file()] == []


def test_what_others_may_import_is_checked_as_strictly_as_it_can_be() -> None:
    overrides = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]["overrides"]
    strict = next(row["module"] for row in overrides if row.get("disallow_untyped_calls"))
    public = [(package, name) for package, names in {"anomaly_gan": PUBLIC, **PACKAGES}.items() for name in names]
    homes = {
        getattr(getattr(importlib.import_module(package), name), "__module__", package) for package, name in public
    }
    assert {"anomaly_gan.api", "mask_pool.build.config"} < homes
    assert sorted(homes - set(strict)) == []


def test_functions_stay_functions_whatever_is_imported() -> None:
    """A module of the same name would take their place once it is imported."""
    functions = [name for name in ag.__all__ if callable(getattr(ag, name)) and not isinstance(getattr(ag, name), type)]
    assert {"ingest", "train", "generate", "gate", "export", "build_pool"} <= set(functions)
    assert [name for name in functions if find_spec(f"anomaly_gan.{name}")] == []


def test_every_public_name_is_on_its_page() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    assert [name for name in PUBLIC if f"ag.{name}" not in page and name != "__version__"] == []
    others = [name for names in PACKAGES.values() for name in names]
    assert [name for name in others if f"`{name}`" not in page] == []


def test_the_page_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    for _, code in python_blocks("api.md"):
        exec(compile(code, "docs/api.md", "exec"), space)
    assert (tmp_path / "run" / "export@anomaly_gan" / "annotations.json").is_file()


def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ag.InputError, match="no finished training in this folder"):
        ag.TrainedGenerator.load(tmp_path)
