"""Which settings a verb reads."""

from __future__ import annotations

from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.columns import ColumnsRun
from imgda_mpi.settings.comparison import Comparison
from imgda_mpi.settings.cycle import CycleRun
from imgda_mpi.settings.errors import ErrorEstimate
from imgda_mpi.settings.fields import Section
from imgda_mpi.settings.twin import Twin
from imgda_mpi.settings.verify import Verification

KINDS: dict[str, type[Section]] = {
    "analyse": Settings,
    "compare": Comparison,
    "errors": ErrorEstimate,
    "columns": ColumnsRun,
    "cycle": CycleRun,
    "twin": Twin,
    "verify": Verification,
}
"""The kind of settings of each verb that has one of its own; `check` reads all, `plan` those of `analyse`, `cycle`."""
