"""``anomaly-gan control-card``: what a model's controls do, measured on its pictures.

Written to one folder: ``control.json`` (every figure), ``severity.png``, ``light.png``, ``category.png``, ``size.png``,
``exposures.png`` and ``light.json`` where exposures were learnt. The same run and seed give the same bytes on a CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...core.contact_sheet import contact_sheet
from ...core.dataset import load_dataset
from ...core.devices import place_of
from ...core.files import write_json
from ...core.images import write_png
from ...core.json_files import read_as
from ...core.seeding import seed_for
from ...core.stage import Context, run_stage
from ...metrics.backbones import embedded_backbone
from ..methods.painting.severity import fill, open_painter
from ..methods.painting.severity_scale import SeverityScale
from ..relighting.exposure_pairs import find_pairs
from ..relighting.fit import evaluate_light, fit_light
from ..relighting.model import FILE, Light, LightModel, light_beside, relight, resolved
from .category import evaluate_categories
from .config import CardConfig
from .masks import evaluate_masks
from .severity import figures, sweep
from .size import evaluate_sizes
from .subjects import Model, Subject, cut, first_of_each

LIGHTS = (Light(-1.5), Light(-0.75), Light(), Light(0.5), Light(1.0), Light(0, 2.0, 0.0), Light(0, 2.0, 90.0))
CELL = 80


def make_card(run: Path, config: CardConfig, seed: int, device: str, out: Path) -> dict[str, object]:
    """The card of ``run``'s training in ``out``, made unless it is fresh; returns ``control.json``.

    Raises:
        InputError: ingest, pool or training have not finished, or the training cannot be loaded.
    """
    inputs = {name: run / name for name in ("ingest", "pool", f"train@{config.method}")}
    run_stage(f"control@{config.method}", work, config, Context(seed, device, inputs), out)
    return read_as(out / "control.json", dict)


def work(config: CardConfig, context: Context, out: Path) -> dict[str, object]:
    """The stage: measure, write, and return the figures."""
    if config.threads:
        torch.set_num_threads(config.threads)
    trained = context.inputs[f"train@{config.method}"]
    brush, channels = open_painter(trained, context.device)
    seed = seed_for(context.seed, "control", config.method)
    model = Model(brush, channels, load_dataset(context.inputs["ingest"]), load_dataset(context.inputs["pool"]), seed)
    subjects = model.subjects(config.masks)
    card: dict[str, Any] = {"method": config.method, "masks": len(subjects), "categories": brush.categories}
    lights, card["light"] = _light(model, config, light_beside(trained), out)  # first: it may refuse
    rows: list[dict[str, Any]] = []
    if brush.painter.controls:
        rows, pictures = sweep(model, subjects, config)
        card["severity"] = figures(rows, config, seed)
        _severity_sheet(model, subjects, rows, pictures, config, out)
    card["light"]["painted"] = _light_sheet(model, subjects, lights, config, out)
    card["category"], sheet = evaluate_categories(model, subjects, embedded_backbone(place_of(context.device)), config)
    if sheet:
        header = ["normal", "mask", *(f"as {name}" for name in brush.categories)]
        write_png(out / "category.png", contact_sheet(sheet, header, CELL))
    card["mask"] = evaluate_masks(model, subjects, config)
    card["size"], sheet = evaluate_sizes(model, subjects, config)
    write_png(out / "size.png", contact_sheet(sheet, ["normal", *(f"x {scale:g}" for scale in config.scales)], CELL))
    write_json(out / "control.json", {**card, "severity_rows": rows})
    return card


def _light(model: Model, config: CardConfig, beside: LightModel, out: Path) -> tuple[LightModel, dict[str, object]]:
    """The light model in use, and how well it foretells the other exposure of objects it has not seen."""
    if not config.exposures:
        return beside, {"origin": beside.origin, "state": "no exposures named: nothing to learn from"}
    lights = fit_light(model.train, config.exposures, model.seed, config.light_pairs)
    lights.save(out / FILE)
    test = model.ingest.split("test")
    _exposure_sheet(model, lights, config, out)
    return lights, {
        "origin": lights.origin,
        "pairs": lights.pairs,
        "objects": lights.objects,
        "exposures": lights.exposures,
        "noise": lights.noise,
        "test": evaluate_light(lights, test, model.seed, config.light_pairs, config.draws),
    }


def _severity_sheet(
    model: Model,
    subjects: Sequence[Subject],
    rows: list[dict[str, object]],
    pictures: list[list[np.ndarray]],
    config: CardConfig,
    out: Path,
) -> None:
    shown = first_of_each(subjects, config.sheet_rows)
    grid = np.linspace(0, 1, config.levels)
    sheet = [
        [cut(picture, subject.mask_01) for picture in (subject.base, subject.mask_01 * np.uint8(255), *line)]
        for subject, line in zip(shown, pictures, strict=True)
    ]
    write_png(out / "severity.png", contact_sheet(sheet, ["normal", "mask", *(f"{place:.2f}" for place in grid)], CELL))


def _light_sheet(
    model: Model, subjects: Sequence[Subject], lights: LightModel, config: CardConfig, out: Path
) -> dict[str, float]:
    """The same defects of middling severity under other lights. Returns, per light, by how much the log ratio shown
    misses the wanted one, on average: does severity still hold?"""
    sheet = []
    missed: dict[str, list[float]] = {_light_name(light): [] for light in LIGHTS}
    for subject in first_of_each(subjects, config.sheet_rows):
        line = []
        for at, light in enumerate(LIGHTS):
            base = relight(subject.base, light, lights, seed_for(model.seed, "light sheet", subject.name, at))
            wanted = None
            if model.brush.painter.controls:
                wanted = SeverityScale.of(model.brush.severities[subject.category]).at(0.5)
            filled = fill(
                model.brush,
                base,
                subject.mask_01,
                subject.category,
                seed_for(model.seed, "light", subject.name),
                wanted,
            )
            line.append(filled.pixels)
            missed[_light_name(light)] += [abs(filled.shown - wanted[0])] if wanted else []
        sheet.append(line)
    write_png(out / "light.png", contact_sheet(sheet, list(missed), CELL))
    return {name: round(float(np.mean(values)), 4) for name, values in missed.items() if values}


def _light_name(light: Light) -> str:
    return f"slope {light.angle_deg:g}" if light.slope else f"{light.stops:+g}"


def _exposure_sheet(model: Model, lights: LightModel, config: CardConfig, out: Path) -> None:
    """Held-out objects: one exposure, the other as foretold, the other as it is, and their difference."""
    assert lights.pattern is not None
    pairs, _ = find_pairs(model.ingest.split("test"), lights.pattern, config.sheet_rows, seed_for(model.seed, "sheet"))
    sheet, names = [], lights.exposures.keys()
    for pair in pairs:
        if set(pair.exposures) <= names:
            light = resolved(Light(exposure=pair.exposures[1]), lights, pair.files[0])
            told = relight(pair.first, light, lights, seed_for(model.seed, *pair.files))
            apart = np.abs(told.astype(np.int16) - pair.second) * 8
            sheet.append([pair.first, told, pair.second, apart.clip(0, 255).astype(np.uint8)])
    if sheet:
        write_png(out / "exposures.png", contact_sheet(sheet, ["taken", "foretold", "true", "error x 8"], 110))


def sentences(card: dict[str, Any]) -> list[str]:
    """The card in a few lines."""
    lines = []
    if "severity" in card:
        rho, once = (card["severity"]["all"][name]["pooled"] for name in ("contrast", "first"))
        within = card["severity"]["all"]["contrast"]["within"]
        share = card["severity"]["all"]["visible_share"]["pooled"]
        lines.append(
            f"severity: rho with the measured contrast {_with(rho, 'rho')} over masks, {within['rho']:.3f} "
            f"within a mask (asked once: {once['rho']:.3f}); with the share visibly changed "
            f"{share['rho']:.3f}; {_target(card['severity'])}"
        )
    # a figure whose masks or exposures are missing is left out, not given as 0
    if card["size"]["masks"]:
        size = card["size"]
        lines.append(
            f"size: rho of the label's area with that of the visible change {_with(size['pooled'], 'rho')} "
            f"over masks at {len(size['scales'])} scales; the change has {size['ratio']:.2f} of its label's "
            f"area (median); {_target(size)}"
        )
    test = card["light"].get("test")
    if test and test["rivals"]:
        own, plain = test["rivals"]["light model"], test["rivals"]["as it is"]
        lines.append(
            f"light: field error {_with(own['field'], 'mean')} grey levels on {test['objects']} unseen "
            f"objects (left as it is: {plain['field']['mean']:.1f})"
        )
    else:
        lines.append(f"light: {card['light'].get('state', 'no pair of exposures to learn from')}")
    if "generated" in card["category"]:
        real = card["category"]["real"]
        lines.append(
            f"category: {_with(card['category']['generated'], 'accuracy')} of generated defects are called by "
            f"their name, of real ones of unseen objects {_with(real, 'accuracy') if real else 'unknown'}; "
            f"painted under another category's mask {card['category']['swapped']['accuracy']:.2f}"
        )
    if card["mask"]["paintings"]:
        mask = card["mask"]
        lines.append(
            f"mask: {mask['outside_px']} pixels changed outside in {mask['paintings']} moved paintings, "
            f"median {mask['fill']['median']:.0%} of a mask visibly filled, {mask['empty']} of "
            f"{mask['instances']} empty"
        )
    return lines


def _target(measured: dict[str, Any]) -> str:
    return f"target {measured['target']}: {'met' if measured['met'] else 'missed'}"


def _with(figure: dict[str, Any], name: str) -> str:
    return f"{figure[name]:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
