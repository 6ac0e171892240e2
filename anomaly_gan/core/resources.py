"""Where the files that travel with the project lie, in a checkout and in an installed wheel alike."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def data_folder() -> Path:
    """The embedded ``data/`` folder (sample set, group files)."""
    packaged = PACKAGE / "_data"
    return packaged if packaged.is_dir() else PACKAGE.parent / "data"


def expand(path: str, base: Path | None = None) -> Path:
    """A configured path: ``embedded:`` names the embedded data folder; otherwise relative to ``base``."""
    if path.startswith("embedded:"):
        return data_folder() / path.removeprefix("embedded:")
    return (base or Path()) / Path(path).expanduser()
