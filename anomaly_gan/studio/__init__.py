"""``anomaly-gan studio``: a page beside the rating page, on which a run is looked at and worked on."""
