"""What docs/extending.md shows can be built as it stands, and runs."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from doc_blocks import titled
from small_run import build_run

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.engine.loop import make_fabric

BLOCKS = titled("extending.md")


@pytest.fixture
def guests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's files, importable under the names it gives them; afterwards gone again."""
    before = set(sys.modules)
    for title, code in BLOCKS.items():
        if title.endswith(".py"):
            path = tmp_path / "guests" / title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code)
            _open_package(path.parent, tmp_path / "guests", monkeypatch)
    yield
    for name in set(sys.modules) - before:
        if any(part in name for part in ("repaint", "one_box", "methods.contrast", "circles", "clipped", "variety")):
            del sys.modules[name]


def _open_package(folder: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the nearest package that exists find modules in ``folder`` too."""
    parts = folder.relative_to(root).parts
    for count in range(len(parts), 0, -1):
        try:
            package: ModuleType = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        place = str(root.joinpath(*parts[:count]))
        if place not in package.__path__:
            monkeypatch.setattr(package, "__path__", [*package.__path__, place])
        return


def row(title: str, kind: type) -> tuple[str, object]:
    """The table's entry as the page shows it."""
    ((name, value),) = eval("{" + BLOCKS[title] + "}", {kind.__name__: kind}).items()
    return name, value


@pytest.mark.usefixtures("guests")
def test_a_learned_method_trains_and_paints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from anomaly_gan.synthesis import registry
    from anomaly_gan.synthesis.generate.config import GenerateConfig
    from anomaly_gan.synthesis.generate.stage import run as generate
    from anomaly_gan.synthesis.methods.config import TrainConfig
    from anomaly_gan.synthesis.training.stage import run as train

    name, value = row("METHODS", registry.Method)
    monkeypatch.setitem(registry.METHODS, name, value)
    run = build_run(tmp_path / "run", per_category=2)
    config = TrainConfig(method=name, steps=2, batch=2, size=32, nets={"base_width": 8}, sample_every=0)
    assert config.recipe.l1 == 10.0 and not config.recipe.painter.noise, "its settings are its own"
    run_stage("train", train, config, Context(0, "cpu", run.inputs()), run.folder / f"train@{name}")
    context = Context(0, "cpu", run.inputs(f"train@{name}"))
    metrics = generate(GenerateConfig(method=name, count=1), context, run.folder / "made")
    assert metrics["count"] == 2


@pytest.mark.usefixtures("guests")
def test_a_one_class_detector_scores_what_is_unlike_the_normals_higher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from detection.one_class import registry
    from detection.one_class.training import build_detector, train_detector

    name, value = row("ONE_CLASS", registry.Row)
    monkeypatch.setitem(registry.ONE_CLASS, name, value)
    settings = registry.one_class(name).configure("quick", {})
    detector = build_detector(name, 1, settings, 0)
    draw = np.random.default_rng(0)
    normals = torch.from_numpy(draw.normal(100, 5, (8, 1, 16, 16)).clip(0, 255).astype(np.uint8))
    loud = torch.from_numpy(draw.normal(100, 40, (1, 1, 16, 16)).clip(0, 255).astype(np.uint8))
    train_detector(detector, normals, make_fabric("cpu"), tmp_path, seed=0)
    assert detector.score(loud).image[0] > detector.score(normals).image.max()


@pytest.mark.usefixtures("guests")
def test_a_detector_gives_losses_and_detections(monkeypatch: pytest.MonkeyPatch) -> None:
    from detection.detectors import registry

    name, value = row("DETECTORS", registry.Detector)
    monkeypatch.setitem(registry.DETECTORS, name, value)
    net = registry.detector(name).build(2, None)
    images, targets = [torch.zeros(1, 20, 30)], [{"labels": torch.tensor([2]), "boxes": torch.zeros(1, 4)}]
    optimizer = torch.optim.SGD(net.parameters(), 1.0)
    for _ in range(5):
        optimizer.zero_grad()
        sum(net(images, targets).values()).backward()
        optimizer.step()
    found = net.eval()(images)[0]
    assert found["labels"].tolist() == [2] and found["boxes"].tolist() == [[0, 0, 30, 20]]


@pytest.mark.usefixtures("guests")
def test_a_format_is_recognised_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from anomaly_gan.core.dataset import load_dataset
    from anomaly_gan.core.images import write_png
    from anomaly_gan.ingestion.formats import table
    from anomaly_gan.ingestion.stage import IngestConfig, run

    name, value = row("FORMATS", table.Format)
    monkeypatch.setitem(table.FORMATS, name, value)
    draw, source = np.random.default_rng(0), tmp_path / "set"
    for index in range(8):
        write_png(source / f"{index}.png", draw.integers(0, 255, (40, 50)).astype(np.uint8))
        (source / f"{index}.circles").write_text("" if index % 2 else "pit 20 15 6\n")
    run(IngestConfig(root=str(source)), Context(0), tmp_path / "out")
    dataset = load_dataset(tmp_path / "out")
    assert [len(dataset.images), len(dataset.normals()), len(dataset.annotations)] == [8, 4, 4]
    assert dataset.annotations[0].bbox == [14, 9, 13, 13]
    (source / "0.circles").write_text("pit 20 15\n")
    with pytest.raises(InputError, match="3 words, needs 4"):
        run(IngestConfig(root=str(source), max_bad=0.0), Context(0), tmp_path / "again")


@pytest.mark.usefixtures("guests")
def test_a_check_and_a_metric_say_what_they_are_for() -> None:
    from anomaly_gan.synthesis.gate import category_metrics, checks
    from anomaly_gan.synthesis.gate.candidate import Candidate, Setting
    from anomaly_gan.synthesis.gate.config import GateConfig

    guest = importlib.import_module("anomaly_gan.synthesis.gate.checks.clipped")
    own = eval(BLOCKS["CHECKS"], {"Check": checks.Check, "clipped": guest})
    base = np.full((30, 30), 90, np.uint8)
    mask = np.zeros_like(base)
    mask[5:15, 5:15] = 1
    outcomes = [
        checks.check(Candidate(np.where(mask, level, base), [(1, mask)], base, 0), Setting(GateConfig()), (own,))
        for level in (40, 0)
    ]
    assert [len(one.findings) for one in outcomes] == [0, 1] and outcomes[1].measures == {"clipped": 1.0}
    other = importlib.import_module("anomaly_gan.synthesis.gate.category_metrics.variety")
    metric = eval(BLOCKS["CATEGORY_METRICS"], {"CategoryMetric": category_metrics.CategoryMetric, "variety": other})
    made = [SimpleNamespace(window=SimpleNamespace(mask_01=mask)) for _ in range(4)]
    data = SimpleNamespace(made=made, objects=9, config=GateConfig(), counts=SimpleNamespace(accepted=len(made)))
    assert category_metrics.measure(data, (metric,))["variety"].level == "warn"
