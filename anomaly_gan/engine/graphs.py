"""A net as one ONNX graph: what generators, detectors and one-class detectors share when they write theirs."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import ConfigError, EnvironmentFailure
from ..core.resources import get_extra

LOGGERS = ("torch.onnx", "torch.export", "torch._dynamo", "onnxscript", "onnx_ir")


def check_installed(packages: Sequence[str], extra: str) -> None:
    """Raises:
    ConfigError: one of the packages is missing.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ConfigError(f"{', '.join(missing)}: not installed; {get_extra(extra)}")


def write_traced(
    net: nn.Module,
    inputs: Mapping[str, Tensor],
    output: str,
    axes: Mapping[int, str],
    facts: Mapping[str, object],
    path: Path,
) -> None:
    """The net as an ONNX graph, by tracing, which takes a tenth of the time of torch's other exporter.

    Args:
        net: ready for use, of one output.
        inputs: an example of each by its name, in order.
        output: name of what comes out.
        axes: the axes whose lengths may change, of every input and the output, and their names.
        facts: metadata; what is no text is written as JSON.
        path: file to write.

    Raises:
        EnvironmentFailure: this version of torch cannot write it.
    """
    import onnx

    free = {name: {at: axes[at] for at in axes if at < value.ndim} for name, value in inputs.items()}
    with quiet(), torch.no_grad():
        try:
            torch.onnx.export(
                net,
                tuple(inputs.values()),
                str(path),
                dynamo=False,
                opset_version=17,
                input_names=list(inputs),
                output_names=[output],
                dynamic_axes={**free, output: dict(axes)},
            )
        except (RuntimeError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise EnvironmentFailure(f"torch {torch.__version__} cannot write it as ONNX ({reason})") from error
    graph = onnx.load(str(path))
    told = {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
    onnx.helper.set_model_props(graph, told)
    onnx.save(graph, str(path))


def onnx_runner(path: Path) -> Callable[[Mapping[str, np.ndarray]], list[np.ndarray]]:
    """The ONNX graph in a file, ready to run on as many threads as torch computes on, in float32."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, dict(inputs))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The exporter's remarks on its own progress and on packages that are not there are no news to a user."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    try:
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
