"""Two folders of pictures held against each other: the packages' own numbers, intervals, and what is said of them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from cleanfid.fid import get_folder_features
from cleanfid.inception_torchscript import InceptionV3W
from typer.testing import CliRunner

from anomaly_gan.cli.main import app
from anomaly_gan.core import weights
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.images import write_png
from anomaly_gan.evaluate.folders import Figure, _warnings, backbone_of, evaluate_folders
from anomaly_gan.metrics.frechet import frechet_distance
from anomaly_gan.metrics.precision_recall import precision_recall


class Layers(torch.nn.Module):
    """Random, but a function of the picture: 299 px down to 2,048 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 32, 16, stride=16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(self.conv(x), (8, 8)).flatten(1)


class Inception(torch.nn.Module):
    """A file of the structure of the TorchScript Inception: ``layers``, and its own resizing inside."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = Layers()

    def forward(self, x: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        inside = torch.nn.functional.interpolate(x, size=[299, 299], mode="bilinear")
        return self.layers((inside - 128) / 128)


def fill(folder: Path, level: float, count: int, seed: int) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    pictures = [draw.normal(level, 40, (24, 32, 3)).clip(0, 255).astype(np.uint8) for _ in range(count)]
    for index, pixels in enumerate(pictures):
        write_png(folder / f"part{index % 2}" / f"{index}.png", pixels)
    return pictures


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    root = tmp_path_factory.mktemp("sets")
    for name, level, seed in (("made", 150, 1), ("real", 110, 2), ("like", 110, 3)):
        fill(root / name, level, 12, seed)
    return root / "made", root / "real", root / "like"


@pytest.fixture
def standard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch.manual_seed(0)
    torch.jit.script(Inception()).save(str(tmp_path / weights.WEIGHTS["inception_fid"].file_name))
    torch.save(torchvision.models.alexnet().state_dict(), tmp_path / weights.WEIGHTS["alexnet_lpips"].file_name)
    monkeypatch.setattr(weights, "find", lambda name: tmp_path / weights.WEIGHTS[name].file_name)
    return tmp_path


def figures(folders: tuple[Path, Path], **settings: object) -> dict[str, object]:
    return {one.name: one for one in evaluate_folders(*folders, resamples=20, device="cpu", **settings).figures}


@pytest.mark.parametrize("mode", ["clean", "legacy"])
def test_fid_is_of_the_features_that_clean_fid_makes_of_the_same_weights(folders, standard: Path, mode: str) -> None:
    """That the distance itself is clean-fid's stands in tests/metrics; its matrix root of 2,048 x 2,048 is slow."""
    net = InceptionV3W(str(standard), download=False, resize_inside=mode == "legacy")
    name = "clean" if mode == "clean" else "legacy_tensorflow"
    made, real = (
        get_folder_features(str(one), net, num_workers=0, device=torch.device("cpu"), mode=name, verbose=False)
        for one in folders[:2]
    )
    found = evaluate_folders(*folders[:2], ["fid"], mode, resamples=2, device="cpu").figures[0]
    assert made.shape == (12, 2048)
    assert (found.name, found.value) == ("FID", pytest.approx(frechet_distance(made, real), rel=1e-4))


def test_lpips_is_the_package_s_mean_over_pairs(folders, standard: Path) -> None:
    import lpips

    from anomaly_gan.core.images import read_pixels
    from anomaly_gan.metrics.backbones import LPIPS_SIZE
    from anomaly_gan.metrics.features import square_input

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the package calls torchvision by a deprecated argument
        model = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    trunk = torch.load(standard / weights.WEIGHTS["alexnet_lpips"].file_name, weights_only=True)
    model.net.load_state_dict(
        {f"{n}.{k}": trunk[f"features.{k}"] for n, block in model.net.named_children() for k in block.state_dict()}
    )
    sides = [
        [square_input(read_pixels(path, gray=False), LPIPS_SIZE) / 127.5 - 1 for path in sorted(one.rglob("*.png"))[:3]]
        for one in folders[:2]
    ]
    with torch.no_grad():
        expected = np.mean([float(model(a, b)) for a in sides[0] for b in sides[1]])
    for name, side in (("made", folders[0]), ("real", folders[1])):
        for path in sorted(side.rglob("*.png"))[:3]:
            (standard / name).mkdir(exist_ok=True)
            (standard / name / path.name).write_bytes(path.read_bytes())
    found = figures((standard / "made", standard / "real"), metrics=["lpips"])
    assert found["LPIPS"].value == pytest.approx(expected, rel=1e-3)


