"""Features over training: snapshots are kept as they were, and the plot's distances are fair and know real from not."""

import json
import shutil

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from safetensors.torch import load_file, save_file

from anomaly_gan.cli.features import features as verb
from anomaly_gan.core.config import build
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.files import write_json
from anomaly_gan.core.manifest import check_product, list_products
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.metrics.backbones import Extractors
from anomaly_gan.metrics.features import Backbone
from anomaly_gan.pipeline.config import RunConfig
from anomaly_gan.pipeline.plan import plan
from anomaly_gan.synthesis.feature_drift import stage as features
from anomaly_gan.synthesis.feature_drift.config import FeatureDriftConfig
from anomaly_gan.synthesis.feature_drift.plot import _legend
from anomaly_gan.synthesis.interface import Sample
from anomaly_gan.synthesis.methods.config import TrainConfig
from anomaly_gan.synthesis.training import stage as train
from anomaly_gan.synthesis.training.snapshots import snapshots_of

TINY = {
    "steps": 2,
    "batch": 2,
    "size": 16,
    "local_size": 8,
    "base_width": 4,
    "depth": 2,
    "widths": (4, 4),
    "features": 4,
    "aware_width": 4,
    "aware_size": 8,
    "aware_steps": 0,
    "checkpoint_every": 2,
    "sample_every": 0,
    "threads": 1,
}


@pytest.fixture
def toy(monkeypatch):
    """Coarse pictures in place of network features."""
    net = Backbone("Toy", 8, lambda images_BCHW: (images_BCHW.mean(dim=1).flatten(1) / 64, [images_BCHW / 255]))
    names = {"frechet": "FD-Toy", "kernel": "KID-Toy", "perceptual": "PD-Toy"}
    monkeypatch.setattr(features, "build_extractors", lambda device: Extractors(net, net, None, names))


def test_moments_are_the_averages_at_their_steps_and_change_nothing_else(small_run, tmp_path):
    for name, more in (("plain", {}), ("kept", {"keep_every": 2})):
        run_stage(
            "train@anomaly_gan",
            train.run,
            TrainConfig(**TINY, **more),
            Context(5, "cpu", small_run.inputs()),
            tmp_path / name,
        )
    found = snapshots_of(tmp_path / "kept")
    assert [step for step, _ in found] == [0, 2] and not (tmp_path / "kept" / "samples").exists()
    assert snapshots_of(tmp_path / "plain") == []
    ends = [(tmp_path / name / "generator.safetensors").read_bytes() for name in ("plain", "kept")]
    assert ends[0] == ends[1]
    first, last = (load_file(path) for _, path in found)
    assert first.keys() == last.keys() and any((first[key] != last[key]).any() for key in first)


@pytest.fixture
def trained(tmp_path):
    """A training whose three snapshots are told apart by one number."""
    folder = tmp_path / "train@anomaly_gan"
    for step in (0, 10, 20):
        path = folder / "snapshots" / f"step-{step:06d}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"step": torch.tensor(float(step))}, path)
    save_file({"step": torch.tensor(20.0)}, folder / "generator.safetensors")
    write_json(folder / "model.json", {})
    write_json(folder / "manifest.json", {"key": "k", "files": list_products(folder)})
    return folder


@pytest.fixture
def learner(monkeypatch):
    """A method that paints nothing at step 0, half the way at 10, and real brightness at 20."""

    def open_it(inputs):
        check_product(inputs.trained / "generator.safetensors")  # as every method does
        step = float(load_file(inputs.trained / "generator.safetensors")["step"])

        def generate(items, attempt):
            item = items[0]
            mask = item.annotations[0].mask()
            pixels = np.random.default_rng(len(item.image.file_name)).integers(50, 70, mask.shape).astype(np.uint8)
            pixels[mask > 0] = 60 + int(140 * step / 20)
            return [Sample(pixels, [(item.annotations[0].category_id, mask)])]

        return generate

    monkeypatch.setattr(features, "method", lambda name: type("Row", (), {"open": staticmethod(open_it)}))


