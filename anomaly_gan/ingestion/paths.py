"""Paths that foreign label files name: resolved on paper, and never outside the source folder."""

from __future__ import annotations

import re

from .polygons import ShapeFault

LONGEST_NAME = 255
URL = re.compile(r"^[A-Za-z]:|^[A-Za-z][A-Za-z0-9+.-]+://")


def confined(value: object, folder: tuple[str, ...], code: str, climb: bool) -> str:
    """The POSIX path below the source root that ``value`` names, seen from ``folder`` (parts below the root).

    Backslashes count as separators. ``climb``: whether ``..`` may be used at all (never beyond the root).

    Raises:
        ShapeFault: ``code``, for what is no text, a URL, a drive, a network share, absolute, or outside the root.
    """
    if not isinstance(value, str) or not value.strip():
        raise ShapeFault(code, f"names no file ({str(value)[:40]!a})")
    path = value.replace("\\", "/")
    if URL.match(path) or path.startswith(("/", "~")) or "\0" in path:
        raise ShapeFault(
            code,
            f"names {value[:80]!a}, which is absolute, a URL or a drive: only files below the source folder are opened",
        )
    parts = list(folder)
    for part in path.split("/"):
        if part == "..":
            if not climb or not parts:
                raise ShapeFault(code, f"names {value[:80]!a}, which leads outside the source folder")
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    if not parts:
        raise ShapeFault(code, f"names no file ({value[:40]!a})")
    if any(len(part.encode("utf-8", "surrogatepass")) > LONGEST_NAME for part in parts) or not _is_utf8(path):
        raise ShapeFault(code, f"names {value[:40]!a}, which no file can be called")
    return "/".join(parts)


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
