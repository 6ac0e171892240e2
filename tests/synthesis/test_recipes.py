"""What a method learns by: its own published recipe, which no value meant for another method changes."""

import pytest

from anomaly_gan.core.config import build
from anomaly_gan.core.errors import ConfigError
from anomaly_gan.pipeline.config import RunConfig
from anomaly_gan.pipeline.plan import plan
from anomaly_gan.synthesis.methods.config import TrainConfig
from anomaly_gan.synthesis.registry import METHODS


def test_an_arm_of_examples_where_there_are_none_is_refused_before_anything_is_trained():
    arms = {"compare": {"arms": ["none", "exemplar"]}}
    assert [arm.name for arm in run_config(**arms).arms()] == ["exemplar"]
    with pytest.raises(
        ConfigError, match=r"compare.arms: exemplar: .* set train_methods\.anomaly_gan\.painter\.painting: exemplar"
    ):
        run_config(**arms, train_methods={"anomaly_gan": {"painter": {"painting": "residual"}}}).arms()


def run_config(**sections):
    return RunConfig(
        **{
            "data": {"root": "x"},
            "compare": {"arms": ["none", "hybrid", "cyclegan", "pix2pix@bare"]},
            "pool_variants": {"bare": {}},
            **sections,
        }
    )


def test_an_arm_that_learns_nothing_gets_the_training_it_paints_with():
    steps = {step.name: step for step in plan(run_config())}
    assert [name for name in steps if name.startswith("train")] == [
        "train@anomaly_gan",
        "train@cyclegan",
        "train@pix2pix",
    ]
    assert steps["generate@hybrid"].inputs == {
        "ingest": "ingest",
        "pool": "pool",
        "train@anomaly_gan": "train@anomaly_gan",
    }
    assert steps["generate@pix2pix@bare"].inputs == {
        "ingest": "ingest",
        "pool": "pool@bare",
        "train@pix2pix": "train@pix2pix",
    }
    assert steps["train@cyclegan"].inputs == {"ingest": "ingest", "pool": "pool"}


def test_each_method_learns_by_its_own_recipe_what_is_given_goes_to_all_and_a_saved_run_says_the_same():
    config = run_config(train={"steps": 7, "learning_rate": 1e-3}, train_methods={"pix2pix": {"steps": 9}})
    for read in (config, RunConfig(**config.model_dump(mode="json"))):
        trains = {step.config.method: step.config for step in plan(read) if step.stage.name == "train"}
        cyclegan = trains["cyclegan"].recipe
        assert (trains["anomaly_gan"].recipe.cycle, cyclegan.cycle, cyclegan.identity) == (2.0, 10.0, 5.0)
        assert (trains["cyclegan"].steps, trains["pix2pix"].steps, trains["pix2pix"].recipe.l1) == (7, 9, 100.0)
        assert {one.learning_rate for one in trains.values()} == {1e-3}
    assert run_config(train={"preset": "paper"}).training("cyclegan").size == 512


def test_values_meant_for_one_method_leave_anothers_recipe_alone():
    config = run_config(
        train={"steps": 7, "size": 32, "recipe": {"paired": 1, "lambda_1": 0.5}},
        train_methods={"pix2pix": {"l1": 50, "painter": {"dropout": 0.3}, "batch": 4}},
    )
    ours, paper, pix2pix = (config.training(name) for name in ("anomaly_gan", "anomaly_gan_paper", "pix2pix"))
    assert (ours.recipe.paired, ours.recipe.lambda_1, ours.size, ours.batch) == (1, 0.5, 32, 16)
    assert (paper.recipe.paired, paper.recipe.lambda_1, paper.size, paper.steps) == (0, 0.3, 512, 7), "its paper's"
    assert (pix2pix.recipe.l1, pix2pix.recipe.painter.dropout, pix2pix.batch, pix2pix.steps) == (50, 0.3, 4, 7)
    assert not pix2pix.recipe.painter.noise, "one value of the painter leaves its others as the recipe has them"
    assert run_config(train={"recipe": {"paired": 1}}).training("pix2pix").recipe.l1 == 100.0


