"""Writing a rendered set: photographs, masks, groups.csv, the simulated expert work and regions, a contact sheet."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from camera import Photograph
from expert import CRITERIA, DRAWINGS, RATER_NAMES, RATERS, Drawing, draw_over, grade, labelme, score
from plan import Shot, take
from region import regions
from sheet import outlined, tiled

from anomaly_gan.core.files import write_bytes, write_json, write_text
from anomaly_gan.core.seeding import rng_for
from mask_pool.scoring.ratings import RatedMask, Ratings
from mask_pool.scoring.score_sheet import write_ratings

TAUGHT = 5
"""Test objects of a kind of defect that ``groups_half.csv`` has in the training fold: 15 to learn and 15 to test."""

EXPERT_README = """# Simulated expert drawings

No expert drew or scored anything here: the renderer made these files (`data/render/expert.py`), so that the path
from drawings to a mask pool can be run and tested. The paper had ten experts draw possible defects over normal
photographs and kept the best-scored tenth.

* `NNN.json`: labelme 5.5 files over the training photographs `../normal/NNN.jpg`, two polygons for each category.
  `flags.simulated` is true. `description` tells plausible drawings from the deliberately poor ones; a tool must not
  read it, the scores are there for that.
* `scores.csv`: `file,shape,label,rater_01..rater_10`; `shape` counts the shapes of its file from 0, scores run from
  0 to 10 (simulated: the drawing's plausibility, plus each rater's bias, plus noise).
"""


def write_set(out: Path, plan: list[Shot], seed: int, size: int, quality: int) -> int:
    """Render every photograph of ``plan`` below ``out``; returns how many bytes of pictures were written.

    An earlier set in ``out`` is replaced.

    Raises:
        FileExistsError: ``out`` holds files, but no set that this renderer wrote.
    """
    clear(out)
    written, seats = 0, {}
    for shot in plan:
        photo = take(shot, seed, size)
        written += _write_photo(out, shot, photo, quality)
        if shot.folder == "normal" and shot.fold == 1 and shot.shot == 0:
            seats[shot.number] = photo.seats
    write_text(out / "groups.csv", table(plan))
    write_text(out / "groups_half.csv", table(plan, TAUGHT))
    write_experts(out / "expert", seats, seed, size)
    write_json(out / "regions" / "all.json", regions("../normal/000.jpg", size))
    return written


def table(plan: list[Shot], taught: int = 0) -> str:
    """``file,group,fold``, a row a photograph; the first ``taught`` test objects of every kind of defect are in the
    training fold."""
    folds = [1 if shot.folder != "normal" and shot.item < taught else shot.fold for shot in plan]
    rows = [f"{shot.stem}.jpg,{shot.group},{fold}" for shot, fold in zip(plan, folds, strict=True)]
    return "\n".join(["file,group,fold", *rows]) + "\n"


def clear(out: Path) -> None:
    """Remove an earlier set, as its groups.csv names it, so that nothing of it is left among the new files."""
    if not out.is_dir() or not any(out.iterdir()):
        return
    groups = out / "groups.csv"
    if not groups.is_file():
        raise FileExistsError(f"{out} holds files, but no rendered set: give an empty folder")
    for line in groups.read_text(encoding="utf-8").splitlines()[1:]:
        photo = out / line.split(",")[0]
        photo.unlink(missing_ok=True)
        photo.with_suffix(".png").unlink(missing_ok=True)
    for drawing in (out / "expert").glob("[0-9]*.json"):
        drawing.unlink()


def _write_photo(out: Path, shot: Shot, photo: Photograph, quality: int) -> int:
    _, jpeg = cv2.imencode(".jpg", photo.pixels, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])
    write_bytes(out / f"{shot.stem}.jpg", jpeg.tobytes())
    if shot.folder == "normal":
        return len(jpeg)
    _, png = cv2.imencode(".png", union(photo) * np.uint8(255), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    write_bytes(out / f"{shot.stem}.png", png.tobytes())
    return len(jpeg) + len(png)


def union(photo: Photograph) -> np.ndarray:
    """All defects of a photograph as one mask (S, S) of 0/1."""
    return np.clip(sum(photo.masks, np.zeros(photo.pixels.shape, np.uint8)), 0, 1).astype(np.uint8)


def write_experts(folder: Path, seats: dict[int, list[np.ndarray]], seed: int, size: int) -> None:
    """Drawings over the first normals with at least four whole bolts in view, and the tables of scores."""
    biases = rng_for(seed, "raters").normal(0, 0.6, RATERS)
    lines = ["file,shape,label," + ",".join(RATER_NAMES)]
    graded: dict[RatedMask, Drawing] = {}
    usable = [number for number in sorted(seats) if len(seats[number]) >= 4][:DRAWINGS]
    for number in usable:
        rng = rng_for(seed, "expert", number)
        drawings = draw_over(seats[number], size, rng)
        write_json(folder / f"{number:03d}.json", labelme(drawings, f"../normal/{number:03d}.jpg", size))
        for index, drawing in enumerate(drawings):
            scores = ",".join(f"{value:g}" for value in score(drawing, biases, rng))
            lines.append(f"{number:03d}.json,{index},{drawing.label},{scores}")
            graded[RatedMask(f"{number:03d}.json", index, drawing.label)] = drawing
    write_text(folder / "scores.csv", "\n".join(lines) + "\n")
    write_text(folder / "README.md", EXPERT_README)
    _write_grades(folder / "ratings.csv", graded, biases, seed)


def _write_grades(path: Path, graded: dict[RatedMask, Drawing], biases: np.ndarray, seed: int) -> None:
    """The same raters' grades under several criteria, in the long form; a stream of its own for every drawing."""
    grades = [
        grade(drawing, biases, rng_for(seed, "ratings", mask.file, mask.shape)) for mask, drawing in graded.items()
    ]
    write_ratings(
        path,
        Ratings(tuple(graded), RATER_NAMES, CRITERIA, np.array(grades).reshape(len(graded), RATERS, len(CRITERIA))),
    )


def write_sheet(path: Path, plan: list[Shot], seed: int, size: int, rows: int = 4) -> None:
    """For each category a few photographs, each beside the same with its mask's outline."""
    pictures: list[np.ndarray] = []
    for folder in dict.fromkeys(shot.folder for shot in plan):
        for shot in [shot for shot in plan if shot.folder == folder and shot.shot == 0][:rows]:
            photo = take(shot, seed, size)
            pictures += [photo.pixels, outlined(photo.pixels, union(photo))]
    _, png = cv2.imencode(".png", tiled(pictures, 8, min(size, 256)))
    write_bytes(path, png.tobytes())


def write_figure(path: Path, plan: list[Shot], seed: int, size: int, side: int = 150) -> None:
    """The documentation's picture: one row a category with a sound photograph, a defective one and its mask."""
    normals = [shot for shot in plan if shot.folder == "normal" and shot.shot == 0]
    pictures: list[np.ndarray] = []
    for row, folder in enumerate(f for f in dict.fromkeys(shot.folder for shot in plan) if f != "normal"):
        defects = [shot for shot in plan if shot.folder == folder and shot.fold == 0]
        for shot in defects[2:8:5]:
            photo = take(shot, seed, size)
            sound = take(normals[2 * row + len(pictures) % 2], seed, size)
            pictures += [sound.pixels, photo.pixels, union(photo) * np.uint8(255)]
    _, png = cv2.imencode(
        ".png", cv2.cvtColor(tiled(pictures, 6, side), cv2.COLOR_BGR2GRAY), [cv2.IMWRITE_PNG_COMPRESSION, 9]
    )
    write_bytes(path, png.tobytes())
