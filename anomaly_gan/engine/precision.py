"""Which arithmetic a training uses: bf16 where the device computes it natively, else float32. No torch at import.

``precision: auto`` asks the device. oneDNN calls bf16 supported on every processor with AVX-512 and emulates it where
the instructions are missing (3 to 5 times slower than float32 a convolution, 27 times in all on AVX2), so it is the
processor's own capabilities that count, and the variables that hold oneDNN and ATen below them. Where those cannot
tell, a small convolution is timed in both.

A training that was cut off goes on in the arithmetic it began with, on another machine too: ``resolve`` keeps it among
what may differ from run to run, so that no key and no manifest depends on the machine.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from ..core.files import write_json
from ..core.progress import say
from ..core.stage import LOGS

Precision = Literal["auto", "32-true", "bf16-mixed"]
"""What a configuration may say; ``auto`` becomes one of the other two as a training begins."""
FLOAT32, BF16 = "32-true", "bf16-mixed"
FILE = "precision.json"

NATIVE = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""Capabilities, as torch names them, that mean bf16 arithmetic: AVX-512, AMX, and Arm's (NEON and SVE)."""
ONEDNN = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
ONEDNN_WITH_BF16 = ("_BF16", "_FP16", "_AMX", "AVX10_")
ONEDNN_WITHOUT = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
ATEN = "ATEN_CPU_CAPABILITY"
ATEN_WITHOUT = ("default", "avx2")
UNLIMITED = ("", "ALL", "DEFAULT")


@dataclass(frozen=True)
class Choice:
    """``precision`` (``32-true`` or ``bf16-mixed``) and why, in words that end a line."""

    precision: str
    reason: str


def resolve(asked: str, device: str, folder: Path, label: str) -> Choice:
    """The arithmetic of the training in ``folder``: as asked, as it began there, or as this device has it.

    ``device``: ``auto``, ``cpu`` or ``cuda``. One line on stderr says what was chosen.
    """
    here = decide("auto", device)
    kept = _kept(folder) if asked == "auto" else None
    if asked != "auto":
        choice = Choice(asked, "as configured")
    elif kept is not None:
        choice = here if kept == here.precision else Choice(kept, "as this training began")
    else:
        choice = here
    if asked == "auto" and kept is None:
        write_json(folder / LOGS / FILE, {"precision": choice.precision, "reason": choice.reason})
    slow = "; slow here: " + here.reason if choice.precision == BF16 and here.precision == FLOAT32 else ""
    _say(f"{label}: precision {choice.precision} ({choice.reason}{slow})")
    return choice


def decide(asked: str, device: str) -> Choice:
    """``asked``, or for ``auto`` what ``device`` computes natively."""
    import torch

    if asked != "auto":
        return Choice(asked, "as configured")
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        return _of_cuda()
    return _of_processor()


def _of_cuda() -> Choice:
    import torch

    major, minor = torch.cuda.get_device_capability()
    name = f"CUDA capability {major}.{minor}"
    return Choice(BF16, f"{name} has bf16") if major >= 8 else Choice(FLOAT32, f"{name} has no bf16")


def _of_processor() -> Choice:
    found = capabilities()
    has = [name for name in NATIVE if found.get(name)]
    if not has and any(name in found for name in NATIVE):
        return Choice(FLOAT32, "this processor has no bf16 arithmetic")
    limit = _limit()
    if limit is not None and limit[1]:
        return Choice(FLOAT32, f"{limit[0]} leaves no bf16 arithmetic")
    if has and limit is None and _has_onednn():
        return Choice(BF16, f"this processor has {has[0]}")
    return timed()


def capabilities() -> Mapping[str, Any]:
    """What torch reports of the processor; nothing where this version of torch cannot say."""
    import torch

    if hasattr(torch.cpu, "get_capabilities"):
        return torch.cpu.get_capabilities()
    older = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return {"avx512_bf16": True} if older is not None and older() else {}


def _has_onednn() -> bool:
    import torch

    return torch.backends.mkldnn.is_available()


def _limit() -> tuple[str, bool] | None:
    """A variable that holds oneDNN or ATen back, and whether bf16 arithmetic is surely gone; None: not limited."""
    for name in ONEDNN:
        value = os.environ.get(name, "").upper()
        if value in UNLIMITED or any(part in value for part in ONEDNN_WITH_BF16):
            continue
        return f"{name}={value}", value in ONEDNN_WITHOUT
    value = os.environ.get(ATEN, "").lower()
    return (f"{ATEN}={value}", True) if value in ATEN_WITHOUT else None


@lru_cache(maxsize=1)
def timed() -> Choice:
    """By a small convolution, forwards and backwards, in both; once a process (about 50 ms).

    One thread and its own processor time: what else the machine does shall not decide.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        net = torch.nn.Conv2d(32, 32, 3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.ones(8, 32, 32, 32).to(memory_format=torch.channels_last)

    def seconds(bf16: bool) -> float:
        begin = time.thread_time()
        with torch.enable_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            net(image).float().sum().backward()
        return time.thread_time() - begin

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        pairs = [(seconds(bf16=True), seconds(bf16=False)) for _ in range(7)]
    finally:
        torch.set_num_threads(threads)
    ratio = min(pair[0] for pair in pairs) / min(pair[1] for pair in pairs)
    return Choice(BF16 if ratio < 1 else FLOAT32, f"timed: a bf16 convolution takes {ratio:.1f} times float32's time")


def _kept(folder: Path) -> str | None:
    try:
        kept = json.loads((folder / LOGS / FILE).read_text(encoding="utf-8"))["precision"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return kept if kept in (FLOAT32, BF16) else None


@lru_cache(maxsize=256)
def _say(line: str) -> None:
    """On stderr, once a process: many small trainings would otherwise say it as often."""
    say(line)
