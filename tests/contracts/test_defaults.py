"""Keys leave defaults out: a new field changes no key, a changed default needs another SCHEMA."""

from __future__ import annotations

import json

import defaults
import pytest

from anomaly_gan.core.config import Config, Place
from anomaly_gan.core.files import sha256_bytes, write_json
from anomaly_gan.core.stage import SCHEMA, stage_key
from anomaly_gan.synthesis.methods.config import TrainConfig


def test_no_default_changed_without_a_new_schema():
    snapshot, now = json.loads(defaults.SNAPSHOT.read_text("utf-8")), defaults.defaults()
    assert not defaults.problems(snapshot, now, SCHEMA), "raise SCHEMA in core/manifest.py, then `make defaults`"
    assert snapshot == {"schema": SCHEMA, "defaults": now}, "run `make defaults` and commit what it writes"
    assert len(now) > 250 and now["anomaly_gan.synthesis.methods.config.TrainConfig.steps"] == TrainConfig().steps


def test_a_guest_in_a_package_is_no_section_of_the_project():
    class Guest(Config):
        steps: int = 3

    Guest.__module__ = "detection.one_class.methods.laid_in_by_a_test"
    assert Guest not in defaults.sections()


@pytest.mark.parametrize(("schema", "refused"), [(2, True), (3, False)])
def test_a_changed_default_is_named_until_the_schema_rises(schema, refused):
    snapshot = {"schema": 2, "defaults": {"A.steps": 5, "A.gone": 1}}
    found = defaults.problems(snapshot, {"A.steps": 6, "A.new": 0}, schema)
    assert found == (["A.steps: 5 -> 6"] if refused else [])


def test_a_new_field_changes_no_key_and_a_value_does():
    class Before(Config):
        steps: int = 3

    class Inner(Config):
        width: int = 1

    class After(Before):
        more: float = 0.5
        inner: Inner = Inner()

    key = stage_key("train", Before(), 0, {})
    assert key == stage_key("train", After(), 0, {}) == stage_key("train", After(steps=3, more=0.5), 0, {})
    others = [After(steps=4), After(more=0.6), After(inner=Inner(width=2))]
    assert len({key, *(stage_key("train", other, 0, {}) for other in others)}) == 4


def test_where_files_lie_is_in_no_key_and_what_was_finished_by_it_stays_fresh(tmp_path):
    class Inner(Config):
        regions: Place | None = None

    class Reads(Config):
        root: Place
        regex: str = ""
        inner: Inner = Inner()

    here = Reads(root="/a/parts", inner=Inner(regions="/a/drawn"))
    there = Reads(root="/b/c/parts", inner=Inner(regions="/b/drawn"))
    key = stage_key("ingest", here, 0, {})
    assert key == stage_key("ingest", there, 0, {})
    others = [Reads(root="/a/nuts", inner=here.inner), Reads(root="parts", inner=here.inner), Reads(root="/a/parts")]
    others += [here.model_copy(update={"regex": regex}) for regex in ("/a/(x)", "/b/(x)")]
    assert len({key, *(stage_key("ingest", other, 0, {}) for other in others)}) == 6
    told = {"stage": "ingest", "schema": SCHEMA, "seed": 0, "config": here.model_dump(exclude_defaults=True)}
    older = sha256_bytes(json.dumps(told | {"inputs": {}}, sort_keys=True).encode())
    write_json(tmp_path / "manifest.json", {"key": older, "files": []})
    assert stage_key("ingest", here, 0, {}, tmp_path) == older
    assert stage_key("ingest", there, 0, {}, tmp_path) == key
