"""Drawing: which photographs, what is laid out, what is taken up, and the real labelme on a virtual screen."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import labelme_screen
import numpy as np
import pytest

from anomaly_gan.core.dataset import Dataset, ImageRecord, load_dataset
from anomaly_gan.core.errors import EnvironmentFailure, InputError
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png
from anomaly_gan.ingestion.formats.labelme_files import label_content, mask_shape
from anomaly_gan.ingestion.polygons import ellipse_ring, fill_line, fill_ring
from mask_pool.drawing import draw as drawing
from mask_pool.drawing.draw import TakenUp, choose, draw, flat_name, lay_out, take_up
from mask_pool.drawing.drawings import read_drawings
from mask_pool.drawing.label_files import prepare
from mask_pool.drawing.labelme_program import find_program
from mask_pool.elements.expert import gather_experts
from mask_pool.scoring.config import mean_of

FIXTURE = Path(__file__).parents[1] / "support" / "labelme_6.3.1"
HEIGHT, WIDTH = 96, 120


def shape(label: str, points: list[list[float]], kind: str = "polygon", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, "flags": {}, **more}


def write(folder: Path, name: str, shapes: list[dict[str, Any]], photograph: str = "normal_0.png", **more: Any) -> None:
    folder.mkdir(exist_ok=True)
    content = {**label_content(photograph, (HEIGHT, WIDTH), shapes), **more}
    (folder / name).write_text(json.dumps(content), encoding="utf-8")


def box(x: float, y: float, side: float) -> list[list[float]]:
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side]]


def square(x: int, y: int, side: int) -> np.ndarray:
    mask_01 = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask_01[y : y + side, x : x + side] = 1
    return mask_01


# --- which photographs ---


def test_only_normal_training_photographs_are_chosen_and_more_adds_to_fewer(ingest: Path) -> None:
    data = load_dataset(ingest)
    many = [image.file_name for image in choose(data, 99, 3)]
    assert many == ["normal_0.png", "normal_1.png", "normal_2.png", "normal_3.png"], "normal_4 is a test photograph"
    picks = [{image.file_name for image in choose(data, count, 3)} for count in (1, 2, 3)]
    assert picks[0] < picks[1] < picks[2] < set(many)
    assert len({frozenset(image.file_name for image in choose(data, 2, seed)) for seed in range(12)}) > 1


def test_the_choice_goes_over_objects_first() -> None:
    images = [
        ImageRecord(n, f"{n}.png", 9, 9, "one" if n < 20 else f"object {n}", "train", "real", "") for n in range(1, 24)
    ]
    chosen = choose(Dataset(images, [], []), 5, 0)
    assert len({image.group_id for image in chosen}) == 5


@pytest.mark.parametrize(
    ("name", "fault"),
    [("normal_4.png", "E4"), ("defect_0.png", "E4"), ("nowhere.png", "MISSING"), ("../../etc/passwd", "MISSING")],
)
def test_a_photograph_that_would_leak_is_refused_by_name(ingest: Path, tmp_path: Path, name: str, fault: str) -> None:
    with pytest.raises(InputError, match=f": {fault}: "):
        draw(ingest, tmp_path / "out", files=["normal_1.png", name], launch=False)
    assert not (tmp_path / "out").exists()


def test_a_category_that_is_not_in_the_data_is_refused(ingest: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'tear': C11: .* crack, scrap, screw"):
        draw(ingest, tmp_path / "out", categories=["tear"], launch=False)


def test_no_normal_photograph_is_an_error(ingest: Path) -> None:
    data = load_dataset(ingest)
    with pytest.raises(InputError, match="E7"):
        choose(data.select(lambda image: image.file_name.startswith("defect")), 3, 0)


# --- what is laid out ---


def test_copies_have_the_same_bytes_are_read_only_and_map_back(ingest: Path, tmp_path: Path) -> None:
    out, lines = tmp_path / "out", []
    found = draw(ingest, out, files=["normal_1.png", "normal_0"], launch=False, say=lines.append)
    copies = sorted((out / "photographs").glob("*.png"))
    assert [path.name for path in copies] == ["normal_0.png", "normal_1.png"]
    for path in copies:
        assert path.read_bytes() == (ingest / "images" / path.name).read_bytes()
        assert not stat.S_IMODE(path.stat().st_mode) & 0o222
    assert (out / "photographs" / "labels.txt").read_text() == "crack\nscrap\nscrew\n"
    assert found == TakenUp(out, 2, 0, {"crack": 0, "scrap": 0, "screw": 0})
    assert "2 photographs" in lines[0] and lines[-1] == f"0 drawings on 0 of 2 photographs in {out}"


def test_laying_out_again_adds_and_renames_nothing(ingest: Path, tmp_path: Path) -> None:
    out, data = tmp_path / "out", load_dataset(ingest)
    images = []
    for name in ("a/003.png", "b/003.png"):
        content = write_png(ingest / "images" / name, np.zeros((HEIGHT, WIDTH), np.uint8))
        images.append(replace(data.images[0], file_name=name, sha256=sha256_bytes(content)))
    lay_out(data, images[1:], ["crack"], out)
    lay_out(data, images, ["crack"], out)
    index = json.loads((out / "photographs" / "index.json").read_text())["photographs"]
    assert {name: entry["file_name"] for name, entry in index.items()} == {
        "b__003.png": "b/003.png",
        "a__003.png": "a/003.png",
    }
    assert "/" not in "".join(path.name for path in (out / "photographs").iterdir())


def test_names_are_flat_harmless_and_unlike() -> None:
    taken: set[str] = set()
    names = []
    for file_name in ("a/b.png", "a__b.jpg", "A/B.tif", "../-x;rm.png", "ä/\u202e.png", "x" * 300 + ".bmp"):
        names.append(flat_name(file_name, taken))
        taken.add(Path(names[-1]).stem.casefold())
    assert names[:3] == ["a__b.png", "a__b~2.jpg", "A__B~3.tif"]
    assert all(name.isascii() and not name.startswith((".", "-")) and len(name) < 140 for name in names)
    assert not set("/\\;") & set("".join(names)) and len(taken) == 6


def test_a_changed_photograph_is_refused(ingest: Path, tmp_path: Path) -> None:
    data = load_dataset(ingest)
    with pytest.raises(InputError, match="A13"):
        lay_out(data, [replace(data.images[0], sha256="0" * 64)], ["crack"], tmp_path / "out")


# --- what is taken up ---


def test_everything_sound_is_counted_and_everything_else_named(ingest: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    draw(ingest, out, count=3, seed=1, launch=False)
    name = next(iter(json.loads((out / "photographs" / "index.json").read_text())["photographs"]))
    photograph = f"photographs/{name}"
    write(
        out,
        "a.json",
        [
            shape("crack", box(5, 5, 9)),
            shape("tear", box(5, 5, 9)),
            shape("scrap", [[1, 1], [2, 2]]),
            shape("screw", [[4, 4], [40, 40]], "line"),
            shape("screw", box(400, 400, 9)),
        ],
        photograph,
    )
    write(out, "b.json", [shape("crack", box(5, 5, 9))], photograph, imageHeight=5)
    write(
        out,
        "c.json",
        [shape("crack", box(5, 5, 9)), shape("crack", [[8, 8], [40, 40]], "line", description="width=3")],
        "normal_1.png",
    )
    (out / "d.json").write_text("{")
    found = take_up(out)
    assert found.drawings == {"crack": 3, "scrap": 0, "screw": 0} and found.files == 2
    assert [(fault.where, fault.code) for fault in found.faults] == [
        ("a.json[shape 1]", "C11"),
        ("a.json[shape 2]", "C6"),
        ("a.json[shape 3]", "C5"),
        ("a.json[shape 4]", "C7"),
        ("b.json", "C1"),
        ("d.json", "C14"),
    ]
    assert found.lines()[-1].startswith("3 drawings on 2 of 3 photographs in ") and len(found.lines()) == 10


def test_drawings_reach_the_pool_by_the_index_and_not_by_chance(ingest: Path, tmp_path: Path) -> None:
    """The copy is called otherwise than the photograph; another picture under its name is refused."""
    out, data = tmp_path / "out", load_dataset(ingest)
    (ingest / "images" / "n").mkdir()
    (ingest / "images" / "normal_2.png").rename(ingest / "images" / "n" / "normal_2.png")
    images = [
        replace(image, file_name="n/normal_2.png") if image.file_name == "normal_2.png" else image
        for image in data.images
    ]
    moved = replace(data, images=images)
    moved.save(ingest)
    draw(ingest, out, files=["n/normal_2.png"], launch=False)
    write(out, "n__normal_2.json", [shape("crack", box(5, 5, 9))], "photographs/n__normal_2.png")
    kept = gather_experts(out, None, moved, evaluate=mean_of(1.0)).kept["crack"]
    assert [(one.parent, one.parent_image, one.area) for one in kept] == [("n__normal_2.json#0", "n/normal_2.png", 81)]
    other = replace(moved, images=[replace(image, sha256="other") for image in images])
    with pytest.raises(InputError, match="C3: drawn on another picture"):
        gather_experts(out, None, other, evaluate=mean_of(1.0))


def test_a_damaged_index_is_named(ingest: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    draw(ingest, out, launch=False)
    for content in ("{", '{"photographs": {"a.png": {}}}', "[]"):
        (out / "photographs" / "index.json").write_text(content)
        with pytest.raises(InputError, match=r"index\.json: FORMAT"):
            take_up(out)


# --- one drawing per instance ---


def pixels_of(folder: Path, line_width: float | None = None) -> dict[int, np.ndarray]:
    image = ImageRecord(1, "normal_0.png", WIDTH, HEIGHT, "g", "train", "real", "")
    return {one.index: one.draw(image) for one in read_drawings(folder, line_width)}


def test_shapes_of_a_group_are_one_drawing_with_holes_and_parts(tmp_path: Path) -> None:
    write(
        tmp_path / "d",
        "a.json",
        [
            shape("crack", box(10, 10, 20), group_id=0),
            shape("scrap", box(50, 10, 9)),
            shape("crack", box(15, 15, 6), group_id=0),
            shape("crack", box(70, 70, 5), group_id=0),
            shape("_background_", box(0, 0, 50)),
        ],
    )
    found = pixels_of(tmp_path / "d")
    assert list(found) == [0, 1], "a drawing is named by its first shape"
    assert (found[0] == (square(10, 10, 20) ^ square(15, 15, 6) ^ square(70, 70, 5))).all()
    assert (found[1] == square(50, 10, 9)).all()


def test_a_group_of_unlike_labels_is_refused(tmp_path: Path) -> None:
    write(
        tmp_path / "d",
        "a.json",
        [shape("crack", box(10, 10, 9), group_id=4), shape("scrap", box(40, 10, 9), group_id=4)],
    )
    with pytest.raises(InputError, match=r"a\.json\[shape 1\]: C9"):
        read_drawings(tmp_path / "d")


@pytest.mark.parametrize(
    ("more", "given", "width"),
    [
        ({"description": "width=5"}, None, 5),
        ({"description": "fine scratch, Width = 2.5 px"}, 9.0, 2.5),
        ({"line_width": 7}, 9.0, 7),
        ({"description": ""}, 9.0, 9),
        ({"description": "half-width=5"}, 9.0, 9),
    ],
)
def test_lines_are_as_wide_as_they_say(tmp_path: Path, more: dict[str, Any], given: float | None, width: float) -> None:
    points = [[10.0, 12.0], [40.0, 30.0], [80.0, 20.0]]
    write(tmp_path / "d", "a.json", [shape("crack", points, "linestrip", **more)])
    assert (pixels_of(tmp_path / "d", given)[0] == fill_line(np.array(points), width, (HEIGHT, WIDTH))).all()


@pytest.mark.parametrize(
    ("more", "code"),
    [({}, "C5"), ({"description": "width=0"}, "C8"), ({"line_width": "5"}, "C8"), ({"line_width": -1}, "C8")],
)
def test_a_line_without_a_usable_width_is_refused(tmp_path: Path, more: dict[str, Any], code: str) -> None:
    write(tmp_path / "d", "a.json", [shape("crack", [[1, 1], [9, 9]], "line", **more)])
    with pytest.raises(InputError, match=rf"a\.json\[shape 0\]: {code}"):
        pixels_of(tmp_path / "d")


def test_every_kind_of_shape_of_old_and_new_files(tmp_path: Path) -> None:
    """4.x leaves out description, mask and even shape_type; forks know ellipses."""
    old = {"label": "crack", "points": box(10, 10, 9), "group_id": None, "flags": {}}
    brush = mask_shape("crack", square(30, 40, 12) ^ square(33, 43, 2))
    write(
        tmp_path / "d",
        "old.json",
        [
            old,
            shape("crack", [[30, 30], [20, 20]], "rectangle"),
            shape("crack", [[60, 40], [70, 40]], "circle"),
            shape("crack", [[40, 10], [60, 20]], "ellipse"),
            brush,
        ],
        version="4.5.6",
    )
    found = pixels_of(tmp_path / "d")
    expected = [
        square(10, 10, 9),
        square(20, 20, 10),
        fill_ring(ellipse_ring((60, 40), np.eye(2) * 10), (HEIGHT, WIDTH)),
        fill_ring(ellipse_ring((50, 15), np.diag([10, 5])), (HEIGHT, WIDTH)),
        square(30, 40, 12) ^ square(33, 43, 2),
    ]
    assert [bool((found[index] == mask).all()) for index, mask in enumerate(expected)] == [True] * 5


def test_drawings_made_elsewhere_are_shown_and_newer_ones_kept(ingest: Path, tmp_path: Path) -> None:
    out, data = tmp_path / "out", load_dataset(ingest)
    draw(ingest, out, count=4, launch=False)
    write(
        tmp_path / "old",
        "x.json",
        [
            {"label": "crack", "points": box(5, 5, 9)},
            shape("scrap", box(20, 20, 20), group_id=3),
            shape("scrap", box(25, 25, 5), group_id=3),
        ],
        "..\\normal_0.png",
    )
    write(tmp_path / "old", "y.json", [shape("scrap", box(60, 20, 9), group_id=3)], "normal_0.png")
    write(tmp_path / "old", "z.json", [shape("scrap", box(60, 20, 9))], "normal_4.png")
    assert prepare(out, tmp_path / "old", data) == 3
    before = (out / "normal_0.json").read_bytes()
    assert prepare(out, tmp_path / "old", data) == 0 and (out / "normal_0.json").read_bytes() == before
    assert take_up(out).drawings == {"crack": 1, "scrap": 2, "screw": 0} and not take_up(out).faults


# --- starting labelme ---


def test_without_labelme_the_message_says_how_to_get_it(ingest: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("mask_pool.drawing.labelme_program.sys.executable", str(tmp_path / "python"))
    with pytest.raises(EnvironmentFailure, match=r"no such program: .*make extra NAME=draw.*--labelme"):
        draw(ingest, tmp_path / "out")
    with pytest.raises(EnvironmentFailure, match="/nowhere/labelme: no such program"):
        draw(ingest, tmp_path / "out", labelme="/nowhere/labelme")


def script(path: Path, text: str) -> str:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


HELP = 'if [ "$1" = --help ]; then echo "--output --labels --autosave --nodata"; exit 0; fi\n'


def test_without_a_screen_the_message_says_what_to_do(tmp_path: Path) -> None:
    program = script(tmp_path / "labelme", HELP)
    with pytest.raises(EnvironmentFailure, match="DISPLAY is not set"):
        find_program(program, {})
    assert find_program(program, {"DISPLAY": ":1"}).flags == ("--autosave", "--nodata"), "5.x saves on demand"
    with pytest.raises(EnvironmentFailure, match="is not a labelme that can be used"):
        find_program(script(tmp_path / "other", "echo hello\n"), {"DISPLAY": ":1"})


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("echo 'Could not load the Qt platform plugin' >&2; exit 134", "exit code 134.*libxcb-xinerama0"),
        ("echo 'could not connect to display :9' >&2; exit 1", "cannot be reached"),
        ("kill -9 $$", "signal 9"),
    ],
)
def test_a_labelme_that_ends_badly(ingest: Path, tmp_path: Path, monkeypatch, ending: str, words: str) -> None:
    """Without anything saved it is an error; with something saved, that is taken up and the ending is told."""
    monkeypatch.setenv("DISPLAY", ":1")
    with pytest.raises(EnvironmentFailure, match=words):
        draw(ingest, tmp_path / "out", labelme=script(tmp_path / "labelme", HELP + ending + "\n"))
    write(tmp_path, "saved.json", [shape("crack", box(5, 5, 9))])
    saving = script(tmp_path / "saving", HELP + f'cp "{tmp_path}/saved.json" "$3"\n{ending}\n')
    found = draw(ingest, tmp_path / "out", labelme=saving)
    assert found.drawings["crack"] == 1 and found.ended is not None and "is kept" in found.lines()[0]


def test_an_interrupt_ends_labelme_and_tells_what_is_there(ingest: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DISPLAY", ":1")
    write(tmp_path, "saved.json", [shape("crack", box(5, 5, 9))])
    program = script(
        tmp_path / "labelme", HELP + f'cp "{tmp_path}/saved.json" "$3"\necho $$ > "{tmp_path}/pid"\nexec sleep 60\n'
    )
    real_wait = subprocess.Popen.wait

    def interrupted(self: subprocess.Popen, timeout: float | None = None) -> int:
        if timeout is None:
            labelme_screen.until(lambda: (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text().strip(), "pid")
            raise KeyboardInterrupt
        return real_wait(self, timeout)

    find = drawing.find_program
    monkeypatch.setattr(
        drawing,
        "find_program",
        lambda named: (find(named), monkeypatch.setattr(subprocess.Popen, "wait", interrupted))[0],
    )
    lines: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        draw(ingest, tmp_path / "out", labelme=program, say=lines.append)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert lines[-1].startswith("1 drawings on 1 of ")
