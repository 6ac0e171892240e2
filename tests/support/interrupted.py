"""A training that is killed once, for tests of going on."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def interrupted_once(monkeypatch: pytest.MonkeyPatch, batches: type, at: int) -> Iterator[None]:
    """Within the block ``batches.batch`` is interrupted when step ``at`` is first asked for; after that no earlier
    step may be asked for again."""
    shown, cut = batches.batch, []

    def batch(self, step):
        if step == at and not cut:
            cut.append(step)
            raise KeyboardInterrupt
        assert step >= at or not cut, "goes on where it stopped"
        return shown(self, step)

    with monkeypatch.context() as patched:
        patched.setattr(batches, "batch", batch)
        yield
    assert cut, "was never interrupted"
