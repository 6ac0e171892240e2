"""What every one-class detector promises, for every row of the table."""

import pytest
import torch

from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.engine.loop import make_fabric
from detection.one_class.interface import PublishedScoring, score_all
from detection.one_class.registry import ONE_CLASS, one_class
from detection.one_class.training import build_detector, load_state, state_of, train_detector

DATASETS = ("mnist", "fashion_mnist", "cifar10", "coil20", "magnetic_tile", "mvtec_screw", "rsdds")
SMALL_GAN = {"epochs": 1, "size": 16, "width": 4, "latent": 8}
SMALL_IMAGES = {"size": 64, "at_least": 32}
TINY = {
    "cvgad": {**SMALL_GAN, "epochs": 3, "negative_after": 0},  # all six counts of its cycle
    "iaead": {"epochs": 2, "warm_up": 1},
    "iae_lstm_kl": {"width": 4, "epochs": 2, "pretrain_epochs": 1, "recurrent": True},
    "skip_ganomaly_pp": SMALL_GAN,
    "cae": {"epochs": 1},
    "vae": {"width": 4, "epochs": 2},
    "mem_ae": {"width": 8, "epochs": 2, "memory": 20},
    "deep_svdd": {"width": 4, "epochs": 2, "pretrain_epochs": 1},
    "ganomaly": SMALL_GAN,
    "skip_ganomaly": SMALL_GAN,
    "ano_gan": {**SMALL_GAN, "search_steps": 3},
    "egbad": SMALL_GAN,
    "patch_memory": {**SMALL_IMAGES, "memory": 40, "candidates": 200},
    "padim": {**SMALL_IMAGES, "features": 20},
    "knn": SMALL_IMAGES,
    "oc_svm": SMALL_IMAGES,
    "isolation_forest": SMALL_IMAGES,
}
"""Two steps or so of each phase; everything else as in the quick preset."""

ROWS = pytest.mark.parametrize("name", ONE_CLASS)


def settings_of(name):
    return one_class(name).configure("quick", {"batch": 8, "precision": "32-true", **TINY[name]})


def pictures(name, count=16, channels=1, seed=0):
    """Noise over a light square whose place varies a little."""
    generator, size = torch.Generator().manual_seed(seed), settings_of(name).size
    images = torch.randint(0, 60, (count, channels, size, size), dtype=torch.uint8, generator=generator)
    for image, place in zip(images, torch.randint(size // 8, size // 2, (count,), generator=generator), strict=True):
        image[:, place : place + size // 3, place : place + size // 3] += 150
    return images


def trained(name, folder, channels=1, seed=0):
    detector = build_detector(name, channels, settings_of(name), seed)
    train_detector(detector, pictures(name, channels=channels), make_fabric("cpu"), folder, seed=seed)
    return detector


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """One trained detector of each row, made when first asked for."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = trained(name, tmp_path_factory.mktemp(name))
        return made[name]

    return make


@ROWS
def test_scores_are_finite_one_per_image_with_maps_where_promised(once, name):
    images = pictures(name, 5, seed=1)
    scores = score_all(once(name), images)
    assert scores.image.shape == (5,) and torch.isfinite(scores.image).all()
    assert (scores.map_BHW is not None) == ONE_CLASS[name].maps
    if scores.map_BHW is not None:
        assert scores.map_BHW.shape == (5, *images.shape[2:]) and torch.isfinite(scores.map_BHW).all()


@ROWS
def test_a_score_depends_on_its_image_alone(once, name):
    """Alone, in a batch, in another order, among darker and lighter images: the same score."""
    detector, images = once(name), pictures(name, 6, seed=2)
    together = score_all(detector, images).image
    alone = torch.cat([score_all(detector, image[None]).image for image in images])
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    shuffled = torch.empty(6)
    shuffled[order] = score_all(detector, images[order]).image
    crowd = score_all(detector, torch.cat([images, torch.zeros_like(images), 255 - images])).image[:6]
    for other in (alone, shuffled, crowd):
        assert torch.allclose(other, together, rtol=1e-4, atol=1e-5)


@ROWS
def test_scoring_changes_nothing(once, name):
    detector = once(name)
    before = state_of(detector)
    score_all(detector, pictures(name, 4, seed=3))
    if isinstance(detector, PublishedScoring):
        detector.score_published(pictures(name, 4, seed=3))
    after = state_of(detector)
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)


@ROWS
def test_saved_and_loaded_it_scores_the_same(once, name):
    detector, images = once(name), pictures(name, 4, seed=4)
    other = build_detector(name, 1, settings_of(name), seed=99)
    load_state(other, state_of(detector))
    assert torch.allclose(score_all(other, images).image, score_all(detector, images).image, rtol=1e-5, atol=1e-6)


@ROWS
def test_interrupted_it_goes_on_to_the_same_weights(once, name, tmp_path, monkeypatch):
    """Cut off after its first phase and again inside the last one."""
    from detection.one_class import training

    steps = []

    def counting(self, step):
        steps.append(step)
        if len(steps) in (2, 4):
            raise KeyboardInterrupt
        return original(self, step)

    original = training.Epochs.__call__
    monkeypatch.setattr(training.Epochs, "__call__", counting)
    detector = None
    while detector is None:
        try:
            detector = trained(name, tmp_path)
        except KeyboardInterrupt:
            continue
    expected, found = state_of(once(name)), state_of(detector)
    assert all(torch.equal(expected[key], found[key]) for key in expected)


@ROWS
def test_colour_is_a_matter_of_the_first_layer(name, tmp_path):
    detector = trained(name, tmp_path, channels=3)
    assert torch.isfinite(score_all(detector, pictures(name, 3, channels=3)).image).all()


@ROWS
def test_one_photograph_is_too_few(name, tmp_path):
    detector = build_detector(name, 1, settings_of(name), 0)
    with pytest.raises(InputError, match="K5"):
        train_detector(detector, pictures(name, 1), make_fabric("cpu"), tmp_path, seed=0)


@ROWS
def test_every_preset_and_published_setting_is_valid(name):
    row = one_class(name)
    kind = row.settings_class()
    for preset in ("quick", "full"):
        for dataset in DATASETS:
            for normal in (None, 0, 9):
                assert isinstance(row.configure(preset, kind.published(dataset, normal)), kind)
    assert set(kind.PUBLISHED_SPLIT) <= set(DATASETS)


def test_an_unknown_detector_or_preset_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'iaead'"):
        one_class("iaed")
    with pytest.raises(ConfigError, match="quick or full"):
        one_class("iaead").configure("fast")


@pytest.mark.parametrize("preset", ["quick", "full"])
@ROWS
def test_every_preset_computes_as_the_device_does_best(name: str, preset: str) -> None:
    assert one_class(name).configure(preset).precision == "auto"


def test_a_detector_without_a_training_says_float32_whatever_the_device_has(tmp_path, monkeypatch) -> None:
    from anomaly_gan.engine import precision
    from detection.one_class.training import precision_of

    monkeypatch.setattr(precision, "_of_processor", lambda: precision.Choice("bf16-mixed", "says the stub"))
    found = {name: precision_of(one_class(name).configure("quick"), "cpu", tmp_path / name, name) for name in ONE_CLASS}
    trained = {name for name in ONE_CLASS if one_class(name).settings_class().TRAINS}
    assert {name for name, value in found.items() if value == "bf16-mixed"} == trained
    assert {"patch_memory", "padim", "knn"}.isdisjoint(trained) and {"iaead", "deep_svdd"} <= trained
