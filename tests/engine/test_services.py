"""A training ends by its time, at a plateau, or at a NaN that it names; cut off and resumed, it ends just so."""

import csv
import json

import pytest
import torch
from torch import nn

from anomaly_gan.core.errors import InputError, NumericalFailure
from anomaly_gan.core.time_budget import TimeBudget
from anomaly_gan.engine.checkpoint import newest_checkpoint
from anomaly_gan.engine.early_stopping import Plateau
from anomaly_gan.engine.ema import add_average, average_paints, follow
from anomaly_gan.engine.loop import Schedule, fit, make_fabric
from anomaly_gan.engine.task import Update, learning_rate_factor


class Slope:
    """One weight row pulled towards 2, and its average. ``harm(task, loss, step)`` may spoil what is learned."""

    def __init__(self, harm=lambda task, loss, step: loss):
        torch.manual_seed(0)
        self.nets: dict[str, nn.Module] = {"generator": nn.Linear(4, 1, bias=False)}
        add_average(self.nets)
        self.optimizer = torch.optim.SGD(self.nets["generator"].parameters(), lr=0.1)
        self.harm, self.steps, self.rates = harm, [], []

    def forward(self, batch):
        x, step = batch
        self.steps.append(step)
        return x, self.nets["generator"](x), step

    def updates(self):
        def losses(outputs):
            x, y, step = outputs
            self.rates.append(self.optimizer.param_groups[0]["lr"])
            return {"error": self.harm(self, (y - 2 * x.sum(1, keepdim=True)).square().mean(), step)}

        return [Update("slope", self.optimizer, losses)]

    def after_step(self, step):
        follow(self.nets, 0.5, step)

    @property
    def weight(self):
        return self.nets["generator"].weight.detach().clone()


def batches(step):
    return torch.randn(8, 4, generator=torch.Generator().manual_seed(step)), step


def train(task, folder, cut_at=None, **options):
    def cut(step):
        if step == cut_at:
            raise KeyboardInterrupt
        return batches(step)

    plateau, describe = options.pop("plateau", None), options.pop("describe", lambda step: ())
    schedule = Schedule(**({"steps": 30, "seed": 3, "log_every": 5, "checkpoint_every": 4} | options))
    if cut_at is None:
        return fit(task, batches, schedule, make_fabric("cpu"), folder, plateau=plateau, describe=describe)
    with pytest.raises(KeyboardInterrupt):
        fit(task, cut, schedule, make_fabric("cpu"), folder, plateau=plateau, describe=describe)
    return None


def budget_of(task, seconds=10.0):
    """A second a step."""
    return TimeBudget(seconds, lambda: 100.0 + len(task.steps))


def test_a_training_ends_with_its_time_and_its_learning_rate_with_it(tmp_path):
    task = Slope()
    history = train(task, tmp_path, budget=budget_of(task))
    assert task.steps == list(range(10)) and (history.steps, history.ended_by) == (10, "time")
    assert task.rates == pytest.approx([0.1] * 5 + [0.1 * (1 - share) / 0.5 for share in (0.5, 0.6, 0.7, 0.8, 0.9)])
    assert history.rows[-1]["step"] == 10, "the last interval is closed"


def test_steps_that_come_first_end_a_training_whose_time_is_not_up(tmp_path):
    task = Slope()
    history = train(task, tmp_path, steps=6, budget=budget_of(task))
    assert (history.steps, history.ended_by) == (6, "steps")
    assert task.rates == pytest.approx([0.1 * learning_rate_factor(step, 6) for step in range(6)])


def test_time_spent_before_a_cut_counts_after_it(tmp_path):
    whole, first, resumed = Slope(), Slope(), Slope()
    train(whole, tmp_path / "whole", budget=budget_of(whole))
    train(first, tmp_path / "cut", cut_at=6, budget=budget_of(first))
    history = train(resumed, tmp_path / "cut", budget=budget_of(resumed))
    assert resumed.steps == list(range(4, 10)) and history.steps == 10
    assert torch.equal(whole.weight, resumed.weight)
    assert (tmp_path / "whole/losses.csv").read_bytes() == (tmp_path / "cut/losses.csv").read_bytes()


def test_a_part_of_a_budget_is_measured_by_the_same_watch():
    now = [50.0]
    budget = TimeBudget(100.0, lambda: now[0])
    now[0] = 60.0
    assert budget.part(0.2).share() == pytest.approx(0.5) and budget.share() == pytest.approx(0.1)


