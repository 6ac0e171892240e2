"""What the cells of a study say together, honestly: pure functions of finished cells, no torch at import."""

from .cells import StudyCell, load_cells, read_result, study_cells
from .gates import GateFigures, load_gates
from .plots import write_plots
from .summary import (
    COMPARISON_COLUMNS,
    GATE_COLUMNS,
    comparison_rows,
    gate_rows,
    summarise_study,
)
from .switches import SWITCH_COLUMNS, Trained, gate_aims, switch_rows, switch_study

__all__ = [
    "COMPARISON_COLUMNS",
    "GATE_COLUMNS",
    "SWITCH_COLUMNS",
    "GateFigures",
    "StudyCell",
    "Trained",
    "comparison_rows",
    "gate_aims",
    "gate_rows",
    "load_cells",
    "load_gates",
    "read_result",
    "study_cells",
    "summarise_study",
    "switch_rows",
    "switch_study",
    "write_plots",
]
