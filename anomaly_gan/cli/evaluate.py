"""``anomaly-gan evaluate``: two folders of pictures held against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import ConfigError
from .options import AlsoJson, DeviceName, begins

verbs = typer.Typer()


@verbs.command(
    epilog="anomaly-gan evaluate runs/mine/gate@anomaly_gan/images photos/defects\n"
    "anomaly-gan evaluate made real --metrics fid,lpips --mode legacy --out figures.json"
)
def evaluate(
    generated: Annotated[Path, typer.Argument(help="Folder of generated pictures, at any depth.")],
    real: Annotated[Path, typer.Argument(help="Folder of real pictures to hold them against.")],
    metrics: Annotated[
        str, typer.Option(help="Some of fid,kid,lpips,precision-recall.")
    ] = "fid,kid,lpips,precision-recall",
    mode: Annotated[str, typer.Option(help="clean (clean-fid's resizing) or legacy (TensorFlow's of 2017).")] = "clean",
    out: AlsoJson = None,
    device: DeviceName = "auto",
) -> None:
    """FID, KID, LPIPS, precision and recall of two folders, with intervals."""
    if mode not in ("clean", "legacy"):
        raise ConfigError(f"--mode {mode}: must be clean or legacy")
    begins("evaluate", [generated, real], out)
    from ..core.workfolder import write_json_alone
    from ..evaluate.folders import evaluate_folders

    names = [name.strip() for name in metrics.split(",") if name.strip()]
    done = evaluate_folders(generated, real, names, mode, device=device)  # type: ignore[arg-type]
    for one in done.figures:
        beside = "" if one.real is None else f"   real against real {one.real:.4g}"
        typer.echo(f"{one.name:24} {one.value:10.4g}  [{one.low:.4g}, {one.high:.4g}]  {one.better}{beside}")
    for warning in done.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if out is not None:
        write_json_alone(out, done.to_json())
    typer.echo(
        f"{done.generated} generated against {done.real} real pictures, {done.backbone}" + (f" → {out}" if out else "")
    )
