"""``--time-budget`` on a whole run: how it is divided, kept to, and counted across processes.

Stages of a fixed length get what they need; what is left is shared by the trainings and the comparison. What a stage
was given becomes a part of its configuration, so it is decided once, when the stage begins, and written down: the
same command goes on after a kill with the same shares, and with the seconds that are gone.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.config import Config
from ..core.durations import canonical, seconds_of
from ..core.files import sha256_bytes, write_json
from ..core.json_files import note_as
from ..core.stage import LOGS, read_manifest
from ..core.time_budget import TimeBudget
from .config import RunConfig
from .costs import Work, cell_seconds, compare_seconds, compare_workers
from .course import Course
from .plan import Step, plan

FILE = Path(LOGS) / "budget.json"
MARGIN = 0.04
"""Share of the time that is kept for what no estimate knows."""
COMFORT = 1.15
"""Trainings whose estimates fit this many times are not limited."""
LEAST_TRAINING = 10.0
LEAST_STAGE = 5.0
LEAST_READING = 60.0
"""Seconds for which photographs are read however short the time is."""
WHOLE = ("ingest", "features", "one_class_filter", "export")
"""Stages whose product is of no use by halves."""
ELASTIC = ("train", "compare")
"""Stages that get shares of what the others leave."""
AT_LEAST = 0.3
CLOCKED = 0.7
"""Share of a comparison's time that the clocks of its trainings and their tests add up to: the last must fit too."""
FIXED_SHARE = 0.5
"""The most of the time that is left for stages of a fixed length, where trainings or the comparison are to come."""
LEAST_ITERATIONS = 0.1
"""Share of a detector's iterations below which nothing is cut: the clock ends such a comparison instead."""


@dataclass(frozen=True)
class Share:
    """What a step was given, and the hash of what it would have had without."""

    of: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Books:
    """What of a budget stands on disk."""

    total: str
    spent: float
    decided: dict[str, Share]
    finished: bool
    not_reached: list[str] = field(default_factory=list)
    lacked: str = ""


@dataclass
class Budget:
    """One budget of a run. ``decided``: what each step was given, and the hash of what it would have had without;
    ``not_reached``: the steps that it left out; ``lacked``: what the first of them said it lacked."""

    total: str
    path: Path
    decided: dict[str, dict[str, Any]] = field(default_factory=dict)
    before: float = 0.0
    clock: Callable[[], float] = time.monotonic
    not_reached: list[str] = field(default_factory=list)
    lacked: str = ""
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    @classmethod
    def open(cls, run: Path, total: str, clock: Callable[[], float] = time.monotonic) -> Budget:
        """The budget of this length that a killed process has begun, or a new one.

        Shares that were decided under the same length hold also after it was used up: what is finished stays fresh.
        """
        books = note_as(run / FILE, Books)
        if books is None or books.total != canonical(total):
            return cls(canonical(total), run / FILE, clock=clock)
        decided = {name: vars(share) for name, share in books.decided.items()}
        return cls(books.total, run / FILE, decided, 0.0 if books.finished else books.spent, clock)

    def spent(self) -> float:
        return self.before + self.clock() - self.began

    def left(self) -> float:
        """Seconds that may still be planned with."""
        total = seconds_of(self.total)
        return total * (1 - MARGIN) - self.spent()

    def save(self, finished: bool = False) -> None:
        spent, left_out = round(self.spent(), 1), {"not_reached": self.not_reached, "lacked": self.lacked}
        write_json(
            self.path,
            {"total": self.total, "spent": spent, "decided": self.decided, "finished": finished, **left_out},
        )

    def cut_words(self) -> str:
        """What the report of a run that was cut short says first."""
        if not self.not_reached:
            return ""
        return f"Not reached within {self.total}: {in_kinds(self.not_reached)}. {self.lacked}".strip()

    def applied(self, config: RunConfig, steps: list[Step]) -> RunConfig:
        """The configuration with every share that was decided for just these steps."""
        asked = {step.name for step in steps}
        for name in [step.name for step in plan(config)]:  # one after the other: a smaller pool asks less of others
            step, known = next(step for step in plan(config) if step.name == name), self.decided.get(name)
            if name not in asked or known is None:
                continue
            if known["of"] == _hash(step.config):
                config = lay(config, step, known["values"])
            else:
                del self.decided[name]
        return config

    def deadline(self, step: Step, course: Course) -> TimeBudget | None:
        """How long the step that is about to begin may take; None for one that has its own time, and for the report.

        All that is left for one whose product is of no use by halves: it stops then and is not reached, or, reading
        the photographs, says at once that it takes longer. One that ends with what is done gets what it needs by the
        estimate, and of the rest what trainings and the comparison to come are not expected to need, or ``AT_LEAST``
        of it, for they can do with less; where the stages of a fixed length do not fit, its part among them.
        """
        if step.stage.name in WHOLE:
            least = LEAST_READING if step.stage.name == "ingest" else LEAST_STAGE
            return TimeBudget(float(round(max(least, self.left() - course.refined("report")))), self.clock)
        if not _ends_early(step):
            return None
        own, left, pending = course.refined(step.name), self.left(), course.pending()
        elastic = sum(course.refined(name) for name in pending if name.partition("@")[0] in ELASTIC)
        fixed = sum(course.refined(name) for name in pending) - elastic
        rest, room = left - fixed - own, left * (FIXED_SHARE if elastic else 1.0)
        if own + fixed <= room:
            seconds = own + max(rest - elastic, AT_LEAST * rest)
        else:
            seconds = room * own / max(1e-9, own + fixed)
        return TimeBudget(float(round(max(LEAST_STAGE, seconds))), self.clock)

    def note(self, config: RunConfig, step: Step, values: dict[str, object]) -> RunConfig:
        """The configuration of what is there now that time has ended the step, and that written down."""
        self.decided[step.name] = {"of": _hash(step.config), "values": values}
        self.save()
        return lay(config, step, values)

    def decide(self, config: RunConfig, work: Work, course: Course) -> RunConfig:
        """The configuration with the share of the step that is about to begin, and that written down."""
        step = work.step
        if step.name in self.decided and lay(config, step, self.decided[step.name]["values"]) == config:
            return config
        if step.stage.name == "train":
            values = _training_share(work, course, self.left())
        elif step.stage.name == "compare":
            values = _compare_share(work, self.left() - course.refined("report"))
        else:
            return config
        self.decided[step.name] = {"of": _hash(step.config), "values": values}
        self.save()
        return lay(config, step, values)


