"""What the pages say of the papers' own methods is what was run: sizes, counts, averages."""

from __future__ import annotations

import csv
import re
import statistics
from pathlib import Path

import pytest
import torch
import yaml

from anomaly_gan.nets.aware import AwareNet, freeze
from anomaly_gan.synthesis.methods.anomaly_gan.build import build_task
from anomaly_gan.synthesis.methods.config import TaskSetup, TrainConfig
from anomaly_gan.synthesis.methods.presets import PAPER
from detection.one_class.benchmark.config import benchmark_config
from detection.one_class.benchmark.published import tables_for

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs/results/papers"
OF_THE_PAPER = {  # tables, figures
    "anomaly_gan": (range(1, 7), range(1, 13)),
    "cvgad": (range(1, 4), range(1, 11)),
    "iaead": (range(2, 5), range(1, 5)),
    "iae_lstm_kl": (["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"], range(1, 8)),
    "skip_ganomaly_pp": ([1], [1]),
}


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def named(text: str, word: str) -> set[str]:
    """Numbers named after a word: ``Table 1``, ``Figures 4 and 7``, ``Figures 4, 5, 9`` and ``Figures 1 to 7``."""
    found: set[str] = set()
    for run in re.findall(rf"{word}s? ((?:[0-9IVX]+(?:, | and | to )?)+)", text):
        numbers = re.findall(r"[0-9IVX]+", run)
        if " to " in run:
            numbers += [str(number) for number in range(int(numbers[0]), int(numbers[-1]) + 1)]
        found |= set(numbers)
    return found


@pytest.mark.parametrize("paper", OF_THE_PAPER)
def test_each_table_and_figure_of_a_paper_stands_on_its_page_and_in_the_index(paper: str) -> None:
    tables, figures = OF_THE_PAPER[paper]
    text = page(paper)
    assert {str(number) for number in tables} <= named(text, "Table")
    assert {str(number) for number in figures} <= named(text, "Figure")
    assert "not run" in text.lower() and "## " in text
    assert f"results/papers/{paper}.md" in (ROOT / "docs/papers.md").read_text(encoding="utf-8")


def paper_arm(study: str) -> dict[str, object]:
    content = yaml.safe_load((ROOT / "anomaly_gan/configs" / f"{study}.yaml").read_text(encoding="utf-8"))
    own = content["set"]["train_methods"]["anomaly_gan_paper"]
    config = TrainConfig(method="anomaly_gan_paper", **{**content["set"]["train"], **own})
    with torch.device("meta"):
        task = build_task(TaskSetup(config, 1, 3, freeze(AwareNet(1, config.recipe.aware_width)), seed=0))
    sizes = {name: sum(weight.numel() for weight in net.parameters()) for name, net in task.nets.items()}
    return {"batch": config.batch, "steps": config.steps, "size": config.size, **sizes}


def test_the_cut_down_nets_have_the_sizes_that_the_pages_name() -> None:
    small, larger, halved = paper_arm("table4"), paper_arm("table2"), paper_arm("recipe")
    assert paper_arm("ablation") == larger and paper_arm("recipe_scenes") == halved
    sizes = ((small, 1000, ("1.83", "1.14")), (larger, 1000, ("7.31", "4.55")), (halved, 3000, ("10.46", "6.12")))
    for arm, steps, millions in sizes:
        assert (arm["batch"], arm["steps"], arm["size"]) == (4, steps, 128)
        assert (f"{arm['generator'] / 1e6:.2f}", f"{arm['d1_normal'] / 1e6:.2f}") == millions
        assert all(f"{figure} million" in page("anomaly_gan") for figure in millions)
        assert millions[0] in (ROOT / "docs/comparison.md").read_text(encoding="utf-8")


def test_nothing_of_a_hundredth_of_its_epochs_is_called_the_paper_s_recipe() -> None:
    places = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "anomaly_gan").rglob("*.yaml")]
    places += [*(ROOT / "anomaly_gan").rglob("*.py"), *(ROOT / "anomaly_gan").rglob("*.html")]
    for path in places:
        assert not re.search(r"paper.s (own )?recipe|recipe of the paper", path.read_text(encoding="utf-8")), path


def test_what_the_preset_does_otherwise_than_the_paper_stands_beside_it_with_its_reason() -> None:
    code = (ROOT / "anomaly_gan/synthesis/methods/presets.py").read_text(encoding="utf-8")
    stated = " ".join(re.findall(r"# Deviation: (.*?)(?=# Deviation|\n    \")", code, re.DOTALL))
    assert PAPER["learning_rate"] == 2e-4 and "2 x e^-3" in stated
    assert "steps" not in PAPER and "1,000 epochs" in stated
    assert not PAPER["recipe"]["painter"]["conditional"] and "one net a category" in stated
    assert TrainConfig(preset="paper").flips and "mirrored at random" in stated
    assert TrainConfig(preset="paper").precision == "auto" and "bf16" in stated
    assert all(word in stated for word in ("widths", "depth", "mask of the pool", "betas", "weight decay"))


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("iaead", ("batch before", "draws them around 1")),
        ("deep_svdd", ("mean over pixels",)),
        ("iae_lstm_kl", ("eq. 14 prints a sum", "one code vector")),
        ("cvgad", ("names no optimisers", "eq. 4", "running statistics", "test set")),
        ("skip_ganomaly_pp", ("neither widths", "rates 1, 2, 3")),
        ("skip_ganomaly", ("test set",)),
    ],
)
def test_what_a_page_says_a_one_class_method_does_otherwise_stands_in_its_code(
    file: str, words: tuple[str, ...]
) -> None:
    code = (ROOT / f"detection/one_class/methods/{file}.py").read_text(encoding="utf-8")
    stated = re.sub(r"\s+", " ", " ".join(re.findall(r"Deviation:(.*?)(?:\"\"\"|\n\n)", code, re.DOTALL)))
    assert all(re.search(word, stated) for word in words), stated


