"""The public functions: each runs one stage into a folder and hands back what the folder holds.

They are thin: the same configuration classes, keys, locks and files as the command line. A finished folder of the same
inputs is read, not made again; one that was cut off is gone on with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .core.config import build
from .core.errors import ConfigError, InputError
from .core.stage import Context, read_manifest
from .core.stage_calls import Device, Pixels, dataset_of, run_into

if TYPE_CHECKING:
    from .core.dataset import Dataset
    from .synthesis.gate.config import ExportConfig, GateConfig
    from .synthesis.generate.config import GenerateConfig
    from .synthesis.label_check.config import LabelCheckConfig
    from .synthesis.methods.config import TrainConfig
    from .synthesis.methods.painting.generator import Brush


def ingest(
    source: str | Path,
    out: str | Path,
    *,
    format: str = "auto",
    groups: str | Path | None = None,
    group_regex: str | None = None,
    seed: int = 0,
    **settings: Any,
) -> Dataset:
    """Read labelled photographs into one checked data set, split once, by physical object.

    Args:
        source: folder of photographs and labels, or a COCO file; ``embedded:sample`` is the sample set.
        out: folder to write (``annotations.json``, ``images/``).
        format: ``auto``, or the name of a label format.
        groups: CSV with the columns ``file,group[,fold]``: which photographs show the same object.
        group_regex: or an expression on the file name whose first group names the object.
        seed: of the split.
        settings: any other field of ``anomaly_gan.IngestConfig``.

    Returns:
        The data set; ``dataset.split("train")`` is its training part.

    Raises:
        InputError: the source cannot be read as any format, or holds contradictions.
    """
    from .ingestion.stage import IngestConfig, run, source_key

    given = {"root": str(source), "format": format, "group_regex": group_regex, **settings}
    given["groups"] = None if groups is None else str(groups)
    config = build(IngestConfig, {name: value for name, value in given.items() if value is not None}, "ingest")
    return dataset_of("ingest", run, config, Context(seed), out, source_key(config))


@dataclass(frozen=True)
class TrainedGenerator:
    """A finished training: a folder with ``generator.safetensors`` and ``model.json``.

    ``data`` and ``pool`` are the folders it learnt from, where known; :func:`generate` reads them.
    """

    folder: Path
    method: str
    categories: tuple[str, ...]
    device: str = "auto"
    data: Path | None = None
    pool: Path | None = None

    @classmethod
    def load(cls, folder: str | Path, device: Device = "auto") -> TrainedGenerator:
        """Open the folder of a finished training (``RUN/train@anomaly_gan``).

        Raises:
            InputError: no finished training there.
        """
        from .synthesis.methods.trained import FILE, read_trained

        folder = Path(folder)
        if read_manifest(folder) is None or not (folder / FILE).is_file():
            raise InputError(str(folder), "UNFINISHED", "no finished training in this folder", "run `train` first")
        model = read_trained(folder)
        beside = {name: folder.parent / name for name in ("ingest", "pool") if read_manifest(folder.parent / name)}
        return cls(
            folder,
            model.config.method,
            tuple(model.categories),
            device,
            beside.get("ingest"),
            beside.get("pool"),
        )

    def brush(self) -> tuple[Brush, int]:
        """The net ready to paint, and the number of channels it paints (1 or 3)."""
        from .synthesis.methods.painting.severity import open_painter

        return open_painter(self.folder, self.device)

    def paint(
        self,
        photo: Pixels,
        mask: NDArray[Any],
        category: str,
        *,
        severity: float | str | None = None,
        seed: int = 0,
    ) -> Pixels:
        """Paint one defect of ``category`` under ``mask`` on a sound photograph.

        Args:
            photo: uint8 (H, W) or (H, W, 3), RGB.
            mask: (H, W), nonzero where the defect is to be.
            category: one of :attr:`categories`.
            severity: a number in [0, 1] from the faintest to the strongest training defect, or words as
                ``anomaly-gan paint --severity`` takes; None: as strong as a training defect drawn by ``seed``.
            seed: another number is another defect.

        Returns:
            uint8, the shape of ``photo``. Outside the mask, and the model's rim of a few pixels, bit for bit ``photo``.

        Raises:
            ConfigError: an unknown category, an empty mask, or sizes that differ.
        """
        from .synthesis.methods.painting.severity_scale import parse_severity
        from .synthesis.paint.stage import paint_instances

        if category not in self.categories:
            raise ConfigError(f"category {category!r}: this generator knows {', '.join(self.categories)}")
        mask_01 = (np.asarray(mask) > 0).astype(np.uint8)
        if mask_01.shape != photo.shape[:2]:
            raise ConfigError(f"mask: {mask_01.shape} does not fit a photograph of {photo.shape[:2]}")
        if not mask_01.any():
            raise ConfigError("mask: empty, there is nothing to paint")
        brush, channels = self.brush()
        asked = None if severity is None else parse_severity(str(severity))
        return paint_instances(brush, channels, photo, [(category, mask_01)], asked, seed)[0]


def train(
    data: Dataset,
    pool: Dataset,
    out: str | Path,
    *,
    method: str = "anomaly_gan",
    config: TrainConfig | None = None,
    seed: int = 0,
    device: Device = "auto",
) -> TrainedGenerator:
    """Train a generation method on the training split of ``data`` and the masks of ``pool``.

    Args:
        data: what :func:`ingest` gave.
        pool: what :func:`build_pool` gave.
        out: folder of the training; work that was cut off is gone on with.
        method: a method that learns, such as ``anomaly_gan``, ``pix2pix`` or ``cyclegan``.
        config: steps, batch, time budget ...; what another method's paper fixes stays as its paper has it.
        seed: of weights and batches.
        device: where to train.

    Returns:
        The training; :func:`generate` and ``paint`` work with it.
    """
    from .synthesis.methods.config import TrainConfig
    from .synthesis.training.stage import run

    given = config.given_to(method) if config is not None else {}
    wanted = build(TrainConfig, {**given, "method": method}, "train")
    context = Context(seed, device, {"ingest": data.folder, "pool": pool.folder})
    run_into(f"train@{method}", run, wanted, context, Path(out))
    return TrainedGenerator(
        Path(out), method, tuple(category.name for category in data.categories), device, data.folder, pool.folder
    )


@dataclass(frozen=True)
class Generated:
    """Photographs that a method made: the data set, and what they came from."""

    dataset: Dataset
    method: str
    inputs: Mapping[str, Path]
    seed: int
    device: str


def generate(
    generator: TrainedGenerator | str,
    pool: Dataset,
    out: str | Path,
    *,
    data: Dataset | None = None,
    count: int = 50,
    config: GenerateConfig | None = None,
    seed: int = 0,
) -> Generated:
    """Make ``count`` labelled defect photographs a category from sound training photographs and the pool's masks.

    Args:
        generator: a training, or the name of a method that learns nothing (``copy_paste``, ``geometric``).
        pool: whose masks to fill.
        out: folder to write.
        data: the data set; left out, the one that ``generator`` learnt from.
        count: photographs per category.
        config: everything else (categories, severity, light).
        seed: of the painting.

    Returns:
        The labelled photographs, and what they came from.

    Raises:
        ConfigError: a method without its training, or no data set known.
    """
    from .synthesis.generate.config import GenerateConfig
    from .synthesis.generate.stage import run
    from .synthesis.registry import training_of

    trained = None if isinstance(generator, str) else generator
    name = generator if isinstance(generator, str) else generator.method
    folder = data.folder if data is not None else trained.data if trained is not None else None
    if folder is None:
        raise ConfigError("generate: which data set? give data=")
    needed = training_of(name)
    if needed and trained is None:
        raise ConfigError(f"generate: {name} paints with a training of {needed}; give it in the name's place")
    inputs = {"ingest": folder, "pool": pool.folder}
    if trained is not None:
        inputs[f"train@{needed}"] = trained.folder
    wanted = (config or GenerateConfig()).model_copy(update={"method": name, "count": count})
    device = trained.device if trained is not None else "auto"
    dataset = dataset_of(f"generate@{name}", run, wanted, Context(seed, device, inputs), out)
    return Generated(dataset, name, inputs, seed, device)


@dataclass(frozen=True)
class Gated:
    """What passed the gate, and the verdict by category."""

    dataset: Dataset
    method: str
    metrics: dict[str, Any]
    inputs: Mapping[str, Path]

    @property
    def verdicts(self) -> dict[str, str]:
        """Category -> ``pass``, ``warn``, ``fail`` or what else the gate says."""
        return {name: str(row["verdict"]) for name, row in self.metrics["categories"].items()}


def gate(
    made: Generated,
    data: Dataset,
    out: str | Path,
    *,
    config: GateConfig | None = None,
    label_check: LabelCheckConfig | None = None,
) -> Gated:
    """Check every generated photograph and every category; what is refused is tried again.

    Args:
        made: what :func:`generate` gave.
        data: the data set; its real training defects are the reference.
        out: folder of the accepted photographs.
        config: the gate's limits.
        label_check: the segmenters' configuration where ``config.label_check`` is set; they are trained into
            ``label_check`` beside ``out``.
    """
    from .core.config import read_yaml
    from .synthesis.gate.config import GateConfig, source_keys
    from .synthesis.gate.stage import run

    out = Path(out)
    wanted = (config or GateConfig()).model_copy(update={"method": made.method})
    inputs = {**made.inputs, f"generate@{made.method}": made.dataset.folder}
    if wanted.label_check:
        inputs["label_check"] = _label_check(data, out.parent / "label_check", label_check, made)
    dataset = dataset_of(
        f"gate@{made.method}", run, wanted, Context(made.seed, made.device, inputs), out, source_keys()
    )
    return Gated(dataset, made.method, read_yaml(out / "metrics.json"), inputs)


def _label_check(data: Dataset, out: Path, config: LabelCheckConfig | None, made: Generated) -> Path:
    from .synthesis.label_check.config import LabelCheckConfig
    from .synthesis.label_check.stage import run

    run_into(
        "label_check", run, config or LabelCheckConfig(), Context(made.seed, made.device, {"ingest": data.folder}), out
    )
    return out


def export(
    data: Dataset, kept: Gated, out: str | Path, *, format: str = "coco", config: ExportConfig | None = None
) -> Dataset:
    """Lay real training photographs and accepted synthetic ones into one data set for detectors.

    Raises:
        ConfigError: a format that is not written.
        CheckFailed: a label does not agree with its pixels, or something descends from a test photograph.
    """
    from .synthesis.export.reviewed import review_key
    from .synthesis.export.stage import run
    from .synthesis.gate.config import ExportConfig

    if format != "coco":
        raise ConfigError(f"format {format}: this function writes coco; `anomaly-gan export --format` writes others")
    wanted = (config or ExportConfig()).model_copy(update={"method": kept.method})
    inputs = {"ingest": data.folder, f"gate@{kept.method}": kept.dataset.folder, "pool": kept.inputs["pool"]}
    said = review_key(kept.dataset.folder)
    return dataset_of(f"export@{kept.method}", run, wanted, Context(0, inputs=inputs), out, said)
