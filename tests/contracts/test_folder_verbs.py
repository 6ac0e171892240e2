"""Whatever verb is given a folder to write: other people's files are left alone, and a second process is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_run import build_run

from anomaly_gan.cli.pool_study import study
from anomaly_gan.core.errors import InputError, RunBusy
from anomaly_gan.core.files import write_text
from anomaly_gan.core.workfolder import folder_lock


def test_a_pool_study_leaves_other_files_alone_and_does_nothing_twice(tmp_path: Path, monkeypatch) -> None:
    run = build_run(tmp_path / "run", groups=4, exposures=1, per_category=2).folder
    done = []

    def work(dataset, out, **_):
        done.append(out)
        write_text(out / "table.csv", "figures\n")

    monkeypatch.setattr("mask_pool.experiments.plausibility_study.study", work)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "table.csv").write_text("my own")
    with pytest.raises(InputError, match="J6"):
        list(study("plausibility", run, mine, [], 0))
    assert (mine / "table.csv").read_text() == "my own" and not done
    out = tmp_path / "out"
    assert next(iter(study("plausibility", run, out, [], 0))) == "figures"
    assert list(study("plausibility", run, out, [], 0)) and len(done) == 1
    list(study("plausibility", run, out, [], 1))
    assert len(done) == 2 and done[1] != out and not done[1].exists(), "beside the finished one, and swapped"
    with folder_lock(out), pytest.raises(RunBusy):
        list(study("plausibility", run, out, [], 2))
    shutil.rmtree(out)
