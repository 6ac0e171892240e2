"""Every detector of the table trains, is judged, is saved and comes back; chance comes from the seed alone."""

from pathlib import Path

import pytest
import torch
from torchvision.models.detection import maskrcnn_resnet50_fpn

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.engine.loop import make_fabric
from anomaly_gan.ingestion.reading import ReadingConfig
from detection.commands import detect_eval, detect_train
from detection.data import CategoryMap, load_examples
from detection.detectors.backbones import choose_backbone
from detection.detectors.config import DetectConfig
from detection.detectors.models.mask_rcnn import _coco_mask_rcnn
from detection.detectors.registry import DETECTORS, detector
from detection.evaluation.evaluate import evaluate_detections
from detection.evaluation.reading import detect
from detection.training.checkpoint import load_detector, save_detector
from detection.training.finetune import (
    DetectorTask,
    Trained,
    build_net,
    image_tensor,
    target_tensors,
    train_detector,
)

from .conftest import WriteDataset

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def data(tmp_path: Path, write_dataset: WriteDataset) -> Dataset:
    return write_dataset(tmp_path / "data")


def train(data: Dataset, config: DetectConfig, folder: Path, seed: int = 0) -> Trained:
    return train_detector(data.split("train"), config, make_fabric("cpu"), folder, seed=seed)


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_trains_is_judged_and_comes_back_from_disk(
    name: str, data: Dataset, tiny: DetectConfig, tiny_dense: DetectConfig, tmp_path: Path
) -> None:
    config = (tiny_dense if DETECTORS[name].trainer else tiny).model_copy(update={"detector": name})
    trained = train(data, config, tmp_path / "work")
    test = data.split("test")
    rows = detect(trained.net, test, trained.categories, 64, torch.device("cpu"))
    figures = evaluate_detections(test, rows, DETECTORS[name].segments, 0.5).to_json()
    assert 0 <= figures["map50"] <= 1
    assert (figures["miou"] is not None) == DETECTORS[name].segments
    assert (tmp_path / "work" / "losses.csv").is_file()
    assert not (tmp_path / "work" / "checkpoints").exists()

    save_detector(tmp_path / "model", trained, config, ReadingConfig(colour="gray"))
    card = (tmp_path / "model/README.md").read_text("utf-8")
    assert all(name in card for name in trained.categories.names) and "not calibrated" in card
    net, categories, _ = load_detector(tmp_path / "model")
    assert categories == trained.categories
    assert detect(net, test, categories, 64, torch.device("cpu")) == rows


