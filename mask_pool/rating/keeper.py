"""Backups while the server works: after N ratings, and after some time with any."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from anomaly_gan.core.errors import EnvironmentFailure

log = logging.getLogger(__name__)


class Keeper:
    """Calls ``backup`` from a thread of its own; one that fails is logged, and tried again."""

    def __init__(self, backup: Callable[[], Any], every: int, minutes: float) -> None:
        self.backup, self.every, self.seconds = backup, every, 60 * minutes
        self._due, self._ended = threading.Event(), False
        self._since = 0
        self._thread = threading.Thread(target=self._work, name="backups", daemon=True)
        self._thread.start()

    def rated(self) -> None:
        """One more rating stands in the store."""
        self._since += 1
        if self._since >= self.every:
            self._due.set()

    def _work(self) -> None:
        while True:
            self._due.wait(self.seconds)
            self._due.clear()
            if self._ended:
                return
            if self._since:
                before = self._since
                try:
                    self.backup()
                    self._since -= before
                except EnvironmentFailure as error:
                    log.error("no backup: %s", error)

    def close(self) -> None:
        self._ended = True
        self._due.set()
        self._thread.join()
