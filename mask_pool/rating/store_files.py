"""Private files and folders, and the question whether they lie on a network."""

from __future__ import annotations

import os
import re
from pathlib import Path

from anomaly_gan.core.errors import EnvironmentFailure

NETWORK = re.compile(r"nfs\d?|cifs|smb\w*|9p|afs|ceph|glusterfs|lustre|gpfs|beegfs|fuse\.(sshfs|rclone|s3fs|glusterfs)")


def make_private(folder: Path) -> None:
    """Make the folder with mode 0700, or give it that.

    Raises:
        EnvironmentFailure: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError as error:
        raise EnvironmentFailure(f"{folder}: cannot be made: {error.strerror or error}") from error


def claim_file(path: Path) -> None:
    """Make an empty file with mode 0600 before anything is written to it; one that is there gets that mode.

    Raises:
        EnvironmentFailure: it cannot be made.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise EnvironmentFailure(f"{path}: cannot be made: {error.strerror or error}") from error


def network_filesystem(folder: Path, mounts: str | None = None) -> str | None:
    """The kind of network filesystem that ``folder`` lies on, None for a local one.

    ``mounts`` is the content of ``/proc/self/mountinfo``; where that is not to be had, None is returned.
    """
    if mounts is None:
        table = Path("/proc/self/mountinfo")
        mounts = table.read_text(encoding="utf-8", errors="replace") if table.is_file() else ""
    best, kind = "", None
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        if not right or len(left.split()) < 5:
            continue
        point = re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), left.split()[4])
        if folder.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, right.split()[0]
    return kind if kind is not None and NETWORK.fullmatch(kind) else None
