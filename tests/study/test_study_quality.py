"""Quality of photographs in a study: every variant against main's real defects, and one curve over real objects."""

import json
from dataclasses import replace

import pytest
from small_run import build_run

from anomaly_gan.core.config import build, read_yaml
from anomaly_gan.core.dataset import Annotation, Category, Dataset, load_dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.files import write_json
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.metrics.backbones import Extractors
from anomaly_gan.metrics.features import Backbone
from anomaly_gan.study import measure
from anomaly_gan.study.config import StudyConfig
from anomaly_gan.study.plan import plan_study
from anomaly_gan.study.quality import changes, measure_all, quality_summary
from anomaly_gan.study.statistics.quality_plots import curve_of, quality_figure
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig

VARIANTS = {
    "objects2": {"data": {"objects": 2}},
    "objects8": {"data": {"objects": 8}},
    "only_bar": {"data": {"categories": ["bar"]}, "gate": {"label_check": False}},
}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    small = build_run(tmp_path_factory.mktemp("quality"), groups=6, exposures=1, per_category=4)
    run_stage(
        "generate",
        generate.run,
        GenerateConfig(method="copy_paste", count=4),
        Context(3, "cpu", small.inputs()),
        small.folder / "generate@copy_paste",
    )
    return small


@pytest.fixture
def toy(monkeypatch):
    net = Backbone("Toy", 8, lambda images_BCHW: (images_BCHW.mean(dim=1).flatten(1) / 64, [images_BCHW / 255]))
    names = {"frechet": "FD-Toy", "kernel": "KID-Toy", "perceptual": "PD-Toy"}
    monkeypatch.setattr(measure, "build_extractors", lambda device: Extractors(net, net, None, names))


def alone(made: Dataset, name: str) -> Dataset:
    """The photographs of one category, numbered as a run that knows no other numbers them."""
    number = next(category.id for category in made.categories if category.name == name)
    kept = [item for item in made.annotations if item.category_id == number]
    images = {item.image_id for item in kept}
    return Dataset(
        [image for image in made.images if image.id in images],
        [replace(item, category_id=1) for item in kept],
        [Category(1, name)],
        made.info,
        made.folder,
    )


def measured(small, folder):
    config = GateConfig(method="copy_paste", min_n=2, max_n=4, repeats=2)
    return measure.run(config, Context(0, "cpu", {"ingest": small.folder / "ingest", "generate": folder}), folder)


def test_one_category_alone_is_measured_as_beside_others(small, toy, tmp_path):
    made_in = small.folder / "generate@copy_paste"
    whole = measured(small, made_in)
    made = load_dataset(made_in)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "images").symlink_to(made_in / "images")
    alone(made, "scratch").save(tmp_path / "one")
    single = measured(small, tmp_path / "one")
    assert set(whole["categories"]) == {"spot", "scratch"} and set(single["categories"]) == {"scratch"}
    assert single["categories"]["scratch"] == whole["categories"]["scratch"]
    assert whole["categories"]["scratch"]["defect"]["KID-Toy"]["generated"]["mean"] is not None


def test_a_category_that_main_has_not_is_refused(small):
    made = load_dataset(small.folder / "generate@copy_paste")
    odd = Dataset(made.images, [Annotation.from_mask(1, 1, 1, made.annotations[0].mask())], [Category(1, "dent")], {})
    with pytest.raises(InputError, match="shows dent, which main does not have"):
        measure.renumbered(odd, small.ingest)


def study_of(tmp_path, **more):
    study = build(StudyConfig, {"base": "x", "folds": [0, 1], "variants": VARIANTS, "until": "gate", **more}, "test")
    base = {"data": {"root": "x"}, "compare": {"arms": ["anomaly_gan"]}, "gate": {"label_check": True}}
    return study, plan_study(study, base, tmp_path)


def finish(folder):
    write_json(folder / "manifest.json", {"key": str(folder.name), "files": []})


