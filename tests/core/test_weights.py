"""Weight files: found only where whole, refused where damaged, fetched atomically."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from anomaly_gan.core import weights
from anomaly_gan.core.errors import ConfigError, EnvironmentFailure, InputError

CONTENT = b"weights" * 1000


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table of one small file with a file: origin, and an empty weights folder."""
    origin = tmp_path / "origin.pth"
    origin.write_bytes(CONTENT)
    row = weights.WeightFile("small.pth", origin.as_uri(), "none", "tests", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(weights, "WEIGHTS", {"small": row})
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path / "folder"))
    return row


def test_fetch_then_find(table, tmp_path):
    assert weights.find("small") is None
    assert weights.check()[0]["state"] == "missing"
    assert weights.fetch() == [tmp_path / "folder" / "small.pth"]
    assert weights.find("small") == tmp_path / "folder" / "small.pth"
    assert weights.check()[0]["state"] == "ok"


def test_a_damaged_file_is_refused_by_code_and_replaced_by_fetch(table, tmp_path):
    path = tmp_path / "folder" / "small.pth"
    path.parent.mkdir()
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match=r"small\.pth: I6: "):
        weights.find("small")
    assert weights.check()[0]["state"] == "damaged"
    weights.fetch(["small"])
    assert weights.find("small") == path


def test_other_bytes_from_the_origin_leave_nothing_behind(table, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "WEIGHTS", {"small": replace(table, sha256="0" * 64)})
    with pytest.raises(InputError, match="I6"):
        weights.fetch()
    assert list((tmp_path / "folder").iterdir()) == []


def test_no_connection_is_one_plain_line(table, tmp_path, monkeypatch):
    gone = (tmp_path / "nowhere.pth").as_uri()
    monkeypatch.setattr(weights, "WEIGHTS", {"small": replace(table, url=gone)})
    with pytest.raises(EnvironmentFailure, match="cannot be fetched") as caught:
        weights.fetch()
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("folder/*"))


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'vgg16'"):
        weights.find("vgg_16")


def test_every_row_is_complete_and_torchvision_names_agree_with_their_hash():
    for row in weights.WEIGHTS.values():
        assert len(row.sha256) == 64 and row.url.startswith("https://") and row.url.endswith(row.file_name)
        if "pytorch.org" in row.url:
            assert row.sha256.startswith(row.file_name.rsplit("-", 1)[1].removesuffix(".pth"))


def test_the_page_for_plants_lists_every_file_with_its_hash():
    page = (Path(__file__).resolve().parents[2] / "docs/how-to/air-gapped.md").read_text(encoding="utf-8")
    for name, row in weights.WEIGHTS.items():
        assert f"| `{name}` | {row.purpose} | {row.url} | `{row.sha256}` |" in page


def test_the_folder_is_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path))
    assert weights.weights_folder() == tmp_path
    monkeypatch.delenv(weights.FOLDER_VARIABLE)
    assert weights.weights_folder().parts[-3:] == (".cache", "anomaly-gan", "weights")