def open_budget(run: Path) -> Books | None:
    """The books of a budget that was not used to its end; None where there is none."""
    books = note_as(run / FILE, Books)
    return None if books is None or books.finished else books


def lay(config: RunConfig, step: Step, values: dict[str, object]) -> RunConfig:
    """``values`` of the step's section over the run's configuration."""
    if not values:
        return config
    if step.stage.name == "pool":
        count = values["count"]
        assert isinstance(count, int)
        return _smaller_pool(config, step.name.partition("@")[2], count)
    if step.stage.name not in ("train", "compare"):
        return config.model_copy(update={"time_budgets": {**config.time_budgets, step.name: values["time_budget"]}})
    if step.stage.name == "train":
        method = step.config.method  # type: ignore[attr-defined]
        methods = {**config.train_methods, method: {**config.train_methods.get(method, {}), **values}}
        return config.model_copy(update={"train_methods": methods})
    content = config.compare.model_dump() | values
    return config.model_copy(update={"compare": type(config.compare)(**content)})


def _smaller_pool(config: RunConfig, variant: str, count: int) -> RunConfig:
    """With this many masks a category in the pool (or in that variant of it), and no more photographs asked of it."""
    fewer = config.generate.model_copy(update={"count": min(config.generate.count, count)})
    if not variant:
        return config.model_copy(update={"pool": config.pool.model_copy(update={"count": count}), "generate": fewer})
    variants = {**config.pool_variants, variant: {**config.pool_variants[variant], "count": count}}
    return config.model_copy(update={"pool_variants": variants, "generate": fewer})


def _ends_early(step: Step) -> bool:
    """Whether the stage ends with what is done once its time is up. A comparison always has a share of its own; a
    training that begins with pseudo-defects goes to its end, for else it might never see a real one."""
    config: Any = step.config
    if step.stage.name == "compare" or bool(getattr(config, "pretrain_steps", False)):
        return False
    return step.stage.name == "pool" or (hasattr(config, "time_budget") and config.time_budget is None)


