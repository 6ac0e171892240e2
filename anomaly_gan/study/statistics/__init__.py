"""What the cells of a study say together, honestly: pure functions of finished cells, no torch at import."""

from .ablated import Ablations
from .ablations import ABLATION_COLUMNS, Trained, ablation_rows, ablation_study, gate_aims
from .cells import StudyCell, load_cells, read_result, study_cells
from .gates import GateFigures, load_gates
from .plots import write_plots
from .summary import (
    COMPARISON_COLUMNS,
    GATE_COLUMNS,
    StudySummary,
    comparison_rows,
    gate_rows,
    summarise_study,
)

__all__ = [
    "ABLATION_COLUMNS",
    "COMPARISON_COLUMNS",
    "GATE_COLUMNS",
    "Ablations",
    "GateFigures",
    "StudyCell",
    "StudySummary",
    "Trained",
    "ablation_rows",
    "ablation_study",
    "comparison_rows",
    "gate_aims",
    "gate_rows",
    "load_cells",
    "load_gates",
    "read_result",
    "study_cells",
    "summarise_study",
    "write_plots",
]
