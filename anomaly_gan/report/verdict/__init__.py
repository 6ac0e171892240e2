"""The verdict on a run: use the photographs, do not, or what would tell; and what to do about each failing figure."""
