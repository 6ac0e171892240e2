"""Foreign pictures are decoded in one process that is kept, bounded, and replaced when it ends."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from broken_files import pixels, png, sound_masks
from PIL import Image

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.ingestion import guarded as apart
from anomaly_gan.ingestion import mask_files
from anomaly_gan.ingestion.classes import IGNORE, ClassMap
from anomaly_gan.ingestion.guarded import guarded
from anomaly_gan.ingestion.image_files import decode_here, decode_photo
from anomaly_gan.ingestion.ledger import Notes, refuse
from anomaly_gan.ingestion.mask_files import decode_parts, read_values
from anomaly_gan.ingestion.stage import IngestConfig, run, source_key


@pytest.fixture
def anew():
    """A worker that has seen nothing, before and after."""
    apart.end()
    yield
    apart.end()


def answer(name, content, number):
    return {"told": number, "name": name}, [np.frombuffer(content, np.uint8).reshape(2, 3), np.zeros((0, 4), np.int64)]


def refused(name, content):
    raise refuse("x.tif", "A7", "is floating", "save it as 16 bits")


def greedy(name, content):
    return {}, [np.ones(3 * 2**30, np.uint8)]


def crashing(name, content):
    os.kill(os.getpid(), signal.SIGSYS)


def failing(name, content):
    raise ZeroDivisionError("in the decoder")


def endless(name, content):
    while True:
        pass


def asleep(name, content):
    time.sleep(100)


def late(name, content):
    time.sleep(1)
    return {"told": "of the one before"}, []


def who(name, content):
    return {"who": os.getpid(), "handles": len(list(Path("/proc/self/fd").iterdir()))}, []


def test_work_in_a_process_of_its_own_comes_back_whole(anew):
    told, (array, nothing) = guarded("é\ud800\n.tif", bytes(range(6)), answer, number=3)
    assert told == {"told": 3, "name": "é\ud800\n.tif"} and nothing.shape == (0, 4)
    assert np.array_equal(array, np.arange(6).reshape(2, 3)) and array.flags.writeable


def test_one_process_is_kept_for_all_and_holds_nothing_of_ours(anew, tmp_path):
    """No lock that would outlive a killed ingest, no terminal, and none is left when the ingest ends."""
    with (tmp_path / "lock").open("w"):
        first, second = (guarded("x", b"", who)[0] for _ in range(2))
    assert first["who"] == second["who"] != os.getpid() and first["handles"] <= 7
    apart.end()
    with pytest.raises(ProcessLookupError):
        os.kill(first["who"], 0)


def test_a_worker_ends_with_a_killed_parent(anew):
    code = (
        "import os; from anomaly_gan.ingestion import guarded as apart\n"
        "print(apart._worker().process, flush=True); os.kill(os.getpid(), 9)"
    )
    said = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False).stdout
    place, until = Path(f"/proc/{int(said)}"), time.monotonic() + 30
    while place.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not place.exists()


@pytest.mark.parametrize("room", [None, 4])
def test_what_the_shared_memory_does_not_hold_goes_through_the_pipes(anew, monkeypatch, room):
    monkeypatch.setattr(apart, "QUESTION", room or apart.QUESTION)
    monkeypatch.setattr(apart, "ANSWER", room or apart.ANSWER)
    if room is None:
        monkeypatch.setattr(apart, "_shared", lambda: None)
    for number in range(3):
        told, (array, _) = guarded("x.tif", bytes(range(6)), answer, number=number)
        assert told["told"] == number and np.array_equal(array, np.arange(6).reshape(2, 3))


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (refused, r"x\.tif: A7: is floating: save it as 16 bits"),
        (greedy, "A17: needs more than 1024 MiB"),
        (crashing, r"A12: its decoder crashed .signal 31"),
        (failing, r"A12: its decoder failed .ZeroDivisionError: in the decoder"),
        (endless, "A17: takes more than"),
        (asleep, "A17: takes more than"),
    ],
)
def test_a_decoder_that_misbehaves_is_a_refusal_and_never_the_end(anew, work, words, monkeypatch):
    monkeypatch.setattr(apart, "MOST_SECONDS", 1)
    monkeypatch.setattr(apart, "GRACE", 2 if work is not endless else 60)
    for _ in range(1 if work in (endless, asleep) else 2):
        with pytest.raises(InputError, match=words):
            guarded("x.tif", b"", work)
        assert guarded("x.tif", b"", who)[0]["who"] != os.getpid()


SEEN = []


def second_time(name, content):
    """What an earlier picture has left behind makes this one fail."""
    SEEN.append(name)
    if len(SEEN) > 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"alone": True}, []


def test_a_picture_that_a_new_worker_reads_is_not_refused_for_what_others_did(anew):
    assert all(guarded("x", b"", second_time)[0]["alone"] for _ in range(3))


def test_ctrl_c_over_an_answer_leaves_no_answer_for_the_next(anew):
    def press(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, press)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            guarded("x", b"", late)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert guarded("x", bytes(6), answer, number=5)[0]["told"] == 5


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_every_picture_is_decoded_there_with_the_same_result(anew, kind, monkeypatch):
    content = saved(Image.fromarray(pixels(5, (40, 48))), kind)
    notes, plain = Notes(), Notes()
    here = decode_here("x", content, plain)
    monkeypatch.setattr("anomaly_gan.ingestion.image_files.decode_here", only_in(os.getpid(), decode_here))
    there = decode_photo("x", content, notes)
    assert np.array_equal(there.pixels, here.pixels) and notes == plain
    assert (there.orientation, there.converted) == (here.orientation, here.converted)


def test_an_ingest_decodes_nothing_in_its_own_process_and_survives_its_worker(anew, tmp_path, monkeypatch):
    """One photograph of forty crashes the decoder: the others are taken, whatever message they were in."""
    sound_masks(tmp_path / "source")
    for index in range(40):
        (tmp_path / "source" / "good" / f"more{index}.png").write_bytes(png(pixels(100 + index)))
    bad = tmp_path / "source" / "good" / "more17.png"

    def there(name, content, *arguments):
        if name.endswith(bad.name):
            os.kill(os.getpid(), signal.SIGSEGV)
        return only_in(here, decode_here)(name, content, *arguments)

    here = os.getpid()
    monkeypatch.setattr("anomaly_gan.ingestion.seen.decode_here", there)
    monkeypatch.setattr("anomaly_gan.ingestion.mask_files._held", only_in(here, mask_files._held))
    config = IngestConfig(root=str(tmp_path / "source"), max_bad=0.9)
    run_stage("ingest", run, config, Context(0), tmp_path / "out", source_key(config))
    rejects = (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()
    assert len(rejects) == 1 and bad.name in rejects[0] and "A12" in rejects[0] and "signal 11" in rejects[0]


def only_in(parent, work):
    def there(*arguments):
        assert os.getpid() != parent, "decoded in the process of the ingest"
        return work(*arguments)

    return there


def saved(picture, kind, **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def test_masks_are_decoded_there_with_the_same_result(anew, monkeypatch):
    plain = np.zeros((40, 48), np.uint8)
    plain[5:20, 5:25] = 1
    soft = cv2.blur(plain * np.uint8(255), (3, 3))
    classes = ClassMap({1: "crack", 2: IGNORE}, {(200, 0, 0): "stain"}, "told")
    assert ClassMap.of(json.loads(json.dumps(classes.told()))) == classes
    numbered = plain + plain[::-1] * np.uint8(2) * (1 - plain)
    cases = [
        (plain * 255, None),
        (soft, None),
        (numbered, ClassMap({1: "crack", 2: IGNORE}, {}, "told")),
        (np.dstack([plain * 200, plain * 0, plain * 0]), classes),
    ]
    monkeypatch.setattr("anomaly_gan.ingestion.mask_files._held", one_place := Place(mask_files._held))
    for mask, told in cases:
        content, notes, near = png(mask), Notes(), Notes()
        monkeypatch.setattr(apart, "FORKS", False)
        one_place.wanted = os.getpid()
        here, near_values = decode_parts("m.png", content, near, classes=told), read_values("m.png", content, Notes())
        monkeypatch.setattr(apart, "FORKS", True)
        one_place.wanted = -os.getpid()
        apart.end()
        there, held = decode_parts("m.png", content, notes, classes=told), read_values("m.png", content, Notes())
        assert notes == near and there.size_hw == here.size_hw and there.value == here.value
        assert list(there.defects) == list(here.defects) and (there.ignore is None) == (here.ignore is None)
        assert all(np.array_equal(there.defects[name], here.defects[name]) for name in here.defects)
        assert here.ignore is None or np.array_equal(there.ignore, here.ignore)
        assert held.table == near_values.table and (held.colours, held.soft) == (near_values.colours, near_values.soft)
    with pytest.raises(InputError, match=r"m\.png: B14"):
        decode_parts("m.png", png(numbered), Notes())


class Place:
    """Work that must happen in the process ``wanted``, or, where that is negative, in another."""

    def __init__(self, work):
        self.work, self.wanted = work, 0

    def __call__(self, *arguments):
        assert (os.getpid() == self.wanted) if self.wanted > 0 else (os.getpid() != -self.wanted)
        return self.work(*arguments)
