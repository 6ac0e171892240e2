"""What an older version's painting without a generator scores today: artefact and two-sample AUROC of its exemplars,
and the artefact AUROC of its copy-paste.

    git worktree add /tmp/before 86b6a3f
    anomaly-gan pool build --run RUN --set count=40 --set rotation=180 --set flip=true --set 'scale=[0.7,1.4]' \\
        --set 'elements=[1,3]' --set place.strategy=position                           # the defaults of that time
    python benchmarks/older_layers.py /tmp/before RUN

The older package is imported beside this one under another name. Its exemplars are warped to
the masks to which this version would warp its own (same windows, same candidates); its copy-paste is its own
throughout. The probes, shams and crops are today's, so that the figures stand beside those of ``choose`` and of
``layers.py``. Each line is JSON.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import layers

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.metrics.backbones import embedded_backbone
from anomaly_gan.synthesis.bank import painters
from anomaly_gan.synthesis.bank.artefact import artefact_by_category
from anomaly_gan.synthesis.generate.stage import pool_items
from anomaly_gan.synthesis.interface import MethodInputs
from anomaly_gan.synthesis.methods.painting import generator

SEED = 1


def import_older(checkout: Path) -> tuple:
    """The older version's modules of exemplars and of copy-paste."""
    package = checkout / "anomaly_gan"
    spec = spec_from_file_location("older", package / "__init__.py", submodule_search_locations=[str(package)])
    if spec is None or spec.loader is None or not package.is_dir():
        sys.exit(f"{checkout}: no checkout of this project")
    sys.modules["older"] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return (
        importlib.import_module("older.synthesis.examples"),
        importlib.import_module("older.synthesis.methods.copy_paste"),
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("before", type=Path, help="a checkout of the older version")
    arguments.add_argument("run", type=Path)
    arguments.add_argument("--most", type=int, default=40, help="masks of each category")
    options = arguments.parse_args()
    examples, copy_paste = import_older(options.before)

    def lay(pair, ground, mask_01, part_01=None):
        return examples.lay_both(tuple(examples.Example(one.pixels, one.mask_01) for one in pair), ground, mask_01)

    train, pool = load_dataset(options.run / "ingest").split("train"), load_dataset(options.run / "pool")
    items = [item for own in pool_items(pool).values() for item in own[: options.most]]
    backbone, inputs = embedded_backbone("cpu"), MethodInputs(train, pool, SEED, "cpu")
    known = painters.method
    rows = {"older_copy_paste": SimpleNamespace(open=copy_paste.open_method)}
    with patch.object(generator, "warp_both", lay), patch.object(layers, "warp_both", lay):
        with patch.object(painters, "method", lambda name: rows.get(name) or known(name)):
            for name in ("exemplar", "older_copy_paste"):
                with tempfile.TemporaryDirectory() as folder:
                    opened = painters.Painters(name, inputs, Path(folder), sets=1)
                    told = artefact_by_category(opened, items, backbone, options.most)
                found = {category: one and one.to_json() for category, one in told.items()}
                sys.stdout.write(json.dumps({"artefact": name, **found}) + "\n")
        figures = {one.name: layers.Category(one.name, one.id, train, pool).figures() for one in train.categories}
    sys.stdout.write(json.dumps({"layers": "exemplar", **figures}) + "\n")


if __name__ == "__main__":
    main()
