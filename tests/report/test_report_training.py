"""The curve by which a training may stop early is shown where one was written."""

from anomaly_gan.core.files import write_text
from anomaly_gan.report.folders import StageFolder
from anomaly_gan.report.pictures import Album
from anomaly_gan.report.sections.training import curves


def test_the_quality_curve_is_drawn_where_it_was_measured(tmp_path):
    stage, album = StageFolder("train@anomaly_gan", tmp_path), Album(1_000_000, 80)
    assert curves(stage, album, "quality.csv", "distance") is None
    write_text(tmp_path / "quality.csv", "step,KID-EffLite0,category a\n200,2.5,nan\n400,1.5,nan\n")
    picture = curves(stage, album, "quality.csv", "distance")
    assert picture is not None and picture.alt == "distance over training steps: KID-EffLite0"
