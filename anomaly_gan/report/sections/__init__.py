"""One module per section of the report; each ``build(run, album, config)`` returns what its template shows."""
