"""``python -m anomaly_gan`` is ``anomaly-gan``."""

from .cli.main import main

main()
