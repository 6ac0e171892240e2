"""The label formats that ingest reads, and how one is recognised."""
