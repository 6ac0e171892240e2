"""Keys of a training before each method had settings of its own: accepted for one release, with a line that says so.

Removed with the next release: this module, and its two calls in ``config`` and in ``pipeline.config``.
"""

from __future__ import annotations

from typing import Any

from ...core.config import merge
from ..interface import MethodConfig

NETS = frozenset({"generator", "base_width", "depth", "norm", "widths", "patch_width"})
PAINTER = frozenset({"conditional", "noise", "painting", "composite", "support_px", "dropout"})
OWN = frozenset(
    {
        *("features", "local_size", "masked_local", "discriminator_norm", "discriminator_view", "adversarial"),
        *("aware_width", "aware_steps", "aware_size", "aware_compare"),
        *("lambda_1", "cycle", "inside", "aware", "severity", "mismatch", "paired", "identity"),
        *("r1", "r1_every", "augment", "mode_seeking", "consistency", "consistency_names"),
    }
)
DROPPED = {"blocks": 9, "softness_px": 1, "weight_decay": 0.01, "discriminator_rate": 1.0}
"""Fixed now at the values that were their defaults."""
OTHER_NAMES = {"paired": "l1"}


def sorted_in(values: dict[str, object], kind: type[MethodConfig]) -> dict[str, object]:
    """Flat ``values`` with old keys where they belong; what the method of ``kind`` never read is left out."""
    old = {name: value for name, value in values.items() if name in NETS | PAINTER | OWN}
    rest = {
        name: value
        for name, value in values.items()
        if name not in old and not (name in DROPPED and value == DROPPED[name])
    }
    if not old:
        return rest
    nets = {**{name: value for name, value in old.items() if name in NETS}, **_part(rest, "nets")}
    recipe: dict[str, object] = {}
    for name, value in old.items():
        own = next((one for one in (name, OTHER_NAMES.get(name)) if one in kind.model_fields), None)
        if own:
            recipe[own] = value
    painter = {name: value for name, value in old.items() if name in PAINTER}
    if painter and "painter" in kind.model_fields:
        recipe["painter"] = painter
    return {**rest, **({"nets": nets} if nets else {}), "recipe": merge(recipe, _part(rest, "recipe"))}


def _part(values: dict[str, Any], name: str) -> dict[str, object]:
    part = values.get(name) or {}
    return dict(part) if isinstance(part, dict) else part.model_dump()


def notice(train: dict[str, Any], methods: dict[str, Any]) -> str | None:
    """One line for the old keys among a run's ``train`` and ``train_methods``, saying their new places; None: none."""
    found = []
    for name in train:
        if name in NETS:
            found.append(f"train.{name} is train.nets.{name}")
        elif name in PAINTER:
            found.append(f"train.{name} is train_methods.anomaly_gan.painter.{name}")
        elif name in OWN:
            method = "cyclegan" if name == "identity" else "anomaly_gan"
            found.append(f"train.{name} is train_methods.{method}.{name}")
        elif name in DROPPED:
            found.append(f"train.{name} is fixed at {DROPPED[name]}")
    for method, values in methods.items():
        for name in values or {}:
            if name in NETS:
                found.append(f"train_methods.{method}.{name} is nets.{name} there")
            elif name in PAINTER:
                found.append(f"train_methods.{method}.{name} is painter.{name} there")
    if not found:
        return None
    return f"old keys, read once more and refused by the next release: {'; '.join(found)}"
