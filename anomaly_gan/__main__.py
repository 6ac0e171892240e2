"""``anomaly-gan``, and ``python -m anomaly_gan``."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """The command line; Ctrl-C is answered in one line from the first import on, and asks nothing of what is done."""
    try:
        from .cli.main import main as work
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing is lost; the same command goes on from here\n")
        sys.exit(128 + signal.SIGINT)
    try:
        work()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
