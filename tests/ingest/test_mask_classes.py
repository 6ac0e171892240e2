"""Masks of more than two values: read as classes where it is told, asked about where it is not, never cut at half."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from drawn_photos import HEIGHT, WIDTH, ingest, photo, save
from PIL import Image

from anomaly_gan.core.errors import InputError
from anomaly_gan.ingestion.classes import ClassMap, of_file, read_classes
from anomaly_gan.ingestion.ledger import Notes
from anomaly_gan.ingestion.mask_files import decode_mask, decode_parts
from anomaly_gan.ingestion.mask_values import VOID


def blocks(*values: Any, dtype: Any = np.uint8, touching: bool = False) -> np.ndarray:
    """Blocks of 8 x 10 pixels of these values on 0, side by side."""
    array = np.zeros((HEIGHT, WIDTH), dtype)
    for at, value in enumerate(values):
        left = 2 + at * (10 if touching else 14)
        array[6:14, left : left + 10] = value
    return array


def coloured(*colours: tuple[int, int, int], ground: tuple[int, int, int] = (0, 0, 0)) -> np.ndarray:
    array = np.full((HEIGHT, WIDTH, 3), ground, np.uint8)
    for at, colour in enumerate(colours):
        array[6:14, 2 + at * 14 : 12 + at * 14] = colour
    return array


def rim() -> np.ndarray:
    """A defect of 1 with a thin unknown rim of 255."""
    array = np.zeros((HEIGHT, WIDTH), np.uint8)
    array[5:21, 5:31] = 255
    array[6:20, 6:30] = 1
    return array


def lines(value: int) -> np.ndarray:
    """A line one pixel wide of another class, far from a block of 255."""
    array = blocks(255)
    array[20:35, 40] = value
    return array


def png(array: np.ndarray, mode: str | None = None, palette: list[int] | None = None) -> bytes:
    picture = Image.fromarray(array) if palette is None else Image.fromarray(array, "L").convert("P")
    if palette is not None:
        picture = Image.frombytes("P", (array.shape[1], array.shape[0]), array.tobytes())
        picture.putpalette(palette)
    stream = io.BytesIO()
    picture.save(stream, "TIFF" if array.dtype in (np.float32, np.int32) else "PNG")
    return stream.getvalue()


PALETTE = [channel for value in range(256) for channel in (value * 7 % 256, value * 31 % 256, value * 3 % 256)]
UNCLEAR = {
    "0, 1 and an unknown rim of 255": png(rim()),
    "0, 1, 2, 255": png(blocks(1, 2, 255)),
    "0, 100, 200": png(blocks(100, 200)),
    "0, 127, 255": png(blocks(127, 255)),
    "0, 85, 170, 255": png(blocks(85, 170, 255)),
    "a line of another class": png(lines(100)),
    "16-bit ids 1 and 40000": png(blocks(1, 40000, dtype=np.uint16)),
    "int32 ids 1 and 70000": png(blocks(1, 70000, dtype=np.int32)),
    "float ids 1 and 2": png(blocks(1, 2, dtype=np.float32)),
    "ids 1, 2, 3": png(blocks(1, 2, 3)),
    "ids that touch": png(blocks(1, 2, touching=True)),
    "palette 0, 1, 255": png(rim(), palette=PALETTE),
    "palette ids": png(blocks(1, 2, 3), palette=PALETTE),
    "colours": png(coloured((255, 0, 0), (0, 0, 255))),
    "colours on white": png(coloured((255, 0, 0), (0, 0, 0), ground=(255, 255, 255))),
    "gray levels on white": png(np.where(blocks(1, 2) > 0, blocks(100, 200), 255).astype(np.uint8)),
}


@pytest.mark.parametrize("case", UNCLEAR)
def test_what_is_unclear_is_asked_with_values_and_the_option(case: str) -> None:
    with pytest.raises(InputError) as caught:
        decode_mask("m.png", UNCLEAR[case], Notes())
    assert caught.value.code == "B14" and "--classes" in caught.value.remedy and "%" in caught.value.reason


def smooth(scale: float) -> np.ndarray:
    big = np.zeros((400, 600), np.uint8)
    cv2.ellipse(big, (300, 200), (180, 90), 30, 0, 360, 255, -1)
    cv2.line(big, (20, 20), (160, 380), 255, 14)
    return cv2.resize(big, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("scale", [0.1, 0.13, 0.25])
def test_anti_aliased_masks_are_still_cut_at_half(scale: float) -> None:
    mask, notes = smooth(scale), Notes()
    assert len(np.unique(mask)) > 3
    np.testing.assert_array_equal(decode_mask("m.png", png(mask), notes), (mask >= 128).astype(np.uint8))
    assert set(notes.repairs) == {"B3"}


PLAIN = {
    "0 and 1": (blocks(1), {}),
    "0 and 255": (blocks(255), {}),
    "0 and 65535": (blocks(65535, dtype=np.uint16), {}),
    "fractions": (blocks(0.4, 1, dtype=np.float32), {}),
    "one bit": (blocks(1).astype(bool), {}),
    "red on black": (coloured((200, 0, 0)), {}),
}


@pytest.mark.parametrize("case", PLAIN)
def test_masks_of_two_values_are_read_as_ever(case: str) -> None:
    array, _ = PLAIN[case]
    wanted = (array != 0).any(axis=-1) if array.ndim == 3 else array != 0
    np.testing.assert_array_equal(decode_mask("m", png(array), Notes()), wanted.astype(np.uint8))


def test_one_colour_under_alpha_is_a_mask_by_its_alpha() -> None:
    array = np.dstack([np.zeros((HEIGHT, WIDTH, 3), np.uint8), blocks(255)])
    np.testing.assert_array_equal(decode_mask("m.png", png(array), Notes()), (blocks(255) > 0).astype(np.uint8))


def test_the_void_of_pascal_vocs_palette_is_left_out() -> None:
    palette = list(PALETTE)
    palette[765:] = VOID
    parts = decode_parts("m.png", png(rim(), palette=palette), Notes())
    assert int(parts.union().sum()) == int((rim() == 1).sum())
    assert parts.ignore is not None and int(parts.ignore.sum()) == int((rim() == 255).sum())


def test_values_are_read_as_told() -> None:
    parts = decode_parts(
        "m.png", png(blocks(1, 2, 255)), Notes(), classes=read_classes("1=a,2=b,255=ignore", Path(), [])
    )
    assert {name: int(mask.sum()) for name, mask in parts.defects.items()} == {"a": 80, "b": 80}
    assert parts.ignore is not None and int(parts.ignore.sum()) == 80
    with pytest.raises(InputError, match="B14: --classes does not name 255"):
        decode_parts("m.png", png(blocks(1, 255)), Notes(), classes=ClassMap({1: "a"}))
    hues = read_classes("#ff0000=a,0:0:255=b,#ffffff=background,#000000=c", Path(), [])
    white = png(coloured((255, 0, 0), (0, 0, 255), (0, 0, 0), ground=(255, 255, 255)))
    assert {
        name: int(mask.sum()) for name, mask in decode_parts("m", white, Notes(), classes=hues).defects.items()
    } == {
        "c": 80,
        "b": 80,
        "a": 80,
    }


FILES = {
    "labelmap.txt": "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncrack:255,0,0::\nvoid:0,0,255::\n",
    "class_dict.csv": "name,r,g,b\nbackground,0,0,0\ncrack,255,0,0\nvoid,0,0,255\n",
    "other.yaml": "'#ff0000': crack\n'#0000ff': ignore\n",
    "other.json": '{"crack": [255, 0, 0], "ignore": [0, 0, 255]}',
}
NUMBERED = {
    "_classes.csv": "Pixel Value, Class\n0, background\n1, crack\n255, void\n",
    "class_names.txt": "__ignore__\n_background_\ncrack\n",
    "more.yaml": "names: {0: background, 1: crack, 255: ignore}\n",
}


@pytest.mark.parametrize("name", FILES | NUMBERED)
def test_files_that_tell_classes(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text((FILES | NUMBERED)[name])
    found = of_file(tmp_path / name)
    told = {key: value for key, value in {**found.values, **found.colours}.items() if value != "background"}
    colours = {(255, 0, 0): "crack", (0, 0, 255): "ignore"}
    assert told == (colours if name in FILES else {1: "crack", 255: "ignore"})


@pytest.mark.parametrize("told", ["1", "1=", "x=crack", "1=a,#ff=b", "300:0:0=a", ","])
def test_what_is_told_wrong_is_said(told: str) -> None:
    with pytest.raises(InputError, match=r"B15|MISSING"):
        read_classes(told, Path(), [])


def write(root: Path, masks: list[np.ndarray]) -> None:
    for n, mask in enumerate(masks):
        save(root / f"images/{n}.png", photo(n))
        save(root / f"masks/{n}.png", mask)


def test_a_set_of_class_maps(tmp_path: Path) -> None:
    write(tmp_path / "s", [blocks(1, 2, 255), blocks(2, 1), blocks(1, 2), np.zeros((HEIGHT, WIDTH), np.uint8)])
    with pytest.raises(InputError, match="B14"):
        ingest(tmp_path / "s", tmp_path / "no")
    dataset = ingest(tmp_path / "s", tmp_path / "out", classes="1=inclusion,2=patch,255=ignore")
    assert [category.name for category in dataset.categories] == ["inclusion", "patch"]
    assert sum(not item.iscrowd for item in dataset.annotations) == 6 and len(dataset.normals()) == 1
    crowd = [item for item in dataset.annotations if item.iscrowd]
    assert len(crowd) == 2 and {item.category_id for item in crowd} == {1, 2} and crowd[0].area == 80
    (tmp_path / "s/class_names.txt").write_text("background\nflaw\nspot\n")
    with pytest.raises(InputError, match=r"class_names.txt does not name 255"):
        ingest(tmp_path / "s", tmp_path / "no")


def test_one_value_a_file_but_several_over_the_set_are_classes(tmp_path: Path) -> None:
    write(tmp_path / "s", [blocks(1), blocks(2), blocks(3), blocks(1)])
    with pytest.raises(InputError, match=r"B14: the masks have the value 1 in 2, 2 in 1, 3 in 1 photographs"):
        ingest(tmp_path / "s", tmp_path / "no")
    dataset = ingest(tmp_path / "s", tmp_path / "out", classes="1=a,2=*,3=*")
    assert {category.name for category in dataset.categories} == {"a", "defect"}


def test_full_values_of_other_programs_may_be_mixed(tmp_path: Path) -> None:
    write(tmp_path / "s", [blocks(1), blocks(255), blocks(65535, dtype=np.uint16)])
    assert len(ingest(tmp_path / "s", tmp_path / "out").annotations) == 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_photograph_among_the_masks_stops(kind: str, tmp_path: Path) -> None:
    write(tmp_path / "s", [blocks(255)] * 3)
    grain = cv2.GaussianBlur(np.random.default_rng(1).normal(120, 60, (HEIGHT, WIDTH)), (0, 0), 2)
    Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(tmp_path / "s/masks/2.png", kind)
    with pytest.raises(InputError, match=r"masks/2.png: B16"):
        ingest(tmp_path / "s", tmp_path / "out", max_bad=1)
