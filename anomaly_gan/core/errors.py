"""The one exception tree. Every error a user can cause or must act on is one of these."""

from __future__ import annotations

GOES_ON = "nothing is lost; the same command goes on from here"
"""What every command says that was interrupted or stopped."""


class AnomalyGanError(Exception):
    """Base of all errors of this project; the command line prints it as one line, without a traceback."""

    exit_code = 2


class InputError(AnomalyGanError):
    """Bad input, named by place, code, reason and remedy: ``FILE[record]: CODE: reason: what to do``.

    ``code`` is a fault code of the catalogue (for example ``C6`` for a degenerate polygon).
    """

    def __init__(self, where: str, code: str, reason: str, remedy: str = "") -> None:
        self.where, self.code, self.reason, self.remedy = where, code, reason, remedy
        super().__init__(": ".join(part for part in (where, code, reason, remedy) if part))

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str, str]]:
        """So that it can be handed from a process to the one that started it."""
        return type(self), (self.where, self.code, self.reason, self.remedy)


class ConfigError(AnomalyGanError):
    """A configuration file, ``--set`` value or argument that cannot be used."""


class CheckFailed(AnomalyGanError):
    """The work ran to its end, but a gate or a check failed."""

    exit_code = 1


class EnvironmentFailure(AnomalyGanError):
    """Disk full, no permission, another process holds the run, the device is gone."""

    exit_code = 4


class RunBusy(EnvironmentFailure):
    """Another process works in the run's folder."""


class NumericalFailure(AnomalyGanError):
    """A NaN or infinity appeared in training; the message names step and term."""

    exit_code = 1
