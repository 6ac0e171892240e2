"""The detectors' nets, one module each; ``detection.registry`` names them."""
