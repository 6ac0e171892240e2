"""anomaly-gan: synthetic, labelled defects for visual inspection.

Importing this package imports neither torch nor any other heavy library.
"""

__version__ = "0.1.0"
