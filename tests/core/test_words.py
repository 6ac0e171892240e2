"""One line for what used to be a traceback; tables that no spreadsheet obeys; archives and downloads within bounds."""

from __future__ import annotations

import hashlib
import http.server
import os
import random
import re
import signal
import stat
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from broken_files import sound_masks

from anomaly_gan.cli import main as main_module
from anomaly_gan.cli.main import out_of_memory
from anomaly_gan.core import weights
from anomaly_gan.core.config import dump_yaml
from anomaly_gan.core.errors import EnvironmentFailure, InputError
from anomaly_gan.core.files import write_bytes, write_json, write_text
from anomaly_gan.core.stage import Context
from anomaly_gan.core.tables import write_csv
from anomaly_gan.ingestion import stage as ingest_stage
from anomaly_gan.ingestion.stage import IngestConfig
from anomaly_gan.pipeline.config import RunConfig
from anomaly_gan.pipeline.plan import plan
from anomaly_gan.pipeline.run import run_step
from anomaly_gan.pipeline.status import status
from detection.one_class.benchmark.industrial import Source
from detection.one_class.inspection.calibration import calibrate
from detection.one_class.inspection.drift import compare

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "too little memory"),
        (np._core._exceptions._ArrayMemoryError((10**6, 10**6), np.dtype(np.int64)), "too little memory"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "too little memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
            "too little memory",
        ),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "the GPU has too little memory"),
        (RuntimeError("CUDA error: unspecified launch failure"), "the GPU is gone"),
        (cv2.error("Failed to allocate 9 bytes in function 'OutOfMemoryError'"), "too little memory"),
        (RuntimeError("can't start new thread"), "too little memory"),
        (RuntimeError("shapes do not match"), None),
        (ImportError("No module named 'onnx'"), None),
    ],
)
def test_short_memory_is_one_line_and_other_errors_stay_errors(error, words):
    told = out_of_memory(error)
    assert told is None if words is None else (told.startswith(words) and "\n" not in told)


def test_a_command_without_memory_ends_in_one_line_with_exit_code_4(tmp_path):
    code = (
        "from anomaly_gan.cli import main; import anomaly_gan.cli.main as place\n"
        "def none(*_, **__): raise MemoryError\n"
        "place.app = none; place.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 4 and done.stderr.startswith("error: too little memory") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("error", [RecursionError("maximum depth"), RuntimeError("Symlink loop from '/a'")])
def test_nesting_without_end_and_links_in_a_circle_are_one_line_with_exit_code_2(error, monkeypatch, capsys):
    def stop(*_, **__):
        raise error

    monkeypatch.setattr(main_module, "app", stop)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main_module.main()
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.startswith("error: ") and said.count("\n") == 1


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_stop_and_a_closed_terminal_say_that_nothing_is_lost(name):
    code = (
        "import time; import anomaly_gan.cli.main as place\n"
        "def wait(*_, **__):\n    print('ready', flush=True); time.sleep(60)\n"
        "place.app = wait; place.main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # nohup and a shell's background leave signals ignored, which a child inherits
        preexec_fn=lambda: signal.signal(getattr(signal, name), signal.SIG_DFL),
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(getattr(signal, name))
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + getattr(signal, name) and "nothing is lost" in told


def test_ctrl_c_in_a_verb_says_that_nothing_is_lost():
    code = (
        "import sys, time; import anomaly_gan.core.faults as place\n"
        "def wait(*_):\n    print('ready', flush=True); time.sleep(60)\n"
        "place.explain = wait; sys.argv = ['anomaly-gan', 'explain', 'B14']\n"
        "from anomaly_gan.cli.main import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130 and told.count("\n") == 1 and "interrupted: nothing is lost" in told


def test_drift_says_which_side_is_too_few():
    held_out = np.linspace(0, 1, 5)
    threshold = calibrate(np.linspace(0, 1, 40), 0.05)
    few = compare(held_out, None, threshold, np.linspace(0, 1, 30), False).sentences[0]
    assert "calibrated on 5 normals" in few
    assert (
        "3 photographs are too few" in compare(np.linspace(0, 1, 40), None, threshold, held_out[:3], False).sentences[0]
    )


def test_no_cell_of_any_table_is_a_formula(tmp_path):
    write_csv(tmp_path / "t.csv", ["category", "=x"], [["=1+1", -0.5], ["@SUM(A1)", None], ["-cmd", 3], ["crack", 1.0]])
    assert (tmp_path / "t.csv").read_text().splitlines() == [
        "category,'=x",
        "'=1+1,-0.500000",
        "'@SUM(A1),",
        "'-cmd,3",
        "crack,1.000000",
    ]


def test_every_table_is_written_by_the_one_neutral_writer():
    """``csv.writer`` of one's own would write names as they are."""
    own = {
        path.relative_to(ROOT).as_posix()
        for package in ("anomaly_gan", "mask_pool", "detection")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"csv\.(writer|DictWriter)\(|import (writer|DictWriter)", path.read_text(encoding="utf-8"))
        or "to_csv(" in path.read_text(encoding="utf-8")
    }
    assert own == {"anomaly_gan/core/tables.py"}, "use core.tables.row_writer"


def test_nets_and_checkpoints_are_their_owners_alone_and_other_products_readable(tmp_path):
    before = os.umask(0)
    try:
        for name in ("net.safetensors", "step-1.pt", "model.onnx"):
            write_bytes(tmp_path / name, b"x")
        write_bytes(tmp_path / "criteria.bin", b"x", private=True)
        write_json(tmp_path / "metrics.json", {})
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes.pop("metrics.json") == 0o644 and set(modes.values()) == {0o600}


@pytest.mark.parametrize("kind", ["large", "tight", "link"])
def test_an_archive_is_bounded_before_anything_is_unpacked(tmp_path, kind, monkeypatch):
    place = tmp_path / "set.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Rail_Surface/a.png", b"x")
        if kind == "link":
            link = zipfile.ZipInfo("Rail_Surface/passwd.png")
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, "/etc/passwd")
        else:
            archive.writestr("Rail_Surface/b.png", b"\0" * (2**21 if kind == "tight" else 2**20))
    if kind == "large":
        monkeypatch.setattr("detection.one_class.benchmark.industrial.LARGEST_MEMBER", 2**19)
    if kind == "link":
        assert Source(place, "Rail_Surface").names == ["Rail_Surface/a.png"]
        return
    with pytest.raises(InputError, match="S11"):
        Source(place, "Rail_Surface")