def test_the_distance_falls_as_defects_become_real_ones(small_run, trained, learner, toy, tmp_path):
    inputs = {**small_run.inputs(), "train@anomaly_gan": trained}
    config = FeatureDriftConfig(view="defect", min_n=4, repeats=6, perplexity=4)
    metrics = features.run(config, Context(3, "cpu", inputs), tmp_path / "out")
    result = json.loads((tmp_path / "out" / "features.json").read_text())
    for name, part in result["categories"].items():
        means = [snapshot["kernel"]["mean"] for snapshot in part["snapshots"]]
        assert means[0] > means[1] > means[2], name
        assert part["normal"]["mean"] > part["real"]["p95"] and part["n"] >= 4
        # equally many points of each kind, and nothing painted is nothing changed
        assert {len(points) for points in part["layout"].values()} == {part["shown"]}
        assert set(part["layout"]) == {"real", "normal", "0", "10", "20"}
    assert metrics["steps"] == [0, 10, 20] and metrics["kernel"] == "KID-Toy"
    assert (tmp_path / "out" / "features.csv").read_text().count("\n") == 1 + 2 * 4
    assert (tmp_path / "out" / "features.png").is_file()


def test_a_layout_repeats_and_gives_every_set_as_many_points():
    rng = np.random.default_rng(0)
    sets = [rng.normal(mean, 1, (size, 12)) for mean, size in ((0, 9), (8, 7))]
    points = features.lay_out(sets, 7, 3.0, 5)
    assert points == features.lay_out(sets, 7, 3.0, 5)
    near, far = (np.array(points[at]) for at in (0, 1))
    assert near.shape == far.shape == (7, 2)
    assert np.linalg.norm(near.mean(0) - far.mean(0)) > np.linalg.norm(near - near.mean(0), axis=1).mean()


def test_real_defects_are_taken_from_as_many_objects_as_there_are(small_run):
    train = small_run.ingest.split("train")
    images, crops = features.real_defects(train, "spot", FeatureDriftConfig(count=8), 0)
    assert len(crops) == 8 and len({image.group_id for image in images}) == 8
    images, _ = features.real_defects(train, "spot", FeatureDriftConfig(count=60), 0)
    assert len(images) == 16


def test_the_last_moment_is_always_among_those_shown(trained):
    assert [step for step, _ in features.chosen_snapshots(trained, 2)] == [0, 20]
    assert [step for step, _ in features.chosen_snapshots(trained, 1)] == [20]
    shutil.rmtree(trained / "snapshots")
    with pytest.raises(InputError, match="keep_every"):
        features.chosen_snapshots(trained, 2)


def test_too_few_for_a_distance_is_said_and_drawn(small_run, trained, learner, toy, tmp_path):
    inputs = {**small_run.inputs(), "train@anomaly_gan": trained}
    metrics = features.run(
        FeatureDriftConfig(min_n=50, snapshots=1, perplexity=4), Context(3, "cpu", inputs), tmp_path / "o"
    )
    assert all(row["last"] is None and row["real"] is None for row in metrics["categories"].values())
    assert (tmp_path / "o" / "features.png").is_file()


def test_the_stage_is_planned_where_moments_are_kept_and_the_report_reads_it():
    content = {"data": {"root": "x"}, "compare": {"arms": ["none", "anomaly_gan", "pix2pix"]}}
    assert not [step for step in plan(build(RunConfig, content, "x")) if step.stage.name == "features"]
    steps = {
        step.name: step
        for step in plan(build(RunConfig, {**content, "train_methods": {"pix2pix": {"keep_every": 5}}}, "x"))
    }
    assert [name for name in steps if name.startswith("features")] == ["features@pix2pix"]
    assert set(steps["features@pix2pix"].inputs) == {"ingest", "pool", "train@pix2pix"}
    assert steps["features@pix2pix"].config.method == "pix2pix"
    assert "features@pix2pix" in steps["report"].inputs and "features@pix2pix" not in steps["compare"].inputs


def test_the_verb_reads_the_trainings_own_word(tmp_path):
    with pytest.raises(ConfigError, match="keep_every=500"):
        verb(tmp_path, "anomaly_gan", [])


@pytest.mark.parametrize("snapshots", [1, 3, 6])
def test_the_legend_fits_the_figure(snapshots):
    figure = Figure(figsize=(1.75 * snapshots + 3.2, 2.75), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    _legend(figure, figure.subplots())
    canvas.draw()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width
