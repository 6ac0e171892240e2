"""How much synthetic, and from how little real: the curves of Table 6 and of Fig. 11 of the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from anomaly_gan.pipeline.config import RunConfig

from ..config import MAIN
from .comparisons import NONE, ByArm, by_arm, signed
from .estimate import Estimate, arm_terms, estimate, paired_terms
from .resample import DrawnCell


@dataclass(frozen=True)
class Amount:
    """``real_times``: how often each real photograph stands in the export; ``per_real``: synthetic photographs per
    real one (None: not set); ``objects``: real objects per category in training (None: all); ``real_share``: the
    real share of a batch (None: not known)."""

    real_times: float
    per_real: float | None
    objects: int | None
    real_share: float | None


ALL_AS_IT_IS = Amount(1.0, None, None, None)


def amount_of(config: RunConfig | None) -> Amount:
    """What a variant's configuration says; where there is none: all real photographs once."""
    if config is None:
        return ALL_AS_IT_IS
    share = config.compare.detect.real_share
    return Amount(float(config.export.real_times), config.export.per_real, config.data.objects, share)


@dataclass(frozen=True)
class AmountRow:
    """An arm of a variant. ``against``: the ``none`` that ``lift`` is over; ``over_real_alone``: the difference to
    ``real_alone``, the export with as much real and nothing synthetic. None where there is no such partner."""

    variant: str
    arm: str
    amount: Amount
    map50: Estimate | None
    miou: Estimate | None
    against: str | None
    lift: Estimate | None
    real_alone: str | None
    over_real_alone: Estimate | None

    def to_json(self) -> dict[str, object]:
        return {
            "variant": self.variant,
            "arm": self.arm,
            **asdict(self.amount),
            "map50": self.map50.to_json() if self.map50 else None,
            "miou": self.miou.to_json() if self.miou else None,
            "against": self.against,
            "lift": self.lift.judged_json() if self.lift else None,
            "real_alone": self.real_alone,
            "over_real_alone": self.over_real_alone.judged_json() if self.over_real_alone else None,
        }

    def sentences(self) -> list[str]:
        return [
            f"{self.variant}: {self.arm}: AP@0.5 {signed(made.interval)} against {other}, {made.pairs} "
            f"pair{'s' if made.pairs != 1 else ''} of trainings: {made.verdict}."
            for made, other in ((self.lift, self.against), (self.over_real_alone, self.real_alone))
            if made
        ]


@dataclass(frozen=True)
class AmountStudy:
    """``amounts``: Table 6 (real k x, synthetic per real -> figures); ``objects``: Fig. 11 (lift against the number
    of real objects)."""

    amounts: Sequence[AmountRow]
    objects: Sequence[AmountRow]
    sentences: Sequence[str]

    def to_json(self) -> dict[str, object]:
        return {
            "amounts": [row.to_json() for row in self.amounts],
            "objects": [row.to_json() for row in self.objects],
            "sentences": list(self.sentences),
        }


def amount_study(
    drawn: Mapping[str, Sequence[DrawnCell]], configs: Mapping[str, RunConfig], seed: int
) -> AmountStudy | None:
    """Rows for every variant that changes an amount, and for ``main`` beside them; None where no variant does.

    A lift is over ``none`` of the same variant; where it has none and its real objects are those of
    ``main``, over that of ``main``: ``none`` trains on each real photograph once, whatever an export repeats.
    """
    amounts = {variant: amount_of(configs.get(variant)) for variant in drawn}
    base = amounts.get(MAIN, ALL_AS_IT_IS)
    few = sorted(name for name, item in amounts.items() if name != MAIN and item.objects != base.objects)
    changed = sorted(
        name
        for name, item in amounts.items()
        if name != MAIN and name not in few and (item.real_times, item.per_real) != (base.real_times, base.per_real)
    )
    if not changed and not few:
        return None
    arms = {variant: by_arm(cells) for variant, cells in drawn.items()}
    with_main = [MAIN] if MAIN in drawn else []
    first = (with_main or changed or few)[0]  # `none` is the same in all that change the export alone
    table = [
        row
        for name in ([*with_main, *changed] if changed else [])
        for row in _rows(name, amounts, arms, MAIN, seed)
        if row.arm != NONE or name == first
    ]
    curve = [row for name in ([*with_main, *few] if few else []) for row in _rows(name, amounts, arms, name, seed)]
    return AmountStudy(
        sorted(table, key=lambda row: (row.amount.real_times, row.amount.per_real or 0, row.variant)),
        sorted(curve, key=lambda row: (row.amount.objects is None, row.amount.objects or 0, row.variant)),
        [text for row in (*table, *curve) if row.variant != MAIN for text in row.sentences()],
    )


def _rows(
    variant: str, amounts: Mapping[str, Amount], arms: Mapping[str, ByArm], fall_back: str, seed: int
) -> list[AmountRow]:
    """One row per arm of a variant; its lift is over ``none`` of the variant or else of ``fall_back``."""
    against = variant if NONE in arms[variant] else fall_back
    base = arm_terms(arms.get(against, {}).get(NONE, []))
    rows = []
    for arm, cells in arms[variant].items():
        own = {metric: estimate(arm_terms(cells, metric=metric), seed) for metric in ("map50", "miou")}
        lift = estimate(paired_terms(arm_terms(cells), base), seed) if arm != NONE else None
        alone = _real_alone(variant, arm, amounts, arms) if arm != NONE else None
        more = estimate(paired_terms(arm_terms(cells), arm_terms(arms[alone[0]][alone[1]])), seed) if alone else None
        given = amounts[variant]
        rows.append(
            AmountRow(
                variant,
                arm,
                replace(given, per_real=0.0, real_times=1.0) if arm == NONE else given,
                own["map50"],
                own["miou"],
                f"{NONE} of {against}" if lift else None,
                lift,
                f"{alone[1]} of {alone[0]}" if alone and more else None,
                more,
            )
        )
    return rows


def _real_alone(
    variant: str, arm: str, amounts: Mapping[str, Amount], arms: Mapping[str, ByArm]
) -> tuple[str, str] | None:
    """The (variant, arm) that trained on as much real and nothing synthetic; of the same arm where there is one.

    Without synthetic photographs the real share of a batch says nothing.
    """
    wanted = replace(amounts[variant], per_real=0.0, real_share=None)
    if amounts[variant].per_real == 0:
        return None
    found = [
        (name, other)
        for name, item in amounts.items()
        if replace(item, real_share=None) == wanted
        for other in arms[name]
        if other != NONE
    ]
    return min(found, key=lambda item: (item[1] != arm, item)) if found else None