def test_every_run_meets_mains_photographs_of_its_fold(tmp_path, monkeypatch):
    _, runs = study_of(tmp_path)
    for run in runs:
        if run.name != "objects8/fold1":
            finish(run.folder / "generate@anomaly_gan")
        finish(run.folder / "ingest")
    finish(tmp_path / "main/fold0/label_check")
    seen = []

    def work(config, context, out):
        seen.append(
            (
                out.parent.parent.name,
                out.parent.name,
                config.label_check,
                {name: folder.parent.relative_to(tmp_path).as_posix() for name, folder in context.inputs.items()},
            )
        )
        if out.parent.name == "fold1" and len(seen) < 7:
            raise InputError("x", "H10", "is odd", "")
        return {"categories": {}}

    monkeypatch.setattr(measure, "run", work)
    measure_all(runs, lambda line: None)
    assert len(seen) == 7 and all(label_check for *_, label_check, _ in seen)
    for variant, fold, _, inputs in seen:
        wanted = {"ingest": f"main/{fold}", "generate": f"{variant}/{fold}"}
        assert inputs == (wanted | {"label_check": "main/fold0"} if fold == "fold0" else wanted)
    assert sorted(path.parent.parent.parent.name for path in tmp_path.rglob("failures/*.json")) == ["main", "objects2"]
    measure_all(runs, lambda line: None)
    assert len(seen) == 9 and not list(tmp_path.rglob("failures/*.json"))


def write_quality(folder, kid, names=("bar", "spot")):
    view = {"n": 9, "real": 20, "generated": 30, "KID-Toy": {"over_p95": kid, "ratio": None}}
    write_json(
        folder / "quality@anomaly_gan" / "metrics.json",
        {
            "figures": {"kernel": "KID-Toy"},
            "categories": {
                name: {"defect": view, "crop": view, "label_check": {"median": 0.6, "difference": -0.1 * kid}}
                for name in names
            },
        },
    )


def test_the_summary_sets_variants_against_main_and_draws_the_curve(tmp_path):
    study, runs = study_of(tmp_path)
    kids = {"main": 1.0, "objects2": 3.0, "objects8": 1.5, "only_bar": 0.5}
    for run in runs:
        write_quality(
            run.folder, kids[run.variant] + 0.1 * run.fold, ("bar",) if run.variant == "only_bar" else ("bar", "spot")
        )
    part = quality_summary(study, runs)
    rows = {row.variant: row for row in part.arms["anomaly_gan"]}
    assert rows["objects2"].changed == "objects: 2" and rows["only_bar"].changed == "categories: bar"
    assert rows["objects2"].figures["kid"].level.mean == pytest.approx(3.05)
    assert rows["only_bar"].figures["kid"].change.interval.mean == pytest.approx(-0.5)
    assert [(objects, figures["kid"].level.mean) for objects, figures in curve_of(part)] == [
        (2, pytest.approx(3.05)),
        (8, pytest.approx(1.55)),
        (None, pytest.approx(1.05)),
    ]
    assert len(quality_figure(part).axes) == 3
    json.dumps(part.to_json(), allow_nan=False)
    assert quality_summary(study, plan_study(study, {"data": {"root": "x"}}, tmp_path / "empty")) is None


def test_what_makes_no_photographs_has_no_quality():
    with pytest.raises(ConfigError, match="until pool no photograph is made"):
        build(StudyConfig, {"base": "x", "until": "pool", "quality": True}, "test")


def test_what_a_variant_changes_is_said_in_short():
    assert changes({"data": {"categories": ["a", "b"]}, "gate": {"retries": 0}}) == "categories: a, b"
    assert changes({"train_methods": {"pix2pix": {"steps": 3}}, "folds": [0]}) == "pix2pix.steps: 3"


def test_the_embedded_study_measures_quality_and_trains_no_detector(tmp_path):
    from anomaly_gan.core.resources import PACKAGE

    content = read_yaml(PACKAGE / "configs" / "quality.yaml")
    study = build(StudyConfig, content, "quality.yaml")
    runs = plan_study(study, read_yaml(PACKAGE / "configs" / study.base), tmp_path)
    assert study.quality and not any(run.cells() for run in runs)
    assert {run.config.data.objects for run in runs} == {None, 1, 2, 4, 8}
    checking = {run.variant for run in runs if any(step.name == "label_check" for step in run.steps())}
    assert checking == {"main"}, "one object trains no segmenter"
    assert {run.config.generate.count for run in runs} == {90}
