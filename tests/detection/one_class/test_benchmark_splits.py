"""Who is learned from and who is tested, and what a set of scores is worth."""

import numpy as np
import pytest

from anomaly_gan.core.errors import ConfigError, InputError, NumericalFailure
from detection.one_class.benchmark.config import BenchmarkConfig, DataConfig, benchmark_config
from detection.one_class.benchmark.data import Labelled
from detection.one_class.benchmark.metrics import best_f1, f1_at, figures, roc_points
from detection.one_class.benchmark.published import CLOTHES, DIGITS, OBJECTS, PUBLISHED, tables_for
from detection.one_class.benchmark.splits import class_numbers, draw_trial, thin, title


def numbered(labels, first):
    """Images whose pixels say which one they are."""
    images = np.zeros((len(labels), 1, 8, 8), np.uint8)
    numbers = np.arange(first, first + len(labels))
    images[:, 0, 0, 0], images[:, 0, 0, 1] = numbers % 256, numbers // 256
    return Labelled(images, np.asarray(labels, np.int64), tuple("0123456789"))


TRAIN, TEST = numbered(np.arange(600) % 10, 0), numbered(np.arange(200) % 10, 600)
LABELS = np.concatenate([TRAIN.labels, TEST.labels])


def ids(images):
    return images[:, 0, 0, 0].astype(int) + 256 * images[:, 0, 0, 1].astype(int)


def trial(number=3, seed=0, protocol="honest", detector="iaead", **data):
    config = BenchmarkConfig(detector=detector, dataset="mnist", protocol=protocol, data=DataConfig(**data))
    return draw_trial(TRAIN, TEST, number, config, seed)


def test_honest_one_vs_rest_learns_from_training_normals_and_tests_the_official_test_set():
    drawn = trial()
    learned, held, tested = ids(drawn.train_NCHW), ids(drawn.held_out_NCHW), ids(drawn.test_NCHW)
    assert (len(learned), len(held), len(tested)) == (54, 6, 200)
    assert set(LABELS[learned]) == set(LABELS[held]) == {3}
    assert not set(learned) & set(held) and max(*learned, *held) < 600
    assert sorted(tested) == list(range(600, 800))
    assert np.array_equal(drawn.labels, LABELS[tested] != 3)


def test_honest_leave_one_out_turns_it_round():
    drawn = trial(split="leave_one_out")
    assert 3 not in LABELS[ids(drawn.train_NCHW)] and len(drawn.train_NCHW) == 486
    assert np.array_equal(drawn.labels, LABELS[ids(drawn.test_NCHW)] == 3)


def test_transductive_is_scored_on_what_it_learned_from_with_the_share_asked_for():
    drawn = trial(protocol="as_published")
    learned = ids(drawn.train_NCHW)
    assert sorted(learned) == sorted(ids(drawn.test_NCHW)) and len(set(learned)) == len(learned)
    assert (LABELS[learned] == 3).sum() == 80 and (LABELS[learned] != 3).sum() == int(80 * 0.1 / 0.9) == 8
    assert list(drawn.labels) == [0] * 80 + [1] * 8, "normals come first, as in the papers' loaders"
    small = trial(protocol="as_published", transductive_limit=40, contamination=0.2)
    assert (int(small.labels.sum()), len(small.labels)) == (8, 40)


def test_the_papers_own_draws():
    pooled = trial(protocol="as_published", detector="cvgad", split="leave_one_out", pooled_test=0.2)
    assert len(pooled.train_NCHW) == 576 and (int(pooled.labels.sum()), len(pooled.labels)) == (80, 224)
    both = trial(protocol="as_published", detector="skip_ganomaly_pp", split="leave_one_out", all_abnormal=True)
    assert len(both.train_NCHW) == 540 and (int(both.labels.sum()), len(both.labels)) == (80, 260)
    shares = trial(protocol="as_published", split="one_vs_rest", pooled_test=0.25, pooled_train=0.5, outlier_share=0.5)
    assert len(shares.train_NCHW) == 40 and (int(shares.labels.sum()), len(shares.labels)) == (20, 40)
    several = trial(split="one_vs_rest", categories=4)
    kinds = set(LABELS[ids(several.train_NCHW)])
    assert 3 in kinds and len(kinds) == 4 and (several.labels == 0).sum() == 80


def test_contamination_comes_from_the_training_side_and_leaves_the_held_out_alone():
    drawn = trial(contamination=0.1)
    learned = ids(drawn.train_NCHW)
    assert (LABELS[learned] != 3).sum() == 6 and learned.max() < 600
    assert set(LABELS[ids(drawn.held_out_NCHW)]) == {3}


def test_draws_follow_the_seed_alone():
    limits = {"train_limit": 20, "test_limit": 50}
    first, again, other = (trial(seed=seed, **limits) for seed in (1, 1, 2))
    assert len(first.train_NCHW) == 20 and len(first.test_NCHW) == 50
    assert np.array_equal(first.train_NCHW, again.train_NCHW) and np.array_equal(first.test_NCHW, again.test_NCHW)
    assert not np.array_equal(first.train_NCHW, other.train_NCHW)


def test_limits_keep_the_share_of_every_class():
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    kept = thin(np.arange(1000), labels, 100, np.random.default_rng(0))
    assert np.bincount(labels[kept]).tolist() == [60, 30, 10] and len(set(kept)) == 100
    assert np.array_equal(thin(np.arange(1000), labels, 0, np.random.default_rng(0)), np.arange(1000))


def test_too_little_to_learn_from_is_said():
    with pytest.raises(InputError, match=r"mnist\[3\]: K8"):
        trial(train_limit=1)


