"""Starting the studio: the rating page's server with another application."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mask_pool.rating.config import RateConfig
from mask_pool.rating.security import Guard, Policy
from mask_pool.rating.server import host
from mask_pool.rating.store import Store

from ..core.errors import InputError
from .review import FOLDER


def serve(run: Path, config: RateConfig, say: Callable[[str], None], device: str = "auto") -> None:
    """Serve the studio of a run until Ctrl-C or SIGTERM; what is decided there goes to RUN/review.

    Args:
        run: run folder, with an ingested data set at least.
        config: address and limits, as for the rating page.
        say: told the address with its token, once the server listens.
        device: of the generators: auto, cpu or cuda.

    Raises:
        KeyboardInterrupt: Ctrl-C, after the store is closed.
        InputError: there is no run, or it cannot be read; F12 the store is damaged.
        EnvironmentFailure: the port is taken, or another server has this run.
    """
    if not (run / "ingest" / "annotations.json").is_file():
        raise InputError(str(run), "MISSING", "no ingested data set in this folder", "name the folder of a run")
    from .app import build_app

    def page(store: Store, policy: Policy) -> Guard:
        return build_app(run, store, policy, device)

    def listening(link: str) -> None:
        say(f"studio at {link}")
        say(f"what you decide there is kept in {run / FOLDER}, and `anomaly-gan export` follows it")

    host(run / FOLDER, config, page, listening)