def test_every_recipe_stays_its_own_whatever_is_given_to_others():
    """Each method's own settings, under a training that changes every field of all other methods' settings."""
    plain = run_config(train_methods={})
    learners = [name for name in METHODS if METHODS[name].trainable]
    for name in learners:
        other = {rival: {"recipe": _others(rival)} for rival in learners if rival != name}
        assert run_config(train_methods=other).training(name) == plain.training(name)
        if name != "anomaly_gan":  # whose own settings may stand in `train` as well, also by their older, bare names
            for given in ({"recipe": _others("anomaly_gan")}, _others("anomaly_gan")):
                assert run_config(train=given, train_methods={}).training(name) == plain.training(name)


def _others(method):
    """Every setting of its own, at another value."""
    recipe = TrainConfig(method=method).recipe
    change = {bool: lambda value: not value, int: lambda value: 2 * value, float: lambda value: value / 2 + 0.25}
    found = {field: change[type(value)](value) for field, value in recipe if type(value) in change}
    if "painter" in type(recipe).model_fields:
        found["painter"] = {"support_px": recipe.painter.support_px + 1, "painting": "layered"}
    return found


def test_presets_of_the_papers_sizes_lie_over_its_recipe():
    named = run_config(train_methods={"anomaly_gan_paper": {"preset": "paper_released"}})
    paper = named.training("anomaly_gan_paper")
    assert (paper.nets.generator, paper.size, paper.recipe.adversarial) == ("resnet", 256, "bce")
    assert run_config(train={"preset": "paper_cycle10"}).training("anomaly_gan_paper").recipe.cycle == 10.0
    assert run_config().training("anomaly_gan_paper").nets.generator == "unet"
    cyclegan = TrainConfig(method="cyclegan", preset="paper")
    assert (cyclegan.recipe.cycle, cyclegan.nets.generator) == (10.0, "unet"), "it lends the rivals sizes and nets"


def test_old_flat_keys_are_read_once_more_with_one_line_that_says_where_they_belong(capsys):
    old = run_config(
        train={"paired": 1, "adversarial": "bce", "base_width": 8, "painting": "layered", "blocks": 9, "identity": 1},
        train_methods={"pix2pix": {"paired": 50, "dropout": 0.1, "depth": 2}},
    )
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "train.paired is train_methods.anomaly_gan.paired" in said
    assert "train.base_width is train.nets.base_width" in said and "train.blocks is fixed at 9" in said
    new = run_config(
        train={"nets": {"base_width": 8}},
        train_methods={
            "anomaly_gan": {"paired": 1, "adversarial": "bce", "painter": {"painting": "layered"}},
            "pix2pix": {"l1": 50, "painter": {"dropout": 0.1}, "nets": {"depth": 2}},
        },
    )
    for name in ("anomaly_gan", "pix2pix", "cyclegan"):
        assert old.training(name) == new.training(name)
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"anomaly_gan": {"recipe": {"pared": 1}}}, "pared: unknown key \\(did you mean 'paired'\\?\\)"),
        ({"pix2pix": {"l2": 1}}, "recipe: l2: unknown key \\(known: painter, l1, discriminator_norm"),
        ({"cyclegan": {"painter": {"painting": "exemplar"}}}, "only anomaly_gan paints from exemplars"),
    ],
)
def test_a_wrong_setting_of_a_method_is_named(values, words):
    with pytest.raises(ConfigError, match=words):
        run_config(train_methods=values).training(next(iter(values)))


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("cyclgan", "no method 'cyclgan' \\(did you mean 'cyclegan'\\?\\)"),
        ("copy_paste", "'copy_paste' learns nothing"),
        ("hybrid", "'hybrid' learns nothing"),
        ("exemplar", "'exemplar' learns nothing"),
    ],
)
def test_a_method_that_cannot_be_trained_is_refused_by_name(method, words):
    with pytest.raises(ConfigError, match=words):
        build(TrainConfig, {"method": method}, "train")