def test_classes_by_number_and_name():
    names = ("cat", "dog")
    assert class_numbers(None, names) == [0, 1] and class_numbers(("dog", 1, 0), names) == [0, 1]
    assert [title(0, "one_vs_rest", names), title(0, "leave_one_out", names), title(0, "one_vs_rest", names, 4)] == [
        "cat",
        "not cat",
        "cat+3",
    ]
    for wrong in ("cow", 2, -1):
        with pytest.raises(ConfigError, match=f"--normal {wrong}: no such class"):
            class_numbers((wrong,), names)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"detector": "iaed"}, "did you mean 'iaead'"),
        ({"dataset": "imagenet"}, "dataset"),
        ({"protocol": "fair"}, "protocol"),
        ({"preset": "fast"}, "preset"),
        ({"seeds": 0}, "seeds"),
        ({"settings": ["data.rot=x"]}, "data.rot: unknown key.*did you mean 'root'"),
        ({"settings": ["data.split=transductive"]}, "data.split: transductive learns"),
        ({"settings": ["settings.epoch=3"]}, "settings: epoch"),
        ({"settings": ["data.contamination=0.7"]}, "contamination"),
    ],
)
def test_wrong_arguments_are_named(arguments, said):
    with pytest.raises(ConfigError, match=said):
        benchmark_config(**{"detector": "iaead", "dataset": "mnist", **arguments})


def test_presets_and_protocols_choose_split_and_sizes():
    honest = benchmark_config("iaead", "mnist", "honest", "quick", ["3", "4"], 2, ["data.root=/x", "settings.epochs=2"])
    assert honest.split() == "one_vs_rest" and honest.data.train_limit == 4000 and honest.normal == (3, 4)
    assert honest.detector_settings(3).epochs == 2 and honest.seeds == 2
    assert benchmark_config("iaead", "mnist", "as_published").split() == "transductive"
    assert benchmark_config("iaead", "mnist").data.train_limit == 0
    assert benchmark_config("skip_ganomaly_pp", "cifar10", "as_published").data.all_abnormal
    assert not benchmark_config("skip_ganomaly_pp", "cifar10").data.all_abnormal
    assert benchmark_config("skip_ganomaly_pp", "cifar10").split() == "leave_one_out"


def test_the_published_order_of_the_test_set_is_each_loaders_own():
    sets = ("cifar10", "fashion_mnist", "mnist")
    orders = [benchmark_config("iae_lstm_kl", name, "as_published").data.test_order for name in sets]
    assert orders == ["mixed", "mixed", "normals_first"]
    assert benchmark_config("skip_ganomaly_pp", "cifar10", "as_published").data.test_order == "normals_first"
    mixed = trial(protocol="as_published", split="one_vs_rest", test_order="mixed")
    assert sorted(ids(mixed.test_NCHW)) == list(range(600, 800)) and 0 < mixed.labels[:20].sum() < 20
    assert len(set(LABELS[ids(mixed.test_NCHW)][:20])) > 4, "classes mixed"
    first = trial(protocol="as_published", split="one_vs_rest")
    assert list(first.labels) == sorted(first.labels)


def test_figures_by_hand():
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    assert figures(labels, scores).auroc == 0.75
    assert figures(labels, scores).aupr_out == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert figures(labels, -scores).auroc == 0.25
    assert f1_at(labels, scores, 0.36, 0) == pytest.approx(0.5) and f1_at(labels, scores, 0.36, 1) == pytest.approx(0.5)
    assert best_f1(labels, scores, 0) == pytest.approx(0.8), "normal up to 0.4: three called normal, two of them are"
    assert best_f1(labels, scores, 1) == pytest.approx(0.8)


def test_best_f1_cannot_part_equal_scores():
    assert best_f1(np.array([0, 1, 0, 1]), np.zeros(4), 1) == pytest.approx(2 / 3)


@pytest.mark.parametrize("kind", [0, 1])
def test_one_kind_of_image_makes_every_figure_undefined(kind):
    labels, scores = np.full(5, kind), np.arange(5.0)
    assert figures(labels, scores) == figures(labels, scores).__class__(None, None, None)
    assert best_f1(labels, scores, 0) is None and f1_at(labels, scores, 2, 0) is None
    assert all(len(part) == 0 for part in roc_points(labels, scores))


def test_scores_that_are_not_finite_are_no_result():
    with pytest.raises(NumericalFailure, match="1 of 3 scores"):
        figures(np.array([0, 1, 1]), np.array([0.0, np.nan, 1.0]))


def test_published_averages_are_those_of_their_rows():
    for table in PUBLISHED:
        for label, row in table.rows.items():
            assert len(row.values) == len(table.columns), (table.source, label)
            assert all(0 < value <= 1 for value in row.values)
            if row.average is not None:
                assert row.average == pytest.approx(np.mean(row.values), abs=6e-4), (table.source, label)
    assert {table.source.partition(" ")[0] for table in PUBLISHED} == {"Cheng", "Huang", "Park", "Bian"}


def test_published_goals_are_found():
    def average(dataset, detector):
        return next(
            row.average
            for table in tables_for(dataset, detector)
            for row in table.rows.values()
            if row.detector == detector
        )

    assert (average("mnist", "iaead"), average("fashion_mnist", "iaead")) == (0.9205, 0.8869)
    assert average("cifar10", "iae_lstm_kl") == 0.708 and average("cifar10", "skip_ganomaly_pp") == 0.914
    assert [len(names) for names in (DIGITS, CLOTHES, OBJECTS)] == [10, 10, 10]
    assert tables_for("rsdds", "iaead") == []
