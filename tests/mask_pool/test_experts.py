"""Experts' drawings: the score sheet, the best tenth, and no drawing over a photograph of the test split."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from anomaly_gan.core.dataset import Dataset, ImageRecord, load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.stage import Context
from mask_pool.build.config import PoolConfig
from mask_pool.build.stage import run
from mask_pool.drawing.drawings import PhotographFinder
from mask_pool.elements.expert import gather_experts
from mask_pool.scoring.config import mean_of
from mask_pool.scoring.score_sheet import read_ratings

Draw = Callable[..., None]
HEADER = "file,shape,label," + ",".join(f"rater_{rater:02d}" for rater in range(1, 11))


def sheet(folder: Path, rows: list[str]) -> Path:
    path = folder / "scores.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def ten(*values: object) -> str:
    return ",".join(str(values[index % len(values)]) for index in range(10))


def test_the_best_tenth_of_the_means_is_kept(scene: SimpleNamespace, ingest: Path, experts: Path, draw: Draw) -> None:
    """Twenty drawings: two are kept. A single 10 does not beat a higher mean; shape 7 and 12 tie at 8.0."""
    draw("a.json", "normal_0.png", [("scrap", scene.square(5 + 4 * index, 10, 5)) for index in range(20)])
    means = {7: ten(8), 12: ten(8), 3: ten(10, 5), 15: ten(9, 8)}
    scores = sheet(experts, [f"a.json,{index},scrap,{means.get(index, ten(4))}" for index in range(20)])
    kept = gather_experts(experts, scores, load_dataset(ingest), evaluate=mean_of(0.10)).kept["scrap"]
    assert [(element.parent, element.score) for element in kept] == [("a.json#15", 8.5), ("a.json#7", 8.0)]


def test_at_least_one_per_category_is_kept(scene: SimpleNamespace, ingest: Path, experts: Path, draw: Draw) -> None:
    labels = ("scrap", "crack", "scrap")
    draw("a.json", "normal_0.png", [(label, scene.square(5 + 30 * k, 10, 9)) for k, label in enumerate(labels)])
    scores = sheet(experts, [f"a.json,0,scrap,{ten(3)}", f"a.json,1,crack,{ten(1)}", f"a.json,2,scrap,{ten(2, 5)}"])
    found = gather_experts(experts, scores, load_dataset(ingest), evaluate=mean_of(0.10))
    assert {name: [one.parent for one in kept] for name, kept in found.kept.items()} == {
        "scrap": ["a.json#2"],
        "crack": ["a.json#1"],
    }
    assert found.kept["scrap"][0].score == 3.5 and found.drawn == {"scrap": 2, "crack": 1}


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        (["5"] * 3 + [""] + ["5"] * 6, "rater_04"),
        (["5"] * 9 + ["good"], "rater_10"),
        (["nan"] + ["5"] * 9, "rater_01"),
        (["5"] * 8 + ["10.5"] + ["5"], "rater_09"),
        (["5", "-1"] + ["5"] * 8, "rater_02"),
        (["5"] * 4 + ["inf"] + ["5"] * 5, "rater_05"),
        (["5"] * 7, "rater_08"),
    ],
)
def test_a_bad_cell_is_named(experts: Path, cells: list[str], column: str) -> None:
    path = sheet(experts, [f"a.json,0,scrap,{ten(5)}", f"a.json,1,scrap,{','.join(cells)}"])
    with pytest.raises(InputError) as caught:
        read_ratings(path)
    assert str(caught.value).startswith(f"{path}:3:{column}: F8: ")


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (f"a.json,x,scrap,{ten(5)}", "shape"),
        (f",0,scrap,{ten(5)}", "file"),
        (f"a.json,0,scrap,{ten(5)}", "shape"),
        (f"a.json,-1,scrap,{ten(5)}", "shape"),
    ],
)
def test_a_bad_or_repeated_key_is_named(experts: Path, row: str, column: str) -> None:
    path = sheet(experts, [f"a.json,0,scrap,{ten(5)}", row])
    with pytest.raises(InputError) as caught:
        read_ratings(path)
    assert str(caught.value).startswith(f"{path}:3:{column}: ")


def test_a_row_for_no_drawing_or_another_label_is_refused(
    scene: SimpleNamespace, ingest: Path, experts: Path, draw: Draw
) -> None:
    draw("a.json", "normal_0.png", [("scrap", scene.square(5, 10, 9))])
    for row, fault in ((f"a.json,1,scrap,{ten(5)}", ":2:file: F7"), (f"a.json,0,crack,{ten(5)}", ":2:label: F7")):
        with pytest.raises(InputError, match=fault):
            gather_experts(experts, sheet(experts, [row]), load_dataset(ingest), evaluate=mean_of(0.10))


def test_drawings_over_test_or_unknown_photographs_are_dropped_and_counted(
    scene: SimpleNamespace, ingest: Path, experts: Path, draw: Draw
) -> None:
    draw("a.json", "normal_0.png", [("scrap", scene.square(5, 10, 9)), ("tear", scene.square(30, 10, 9))])
    draw("b.json", "..\\photos\\normal_4.png", [("scrap", scene.square(5, 10, 9))])
    draw("c.json", "/etc/passwd", [("scrap", scene.square(5, 10, 9))])
    draw("d.json", "defect_3.png", [("scrap", scene.square(5, 10, 9))])
    draw("e.json", "normal_1.png", [("scrap", scene.square(5, 10, 9))])
    scores = sheet(experts, [f"{name}.json,0,scrap,{ten(10)}" for name in "abcd"])
    found = gather_experts(experts, scores, load_dataset(ingest), evaluate=mean_of(1.0))
    assert [one.parent for one in found.kept["scrap"]] == ["a.json#0"]
    assert found.rejects == {"unknown_category": 1, "test_photograph": 2, "unknown_photograph": 1, "unrated": 1}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", r"a\.json: C14: "),
        ('{"images": []}', r"a\.json: C15: "),
        (
            '{"shapes": [{"label": "scrap", "points": [[1, 1], [5, 5]]}], "imagePath": "normal_0.png"}',
            r"a\.json\[shape 0\]: C6: has 2 points, needs 3",
        ),
        (
            '{"shapes": [{"label": "scrap", "points": [[1, 1], [9, 1], [5, NaN]]}], "imagePath": "normal_0.png"}',
            r"a\.json\[shape 0\]: C8: ",
        ),
        (
            '{"shapes": [{"label": "scrap", "points": []}], "imagePath": "normal_0.png", '
            '"imageHeight": 9, "imageWidth": 9}',
            r"a\.json: C1: drawn on \(9, 9\)",
        ),
    ],
)
def test_a_drawing_that_cannot_be_used_is_named(ingest: Path, experts: Path, content: str, fault: str) -> None:
    (experts / "a.json").write_text(content)
    with pytest.raises(InputError, match=fault):
        gather_experts(experts, None, load_dataset(ingest), evaluate=mean_of(0.10))


def test_expert_share_sets_how_many_items_are_the_experts(
    scene: SimpleNamespace, ingest: Path, experts: Path, draw: Draw, tmp_path: Path
) -> None:
    draw("a.json", "normal_0.png", [("scrap", scene.square(5, 10, 9)), ("scrap", scene.square(40, 40, 9))])
    scores = sheet(experts, [f"a.json,0,scrap,{ten(6, 7)}", f"a.json,1,scrap,{ten(5)}"])
    for share in (0.0, 0.25, 1.0):
        config = PoolConfig(count=40, expert_dir=str(experts), expert_scores=str(scores), expert_share=share)
        out = tmp_path / f"share_{share}"
        metrics = run(config, Context(1, inputs={"ingest": ingest}), out)["categories"]
        assert abs(metrics["scrap"]["items_by_kind"].get("expert", 0) / 40 - share) <= (0.15 if share == 0.25 else 0)
        assert metrics["crack"]["items_by_kind"] == {"prior": 40}, "there is no expert for cracks"
        for one in load_dataset(out).annotations:
            if one.provenance["kind"] == "expert":
                assert (one.provenance["parent"], one.provenance["expert_score"]) == ("a.json#0", 6.5)
                assert one.provenance["parent_group"] == "object_normal_0"
    json.dumps(metrics, allow_nan=False)
    mixed = PoolConfig(
        count=40, expert_dir=str(experts), expert_scores=str(scores), expert_share="mixed", elements=(2, 2)
    )
    kinds = run(mixed, Context(1, inputs={"ingest": ingest}), tmp_path / "mixed")["categories"]["scrap"][
        "items_by_kind"
    ]
    assert kinds["mixed"] > 10 and sum(kinds.values()) == 40, "elements of both kinds in one mask"


def test_a_missing_folder_is_named(ingest: Path, tmp_path: Path) -> None:
    config = PoolConfig(expert_dir=str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="nowhere: MISSING"):
        run(config, Context(1, inputs={"ingest": ingest}), tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../photos/normal/003.jpg", "normal/003.jpg"),
        ("normal\\003.jpg", "normal/003.jpg"),
        ("C:\\x\\scraps\\003.tif", "scraps/003.png"),
        ("scraps/003.png", "scraps/003.png"),
        ("004.jpg", "normal/004.jpg"),
        ("003.jpg", "normal/003.jpg"),
        ("003.bmp", None),
        ("elsewhere/003.bmp", None),
        ("normal/005.jpg", None),
        ("", None),
        ("..", None),
    ],
)
def test_photographs_are_found_by_the_end_of_their_path(name: str, expected: str | None) -> None:
    """``003`` alone could be any of two."""
    images = [
        ImageRecord(number, file, 9, 9, file, "train", "real", "", extra)
        for number, (file, extra) in enumerate(
            [("normal/003.jpg", {}), ("scraps/003.png", {"source_file": "scraps/003.tif"}), ("normal/004.jpg", {})]
        )
    ]
    found = PhotographFinder(Dataset(images, [], [])).find(name)
    assert (found.file_name if found else None) == expected
