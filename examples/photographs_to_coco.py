"""From labelled photographs to a COCO data set with synthetic defects beside the real ones, by copy-paste.

python examples/photographs_to_coco.py --out runs/coco
python examples/photographs_to_coco.py --source photos --group-regex '(part\\d+)_' --out runs/coco
"""

from __future__ import annotations

import argparse
from pathlib import Path

import anomaly_gan as ag


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--source", default="embedded:sample", help="folder of labelled photographs")
    parser.add_argument("--group-regex", help="expression on the file name; its first group names the part")
    parser.add_argument("--count", type=int, default=6, help="synthetic photographs per category")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    sample = chosen.source == "embedded:sample"
    data = ag.ingest(
        chosen.source,
        chosen.out / "ingest",
        format="mask-png" if sample else "auto",
        groups="embedded:sample/groups.csv" if sample else None,
        group_regex=chosen.group_regex,
    )
    pool = ag.build_pool(data, chosen.out / "pool", ag.PoolConfig(count=2 * chosen.count))
    made = ag.generate("copy_paste", pool, chosen.out / "generate@copy_paste", data=data, count=chosen.count)
    kept = ag.gate(made, data, chosen.out / "gate@copy_paste")
    full = ag.export(data, kept, chosen.out / "export@copy_paste")
    for category, verdict in kept.verdicts.items():
        print(f"{category}: {verdict}")
    print(f"{len(full.images)} photographs, {len(full.annotations)} defects → {full.folder}")


if __name__ == "__main__":
    main()
