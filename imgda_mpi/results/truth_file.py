"""The true image that an analysis is held against, from a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from imgda_mpi.arrays import FloatArray
from imgda_mpi.observations.cf import read_source
from imgda_mpi.observations.read import say_remarks
from imgda_mpi.results.analysis_file import SavedAnalysis, check_grid

TRUTH_TIME = 3.0  # h: as far as it may be from the analysis, unless it is told otherwise


@dataclass(frozen=True)
class TruthFile:
    """A CF NetCDF file with the true image.

    Parameters
    ----------
    path
    variable : of soil moisture
    layer : top and bottom of the one to take, m; the only one where None
    time : of the image to take, with a time zone; that of the analysis where None
    """

    path: Path
    variable: str = "soil_moisture"
    layer: tuple[float, float] | None = None
    time: datetime | None = None


def read_truth(truth: TruthFile, saved: SavedAnalysis) -> FloatArray:
    """The true image, (ny, nx) m3 m-3, on the grid of an analysis.

    The file's time nearest to the one wanted is taken, or a file without time.

    Raises
    ------
    InputError
        Where the file is missing or damaged, has no such variable, layer or time within `TRUTH_TIME`, its units are no
        moisture's, or its grid is another one.
    """
    source = read_source(
        truth.path,
        truth.time or saved.time,
        truth.variable,
        layer=truth.layer,
        max_time_offset=TRUTH_TIME,
        needs_time=truth.time is not None,
    )
    say_remarks(str(truth.path), source.remarks)
    check_grid(truth.path, truth.variable, source.grid, saved.grid)
    return source.values
