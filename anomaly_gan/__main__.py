"""``anomaly-gan``, and ``python -m anomaly_gan``."""

from __future__ import annotations

import signal
import sys

from .core.errors import GOES_ON


def main() -> None:
    """The command line; Ctrl-C is answered in one line from the first import to the exit."""
    try:
        from .cli.main import main as work
    except KeyboardInterrupt:
        sys.stderr.write(f"interrupted: {GOES_ON}\n")
        sys.exit(128 + signal.SIGINT)
    try:
        work()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # at the exit, too, and without a word


if __name__ == "__main__":
    main()
