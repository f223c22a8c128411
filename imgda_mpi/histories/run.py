"""The folder of a run, of soil columns or of CoLM."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imgda_mpi.histories.columns import column_series
from imgda_mpi.histories.image_series import ImageSeries
from imgda_mpi.observations.image import Layer
from imgda_mpi.results.run_folder import open_run


def open_run_folder(directory: Path, *, layers: Sequence[Layer]) -> ImageSeries:
    """The histories of the complete cycles of a run. Not collective.

    Parameters
    ----------
    directory : of the run
    layers : that are asked for, m

    Raises
    ------
    InputError
        Where the folder is that of no run, the run has no complete cycle, or cycles have lost their histories.
    """
    run = open_run(directory)
    return column_series(run, layers)
