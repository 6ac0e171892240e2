"""What a run reads from outside is hashed once, and again as soon as anything has touched it."""

import os
import time

import pytest

from anomaly_gan.core import fingerprints
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.fingerprints import fingerprint, remembered


@pytest.fixture
def hashed(monkeypatch):
    """Names of the files that were read, in order."""
    names, real = [], fingerprints.sha256_file
    monkeypatch.setattr(fingerprints, "sha256_file", lambda path: names.append(path.name) or real(path))
    return names


def test_a_file_is_read_once_and_again_after_any_change(tmp_path, hashed, monkeypatch):
    monkeypatch.setattr(fingerprints, "SETTLED_NS", 0)
    run, photo = tmp_path / "run", tmp_path / "photo.png"
    run.mkdir()
    photo.write_bytes(b"one")
    for _ in range(2):
        with remembered(run):
            assert fingerprint(photo) == sha256_bytes(b"one")
    assert hashed == ["photo.png"]
    before = photo.stat()
    time.sleep(0.02)
    photo.write_bytes(b"two")  # as long, and its time put back
    os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns))
    with remembered(run):
        assert fingerprint(photo) == sha256_bytes(b"two")
    (run / "logs" / "fingerprints.json").write_text("[1]")
    with remembered(run):
        assert fingerprint(photo) == sha256_bytes(b"two")
    assert len(hashed) == 3


def test_a_file_that_was_just_written_is_read_again(tmp_path, hashed):
    (tmp_path / "new.png").write_bytes(b"one")
    for _ in range(2):
        with remembered(tmp_path):
            fingerprint(tmp_path / "new.png")
    assert len(hashed) == 2 and not (tmp_path / "logs").exists()
