"""Values of a training of 16 px that takes a blink."""

TINY = {
    "steps": 4,
    "size": 16,
    "local_size": 8,
    "base_width": 8,
    "depth": 2,
    "widths": (4, 4),
    "features": 4,
    "aware_width": 4,
    "aware_size": 8,
    "aware_steps": 1,
    "checkpoint_every": 1,
    "threads": 1,
    "scales": (1, 2),
    "precision": "32-true",
}
