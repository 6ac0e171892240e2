"""The wheel that is installed elsewhere: whole, with the sample set, and safe from a stranger of the same name."""

import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = (
    "import sys; sys.path.insert(0, {site!r}); from anomaly_gan.__main__ import main; sys.argv[1:] = {words!r}; main()"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built and installed; the packages it needs are this environment's."""
    folder = tmp_path_factory.mktemp("wheel")
    built = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(built, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("anomaly_gan-*-py3-none-any.whl")
    uv = shutil.which("uv") or shutil.which("uv", path=str(ROOT / ".uv" / "bin"))
    pip = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    alone = ["--no-index", "--no-deps", "--target", str(folder / "site")]
    subprocess.run([*pip, *alone, str(wheel)], check=True, capture_output=True, timeout=120)
    return folder / "site"


def call(site: Path, *words: str, first: Path | None = None) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(site=str(site), words=list(words))
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(site), **({"PYTHONPATH": str(first)} if first else {})}
    # the checkout is not on the path: -P leaves the working folder out
    return subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=site, env=environment, capture_output=True, text=True, timeout=120
    )


def test_it_holds_every_file_that_ships_and_nothing_of_the_workshop(site: Path) -> None:
    kinds = (".py", ".yaml", ".html", ".typed", ".csv", ".js", ".css")
    shipped = [
        path.relative_to(ROOT)
        for package in ("anomaly_gan", "mask_pool", "detection")
        for path in (ROOT / package).rglob("*")
        if path.suffix in kinds or path.name == "py.typed"
    ]
    assert [str(path) for path in shipped if not (site / path).is_file()] == []
    (meta,) = site.glob("*.dist-info")
    found = {path.name for path in site.iterdir() if not path.name.startswith(".")}
    assert found == {"anomaly_gan", "bin", "detection", "mask_pool", meta.name}
    (entry,) = [point for point in Distribution.at(meta).entry_points if point.group == "console_scripts"]
    assert (entry.name, entry.value) == ("anomaly-gan", "anomaly_gan.__main__:main")
    around = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(site)}
    program = [site / "bin" / "anomaly-gan", "--version"]
    said = subprocess.run(program, env=around, cwd=site, capture_output=True, text=True, timeout=60)
    assert said.stdout.strip() == Distribution.at(meta).version, said.stderr


def test_what_the_container_file_copies_and_names_is_there() -> None:
    lines = [line.split() for line in (ROOT / "Containerfile").read_text("utf-8").splitlines()]
    copied = [name for word, *names, _ in (line for line in lines if line) if word == "COPY" for name in names]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*wheel["packages"], *wheel["force-include"], project["project"]["readme"]} <= set(copied)
    extras = [line[at + 1] for line in lines for at, word in enumerate(line) if word == "--extra"]
    assert extras and set(extras) <= set(project["project"]["optional-dependencies"])


def test_it_ingests_the_sample_set_it_brings_along(site: Path, tmp_path: Path) -> None:
    data = site / "anomaly_gan" / "_data"
    assert any(data.rglob("*.png")) or any(data.rglob("*.jpg"))
    done = call(
        site,
        "run",
        str(site / "anomaly_gan" / "configs" / "demo.yaml"),
        "--to",
        "ingest",
        "--out",
        str(tmp_path / "run"),
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "ingest" / "annotations.json").is_file()


def test_a_stranger_of_the_same_name_is_named(site: Path, tmp_path: Path) -> None:
    (tmp_path / "detection").mkdir()
    (tmp_path / "detection" / "__init__.py").write_text("")
    other = (
        f"import sys; sys.path.insert(0, {str(site)!r}); sys.path.insert(0, {str(tmp_path)!r}); import anomaly_gan.cli"
    )
    done = subprocess.run([sys.executable, "-P", "-c", other], capture_output=True, text=True, timeout=60)
    assert done.returncode == 4
    assert str(tmp_path / "detection") in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_stranger_installed_over_ours_is_named(site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path / "site")
    (tmp_path / "site" / "detection" / "__init__.py").write_text("from .other import things\n")
    done = call(tmp_path / "site", "--version")
    assert done.returncode == 4
    assert "lies over ours" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_of_results_named_detection_is_no_stranger(site: Path, tmp_path: Path) -> None:
    (tmp_path / "detection").mkdir()
    assert call(site, "--version", first=tmp_path).stdout.strip() == "0.1.0"


@pytest.mark.parametrize("words", [[], ["pool"]])
def test_alone_it_prints_its_help_as_lines(site: Path, words: list[str]) -> None:
    done = call(site, *words)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: ")
    assert len(done.stderr.splitlines()) > 8
