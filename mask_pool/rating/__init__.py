"""The web page on which experts judge masks over their photograph."""
