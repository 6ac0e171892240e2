"""Is an exported training set free of test photographs? From the two JSON files alone, without a line of the project.

Nothing here is imported from it, so that a fault of its own proof is not repeated.
"""

import json
from pathlib import Path


def leaks(export: Path, ingest: Path) -> list[str]:
    """What speaks against the export: one line for each image that descends from, shows, or is a test photograph."""
    made, source = (json.loads((folder / "annotations.json").read_bytes()) for folder in (export, ingest))
    test = [row for row in source["images"] if row["split"] != "train"]
    files = {row["file_name"] for row in test}
    groups = {row["group_id"] for row in test}
    hashes = {row["sha256"] for row in test}
    train = {row["file_name"] for row in source["images"]} - files
    kinds = {row["id"]: row for row in made["images"]}
    named = {row["id"]: [] for row in made["images"]}
    found = [f"group {group} on both sides" for group in groups & {row["group_id"] for row in source["images"]
             if row["split"] == "train"}]  # fmt: skip
    for row in made["annotations"]:
        of = row["provenance"]
        if kinds[row["image_id"]]["source"] == "synthetic":
            named[row["image_id"]] += [(of.get("parent_image"), of.get("parent_group"))]
    for row in made["images"]:
        told = row.get("provenance") or {}
        if row["source"] == "synthetic" and not told:
            found.append(f"{row['file_name']}: no ancestry")
        named[row["id"]] += [(told.get("base"), None)]
        named[row["id"]] += [(donor["image"], donor["group"]) for donor in told.get("donors", [])]
        if row["sha256"] in hashes or row["group_id"] in groups or row["split"] != "train":
            found.append(f"{row['file_name']}: a test photograph or object")
        for file, group in named[row["id"]]:
            if group in groups or (file is not None and file not in train):
                found.append(f"{row['file_name']}: from {file or group}")
    return found
