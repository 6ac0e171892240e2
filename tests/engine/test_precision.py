"""bf16 only where the device computes it; a training keeps what it began with; no key depends on the machine."""

import json
import subprocess
import sys
import types

import pytest
import torch

from anomaly_gan.cli.fields import common
from anomaly_gan.core.devices import place_of
from anomaly_gan.engine import precision
from anomaly_gan.engine.loop import make_fabric
from anomaly_gan.engine.precision import Choice, decide, resolve
from anomaly_gan.pipeline.config import RunConfig

AVX2_LAPTOP = {"avx2": True, "avx512_f": False, "avx512_bf16": False, "amx_bf16": False}
AVX512_SERVER = {"avx2": True, "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}
ZEN4 = {"avx2": True, "avx512_f": True, "avx512_bf16": True, "amx_bf16": False}
SAPPHIRE = {"avx512_bf16": False, "amx_bf16": True}
GRAVITON3, GRAVITON2 = {"neon": True, "bf16": True}, {"neon": True, "bf16": False}
TIMED = Choice("bf16-mixed", "timed, says the stub")


@pytest.fixture
def processor(monkeypatch):
    """Sets what the processor says of itself; no variable holds it back, and a timing would say bf16."""
    for name in (*precision.ONEDNN, precision.ATEN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(precision, "timed", lambda: TIMED)
    monkeypatch.setattr(precision, "_has_onednn", lambda: True)

    def become(found):
        monkeypatch.setattr(precision, "capabilities", lambda: found)

    return become


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (AVX2_LAPTOP, "32-true"),
        (AVX512_SERVER, "32-true"),
        (ZEN4, "bf16-mixed"),
        (SAPPHIRE, "bf16-mixed"),
        (GRAVITON3, "bf16-mixed"),
        (GRAVITON2, "32-true"),
    ],
)
def test_bf16_is_taken_where_the_processor_has_it_and_nowhere_else(processor, found, expected):
    processor(found)
    assert decide("auto", "cpu").precision == expected and decide("auto", "cpu") != TIMED
    assert decide("bf16-mixed", "cpu").precision == "bf16-mixed" and decide("32-true", "cpu").precision == "32-true"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ONEDNN_MAX_CPU_ISA", "AVX2", "32-true"),
        ("ONEDNN_MAX_CPU_ISA", "avx512_core", "32-true"),
        ("DNNL_MAX_CPU_ISA", "AVX2", "32-true"),
        ("ATEN_CPU_CAPABILITY", "avx2", "32-true"),
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16", "bf16-mixed"),
        ("ONEDNN_MAX_CPU_ISA", "ALL", "bf16-mixed"),
        ("ATEN_CPU_CAPABILITY", "avx512", "bf16-mixed"),
    ],
)
def test_a_variable_that_holds_the_libraries_back_counts_for_more_than_the_processor(
    processor, monkeypatch, name, value, expected
):
    processor(ZEN4)
    monkeypatch.setenv(name, value)
    assert decide("auto", "cpu").precision == expected and decide("auto", "cpu") != TIMED


def test_where_nothing_can_tell_a_convolution_is_timed(processor, monkeypatch):
    processor({})
    assert decide("auto", "cpu") == TIMED
    processor(ZEN4)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX1024_FUTURE")
    assert decide("auto", "cpu") == TIMED
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    monkeypatch.setattr(precision, "_has_onednn", lambda: False)  # a Mac: bf16 in the processor, no kernels for it
    assert decide("auto", "cpu") == TIMED


def test_the_emulated_case_for_real():
    """A process that may use AVX2 alone finds no bf16, neither by asking nor by its watch."""
    code = "from anomaly_gan.engine.precision import decide, timed; print(decide('auto', 'cpu'), timed())"
    emulated = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=emulated, capture_output=True, text=True, check=True)
    assert done.stdout.count("32-true") == 2 and "bf16-mixed" not in done.stdout


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "32-true"), ((8, 0), "bf16-mixed")])
def test_cuda_is_asked_for_its_capability(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert decide("auto", "cuda").precision == expected
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert decide("auto", "auto").precision == expected


def test_a_training_goes_on_in_what_it_began_with_and_says_so(processor, tmp_path, capsys):
    precision._say.cache_clear()
    processor(ZEN4)
    assert resolve("auto", "cpu", tmp_path, "train").precision == "bf16-mixed"
    assert capsys.readouterr().err == "train: precision bf16-mixed (this processor has avx512_bf16)\n"
    processor(AVX2_LAPTOP)  # the folder was carried to another machine
    assert resolve("auto", "cpu", tmp_path, "train").precision == "bf16-mixed"
    line = capsys.readouterr().err
    assert "as this training began; slow here: this processor has no bf16 arithmetic" in line and line.count("\n") == 1
    assert resolve("auto", "cpu", tmp_path / "new", "train").precision == "32-true"
    processor(ZEN4)
    assert resolve("auto", "cpu", tmp_path / "new", "train").precision == "32-true"
    assert resolve("bf16-mixed", "cpu", tmp_path / "new", "train").precision == "bf16-mixed", "what was asked for"
    assert {path.relative_to(tmp_path).parts[-2] for path in tmp_path.rglob("precision.json")} == {"logs"}


def test_what_was_asked_for_is_not_slow_in_silence(processor, tmp_path, capsys):
    precision._say.cache_clear()
    processor(AVX512_SERVER)
    assert resolve("bf16-mixed", "cpu", tmp_path, "label_check").precision == "bf16-mixed"
    assert "slow here: this processor has no bf16" in capsys.readouterr().err
    assert not any(tmp_path.iterdir()), "nothing to keep: the configuration says it"


def test_a_fabric_of_auto_computes_in_what_the_device_has(processor):
    processor(AVX512_SERVER)
    assert make_fabric("cpu", "auto")._precision.precision == "32-true"
    processor(ZEN4)
    assert make_fabric("cpu", "auto")._precision.precision == "bf16-mixed"


def test_older_torch_tells_of_avx512_alone(monkeypatch):
    monkeypatch.setattr(torch, "cpu", types.SimpleNamespace(_is_avx512_bf16_supported=lambda: True))
    assert precision.capabilities() == {"avx512_bf16": True}
    monkeypatch.setattr(torch, "cpu", types.SimpleNamespace(_is_avx512_bf16_supported=lambda: False))
    assert precision.capabilities() == {}, "may be an Arm processor that has it"


def test_a_broken_record_counts_as_none(processor, tmp_path):
    processor(ZEN4)
    for content in ("", "[]", json.dumps({"precision": "auto"})):
        (tmp_path / "logs").mkdir(exist_ok=True)
        (tmp_path / "logs" / "precision.json").write_text(content)
        assert resolve("auto", "cpu", tmp_path, "train").precision == "bf16-mixed"


def test_on_apples_gpus_the_processor_computes_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert place_of("auto") == "cpu" and make_fabric("auto").device.type == "cpu"
    assert decide("auto", "auto").precision in ("32-true", "bf16-mixed")
    assert capsys.readouterr().err == ""
    assert RunConfig(device="mps", data={"root": "x"}).device == "cpu" == common(["device=mps"]).device
    assert capsys.readouterr().err.count("device mps: Apple's GPUs are not used: computing on the processor") == 2
