"""What changed on disk is noticed wherever it is read: photographs, labels, nets; no reader goes around it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from small_run import build_run
from torch import nn

from anomaly_gan.cli.options import read_metrics
from anomaly_gan.cli.pool import pool_stats
from anomaly_gan.core.config import Config
from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import write_bytes, write_json, write_text
from anomaly_gan.core.images import encode_png, read_pixels, read_record
from anomaly_gan.core.manifest import check_product, damage
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.core.versions import mixture, versions
from anomaly_gan.engine.checkpoint import save_weights
from anomaly_gan.pipeline.status import makers
from anomaly_gan.report.verdict.build import close_gates, close_run
from anomaly_gan.synthesis.export.failed import without_failed
from anomaly_gan.synthesis.export.stage import read_outliers
from anomaly_gan.synthesis.gate.config import ExportConfig
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig
from anomaly_gan.synthesis.label_check.segmenter import LabelChecker
from anomaly_gan.synthesis.methods.best import FILE, read_choice
from anomaly_gan.synthesis.methods.painting.generator import load_net, read_model
from anomaly_gan.synthesis.methods.trained import read_trained
from anomaly_gan.synthesis.relighting.model import load_light
from detection.comparison.result import read_result
from detection.data import read_resized
from detection.dense.bank import read_bank
from detection.evaluation.kept_rows import read_rows
from detection.one_class.inspection.checkpoint import load_model
from detection.one_class.synthetic_filter.filter_stage import read_setting
from detection.training.checkpoint import read_model as read_detector
from mask_pool.drawing.drawings import read_index
from mask_pool.rating.export import criteria_weights
from mask_pool.scoring.ratings import Ratings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def small(tmp_path):
    return build_run(tmp_path / "run", groups=4, exposures=1, per_category=2)


def negative(path: Path) -> None:
    """Other pixels in a file of the same size: only its hash tells."""
    size = path.stat().st_size
    content = encode_png(255 - read_pixels(path, gray=True))
    path.write_bytes((content + b"\0" * size)[:size] if len(content) < size else content)


def test_every_reader_of_a_data_set_verifies():
    plain = {
        path.relative_to(ROOT).as_posix()
        for package in ("anomaly_gan", "mask_pool", "detection")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"\bread_pixels\([^)]*path_of", path.read_text(encoding="utf-8"))
    }
    assert plain == set(), "use core.images.read_record"


def test_a_changed_photograph_stops_generate(small, tmp_path):
    for image in small.ingest.split("train").normals():
        negative(small.ingest.path_of(image))
    context = Context(0, "cpu", small.inputs())
    with pytest.raises(InputError, match="A13: has changed"):
        run_stage("generate", generate.run, GenerateConfig(method="copy_paste", count=1), context, tmp_path / "out")


def test_a_changed_test_photograph_stops_a_detector(small):
    test = small.ingest.split("test")
    negative(test.path_of(test.images[0]))
    with pytest.raises(InputError, match="A13: has changed"):
        read_resized(test, test.images[0], 64)
    assert read_record(test, test.images[1], gray=True).dtype == np.uint8


def net_of(folder: Path) -> Path:
    def work(config, context, out):
        save_weights(nn.Linear(3, 2), out / "generator.safetensors")
        return {}

    run_stage("train", work, ExportConfig(), Context(0), folder)
    return folder / "generator.safetensors"


def test_a_changed_net_is_not_loaded(tmp_path):
    path = net_of(tmp_path / "train")
    load_net(nn.Linear(3, 2), tmp_path / "train", "cpu")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"generator\.safetensors: A13: has changed"):
        load_net(nn.Linear(3, 2), tmp_path / "train", "cpu")
    assert damage(tmp_path / "train") == ["generator.safetensors: changed"]


def test_changed_labels_and_unknown_schemas_are_refused(small, tmp_path):
    class Nothing(Config):
        pass

    def copy(config, context, out):
        write_bytes(out / "annotations.json", (small.folder / "ingest" / "annotations.json").read_bytes())
        return {}

    run_stage("ingest", copy, Nothing(), Context(0), tmp_path / "data")
    assert load_dataset(tmp_path / "data").images
    path = tmp_path / "data" / "annotations.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"split": "test"', '"split": "TEST"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"annotations\.json: A13"):
        load_dataset(tmp_path / "data")
    write_text(tmp_path / "other" / "annotations.json", text.replace('"schema": 1', '"schema": 2'))
    with pytest.raises(InputError, match="SCHEMA: has schema 2, this version reads 1"):
        load_dataset(tmp_path / "other")
    check_product(tmp_path / "other" / "annotations.json")  # of no finished stage


def test_who_made_a_run_is_said_and_a_mixture_too(tmp_path):
    net_of(tmp_path / "train@a")
    assert makers(tmp_path) == [f"made by {', '.join(f'{name} {number}' for name, number in versions().items())}"]
    write_json(tmp_path / "gate@a" / "manifest.json", {"key": "k", "files": [], "versions": {"torch": "2.11.0"}})
    assert makers(tmp_path)[0] == "made by torch 2.11.0: gate@a" and len(makers(tmp_path)) == 2
    one, other = {"versions": {"torch": "2.11.0", "numpy": "2"}}, {"versions": {"torch": "2.15.0", "numpy": "2"}}
    assert mixture([one, one]) is None
    assert "(torch 2.11.0, 2.15.0)" in str(mixture([one, other])) and "not told" in str(mixture([one, {}]))


def spoil(path: Path) -> None:
    """One character of the content is another; the size stays."""
    content = bytearray(path.read_bytes())
    at = next(at for at in range(len(content) // 2, len(content)) if 48 <= content[at] <= 56)
    content[at] += 1
    path.write_bytes(content)


def product(folder: Path, name: str, content: bytes) -> Path:
    """A file of a finished stage, which has been changed since."""

    def work(config, context, out):
        write_bytes(out / name, content)
        return {}

    run_stage("s", work, ExportConfig(), Context(0), folder)
    spoil(folder / name)
    return folder / name


READERS = {
    "model.json": lambda folder: read_model(folder, []),
    "light.json": lambda folder: load_light(folder / "light.json"),
    "segmenters.json": LabelChecker,
    "metrics.json": lambda folder: without_failed(Dataset([], [], []), folder),
    "outliers.jsonl": lambda folder: read_outliers(folder / "outliers.jsonl", Dataset([], [], [])),
    "config.yaml": lambda folder: read_setting(folder, "threads"),
    "bank.jsonl": lambda folder: read_bank(folder, None, []),  # type: ignore[arg-type]
    "choice.json": read_choice,
}
"""What later stages read of earlier ones beside photographs, labels and nets."""


@pytest.mark.parametrize("name", READERS)
def test_every_reader_of_a_product_verifies(tmp_path, name):
    if name in ("metrics.json", "config.yaml"):  # every stage writes its own
        net_of(tmp_path / "s")
        (tmp_path / "s" / name).write_bytes(b"[]\n")
    else:
        assert product(tmp_path / "s", FILE if name == "choice.json" else name, b'{"a": 11111111}\n').is_file()
    with pytest.raises(InputError, match="A13: has changed since its stage wrote it"):
        READERS[name](tmp_path / "s")


DAMAGED = {
    "rate/criteria.json": lambda run: criteria_weights(run, Ratings((), (), (), np.zeros((0, 0, 0)))),
    "gate@x/metrics.json": lambda run: close_gates(run, ["gate@x"]),
    "pool/metrics.json": lambda run: read_metrics(run / "pool"),
    "pool/stats.json": pool_stats,
    "report/verdict.json": close_run,
    "x/model.json": lambda run: read_trained(run / "x"),
    "x/light.json": lambda run: load_light(run / "x" / "light.json"),
    "x/segmenters.json": lambda run: LabelChecker(run / "x"),
    "x/choice.json": lambda run: read_choice(run / "x"),
    "detector/model.json": lambda run: read_detector(run / "detector"),
    "one_class/model.json": lambda run: load_model(run / "one_class"),
    "cell/result.json": lambda run: read_result(run / "cell" / "result.json"),
    "cell/detections.json": lambda run: read_rows(run / "cell" / "detections.json"),
    "photographs/index.json": read_index,
}


@pytest.mark.parametrize("content", [b"", b'{"half', b"\xff\0", b"[3]", b"3", b"null"])
@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_that_holds_half_or_something_else_is_named_and_no_traceback(tmp_path, name, content):
    write_bytes(tmp_path / name, content)
    with pytest.raises(InputError, match=f"{name}: FORMAT: damaged") as refused:
        DAMAGED[name](tmp_path)
    assert "\n" not in str(refused.value)


CARD = {"folds": 1, "fold_of": {}, "channels": 1, "size": 8, "base_width": 4, "depth": 2, "categories": ["a"]}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "category_ids is missing"),
        ({"category_ids": [1, "2"]}, "category_ids.1 should be a valid integer"),
        ({"category_ids": [1], "folds": None}, "folds should be a valid integer"),
        ({"category_ids": [1], "fold_of": {"g": {}}}, "fold_of.g should be a valid integer"),
    ],
)
def test_a_field_that_is_missing_or_of_another_kind_is_named_with_its_file(tmp_path, changed, said):
    write_json(tmp_path / "segmenters.json", CARD | changed)
    with pytest.raises(
        InputError, match=rf"segmenters\.json: FORMAT: damaged: {re.escape(said)}: run label_check again"
    ):
        LabelChecker(tmp_path)


def test_a_field_of_a_photograph_that_is_missing_is_named_with_the_photograph(small):
    path = small.folder / "pool" / "annotations.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"normal_file"', '"other"'), encoding="utf-8")
    context = Context(0, "cpu", small.inputs())
    with pytest.raises(InputError, match=r"annotations\.json\[.*000001\.png\]: FORMAT: has no 'normal_file'"):
        generate.run(GenerateConfig(method="copy_paste", count=1), context, small.folder / "out")
    path.write_text(path.read_text(encoding="utf-8").replace('"width": 90', '"width": "90"'), encoding="utf-8")
    with pytest.raises(InputError, match="images: width is '90'"):
        load_dataset(path.parent)
