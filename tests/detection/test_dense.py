"""The dense detector: its crops, its batches, its bank, what it holds out, and what it makes of its maps."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.files import write_text
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.engine import precision
from anomaly_gan.engine.loop import make_fabric
from detection.data import CategoryMap
from detection.dense.bank import read_bank
from detection.dense.config import DenseConfig
from detection.dense.crops import draw_crop
from detection.dense.inner import inner_split
from detection.dense.instances import image_score, instances
from detection.dense.loss import dice_loss
from detection.dense.net import DenseNet
from detection.dense.pixels import PixelCounts
from detection.dense.sampling import BalancedDeck, CropSampler, Item, Sources
from detection.dense.trunk import trunk_features
from detection.detectors.config import DetectConfig
from detection.evaluation.evaluate import pixel_iou
from detection.evaluation.thresholds import Least, least_scores
from detection.training.arithmetic import resolved
from detection.training.finetune import Trained, train_detector

from .conftest import WriteDataset

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def data(tmp_path: Path, write_dataset: WriteDataset) -> Dataset:
    return write_dataset(tmp_path / "data").split("train")


def write_bank(folder: Path, sources: list[str], shams: bool = True) -> Path:
    folder.mkdir()
    pixels = rng_for(0, "bank").integers(0, 255, (4, 80, 80)).astype(np.uint8)
    masks = np.zeros_like(pixels)
    masks[:2, 30:40, 30:40] = 1
    np.savez(folder / "bank-000.npz", pixels=pixels, masks=masks)
    rows = [
        {"id": n, "shard": "bank-000.npz", "row": n, "sham": n > 1, "category": "square", "sources": sources}
        for n in range(4 if shams else 2)
    ]
    write_text(folder / "bank.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return folder


def train(data: Dataset, config: DetectConfig, folder: Path, **more: object) -> Trained:
    return train_detector(data, config, make_fabric("cpu"), folder, seed=0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("trunk", ["efficientnet_lite0", "efficientnet_lite2"])
def test_the_trunk_run_with_folded_norms_is_the_trunk(trunk: str) -> None:
    net = DenseNet(2, DenseConfig.model_validate({"trunk": trunk, "widths": (16, 16, 8, 8)})).eval()
    images = torch.from_numpy(rng_for(0, "images").random((1, 3, 64, 96), dtype=np.float32))
    with torch.no_grad():
        for own, timms in zip(trunk_features(net.body, images), net.body(images), strict=True):
            assert own.shape == timms.shape and torch.allclose(own, timms, atol=1e-4, rtol=1e-4)
        assert net(images).maps_BKHW.shape == (1, 2, 64, 96)
    learn = {name for name, weight in net.body.named_parameters() if weight.requires_grad}
    assert "blocks.6.0.conv_pw.weight" in learn and not any("conv_dw" in name or "bn" in name for name in learn)


@pytest.mark.parametrize(("has", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_dense_learns_in_what_the_processor_computes_and_loses_nothing_in_its_maps(
    has: bool, expected: str, data: Dataset, tiny_dense: DetectConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*precision.ONEDNN, precision.ATEN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(precision, "_has_onednn", lambda: True)
    monkeypatch.setattr(precision, "capabilities", lambda: {"avx512_bf16": has})
    assert resolved(tiny_dense, "cpu", tmp_path) == expected
    monkeypatch.setattr(precision, "capabilities", lambda: {"avx512_bf16": not has})
    assert resolved(tiny_dense, "cpu", tmp_path) == expected, "as it began"
    plain = tiny_dense.model_copy(update={"detector": "mask_rcnn"})
    assert resolved(plain, "cpu", tmp_path / "mask_rcnn") == "32-true"
    fabric = make_fabric("cpu", expected)
    seen: list[torch.dtype] = []
    watch = lambda module, inputs, output: seen.append(output.dtype)  # noqa: E731
    with fabric.autocast(), torch.no_grad():
        net = DenseNet(2, tiny_dense.dense).eval()
        net.decoder[0][0].register_forward_hook(watch)
        logits = net(torch.zeros(1, 3, 64, 64))
    assert seen == [torch.bfloat16 if has else torch.float32]
    assert logits.maps_BKHW.dtype == logits.coarse_BKhw.dtype == torch.float32
    config = tiny_dense.model_copy(update={"iterations": 1})
    trained = train_detector(data, config, fabric, tmp_path / "training", seed=0)
    assert all(value.dtype != torch.bfloat16 for value in trained.net.state_dict().values())


@pytest.mark.parametrize("name", ["dense", "cached"])
def test_a_cut_off_training_with_a_bank_ends_with_the_same_bits(
    name: str, data: Dataset, tiny_dense: DetectConfig, tmp_path: Path
) -> None:
    config = tiny_dense.model_copy(update={"iterations": 4, "checkpoint_every": 2, "detector": name})
    bank = write_bank(tmp_path / "bank", [data.images[0].group_id])
    whole = train(data, config, tmp_path / "whole", bank=bank)
    calls = 0

    def power_cut() -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(data, config, tmp_path / "cut", bank=bank, on_step=power_cut)
    resumed = train(data, config, tmp_path / "cut", bank=bank, on_step=power_cut).net.state_dict()
    assert calls == 6, "two of the four steps were kept"
    assert all(torch.equal(value, resumed[key]) for key, value in whole.net.state_dict().items())
    shown = whole.report.exposure
    assert (shown["synthetic"].shown, shown["sham"].shown) == (8, 8), "four crops a step, half of them shams"
    assert shown["real_defect"].shown + shown["real_normal"].shown == 16, "nothing real was displaced"


def test_of_a_painted_crop_no_mirror_image_is_learnt_from(
    data: Dataset, tiny_dense: DetectConfig, tmp_path: Path
) -> None:
    group = data.images[0].group_id
    folder = write_bank(tmp_path / "bank", [group])
    text = (folder / "bank.jsonl").read_text()
    narrow = [{**json.loads(line), "inside": [80, 36]} for line in text.splitlines()]
    write_text(folder / "bank.jsonl", "".join(json.dumps(row) + "\n" for row in narrow))
    bank = read_bank(folder, CategoryMap.of(data.categories), [group])
    pixels, truth, _ = bank.load(0)
    assert pixels.shape == truth.shape[1:] == (80, 36) and truth[0].sum() == 60, (
        "six of ten columns are the photograph's"
    )
    dense = tiny_dense.dense.model_copy(update={"crop": 64, "scale": (1.0, 1.0)})
    crop = draw_crop(pixels, truth, (35.0, 33.0), dense, True, 0.0, rng_for(0, "crop"))
    beyond = crop.valid == 0
    assert 0.2 < beyond.mean() < 0.7 and not crop.truth[:, beyond].any()
    write_text(folder / "bank.jsonl", json.dumps({**narrow[0], "inside": "wide"}) + "\n")
    with pytest.raises(InputError, match="FORMAT"):
        read_bank(folder, CategoryMap.of(data.categories), [group])


def test_a_bank_made_from_other_objects_or_without_shams_is_refused(
    data: Dataset, tiny: DetectConfig, tiny_dense: DetectConfig, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="E4"):
        train(data, tiny_dense, tmp_path / "a", bank=write_bank(tmp_path / "foreign", ["elsewhere"]))
    own = [data.images[0].group_id]
    with pytest.raises(InputError, match="sham"):
        train(data, tiny_dense, tmp_path / "b", bank=write_bank(tmp_path / "bare", own, shams=False))
    with pytest.raises(ConfigError, match="takes no bank"):
        train(data, tiny, tmp_path / "c", bank=write_bank(tmp_path / "good", own))
    with pytest.raises(InputError, match=r"bank\.jsonl.*MISSING"):
        read_bank(tmp_path / "nowhere", CategoryMap.of(data.categories), own)


def test_every_category_and_object_comes_up_equally_often_and_the_rarest_more_if_asked() -> None:
    items = [Item(1, "a", 0), Item(1, "a", 1), Item(1, "b", 2), Item(2, "c", 3)]
    deck = BalancedDeck(items, 0, "test")
    counts = np.bincount([deck.card(position) for position in range(80)])
    assert counts.tolist() == [10, 10, 20, 40]
    weighted = BalancedDeck(items, 0, "test", {1: 0.25, 2: 0.75})
    counts = np.bincount([weighted.card(position) for position in range(48)])
    assert counts.tolist() == [3, 3, 6, 36]


def test_length_is_counted_in_exposures_of_each_real_defect() -> None:
    sources = Sources([Item(1, n, n) for n in range(10)], [Item(0, n, n) for n in range(3)], photographs=10)
    sampler = CropSampler(sources, DenseConfig(batch=8, sound_share=0.375), 0)
    steps = sampler.steps_for(12)
    assert steps == 24
    shown = [slot for step in range(steps) for slot in sampler.batch(step) if slot.kind == "defect"]
    assert len(shown) == 120


def test_a_crop_shows_its_target_and_its_mask_moves_with_it() -> None:
    config = DenseConfig(crop=64)
    pixels = np.full((200, 150), 60, np.uint8)
    truth = np.zeros((3, 200, 150), np.uint8)
    truth[1, 150:158, 20:28] = 1
    pixels[truth[1] == 1] = 250
    for number in range(20):
        crop = draw_crop(pixels, truth, (154.0, 24.0), config, True, 0.2, rng_for(number))
        assert crop.truth[1].sum() > 20 and not crop.truth[0].any()
        assert crop.pixels[crop.truth[1] == 1].mean() > crop.pixels[crop.truth[1] == 0].mean() + 0.3
    small = draw_crop(pixels[:40, :40], truth[:, :40, :40], None, config, True, 0.2, rng_for(0))
    assert 0 < small.valid.mean() < 1, "what lies beyond the photograph's edge does not count"


def test_whole_objects_are_held_out_and_few_are_left_alone(data: Dataset) -> None:
    config = DenseConfig(held_out=0.25, fewest=4)
    split = inner_split(data, config, 0)
    learn, held = ({image.group_id for image in part.images} for part in (split.learn, split.held))
    assert not learn & held and len(held) == 3, "one square, one bar, one normal"
    assert not inner_split(data, DenseConfig(held_out=0.25, fewest=5), 0).held.images


def test_a_net_that_is_not_sure_yet_draws_the_outlines_of_one_that_is() -> None:
    maps = np.zeros((1, 40, 60), np.float32)
    maps[0, 10, 5:25], maps[0, 10, 25:30], maps[0, 10, 30:50] = 0.9, 0.45, 0.8  # one crack with a faint stretch
    maps[0, 20, 5:25], maps[0, 20, 25:30], maps[0, 20, 30:50] = 0.9, 0.1, 0.8  # two
    maps[0, 30, 5:25] = 0.3
    expected = {(5, 10, 45), (5, 20, 20), (30, 20, 20), (5, 30, 20)}
    for factor in (1.0, 0.2):
        found = instances(maps * np.float32(factor), DenseConfig(smallest=4))
        assert {(item.x, item.y, item.bitmap_01.shape[1]) for item in found} == expected
        scores = [item.score / factor for item in found]
        assert scores == pytest.approx([0.9, (20 * 0.9 + 5 * 0.45 + 20 * 0.8) / 45, 0.8, 0.3])
    assert not instances(maps * np.float32(0.05), DenseConfig(smallest=4)), "no peak reaches `faintest`"
    assert [item.y for item in instances(maps, DenseConfig(smallest=21))] == [10]
    speck = np.zeros_like(maps)
    speck[0, 5, 5] = 1.0
    assert image_score(maps) > image_score(speck)


def test_the_overlap_loss_is_zero_for_the_truth_and_counts_no_pixel_beyond_the_edge() -> None:
    truth = torch.zeros(2, 2, 8, 8)
    truth[0, 0, 2:4] = 1
    valid = torch.ones(2, 1, 8, 8)
    assert float(dice_loss(truth, truth, valid)) == 0
    assert float(dice_loss(torch.zeros_like(truth), truth, valid)) == 1
    wrong = truth.clone()
    wrong[0, 0, 6:] = 1
    valid[0, 0, 6:] = 0
    assert float(dice_loss(wrong, truth, valid)) == 0


def test_average_precision_of_pixels_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import average_precision_score

    rng = rng_for(3)
    truth = (rng.random((4, 1, 30, 30)) < 0.1).astype(np.uint8)
    maps = (np.round(rng.random((4, 1, 30, 30)) * 100) / 128 * (0.5 + 0.5 * truth)).astype(np.float32)
    counts = PixelCounts.of(1)
    for one, other in zip(maps, truth, strict=True):
        counts.add(one, other)
    steps = np.floor(maps * 1024)
    expected = average_precision_score(truth.ravel(), steps.ravel())
    assert counts.average_precision()[0] == pytest.approx(expected)


def test_windows_of_a_large_photograph_say_what_the_whole_says() -> None:
    config = DenseConfig(widths=(16, 16, 8, 8), tile=512)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = DenseNet(2, config).eval()
    pixels = rng_for(0).integers(0, 255, (300, 270)).astype(np.uint8)
    whole = net.look(pixels, torch.device("cpu"))
    net.config = config.model_copy(update={"tile": 224, "overlap": 96})
    tiled = net.look(pixels, torch.device("cpu"))
    assert whole.maps_KHW.shape == (2, 300, 270)
    assert np.abs(whole.maps_KHW - tiled.maps_KHW).max() < 0.01, "receptive fields reach beyond a window"
    net.config = config.model_copy(update={"mirrored": True})
    pixels = pixels[:192, :160]  # sides of which nothing must be mirrored out
    seen, turned = (net.look(one, torch.device("cpu")).maps_KHW for one in (pixels, pixels[::-1, ::-1]))
    assert np.abs(seen - turned[:, ::-1, ::-1]).max() < 1e-5, "the mean of all mirror images knows no side"
    with pytest.raises(ValidationError, match="needs flip=true"):
        DetectConfig(flip=False, dense=net.config)
    net.config = config
    tiny = net.look(pixels[:9, :7], torch.device("cpu"))
    assert tiny.maps_KHW.shape == (2, 9, 7)


def test_a_one_class_map_changes_nothing_until_it_has_been_learnt(tmp_path: Path, data: Dataset) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = DenseNet(2, DenseConfig(widths=(16, 16, 8, 8), prior=True)).eval()
    images = torch.rand(1, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    without = images.clone()
    without[:, 3] = 0
    with torch.no_grad():
        assert torch.equal(net(images).maps_BKHW, net(without).maps_BKHW)
        torch.nn.init.ones_(net.body.conv_stem.prior.weight)  # type: ignore[union-attr, arg-type]
        assert not torch.equal(net(images).maps_BKHW, net(without).maps_BKHW)


def test_the_score_from_which_an_instance_counts_is_chosen_for_each_category(tmp_path: Path) -> None:
    from anomaly_gan.core.dataset import Annotation, Category, ImageRecord

    images = [ImageRecord(n, f"{n}.png", 40, 40, str(n), "train", "real", "") for n in range(1, 8)]
    mask = np.zeros((40, 40), np.uint8)
    mask[10:20, 10:20] = 1
    other = np.roll(mask, 15, 0)
    truth = [Annotation.from_mask(n, n, 1, mask) for n in range(1, 7)] + [Annotation.from_mask(9, 1, 2, other)]
    held = Dataset(images, truth, [Category(1, "a"), Category(2, "b")], {"mode": "L"}, tmp_path)

    def row(image: int, score: float, where: np.ndarray, category: int = 1) -> dict[str, object]:
        item = Annotation.from_mask(1, image, category, where)
        return {
            "image_id": image,
            "category_id": category,
            "score": score,
            "bbox": list(item.bbox),
            "segmentation": item.segmentation,
        }

    right = [row(n, score, mask) for n, score in zip(range(1, 6), (0.9, 0.4, 0.3, 0.3, 0.2), strict=True)]
    wrong = [row(7, score, other) for score in (0.2, 0.12, 0.11, 0.1)]
    # 5 of 6 found with one alarm (F1 0.83) beats 4 without (0.8); the alarm at 0.2 cannot be told from the hit at 0.2
    assert least_scores(held, right + wrong, True, 0.5, 0.05) == {1: Least(0.16, chosen_on=6), 2: Least(0.5)}
    assert least_scores(held, wrong, True, 0.5, 0.05)[1] == Least(0.5)
    # one label of category 2, but 24 sound photographs: of those at most 1 in 24 may show it (0.1 for both categories)
    sound = [ImageRecord(n, f"{n}.png", 40, 40, str(n), "train", "real", "") for n in range(10, 33)]
    many = Dataset([*images, *sound], truth, held.categories, {"mode": "L"}, tmp_path)
    seen = [row(n, score, mask, 2) for n, score in ((10, 0.3), (11, 0.2), (12, 0.1), (1, 0.9))]
    assert least_scores(many, right + seen, True, 0.5, 0.1)[2] == Least(0.200001, sound=24)
    assert least_scores(many, right + seen, True, 0.5, 0.01)[2] == Least(0.300001, sound=24)
    figures = pixel_iou(held, right + wrong, {1: 0.16, 2: 0.5})
    assert figures[1] == pytest.approx(5 / 7)
    assert pixel_iou(held, right + wrong, 0.5)[1] == pytest.approx(1 / 6)
