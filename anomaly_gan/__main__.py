"""``python -m anomaly_gan`` is ``anomaly-gan``."""

from .cli import main

main()
