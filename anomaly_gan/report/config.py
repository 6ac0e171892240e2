"""What the report shows and how large it may grow."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ..core.config import Config


class ReportConfig(Config):
    """Pictures in ``report.html``: how many, how large, and when to stop adding them."""

    rows: int = Field(4, ge=1, le=24, description="example rows per category and method")
    cell_px: int = Field(
        192, ge=32, le=512, description="crops are shown at native scale, enlarged by whole factors up to this side"
    )
    categories: int = Field(12, ge=1, le=100, description="categories shown in pictures; tables name all of them")
    jpeg_quality: ClassVar[int] = 92
    picture_megabytes: ClassVar[float] = 6.0
    """Further pictures are left out, and counted."""
    photograph_megabytes: float = Field(
        3.0, ge=0, le=9, description="whole photographs that open at a click; further ones are named by their file"
    )