def test_without_weights_the_figures_bear_another_name_and_tell_sets_apart(folders) -> None:
    made, real, like = folders
    done = evaluate_folders(made, real, resamples=20, device="cpu")
    apart = {one.name: one for one in done.figures}
    near = figures((like, real))
    assert set(apart) == {
        "FD-EffLite0",
        "KID-EffLite0",
        "precision-EffLite0",
        "recall-EffLite0",
        "PD-EffLite0",
        "PD-EffLite0 diversity",
    }
    assert apart["KID-EffLite0"].low > near["KID-EffLite0"].high
    assert apart["FD-EffLite0"].value > near["FD-EffLite0"].value
    assert any("below 2,048" in line for line in done.warnings) and any(
        "no Inception" in line for line in done.warnings
    )
    assert any("no AlexNet weights here: PD-EffLite0" in line for line in done.warnings)


def test_only_figures_that_lack_their_weights_are_said_to_be_of_another_network() -> None:
    lpips, stand_in = Figure("LPIPS", 0.3, 0.2, 0.4, "lower"), Figure("FD-EffLite0", 9.0, 8.0, 10.0, "lower")
    assert not _warnings(["lpips"], [60, 60], [lpips])
    said = _warnings(["fid", "lpips"], [3000, 3000], [lpips, stand_in])
    assert len(said) == 1 and "no Inception weights here: FD-EffLite0 are of an embedded" in said[0]
    assert [backbone_of(one.name, "Inception") for one in (lpips, stand_in)] == ["AlexNet", "EffLite0"]


def test_precision_and_recall_are_the_papers_on_a_plain_count() -> None:
    draw = np.random.default_rng(0)
    real, made = draw.normal(0, 1, (30, 3)), draw.normal(0, 0.3, (25, 3))

    def inside(points: np.ndarray, manifold: np.ndarray) -> float:
        hits = 0
        for point in points:
            for centre in manifold:
                radius = sorted(np.sum((centre - other) ** 2) for other in manifold)[3]  # itself comes first
                if np.sum((point - centre) ** 2) <= radius:
                    hits += 1
                    break
        return hits / len(points)

    precision, recall = precision_recall(made, real)
    assert (precision, recall) == (inside(made, real), inside(real, made))
    assert precision > 0.9 > recall


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"metrics": ["fdi"]}, ConfigError, "--metrics fdi: choose of fid, kid"),
        ({"mode": "legacy"}, ConfigError, "weights fetch inception_fid"),
    ],
)
def test_what_cannot_be_asked_is_said(folders, monkeypatch, tmp_path, change, kind, words) -> None:
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(kind, match=words):
        evaluate_folders(*folders[:2], **change)


def test_a_folder_that_is_missing_empty_or_holds_a_broken_picture_is_named(folders, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        evaluate_folders(tmp_path / "nowhere", folders[1])
    with pytest.raises(InputError, match="0 pictures in it"):
        evaluate_folders(tmp_path, folders[1])
    for index in range(2):
        (tmp_path / f"{index}.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"0\.png"):
        evaluate_folders(tmp_path, folders[1], ["fid"])


def test_the_verb_prints_a_line_a_figure_and_writes_them(folders, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    asked = ["evaluate", str(folders[0]), str(folders[1]), "--metrics", "kid", "--out", str(out)]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert done.exit_code == 0 and "KID-EffLite0" in done.output
    written = json.loads(out.read_text())
    assert (written["generated"], written["real"], len(written["figures"])) == (12, 12, 1)
