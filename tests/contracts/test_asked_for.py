from anomaly_gan.core.files import write_json
from anomaly_gan.pipeline.config import RunConfig
from anomaly_gan.pipeline.plan import plan
from anomaly_gan.pipeline.run import context_of


def test_a_report_knows_what_other_verbs_have_finished_in_the_run(tmp_path):
    """Also where nobody planned it: else `run` and `status` would take such a report for stale."""
    config = RunConfig(name="x", data={"root": "nowhere"})
    for name in ("control@anomaly_gan", "features@anomaly_gan"):
        write_json(tmp_path / name / "manifest.json", {"key": name, "files": []})
    (tmp_path / "features@cyclegan").mkdir()
    report, other = (next(step for step in plan(config) if step.name == name) for name in ("report", "pool"))
    extra = context_of(config, tmp_path, report).inputs.keys() - report.inputs.keys()
    assert extra == {"control@anomaly_gan", "features@anomaly_gan"}
    assert context_of(config, tmp_path, other).inputs.keys() == other.inputs.keys()
