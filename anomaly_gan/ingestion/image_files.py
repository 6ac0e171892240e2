"""Decoding foreign photographs safely, into 8-bit gray or RGB, with every conversion written down.

Allowed contents: ``FORMATS``, by content and not by name, one picture each. The conversions, in order:

* A6: samples of more than 8 bits are scaled linearly, ``round(v * 255 / (2**bits - 1))``; never by Pillow, which
  clips. ``bits`` is what the camera used; None: the least number of bits that holds this picture (``ingest.depth``
  finds it over a whole set).
* A7: floating-point pictures are refused, because their range is not declared (NaN or not).
* A8: CMYK by Pillow's own formula, YCbCr by ITU-R 601, LAB through the ICC profile D50 -> sRGB.
* A9: palette by its colours; 1-bit becomes 0/255. Alpha cuts a part out of its ground, which becomes black; alpha
  that is 0 everywhere, or neither clear nor opaque in more than a twentieth of the picture, is no cut-out: it is left
  out, and the colours count as they are stored.
* A26: a conversion that leaves fewer than 16 gray levels of a picture that had more is refused.
* A1, A2: EXIF orientation 1..8 is applied by the caller (``orient``); A3: other values count as 1, with a warning.
* A10: gray and colour photographs may stand in one data set; the files stay, and ``info.mode`` says how all are read.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from .guarded import Answer, guarded
from .image_modes import ROWS, SOFT_ALPHA, scale_to_8_bits, to_gray_or_rgb
from .ledger import Notes, refuse
from .png_structure import SIGNATURE, is_plain, png_bit_depth, png_fault, short_data
from .source_tree import suffix_of

FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000", "TGA", "PCX", "SGI", "AVIF")
AS_STORED = frozenset({"PNG", "JPEG", "MPO", "BMP", "TIFF"})
"""Contents that every later stage reads; the others are written anew as PNG."""
CONTENT_OF_SUFFIX = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".jp2": "JPEG2000",
}
MAX_BYTES = 512 * 2**20
MAX_PIXELS = 80_000_000
LONGEST_SIDE = 65_500
"""Pixels: no JPEG is longer, and PNG readers differ beyond."""
ORIENTATION = 274
BITS_PER_SAMPLE = 258
INVERSE = {6: 8, 8: 6}
BAD_CONTENT = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    ImageCms.PyCMSError,
    UserWarning,
    cv2.error,
)
"""What Pillow and OpenCV raise on hostile bytes; each becomes a typed refusal."""


@dataclass(frozen=True)
class Picture:
    """A decoded photograph: ``pixels`` uint8 (H, W) or (H, W, 3) as stored, before its EXIF ``orientation`` (1..8).

    ``converted``: the stored bytes do not hold these pixels, so they must be written anew.
    """

    pixels: np.ndarray
    orientation: int
    converted: bool


def orient(array: np.ndarray, orientation: int) -> np.ndarray:
    """Turn stored pixels (H, W[, C]) into the way a viewer shows them, for EXIF orientation 1..8."""
    turned = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: a.swapaxes(0, 1)[:, ::-1],
        7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
        8: lambda a: a.swapaxes(0, 1)[::-1],
    }[orientation](array)
    return np.ascontiguousarray(turned)


def decode_photo(name: str, content: bytes, notes: Notes, bits: int | None = 16, min_side: int = 1) -> Picture:
    """Decode the bytes of the photograph ``name`` in the process that is kept for it (``ingestion.guarded``).

    Raises: as :func:`decode_here`.
    """
    told, (pixels,) = guarded(name, content, photo_told, bits=bits, min_side=min_side)
    notes.take(told)
    return Picture(pixels, told["orientation"], told["converted"])


def photo_told(name: str, content: bytes, bits: int | None, min_side: int) -> Answer:
    """What :func:`decode_here` finds, for another process."""
    notes = Notes()
    made = decode_here(name, content, notes, bits, min_side)
    return {"orientation": made.orientation, "converted": made.converted, **notes.told()}, [made.pixels]


def decode_here(name: str, content: bytes, notes: Notes, bits: int | None = 16, min_side: int = 1) -> Picture:
    """Decode the bytes of the photograph ``name``.

    Raises:
        InputError: A7, A8, A11, A12, A14, A15, A17, A18, A19, A26 (see the module's words and ``docs/faults.md``).
    """
    if (pixels := plain_png(name, content)) is not None and min(pixels.shape[:2]) >= min_side:
        return Picture(pixels, 1, False)
    image, orientation = open_image(name, content, notes, min_side, load=False)
    plain = image.mode in {"L", "RGB"} and image.format in AS_STORED
    of_jpeg = image.format in {"JPEG", "MPO"}  # Pillow and OpenCV read them by one library; Pillow alone is strict
    seen = read_back(content, image.mode == "L") if plain and not of_jpeg else None
    if seen is not None and image.format == "PNG" and png_bit_depth(content) == 8 and "transparency" not in image.info:
        return Picture(seen, orientation, False)  # libpng is strict: nothing that Pillow would add
    with _guard(name):
        _load(name, image, content)
        if image.mode == "F":
            raise refuse(name, "A7", "has floating-point pixels, whose range is not declared", "save it as 16 bits")
        deep = deep_samples(image, content)
        if deep is not None:
            pixels = scale_to_8_bits(name, deep, bits, notes)
        else:
            pixels = np.array(image if image.mode in {"L", "RGB"} else to_gray_or_rgb(image, name, notes))
    if image.format == "TIFF":  # Pillow and OpenCV have turned it while loading, and only it
        pixels = orient(pixels, INVERSE.get(orientation, orientation))
    converted = deep is not None or image.mode not in {"L", "RGB"} or image.format not in AS_STORED
    if not converted and not of_jpeg:
        if seen is None or seen.shape != pixels.shape:
            notes.repair("A12", "written anew as PNG: a later reader would not take it")
            converted = True
        elif image.format in {"BMP", "TIFF"} and not np.array_equal(seen, pixels):
            notes.repair("A12", "written anew as PNG: a later reader would see other pixels")
            converted = True
        else:
            pixels = seen
    return Picture(pixels, orientation, converted)


def plain_png(name: str, content: bytes) -> np.ndarray | None:
    """uint8 (H, W) or (H, W, 3) of an ordinary PNG, most of what people have, without the way through Pillow.

    None where it is anything else, or anything is wrong with it: ``open_image`` then says what.
    """
    if suffix_of(name) != ".png" or not is_plain(content):
        return None
    width, height = struct.unpack_from(">II", content, 16)
    if max(width, height) > LONGEST_SIDE or width * height > MAX_PIXELS:
        return None
    pixels = read_back(content, content[25] == 0)  # libpng is strict: nothing that Pillow would add
    return pixels if pixels is not None and pixels.shape[:2] == (height, width) else None


def read_back(content: bytes, gray: bool) -> np.ndarray | None:
    """The pixels as every later stage reads them (``core.images``); None where it would not."""
    flag = cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR
    with quiet():
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    return pixels if pixels is None or gray else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


@contextmanager
def quiet() -> Iterator[None]:
    """OpenCV writes raw lines on what it does not read; the refusal says it in ours."""
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)


def open_image(
    name: str, content: bytes, notes: Notes, min_side: int = 1, load: bool = True
) -> tuple[Image.Image, int]:
    """Open and, under ``load``, fully load an image, with its EXIF orientation; header checks come before any pixel is
    decoded."""
    if not content:
        raise refuse(name, "A15", "is empty (0 bytes)", "fetch the file again")
    if content.startswith(SIGNATURE) and (fault := png_fault(content)) is not None:
        raise refuse(name, fault[0], fault[1], "fetch the file again" if fault[0] == "A14" else "export one frame")
    with _guard(name):
        try:
            image = Image.open(io.BytesIO(content), formats=FORMATS)
        except UnidentifiedImageError as error:
            raise refuse(
                name, "A15", f"is not a picture that is read here ({_looks_like(content)})", "convert it to PNG"
            ) from error
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise refuse(name, "A17", f"has {width}x{height} pixels, more than {MAX_PIXELS:,}", "cut it into tiles")
        if max(width, height) > LONGEST_SIDE:
            raise refuse(
                name, "A17", f"has a side of {max(width, height)} pixels, more than {LONGEST_SIDE:,}", "cut it"
            )
        if min(width, height) < min_side:
            raise refuse(
                name,
                "A19",
                f"is {width}x{height} pixels, the least side allowed is {min_side}",
                "remove it, or lower min_side",
            )
        if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:  # MPO: the first frame is the photograph
            raise refuse(name, "A11", f"holds {getattr(image, 'n_frames', 1)} pictures", "export one of them")
        told = image.format != "PNG" or any(word in content for word in (b"eXIf", b"exif", b"adobe.xmp"))
        # before load(), which forgets it for TIFF; of a PNG only where there is some, as asking decodes all of it
        orientation = orientation_of(image, notes) if told else 1
        if load:
            _load(name, image, content)
    kind = "JPEG" if image.format == "MPO" else image.format
    if CONTENT_OF_SUFFIX.get(suffix_of(name), kind) != kind:
        notes.warn("A16", f"the content is {kind}")
    return image, orientation


def _load(name: str, image: Image.Image, content: bytes) -> None:
    """All pixels; A14 where a PNG holds fewer than it says, which Pillow takes for black."""
    if image.format == "PNG" and (fault := short_data(content)) is not None:
        raise refuse(name, *fault, "fetch the file again")
    image.load()


class _guard:  # noqa: N801 - a context manager, used as a function
    """Turn whatever Pillow raises on broken or hostile bytes into a typed refusal; bomb warnings are errors."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        self.filters.__enter__()
        warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.filters.__exit__(None, None, None)
        if error is None or not isinstance(error, BAD_CONTENT):
            return
        if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
            raise refuse(self.name, "A17", "has too many pixels (decompression bomb)", "cut it into tiles") from error
        if isinstance(error, MemoryError):
            raise refuse(self.name, "A17", "needs too much memory to decode", "cut it into tiles") from error
        words = " ".join(str(error).split())[:160]
        if "MAX_TEXT_CHUNK" in words or "MAX_TEXT_MEMORY" in words:
            raise refuse(self.name, "A18", "carries compressed text that is too large", "strip its metadata") from error
        raise refuse(self.name, "A12", f"does not decode ({words})", "fetch the file again") from error


def orientation_of(image: Image.Image, notes: Notes) -> int:
    """The EXIF orientation 1..8 that the file declares; anything else counts as 1 and is noted."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except BAD_CONTENT as error:
        notes.warn("A18", f"EXIF data ignored ({type(error).__name__})")
        return 1
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 8:
        notes.warn("A3", f"EXIF orientation {value!r} counts as 1")
        return 1
    return value


def deep_samples(image: Image.Image, content: bytes) -> np.ndarray | None:
    """Samples of more than 8 bits as integers, (H, W) or (H, W, 3) RGB; None where the picture has 8 or fewer."""
    if image.mode.startswith("I"):
        return np.array(image)
    tags = getattr(image, "tag_v2", None)
    depth = png_bit_depth(content) if image.format == "PNG" else max(tags.get(BITS_PER_SAMPLE, (8,))) if tags else 8
    if depth <= 8:
        return None
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if pixels is None or pixels.dtype != np.uint16:
        raise ValueError(f"{depth}-bit samples that no reader here understands")
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3:]
        soft = float(((alpha > 0) & (alpha < 65535)).mean())
        if alpha.max() > 0 and soft <= SOFT_ALPHA:
            for row in range(0, len(pixels), ROWS):
                part = slice(row, row + ROWS)
                pixels[part, :, :3] = np.rint(pixels[part, :, :3] * (alpha[part] / 65535))
        pixels = pixels[..., :3]
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _looks_like(content: bytes) -> str:
    head = content[:64].lstrip().lower()
    known = (
        (b"gif8", "a GIF"),
        (b"<!doctype", "an HTML page"),
        (b"<html", "an HTML page"),
        (b"<?xml", "XML"),
        (b"<svg", "an SVG drawing"),
        (b"%pdf", "a PDF"),
        (b"%!ps", "PostScript"),
        (b"riff", "WebP or RIFF"),
        (b"8bps", "a Photoshop file"),
        (b"simple", "FITS"),
        (b"{", "JSON or text"),
    )
    return next((words for start, words in known if head.startswith(start)), "unknown content")
