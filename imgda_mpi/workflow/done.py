"""Whether a result is there already: asked by jobs before they start their ranks, on one process."""

from __future__ import annotations

from pathlib import Path

from imgda_mpi.faults import settled_by
from imgda_mpi.results.identity import holds_result
from imgda_mpi.settings.analysis import NOT_DECIDING
from imgda_mpi.settings.fields import Section


def done(settings: Section, directory: Path) -> bool:
    """Whether an output folder holds the whole result of these settings and inputs; false where it holds nothing yet.

    Raises
    ------
    OutputError
        Where it holds something else.
    InputError
        Where a file cannot be read.
    """
    with settled_by("[output] directory"):
        return holds_result(directory, settings.model_dump_json(), NOT_DECIDING)