def test_a_spoilt_archive_is_named_whatever_it_was_packed_with(tmp_path):
    place, chance = tmp_path / "set.zip", random.Random(0)
    content = bytes(chance.randrange(256) for _ in range(80))
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(place, "w", method) as archive:
            archive.writestr("R/a.png", content)
        whole = place.read_bytes()
        for at in range(0, len(whole), 4):
            place.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
            with pytest.raises(InputError):
                Source(place, "R").pixels("R/a.png")


CONTENT = bytes(range(256)) * 4000


class Cutting(http.server.BaseHTTPRequestHandler):
    """Sends 300,000 bytes at most, and goes on where it is asked to."""

    asked: list[str] = []  # noqa: RUF012
    spoil = False

    def do_GET(self):
        told = self.headers.get("Range")
        self.asked.append(told or "")
        start = int(told.removeprefix("bytes=").removesuffix("-")) if told else 0
        part = CONTENT[start:]
        self.send_response(206 if told else 200)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(bytes([part[0] ^ self.spoil]) + part[1:300_000])

    def log_message(self, *_):
        pass


def test_a_download_that_is_cut_off_goes_on_and_wrong_bytes_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path / "folder"))
    server = http.server.HTTPServer(("127.0.0.1", 0), Cutting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/small.pth"
    row = weights.WeightFile("small.pth", url, "none", "tests", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(weights, "WEIGHTS", {"small": row})
    Cutting.asked.clear()
    with monkeypatch.context() as patch:
        patch.setattr(weights, "TRIES", 2)
        with pytest.raises(EnvironmentFailure, match=r"cut off|cannot be fetched"):
            weights.fetch()
    assert weights.find("small") is None and (tmp_path / "folder" / "small.pth.part").stat().st_size == 600_000
    weights.fetch()
    assert weights.find("small") == tmp_path / "folder" / "small.pth"
    assert Cutting.asked == ["", "bytes=300000-", "bytes=600000-", "bytes=900000-"]
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["small.pth"]
    monkeypatch.setattr(weights, "WEIGHTS", {"other": replace(row, file_name="other.pth", sha256="0" * 64)})
    with pytest.raises(InputError, match="I6"):
        weights.fetch()
    assert not (tmp_path / "folder" / "other.pth.part").exists()
    server.shutdown()
    server.server_close()


SAFE = {
    "pillow": "13.0.0",  # image decoders
    "starlette": "1.3.1",  # form parts, ranges, Host headers
    "fastapi": "0.115",
    "uvicorn": "0.32",
    "h11": "0.16.0",  # CVE-2025-43859, chunked bodies
    "torch": "2.11",  # CVE-2025-32434, CVE-2026-24747: weights_only
    "lightning-fabric": "2.6.4",  # two releases before it were taken over
    "jinja2": "3.1.6",  # CVE-2025-27516
    "tqdm": "4.66.3",  # CVE-2024-34062
    "scikit-learn": "1.5",  # CVE-2024-5206
    "pyyaml": "6.0",
    "orjson": "3.10",  # CVE-2024-27454
    "opencv-python-headless": "4.10",  # CVE-2023-4863 in its WebP
}
"""The least version of everything that reads foreign bytes, serves, or loads weights, without the holes known of it."""


def test_lower_bounds_leave_out_versions_with_known_holes():
    import tomllib

    from packaging.requirements import Requirement
    from packaging.version import Version

    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [Requirement(line) for line in told["dependencies"]]
    for extra in told["optional-dependencies"].values():
        named += [Requirement(line) for line in extra]
    least = {
        found.name: max(Version(part.version) for part in found.specifier if part.operator in (">=", "=="))
        for found in named
    }
    for name, bound in SAFE.items():
        assert least[name] >= Version(bound), name
    assert least["onnx"] >= Version("1.17"), "CVE-2024-5187"


def test_the_lock_holds_every_package_to_its_hash_and_within_the_bounds():
    import tomllib

    from packaging.requirements import Requirement

    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    versions = {package["name"]: package.get("version") for package in lock}
    for found in map(Requirement, told):
        assert found.specifier.contains(versions[found.name]), found
    foreign = [package for package in lock if "registry" in package["source"]]
    assert len(foreign) > 100 and len(lock) - len(foreign) == 1, "no git, no address of its own"
    for package in foreign:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files and all(re.fullmatch("sha256:[0-9a-f]{64}", one["hash"]) for one in files), package["name"]


def test_no_module_unpickles_evaluates_or_loads_more_than_weights():
    banned = re.compile(r"\b(eval|exec)\(|pickle\.loads?\(|yaml\.load\(|shell=True|os\.system\(|allow_pickle=True")
    for package in ("anomaly_gan", "mask_pool", "detection"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert not banned.search(text.replace(".eval()", "").replace("model.eval(", "")), path
            for call in re.finditer(r"torch\.load\(", text):
                assert "weights_only=True" in text[call.start() : call.start() + 200], path


def test_a_source_of_linked_folders_is_told_that_they_are_links(tmp_path):
    real = tmp_path / "elsewhere"
    sound_masks(real)
    source = tmp_path / "source"
    source.mkdir()
    for folder in real.iterdir():
        (source / folder.name).symlink_to(folder)
    with pytest.raises(InputError, match=r"holds no photographs.*refused, the first: .*A21: is a link"):
        ingest_stage.run(IngestConfig(root=str(source)), Context(0), tmp_path / "out")


def test_a_home_that_cannot_be_written_brings_no_lines_of_a_library():
    code = "import anomaly_gan.cli.main; import matplotlib; from matplotlib.figure import Figure; Figure()"
    environment = {**os.environ, "HOME": "/proc/nohome", "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": ""}
    environment.pop("MPLCONFIGDIR", None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == "" and done.stdout == ""


def test_the_state_of_a_run_with_a_relative_source_is_not_called_stale_elsewhere(tmp_path, monkeypatch):
    sound_masks(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    config = RunConfig(data={"root": "photos", "format": "mask-png"})
    step = plan(config)[0]
    assert step.name == "ingest" and run_step(config, tmp_path / "run", step)
    write_text(tmp_path / "run" / "run.yaml", dump_yaml(config))
    assert dict(status(tmp_path / "run"))["ingest"] == "fresh"
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert dict(status(tmp_path / "run"))["ingest"] == "source not found"
