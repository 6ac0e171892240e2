"""A saved detector as an ONNX graph says what the detector says, for batches of any size, and tells its threshold."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from anomaly_gan.core.errors import CheckFailed, ConfigError
from anomaly_gan.engine import graphs
from anomaly_gan.ingestion.reading import ReadingConfig
from detection.one_class.inspection import onnx_export as onnx_graph
from detection.one_class.inspection.calibration import calibrate
from detection.one_class.inspection.checkpoint import Model, save_model
from detection.one_class.inspection.onnx_export import export_onnx
from detection.one_class.inspection.scoring import score_batch
from detection.one_class.interface import Scores
from detection.one_class.registry import one_class
from detection.one_class.training import build_detector


def stored(folder: Path) -> Model:
    settings = one_class("cae").configure("quick", {"size": 16})
    detector = build_detector("cae", 3, settings, seed=0)
    model = Model(detector, "cae", settings, 3, ReadingConfig(colour="rgb"), calibrate(np.arange(40.0), 0.05))
    save_model(folder, model)
    return model


def test_the_graph_says_what_the_detector_says(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    model, out = stored(tmp_path / "model"), tmp_path / "cae.onnx"
    done = export_onnx(tmp_path / "model", out)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    assert done.score_gap <= 1e-4 and done.map_gap is not None and done.map_gap <= 1e-4 and str(out) in done.line()
    session = onnxruntime.InferenceSession(str(out))
    squares = torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8).numpy()
    score, heat = session.run(None, {"images": squares})
    wanted = score_batch(model.detector, squares)
    assert wanted.map_BHW is not None
    np.testing.assert_allclose(score, wanted.image.numpy(), atol=1e-4)
    np.testing.assert_allclose(heat, wanted.map_BHW.numpy(), atol=1e-4)
    facts = session.get_modelmeta().custom_metadata_map
    assert model.threshold is not None and json.loads(facts["threshold"]) == model.threshold.value
    assert (facts["preprocess"], facts["mode"], facts["size"]) == ("square", "RGB", "16")

    # a graph that says something else is not written
    before = out.read_bytes()
    monkeypatch.setattr(onnx_graph, "_write", lambda model, example, maps, path: path.write_bytes(before))
    other = Scores(torch.full((3,), 0.5), torch.zeros(3, 16, 16))
    monkeypatch.setattr(onnx_graph, "score_batch", lambda *_: other)
    with pytest.raises(CheckFailed, match="differs from the detector"):
        export_onnx(tmp_path / "model", tmp_path / "other.onnx")
    assert not (tmp_path / "other.onnx").exists()


def test_what_cannot_be_exported_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = stored(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(
            onnx_graph,
            "load_model",
            lambda folder: type(model)(model.detector, "ano_gan", model.settings, 3, model.reading, model.threshold),
        )
        with pytest.raises(ConfigError, match="ano_gan cannot be written as ONNX"):
            export_onnx(tmp_path, tmp_path / "x.onnx")
    real = importlib.util.find_spec
    monkeypatch.setattr(graphs, "find_spec", lambda name: None if name == "onnxscript" else real(name))
    with pytest.raises(ConfigError, match="onnxscript: not installed; `make extra NAME=onnx`"):
        export_onnx(tmp_path, tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()
