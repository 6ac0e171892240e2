"""Where the files that travel with the project lie, in a checkout and in an installed wheel alike."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def get_extra(name: str) -> str:
    """How to install an extra. The name alone would ask PyPI, where others may offer a package of ours."""
    return f"`make extra NAME={name}` in the checkout installs it; with a wheel: pip install 'FILE.whl[{name}]'"


def data_folder() -> Path:
    """The embedded ``data/`` folder (sample set, group files)."""
    packaged = PACKAGE / "_data"
    return packaged if packaged.is_dir() else PACKAGE.parent / "data"


def shipped(path: Path) -> Path:
    """The path itself; where nothing is there and it names ``anomaly_gan/configs``, the package's own file, so that the
    documents' commands work in every folder, from a wheel too."""
    own = PACKAGE / "configs" / path.name
    here = path.parent.as_posix().endswith("anomaly_gan/configs")
    return own if here and not path.exists() and own.is_file() else path


def expand(path: str, base: Path | None = None) -> Path:
    """A configured path: ``embedded:`` names the embedded data folder; otherwise relative to ``base``."""
    if path.startswith("embedded:"):
        return data_folder() / path.removeprefix("embedded:")
    return (base or Path()) / Path(path).expanduser()
