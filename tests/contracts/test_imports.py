"""Start-up stays light, files stay small, and import rules are part of every test run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for folder in ("anomaly_gan", "mask_pool", "detection", "data", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
HEAVY = ("torch", "lightning_fabric", "torchmetrics", "albumentations", "matplotlib", "scipy")
LIGHT = {
    "import anomaly_gan": "import anomaly_gan",
    "--help": "import sys; sys.argv = ['anomaly-gan', '--help']\nimport anomaly_gan.cli.main as c\n"
    "try: c.main()\nexcept SystemExit as e: assert not e.code, e.code",
    "a missing data set": "import sys; sys.argv = ['anomaly-gan', 'detect', 'train', 'nowhere', '--out', 'there']\n"
    "import anomaly_gan.cli.main as c\n"
    "try: c.main()\nexcept SystemExit as e: assert e.code == 2, e.code",
    "configurations": "from anomaly_gan.pipeline import config as c, plan as p\n"
    "from anomaly_gan.core.resources import PACKAGE\n"
    "p.plan(c.read_run_config(PACKAGE / 'configs' / 'demo.yaml', []))",
    "registries": "import anomaly_gan.synthesis.registry, detection.detectors.registry",
}


@pytest.mark.parametrize("name", LIGHT)
def test_it_starts_without(name):
    script = f"{LIGHT[name]}\nimport sys\nprint('heavy:', *[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["heavy:"]


def test_the_report_reads_folders_without_torch():
    script = "import anomaly_gan.report.stage, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.strip() == "False", done.stderr


def test_files_are_at_most_400_lines():
    lengths = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert [f"{path}: {length}" for path, length in lengths.items() if length > 400] == []


def test_no_file_is_named_utils():
    assert [path.name for path in SOURCES if path.stem in ("utils", "util", "helpers", "common", "misc")] == []


def test_import_rules_are_part_of_make_test():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "lint-imports" in makefile.partition("\nlint:")[2].partition("\n\n")[0]
    assert "$(MAKE) --no-print-directory lint" in makefile.partition("\ntest:")[2].partition("\n\n")[0]
