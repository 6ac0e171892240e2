"""How much synthetic, and from how little real: the curves of Table 6 and of Fig. 11 of the paper."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from detection.evaluation.statistics import verdict

from ..config import MAIN
from .comparisons import NONE, ByArm, by_arm, signed
from .estimate import Estimate, arm_terms, estimate, paired_terms
from .resample import DrawnCell

AMOUNT_NAME = re.compile(r"real(?P<real>\d+)x_synth(?P<synth>\d+(?:\.\d+)?)")
OBJECTS_NAME = re.compile(r"objects(?P<objects>\d+)")


@dataclass(frozen=True)
class Amount:
    """``real_times``: how often each real photograph stands in the export; ``per_real``: synthetic photographs per
    real one (None: not set); ``objects``: real objects per category in training (None: all); ``real_share``: the
    real share of a batch (None: not known)."""

    real_times: float
    per_real: float | None
    objects: int | None
    real_share: float | None


def amount_of(variant: str, config: Mapping[str, Any] | None) -> Amount:
    """From the variant's resolved run configuration, or, where it says nothing, from a name such as
    ``real2x_synth4`` or ``objects8``."""
    config = config or {}
    export, data = config.get("export") or {}, config.get("data") or {}
    amounts, few = AMOUNT_NAME.search(variant), OBJECTS_NAME.search(variant)
    share = ((config.get("compare") or {}).get("detect") or {}).get("real_share")
    real_times, per_real, objects = export.get("real_times"), export.get("per_real"), data.get("objects")
    if real_times is None:
        real_times = amounts["real"] if amounts else 1
    if per_real is None and amounts:
        per_real = amounts["synth"]
    if objects is None and few:
        objects = few["objects"]
    return Amount(
        float(real_times),
        None if per_real is None else float(per_real),
        None if objects is None else int(objects),
        None if share is None else float(share),
    )


def amount_study(
    drawn: Mapping[str, Sequence[DrawnCell]], configs: Mapping[str, Mapping[str, Any]], seed: int
) -> dict[str, Any] | None:
    """Rows for every variant that changes an amount, and for ``main`` beside them; None where no variant does.

    ``amounts`` is Table 6 (real k x, synthetic per real -> figures); ``objects`` is Fig. 11 (lift against the number
    of real objects). A lift is over ``none`` of the same variant; where it has none and its real objects are those of
    ``main``, over that of ``main``: ``none`` trains on each real photograph once, whatever an export repeats.
    ``over_real_alone`` is the difference to the export with as much real and nothing synthetic.
    """
    amounts = {variant: amount_of(variant, configs.get(variant)) for variant in drawn}
    base = amounts.get(MAIN, Amount(1.0, None, None, None))
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
        if row["arm"] != NONE or name == first
    ]
    curve = [row for name in ([*with_main, *few] if few else []) for row in _rows(name, amounts, arms, name, seed)]
    return {
        "amounts": sorted(table, key=lambda row: (row["real_times"], row["per_real"] or 0, row["variant"])),
        "objects": sorted(curve, key=lambda row: (row["objects"] is None, row["objects"] or 0, row["variant"])),
        "sentences": [text for row in (*table, *curve) if row["variant"] != MAIN for text in _sentences(row)],
    }


def _rows(
    variant: str, amounts: Mapping[str, Amount], arms: Mapping[str, ByArm], fall_back: str, seed: int
) -> list[dict[str, Any]]:
    """One row per arm of a variant; its lift is over ``none`` of the variant or else of ``fall_back``."""
    against = variant if NONE in arms[variant] else fall_back
    base = arm_terms(arms.get(against, {}).get(NONE, []))
    rows = []
    for arm, cells in arms[variant].items():
        own = {metric: estimate(arm_terms(cells, metric=metric), seed) for metric in ("map50", "miou")}
        lift = _verdict(estimate(paired_terms(arm_terms(cells), base), seed)) if arm != NONE else None
        alone = _real_alone(variant, arm, amounts, arms)
        more = (
            _verdict(estimate(paired_terms(arm_terms(cells), arm_terms(arms[alone[0]][alone[1]])), seed))
            if alone and arm != NONE
            else None
        )
        given = asdict(amounts[variant]) | ({"per_real": 0.0, "real_times": 1.0} if arm == NONE else {})
        rows.append(
            {
                "variant": variant,
                "arm": arm,
                **given,
                **{metric: made.to_json() if made else None for metric, made in own.items()},
                "against": f"{NONE} of {against}" if lift else None,
                "lift": lift,
                "real_alone": f"{alone[1]} of {alone[0]}" if alone and more else None,
                "over_real_alone": more,
            }
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


def _verdict(made: Estimate | None) -> dict[str, object] | None:
    return {**made.to_json(), "verdict": verdict(made.interval)} if made else None


def _sentences(row: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['variant']}: {row['arm']}: AP@0.5 {signed(part)} against {other}, {part['cells']} "
        f"pair{'s' if part['cells'] != 1 else ''} of trainings: {part['verdict']}."
        for part, other in ((row["lift"], row["against"]), (row["over_real_alone"], row["real_alone"]))
        if part
    ]
