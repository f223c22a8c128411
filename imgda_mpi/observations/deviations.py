"""Standard deviations of errors: numbers, or fields in files that may have gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.observations.read import say_remarks
from imgda_mpi.parallel.failure import from_rank_0, same_fate
from imgda_mpi.settings.fields import LEAST_DEVIATION, FieldFile


@dataclass(frozen=True, eq=False)
class Deviation:
    """Standard deviation of errors.

    Parameters
    ----------
    values : m3 m-3, a number or (ny, nx) with NaN where the field has none
    file, variable : where the field was read; None of a number
    """

    values: float | FloatArray
    file: Path | None = None
    variable: str | None = None

    @property
    def files(self) -> list[Path]:
        """That were read."""
        return [] if self.file is None else [self.file]

    @property
    def typical(self) -> float:
        """The number, or the median of what may be one in the field, m3 m-3; 0 where there is none."""
        usable = _usable(np.atleast_1d(self.values))
        return float(np.median(np.atleast_1d(self.values)[usable])) if usable.any() else 0.0

    def on(self, cells: BoolArray) -> float | FloatArray:
        """The number, or the field (ny, nx), m3 m-3, with its mean over the cells (ny, nx) wherever it is not needed.

        Raises
        ------
        InputError
            Where one of the cells has none from `LEAST_DEVIATION` to 1.
        """
        if self.file is None or not isinstance(self.values, np.ndarray):
            return self.values
        usable = _usable(self.values)
        lacking = cells & ~usable
        if lacking.any():
            n_wrong = int((lacking & np.isfinite(self.values)).sum())
            raise fault(
                self.file,
                self.variable,
                found=f"no value above 0 on {int(lacking.sum()) - n_wrong} and one outside 0 to 1 on {n_wrong} of "
                f"{int(cells.sum())} cells where one is needed",
                expected=f"a standard deviation in m3 m-3 there, {LEAST_DEVIATION:g} to 1",
                do=("correct the units, or " if n_wrong else "")
                + "fill the gaps in the file, or leave such pixels out of the observation (for example by mask)",
            )
        # Elsewhere nothing is observed: any value serves, the mean keeps the variances alike.
        others = self.values[cells].mean() if cells.any() else 1.0
        return np.where(usable, self.values, others)


def _usable(values: FloatArray) -> BoolArray:
    return np.asarray((values >= LEAST_DEVIATION) & (values <= 1))


def read_deviation(
    wanted: float | FieldFile, grid: Grid, time: datetime, comm: MPI.Intracomm, max_time_offset: float = 3.0, **how: Any
) -> Deviation:
    """A standard deviation as the settings state it, the same on every rank. Collective over ``comm``.

    ``time`` is that of the field: the file's nearest is taken, up to ``max_time_offset`` hours away unless the field
    has an own one. ``how`` else it is read as of `imgda_mpi.observations.cf.read_field`. A list of points is taken as
    `imgda_mpi.observations.point_files.read_point_deviations` has it.

    Raises
    ------
    InputError
        See these two.
    """
    if not isinstance(wanted, FieldFile):
        return Deviation(float(wanted))
    if wanted.max_time_offset is not None:
        max_time_offset = wanted.max_time_offset
    how |= {"variable": wanted.variable, "max_time_offset": max_time_offset, "units": wanted.units}
    return from_rank_0(comm, partial(_read, wanted, grid, time, how))


def _read(wanted: FieldFile, grid: Grid, time: datetime, how: Mapping[str, Any]) -> Deviation:
    from imgda_mpi.observations import cf, point_files  # on the one rank that reads

    if point_files.holds_points(wanted.file, time, wanted.variable):
        of_points = {name: value for name, value in how.items() if name != "regridding"}
        image = point_files.read_point_deviations(wanted.file, grid, time, **of_points)
    else:
        image = cf.read_field(wanted.file, grid, time, **how)
    say_remarks(image.source, image.remarks)
    return Deviation(image.values, image.path, wanted.variable)


def read_fields(
    values: Mapping[str, Any], grid: Grid, time: datetime, land: BoolArray, comm: MPI.Intracomm
) -> tuple[dict[str, Any], list[Path]]:
    """Values with standard deviations (ny, nx), m3 m-3, in the place of files that hold them, and these files.

    Every land cell must have one. The same on every rank; collective over ``comm``.

    Raises
    ------
    InputError
        Where a cell of the land has none, or see `read_deviation`.
    """
    read, files = dict(values), []
    for name, wanted in values.items():
        if isinstance(wanted, FieldFile):
            deviation = read_deviation(wanted, grid, time, comm)
            with same_fate(comm):
                read[name] = deviation.on(land)
            files += deviation.files
    return read, files
