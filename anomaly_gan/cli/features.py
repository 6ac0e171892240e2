"""The verb ``anomaly-gan features``: what a generator's defects looked like while it learned."""

from __future__ import annotations

import typer

from ..core.errors import ConfigError
from .options import MethodName, RunArgument, Settings, read_metrics, read_section, work_step


def add_features(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "features",
        epilog="anomaly-gan train --run runs/mine --set keep_every=500\n"
        "anomaly-gan features runs/mine --set view=defect",
    )(features)


def features(
    run: RunArgument,
    method: MethodName = "anomaly_gan",
    settings: Settings = [],
) -> None:
    """Defect crops at several snapshots of a training beside real ones: a t-SNE, and the distance that goes with it."""
    from ..core.config import read_yaml
    from ..pipeline.plan import plan

    config = read_section(run, "features", settings, method)
    saved = run / f"train@{method}" / "config.yaml"
    kept = read_yaml(saved).get("keep_every") if saved.is_file() else None
    if not kept:
        raise ConfigError(f"{saved.parent}: the training kept no snapshots; train with --set keep_every=500")
    # the training's own word, not the run's: it may have been trained with --set
    config = config.model_copy(
        update={
            "train_methods": {
                **config.train_methods,
                method: {**config.train_methods.get(method, {}), "keep_every": kept},
            }
        }
    )
    name = f"features@{method}"
    work_step(config, run, next(step for step in plan(config) if step.name == name))
    metrics = read_metrics(run / name)
    for category, row in metrics["categories"].items():
        first, last, real = (_number((row[key] or {}).get("mean")) for key in ("first", "last", "real"))
        typer.echo(
            f"{category}: {metrics['kernel']} {first} at first, {last} at last, {real} between real defects "
            f"(N = {row['n']})"
        )
    typer.echo(f"figure → {run / name / 'features.png'}")


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