def plateau_of(task, figures, patience=2):
    """Measurements by step; what was shown at each is kept beside."""
    shown = {}

    def measure():
        step = task.steps[-1] + 1
        shown[step] = task.weight
        return {"KID": figures.get(step, 9.0), "category a": 1.0}

    plateau = Plateau(3, patience, measure, lambda: {"generator": task.nets["generator"]})
    plateau.shown = shown
    return plateau


FIGURES = {3: 5.0, 6: float("nan"), 9: 2.0, 12: 4.0, 15: 2.0}


def test_a_plateau_ends_a_training_and_the_best_weights_stay(tmp_path):
    task = Slope()
    plateau = plateau_of(task, FIGURES)
    history = train(task, tmp_path, plateau=plateau)
    assert (history.steps, history.ended_by) == (15, "plateau"), "an equal figure is no better one"
    assert plateau.best == {"step": 9.0, "KID": 2.0}, "what is not a number is never the best"
    assert torch.equal(task.weight, plateau.shown[9])
    rows = list(csv.DictReader((tmp_path / "quality.csv").open()))
    assert {row["step"]: row["KID"] for row in rows} == {"3": "5", "6": "nan", "9": "2", "12": "4", "15": "2"}


@pytest.mark.parametrize("cut_at", [10, 14])
def test_a_plateau_remembers_across_a_cut(tmp_path, cut_at):
    whole, first, resumed = Slope(), Slope(), Slope()
    train(whole, tmp_path / "whole", plateau=plateau_of(whole, FIGURES))
    train(first, tmp_path / "cut", cut_at=cut_at, plateau=plateau_of(first, FIGURES))
    assert train(resumed, tmp_path / "cut", plateau=plateau_of(resumed, FIGURES)).steps == 15
    assert torch.equal(whole.weight, resumed.weight)
    assert (tmp_path / "whole/quality.csv").read_bytes() == (tmp_path / "cut/quality.csv").read_bytes()


def test_a_training_without_a_plateau_keeps_the_best_of_it_too(tmp_path):
    task = Slope()
    plateau = plateau_of(task, {3: 1.0}, patience=9)
    assert train(task, tmp_path, steps=7, plateau=plateau).ended_by == "steps"
    assert sorted(plateau.shown) == [3, 6, 7], "the last step is looked at as well"
    assert torch.equal(task.weight, plateau.shown[3])


def gradient_only(task, loss, step):
    """The loss stays what it is; its gradient at 0 does not exist."""
    return loss + (0 * task.nets["generator"].weight.sum()).abs().sqrt() if step == 9 else loss


def spoiled_average(task, loss, step):
    if step == 11:
        task.nets["average"].weight.data[0, 1] = float("inf")
    return loss


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (gradient_only, "slope: the gradient is not finite at step 9"),
        (lambda task, loss, step: loss / (step != 9), "slope: error is not finite at step 9"),
        (spoiled_average, "the weights of average are not finite after step 11"),
    ],
)
def test_a_nan_ends_in_one_line_with_the_batch_and_the_way_on(tmp_path, harm, said):
    rows = [f"crack/{index}.png with normal/0.png" for index in range(8)]
    with pytest.raises(NumericalFailure) as failure:
        train(Slope(harm), tmp_path, steps=13, describe=lambda step: [f"{row} at {step}" for row in rows])
    line, step = str(failure.value), 11 if harm is spoiled_average else 9
    assert line.startswith(said) and "\n" not in line and failure.value.exit_code == 1
    assert f"the batch held crack/0.png with normal/0.png at {step}; " in line and "5 more rows" in line
    assert json.loads((tmp_path / "logs/failed-batch.json").read_text()) == [f"{row} at {step}" for row in rows]
    healthy = tmp_path / "checkpoints" / "step-0000008.pt"
    assert f"the last healthy state is {healthy}, the same command goes on from there" in line
    state = newest_checkpoint(tmp_path / "checkpoints")
    assert state["step"] == 8 and all(torch.isfinite(state["nets"][net]["weight"]).all() for net in state["nets"])
    if harm is gradient_only:
        whole, again = Slope(), Slope()
        train(whole, tmp_path / "whole", steps=13, checkpoint_every=99)
        train(again, tmp_path, steps=13)
        assert again.steps[0] == 8 and torch.equal(whole.weight, again.weight)


def test_the_average_paints_only_while_it_is_asked_to():
    task = Slope()
    learning = task.nets["generator"]
    with average_paints(task.nets):
        assert task.nets["generator"] is task.nets["average"]
    assert task.nets["generator"] is learning


def test_an_input_error_survives_the_way_between_processes():
    import pickle

    error = InputError("a.png", "G13", "no defect", "label one")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) and again.code == "G13"
