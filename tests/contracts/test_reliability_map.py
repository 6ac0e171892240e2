"""Every test that the map of promises names is there; no case is missing."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CASES = {"A": 25, "B": 14, "C": 15, "D": 16, "E": 9, "F": 15, "G": 16, "H": 10, "I": 9, "J": 8, "K": 8, "L": 4, "M": 5}


def test_the_map_names_tests_that_exist_and_every_case():
    lines = (ROOT / "docs" / "reliability_map.md").read_text(encoding="utf-8").splitlines()
    rows = [re.match(r"\| ([A-Z]\d+) \| (yes|weak|none) \| (.*?) \|", line) for line in lines]
    found = {row[1]: (row[2], row[3]) for row in rows if row}
    wanted = {f"{chapter}{number}" for chapter, count in CASES.items() for number in range(1, count + 1)}
    wanted |= {f"S{number}" for number in range(1, 19)} | {f"R{number}" for number in range(1, 14)}
    assert found.keys() == wanted
    for case, (state, tests) in found.items():
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", tests)
        assert bool(named) == (state != "none"), case
        for path, name in named:
            assert f"def {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8"), (case, path, name)
    counted = {
        title: [
            sum(state == wanted and bool(re.match(chapters, case)) for case, (state, _) in found.items())
            for wanted in ("yes", "weak", "none")
        ]
        for title, chapters in (("Faults", "[A-M]"), ("Security", "S"), ("Larger figures", "R"))
    }
    for title, numbers in counted.items():
        assert f"| {title} | {' | '.join(map(str, numbers))} |" in lines
    assert counted["Faults"] == [154, 0, 0] and counted["Security"] == [18, 0, 0], "no case loses its test again"


def test_everything_that_was_once_lost_has_its_test():
    page = (ROOT / "docs" / "reliability_map.md").read_text(encoding="utf-8")
    text = page.partition("## What was once lost or wrong")[2]
    rows = dict(re.findall(r"^\| (\d+) \| (.*) \|$", text, re.MULTILINE))
    assert list(rows) == [str(number) for number in range(1, len(rows) + 1)] and rows
    for number, row in rows.items():
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", row)
        assert named, number
        for path, name in named:
            assert f"def {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8"), (number, path, name)
