"""How much synthetic, and from how little real: the curves of Table 6 and of Fig. 11 of the paper."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from detection.statistics import verdict

from .comparisons import NONE, ByArm, by_arm
from .estimate import arm_terms, estimate, paired_terms
from .resample import DrawnCell

MAIN = "main"
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
    return Amount(float(real_times), None if per_real is None else float(per_real),
                  None if objects is None else int(objects), None if share is None else float(share))


def amount_study(drawn: Mapping[str, Sequence[DrawnCell]], configs: Mapping[str, Mapping[str, Any]],
                 seed: int) -> dict[str, Any] | None:
    """Rows for every variant that changes an amount, and for ``main`` beside them; None where no variant does.

    ``amounts`` is Table 6 (real k x, synthetic per real -> figures); ``objects`` is Fig. 11 (lift against the number
    of real objects). A lift is over ``none`` of the same variant, which saw the same real photographs; where the
    variant has none and does not change the real objects, over that of ``main``.
    """
    amounts = {variant: amount_of(variant, configs.get(variant)) for variant in drawn}
    base = amounts.get(MAIN, Amount(1.0, None, None, None))
    changed = [name for name, item in amounts.items() if name != MAIN
               and (item.real_times, item.per_real) != (base.real_times, base.per_real)]
    few = [name for name, item in amounts.items() if name != MAIN and item.objects != base.objects]
    if not changed and not few:
        return None
    main = by_arm(drawn.get(MAIN, ()))

    def rows(variants: Sequence[str], fall_back: bool) -> list[dict[str, Any]]:
        return [row for name in variants for row in _rows(name, amounts[name], by_arm(drawn[name]),
                                                          main if fall_back else {}, seed)]

    with_main = [MAIN] if MAIN in drawn else []
    table = rows([*with_main, *sorted(set(changed) - set(few))], True) if changed else []
    curve = rows([*with_main, *sorted(few)], False) if few else []
    return {"amounts": sorted(table, key=lambda row: (row["real_times"], row["per_real"] or 0, row["variant"])),
            "objects": sorted(curve, key=lambda row: (row["objects"] is None, row["objects"] or 0, row["variant"])),
            "sentences": [text for row in (*table, *curve) if (text := _sentence(row)) is not None
                          and row["variant"] != MAIN]}


def _rows(variant: str, amount: Amount, arms: ByArm, main: ByArm, seed: int) -> list[dict[str, Any]]:
    rows = []
    for arm, cells in arms.items():
        own = {metric: estimate(arm_terms(cells, metric=metric), seed) for metric in ("map50", "miou")}
        base, against = (arms[NONE], variant) if NONE in arms else (main.get(NONE, []), MAIN)
        lift = (estimate(paired_terms(arm_terms(cells), arm_terms(base)), seed)
                if arm != NONE or against != variant else None)
        given = asdict(amount) | ({"per_real": 0.0} if arm == NONE else {})
        rows.append({"variant": variant, "arm": arm, **given,
                     **{metric: made.to_json() if made else None for metric, made in own.items()},
                     "against": f"{NONE} of {against}" if lift else None,
                     "lift": {**lift.to_json(), "verdict": verdict(lift.interval)} if lift else None})
    return rows


def _sentence(row: Mapping[str, Any]) -> str | None:
    lift = row["lift"]
    if lift is None or row["arm"] == NONE:
        return None
    bounds = "" if lift["low"] is None else f" [{lift['low']:+.3f}, {lift['high']:+.3f}]"
    return (f"{row['variant']}: {row['arm']}: AP@0.5 {lift['mean']:+.3f}{bounds} against {row['against']}, "
            f"{lift['cells']} pair{'s' if lift['cells'] != 1 else ''} of trainings: {lift['verdict']}.")