def test_equal_seeds_give_equal_bits_and_other_seeds_do_not(data: Dataset, tiny: DetectConfig, tmp_path: Path) -> None:
    first, again, other = (
        train(data, tiny, tmp_path / name, seed).net.state_dict() for name, seed in (("a", 5), ("b", 5), ("c", 6))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_a_cut_off_training_ends_with_the_same_bits(data: Dataset, tiny: DetectConfig, tmp_path: Path) -> None:
    config = tiny.model_copy(update={"iterations": 4, "checkpoint_every": 2})
    whole = train(data, config, tmp_path / "whole").net.state_dict()
    calls = 0

    def power_cut() -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_detector(data.split("train"), config, make_fabric("cpu"), tmp_path / "cut", seed=0, on_step=power_cut)
    steps_before, calls = calls, 10
    resumed = train_detector(
        data.split("train"), config, make_fabric("cpu"), tmp_path / "cut", seed=0, on_step=power_cut
    ).net.state_dict()
    assert (steps_before, calls) == (4, 12), "two of the four steps were kept"
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_pretrained_statistics_and_early_stages_stay_as_they_are(
    data: Dataset, tiny: DetectConfig, tmp_path: Path
) -> None:
    fresh = build_net(2, tiny, 0).state_dict()
    trained = train(data, tiny, tmp_path / "work").net.state_dict()
    changed = {name for name in fresh if not torch.equal(fresh[name], trained[name])}
    frozen = ("backbone.body.conv_stem", *(f"backbone.body.blocks.{stage}." for stage in range(tiny.frozen_stages)))
    assert not any(name.startswith(frozen) or ".bn" in name or "running" in name for name in changed)
    assert any(name.startswith("backbone.body.blocks.5") for name in changed)
    assert any(name.startswith("roi_heads.mask") for name in changed)


def test_the_first_losses_are_those_of_a_net_that_knows_nothing(data: Dataset, tiny: DetectConfig) -> None:
    """A coin toss costs ln 2 per mask pixel; torchvision's own start costs about ten times that."""
    examples = load_examples(data.split("train"), CategoryMap.of(data.categories), 64)
    shown = [item for item in examples.items if item.labels][:2]
    losses = DetectorTask(build_net(2, tiny, 0), tiny).forward(
        ([image_tensor(item.pixels) for item in shown], [target_tensors(item) for item in shown])
    )
    assert float(losses["loss_mask"].detach()) == pytest.approx(0.693, abs=0.05)


@pytest.mark.parametrize("name", [name for name, row in DETECTORS.items() if not row.trainer])
def test_photographs_without_objects_alone_give_finite_losses(name: str, tiny: DetectConfig) -> None:
    task = DetectorTask(build_net(2, tiny.model_copy(update={"detector": name}), 0), tiny)
    image = torch.rand(3, 64, 48, generator=torch.Generator().manual_seed(0))
    target = {
        "boxes": torch.zeros(0, 4),
        "labels": torch.zeros(0, dtype=torch.int64),
        "masks": torch.zeros(0, 64, 48, dtype=torch.uint8),
    }
    losses = task.forward(([image], [target]))
    torch.stack(list(losses.values())).sum().backward()
    assert all(torch.isfinite(value) for value in losses.values())
    assert all(torch.isfinite(p.grad).all() for p in task.nets["detector"].parameters() if p.grad is not None)


def test_training_reports_what_it_looked_at(data: Dataset, tiny: DetectConfig, tmp_path: Path) -> None:
    report = train(data, tiny.model_copy(update={"iterations": 4}), tmp_path / "work").report.to_json()
    defect, normal = report["exposure"]["real_defect"], report["exposure"]["real_normal"]
    shown = defect.pop("categories")
    assert defect == {"images": 8, "mean": 0.75, "max": 1, "never": 2, "shown": 6}
    assert {name: row["images"] for name, row in shown.items()} == {"square": 4, "bar": 4}
    assert sum(row["shown"] for row in shown.values()) == 6
    assert normal == {"images": 4, "mean": 0.5, "max": 1, "never": 2, "shown": 2, "categories": {}}
    assert report["dropped"] == {}


def test_the_coco_trained_start_keeps_all_but_the_last_layers(tiny: DetectConfig) -> None:
    """torchvision's own Mask R-CNN, with random numbers where the COCO file would have trained ones."""
    state = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
    state = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    ours = _coco_mask_rcnn(2, tiny, state).state_dict()
    kept = [name for name in state if name in ours and torch.equal(ours[name], state[name])]
    assert {name for name in state if name not in kept} == {
        f"roi_heads.{place}.{leaf}"
        for place in ("box_predictor.cls_score", "box_predictor.bbox_pred", "mask_predictor.mask_fcn_logits")
        for leaf in ("weight", "bias")
    }
    with pytest.raises(ValueError, match="not the state"):
        _coco_mask_rcnn(2, tiny, {name: tensor for name, tensor in state.items() if not name.startswith("rpn.")})


def test_backbone_falls_back_only_where_it_may(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANOMALY_GAN_WEIGHTS", str(tmp_path))
    assert choose_backbone("auto") == "efficientnet_lite0"
    with pytest.raises(ConfigError, match="weights fetch"):
        choose_backbone("resnet50_coco")


def test_an_unknown_detector_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'mask_rcnn'"):
        detector("maskrcnn")
    with pytest.raises(ValueError, match="'mask_rcnn'"):
        DetectConfig(detector="maskrcnn")


def test_verbs_train_and_judge_and_refuse_another_data_set(data: Dataset, tiny: DetectConfig, tmp_path: Path) -> None:
    detect_train(data.folder, tmp_path / "model", tiny, seed=1, device="cpu")
    figures = detect_eval(tmp_path / "model", data.folder, tmp_path / "judged", device="cpu")
    assert figures["images"] == 8
    assert {path.name for path in (tmp_path / "judged").iterdir()} == {
        "detections.json",
        "manifest.json",
        "metrics.json",
        "started.json",
    }
    renamed = Dataset(data.images, data.annotations, data.categories[::-1][:1] + data.categories[:0], data.info)
    renamed.save(tmp_path / "other")
    with pytest.raises(InputError, match="K4"):
        detect_eval(tmp_path / "model", tmp_path / "other", tmp_path / "judged2", device="cpu")
    with pytest.raises(InputError, match="J6"):
        detect_train(data.folder, tmp_path / "model", tiny, seed=2, device="cpu")
    with pytest.raises(InputError, match=r"model\.json"):
        detect_eval(tmp_path / "nowhere", data.folder, tmp_path / "judged3", device="cpu")
