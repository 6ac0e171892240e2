"""The web page on which experts rate masks over their photograph."""
