"""What the cells of a study say together, honestly: pure functions of finished cells, no torch at import."""

from .cells import StudyCell, load_cells
from .gates import GateFigures, load_gates
from .plots import write_plots
from .summary import (
    COMPARISON_COLUMNS,
    GATE_COLUMNS,
    comparison_rows,
    gate_rows,
    summarise_study,
)

__all__ = ["COMPARISON_COLUMNS", "GATE_COLUMNS", "GateFigures", "StudyCell", "comparison_rows", "gate_rows",
           "load_cells", "load_gates", "summarise_study", "write_plots"]