def _hash(config: Config) -> str:
    return sha256_bytes(json.dumps(config.keyed(), sort_keys=True).encode())


def _training_share(work: Work, course: Course, left: float) -> dict[str, object]:
    """``time_budget`` of a training: none where everything fits, else its part of what the fixed stages leave."""
    if work.config.pretrain_steps:
        return {}
    pending = [work.step.name, *course.pending()]
    need = {name: course.refined(name) for name in dict.fromkeys(pending)}
    trainings = sum(seconds for name, seconds in need.items() if name.partition("@")[0] == "train")
    compare = need.get("compare", 0.0)
    free = left - min(sum(need.values()) - trainings - compare, FIXED_SHARE * left)
    if trainings + compare <= free / COMFORT:
        return {}
    reserved = min(compare / max(1, work.seeds), 0.6 * free)  # of the comparison, one seed of every arm
    share = min(free * trainings / (trainings + compare), free - reserved)
    share = max(share, min(trainings, 0.25 * free)) * need[work.step.name] / trainings
    seconds = max(LEAST_TRAINING, share)
    given = work.config.time_budget
    return {"time_budget": canonical(f"{min(seconds, seconds_of(given)) if given else seconds:.0f}s")}


def _compare_share(work: Work, left: float) -> dict[str, object]:
    """``time_budget`` of the comparison, and, where they do not fit, fewer seeds, and then fewer iterations."""
    config = work.config
    seeds = config.seed_list()
    values: dict[str, Any] = {"time_budget": canonical(f"{max(LEAST_TRAINING, left):.0f}s")}
    fit = sum(compare_seconds(work, seeds[: number + 1]) <= left for number in range(len(seeds)))
    if fit < len(seeds):
        values["seeds"] = max(1, fit) if isinstance(config.seeds, int) else tuple(seeds[: max(1, fit)])
    if not fit:
        values |= _fewer_iterations(work, left)
    if fit < 2:
        values["detect"] = _with_a_clock(work, values.get("detect") or config.detect.model_dump(), left)
    return values


def _with_a_clock(work: Work, detect: dict[str, object], left: float) -> dict[str, object]:
    """One seed of every arm and detector, each training ended by its part of the time: whole where the estimate holds,
    and where it does not, shorter for all alike instead of missing for some."""
    names, config = work.config.detector_list(), work.config
    rounds = math.ceil(len(names) * len(config.arms) / compare_workers(work))
    beside = max(cell_seconds(work, name, 0.0) for name in names)
    seconds = max(LEAST_STAGE, CLOCKED * left / rounds - beside)
    own = config.detect.time_budget
    return detect | {"time_budget": canonical(f"{min(seconds, seconds_of(own)) if own else seconds:.0f}s")}


def _fewer_iterations(work: Work, left: float) -> dict[str, object]:
    """One share of every detector's steps, the same for all arms, that lets one seed of each fit."""
    config = work.config
    whole, fixed = (compare_seconds(work, config.seed_list()[:1], share) for share in (1.0, 0.0))
    share = (left - fixed) / max(1e-9, whole - fixed) / COMFORT
    share = min(1.0, max(LEAST_ITERATIONS, share))
    detect = config.detect.model_dump()
    settings = {name: dict(own) for name, own in config.detector_settings.items()}
    for own in (detect, *settings.values()):
        own |= {key: max(1, round(own[key] * share)) for key in ("iterations", "warmup") if own.get(key)}
        own |= {"exposures": own["exposures"] * share} if "exposures" in own else {}
    return {"detect": detect, "detector_settings": settings}


def note_of(run: Path) -> str:
    """The note of a run that its last budget cut short, of what is still not there; empty where all is, or it had none.

    The file is a log: one that cannot be read says nothing.
    """
    books = note_as(run / FILE, Books)
    if books is None:
        return ""
    left_out = [name for name in books.not_reached if not read_manifest(run / name)]
    lacked = books.lacked if left_out[:1] == books.not_reached[:1] else ""
    return Budget(books.total, run / FILE, not_reached=left_out, lacked=lacked).cut_words()


def in_kinds(steps: Sequence[str]) -> str:
    """``generate (5), compare``: how many of each kind of stage."""
    counts = Counter(step.partition("@")[0] for step in steps)
    return ", ".join(f"{kind} ({number})" if number > 1 else kind for kind, number in counts.items())
