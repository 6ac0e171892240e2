"""The verbs of the mask pool: ``anomaly-gan pool ...``."""

from __future__ import annotations

import typer

from .cli_stage import RunFolder, Seed, Settings, read_metrics, work_stage

pool_app = typer.Typer(no_args_is_help=True, help="The mask pool: masks that steer the generator.")


@pool_app.command("build", epilog="Example: anomaly-gan pool build --run runs/mine --set count=100")
def pool_build(run: RunFolder, settings: Settings = [], seed: Seed = None) -> None:  # noqa: B006
    """Masks cut from real defects and drawn by experts, recombined on normal photographs."""
    work_stage(run, "pool", "pool", settings, seed=seed)


@pool_app.command("stats", epilog="Example: anomaly-gan pool stats --run runs/demo")
def pool_stats(run: RunFolder) -> None:
    """Counts, sizes and sources of the pool's masks."""
    import yaml

    typer.echo(yaml.safe_dump(read_metrics(run / "pool"), sort_keys=True, allow_unicode=True).rstrip())
