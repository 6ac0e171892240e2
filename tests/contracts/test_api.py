"""The public names, that they cost nothing until used, and that docs/api.md runs as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from doc_blocks import DOCS, python_blocks

import anomaly_gan as ag

PUBLIC = [
    "AnomalyGanError",
    "CertifyConfig",
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


def test_functions_stay_functions_whatever_is_imported() -> None:
    """A package of the same name would take their place once it is imported."""
    script = (
        "import anomaly_gan as ag, pkgutil, importlib\n"
        "for row in pkgutil.walk_packages(ag.__path__, 'anomaly_gan.'):\n"
        "    if not row.name.endswith('__main__'): importlib.import_module(row.name)\n"
        "print([name for name in ('ingest', 'train', 'generate', 'gate', 'export', 'build_pool') "
        "if not callable(getattr(ag, name))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_public_name_is_on_its_page() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    assert [name for name in PUBLIC if f"ag.{name}" not in page and name != "__version__"] == []


def test_the_page_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    for _, code in python_blocks("api.md"):
        exec(compile(code, "docs/api.md", "exec"), space)
    assert (tmp_path / "run" / "export@anomaly_gan" / "annotations.json").is_file()


def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ag.InputError, match="no finished training in this folder"):
        ag.TrainedGenerator.load(tmp_path)
