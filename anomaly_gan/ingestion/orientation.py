"""Which way round a label was drawn, where its photograph is turned by EXIF (A1, A2, A4, A5)."""

from __future__ import annotations

from .formats.base import Label
from .ledger import Notes, refuse

SWAPPING = frozenset({5, 6, 7, 8})


def resolve_frame(
    name: str, raw: tuple[int, int], orientation: int, label: Label, mode: str, notes: Notes
) -> tuple[tuple[int, int], int]:
    """The frame (H, W) to draw the label in, and the EXIF orientation its masks still need (1 for none).

    The photograph itself is always turned to its display frame. A label without defects fits either frame. With
    ``mode`` ``auto`` the sizes decide; they can where a quarter turn makes them differ.

    Args:
        name: the photograph, for messages.
        raw: its height and width as stored, in pixels.
        orientation: its EXIF orientation, 1 to 8.
        label: what was drawn on it, of the size that it declares.
        mode: ``raw``, ``display`` or ``auto``.
        notes: takes that the photograph is turned.

    Returns:
        Height and width of the frame, and the orientation that masks in it still need.

    Raises:
        InputError: A4 the label has the size of the unturned pixels, A5 the sizes cannot tell (both stop the stage
            and ask for ``exif``), or the label's own code (B1, C1, D2) where its size is neither.
    """
    display = (raw[1], raw[0]) if orientation in SWAPPING else raw
    declared = label.size_hw
    if orientation == 1 or (label.empty and declared is None):
        wanted = display
    elif mode != "auto":
        wanted = raw if mode == "raw" else display
    elif label.empty:
        wanted = declared if declared in {raw, display} else display
    # turned by half a turn both frames have one size: no size tells in which one the label was drawn
    elif raw == display or declared is None:
        raise refuse(
            name,
            "A5",
            f"is turned by EXIF {orientation}, and the sizes cannot tell whether its "
            "label was drawn on the turned picture",
            "say so with exif: display, or exif: raw",
        )
    elif declared == raw:
        raise refuse(
            name,
            "A4",
            f"is shown as {_size(display)} by EXIF {orientation}, but its label has the "
            f"size {_size(raw)} of the unturned pixels",
            "if it was drawn on those, set exif: raw",
        )
    else:
        wanted = display
    if declared is not None and declared != wanted:
        shown = f", shown as {_size(display)}" if display != raw else ""
        raise refuse(
            label.where or name,
            label.code,
            f"the label is {_size(declared)}, the photograph {name} is {_size(raw)}{shown}",
            "a label is never resized: export it at the photograph's size",
        )
    if orientation != 1:
        notes.repair("A1", f"turned by EXIF orientation {orientation}")
    return wanted, orientation if mode == "raw" else 1


def _size(size_hw: tuple[int, int]) -> str:
    return f"{size_hw[1]}x{size_hw[0]}"