def test_table_v_s_figures_are_those_of_its_cells() -> None:
    cells = csv.DictReader((ROOT / "docs/results/one_class/ablation_iae_lstm_kl.csv").open(encoding="utf-8"))
    hard = [cell for cell in cells if cell["normal"] == "airplane" and cell["boundary"] == "hard"]
    assert len(hard) == 6
    for cell in hard:
        way = ", ".join(f"{float(cell[f'epoch_{epoch}']):.3f}" for epoch in (5, 15, 25, 40))
        found = re.search(rf"\| {cell['model']} \| 0\.\d+ \| ([0-9.]+) \| {way} \|", page("iae_lstm_kl"))
        assert found and found[1] == f"{float(cell['auroc']):.3f}", cell["model"]


def until_flat(detector: str) -> list[dict[str, str]]:
    cells = csv.DictReader((ROOT / "docs/results/one_class/until_flat.csv").open(encoding="utf-8"))
    return [cell for cell in cells if cell["detector"] == detector]


@pytest.mark.parametrize("detector", ["cvgad", "skip_ganomaly_pp"])
def test_each_cell_until_flat_stands_on_its_page(detector: str) -> None:
    tables = [line for line in page(detector).splitlines() if line.startswith("|")]
    for cell in until_flat(detector):
        name = cell["normal"].removeprefix("not ")
        figure = f"| {float(cell['auroc']):.3f} |"
        assert any(figure in line and (cell["change"] or name) in line for line in tables), cell


def test_no_figure_of_an_untrained_net_stands_in_a_table_of_cvgad_s_page() -> None:
    cells = csv.DictReader((ROOT / "docs/results/one_class/ablation_cvgad.csv").open(encoding="utf-8"))
    found = {f"{float(cell['auroc']):.3f}" for cell in cells}
    flat = {f"{float(cell['auroc']):.3f}" for cell in until_flat("cvgad")}
    tables = [line for line in page("cvgad").splitlines() if line.startswith("|")]
    assert not [line for line in tables if "±" in line or any(f"| {figure} |" in line for figure in found - flat)]
    assert sum("not run to its end" in line for line in tables) >= 7


def averages(name: str, **wanted: str) -> dict[str, str]:
    """AUROC of IAEAD in per cent, mean and deviation over seeds, by class."""
    rows: dict[str, list[float]] = {}
    with (ROOT / "docs/results/one_class" / name).open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["detector"] == "iaead" and all(row[key] == value for key, value in wanted.items()):
                rows.setdefault(row["normal"], []).append(100 * float(row["auroc"]))
    return {kind: f"{statistics.mean(v):.2f} ± {statistics.stdev(v):.2f}" for kind, v in rows.items()}


@pytest.mark.parametrize(
    ("dataset", "name", "more"),
    [
        ("mnist", "table.csv", {}),
        ("fashion_mnist", "larger.csv", {"change": "epochs 20, batch 64"}),
        ("cifar10", "table.csv", {}),
    ],
)
def test_each_class_of_iaead_on_its_page_is_that_of_the_cells_beside_the_paper_s(
    dataset: str, name: str, more: dict[str, str]
) -> None:
    ours = averages(name, dataset=dataset, protocol="as_published", **more)
    table = next(table for table in tables_for(dataset, "iaead") if table.split == "transductive")
    theirs = next(row for row in table.rows.values() if row.detector == "iaead")
    assert len(ours) == 10
    for kind, value in zip(table.columns, theirs.values, strict=True):
        assert re.search(rf"\| {kind} \| {100 * value:.2f} ± [0-9.]+ \| {re.escape(ours[kind])} \|", page("iaead")), (
            kind
        )


def test_the_order_of_the_published_test_sets_is_that_of_each_released_loader() -> None:
    def order(detector: str, dataset: str) -> str:
        return benchmark_config(detector, dataset, "as_published").data.test_order

    assert [order("iae_lstm_kl", name) for name in ("cifar10", "fashion_mnist")] == ["mixed", "mixed"]
    assert order("iae_lstm_kl", "mvtec_screw") == order("skip_ganomaly_pp", "cifar10") == "normals_first"
    cells = list(csv.DictReader((ROOT / "docs/results/one_class/rivals.csv").open(encoding="utf-8")))
    anew = [f"| {float(cell['auroc']):.3f} |" for cell in cells if cell["detector"] == "iae_lstm_kl"]
    assert len(anew) == 2 and all(figure in page("iae_lstm_kl") for figure in anew)
    rivals = [cell for cell in cells if cell["normal"] == "not airplane"]
    assert {"ganomaly", "skip_ganomaly", "egbad", "ano_gan"} == {cell["detector"] for cell in rivals}
    for cell in rivals:
        figures = f"| 2,000 | 496 | {float(cell['auroc']):.3f} | {float(cell['seconds']):.0f} |"
        assert figures in page("skip_ganomaly_pp"), cell["detector"]
