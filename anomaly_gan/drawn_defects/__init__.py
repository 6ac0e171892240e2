"""Defects drawn by rule on sound photographs: what they look like, and how they are set in."""
