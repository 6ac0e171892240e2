"""Statistics that several rooms need: pure numpy and scipy; nothing here knows a data set or a path."""
