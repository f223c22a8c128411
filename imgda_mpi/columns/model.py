"""Soil columns in time: hour after hour in the weather of a source, and the images that a history has of them."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import LAYERS, overlap_weights, weighted_sum
from imgda_mpi.columns.hydraulics import WATER
from imgda_mpi.columns.reference_evaporation import reference_evaporation
from imgda_mpi.columns.restart import OwnColumns
from imgda_mpi.columns.water import (
    DRAINAGE,
    EVAPORATION,
    N_FLUXES,
    RAIN,
    SURFACE_RUNOFF,
    TRANSPIRATION,
    Processes,
    advance,
)
from imgda_mpi.columns.weather import WeatherSource
from imgda_mpi.grid import Grid

HOUR = timedelta(hours=1)

BALANCE = 1.0e-9
"""Error of the water balance of a column in an hour at which a run ends, kg m-2."""


def places_of(own: OwnColumns) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Latitude, longitude (degrees) and height (m) at which the own columns that move get their weather, (n_moving,).

    The position is that of the cell's centre: columns of a cell have the same rain systems, at their own heights.
    """
    grid = own.patches.grid
    moves = own.columns.moves
    row, column = np.divmod(own.patches.cell[moves], grid.shape[1])
    return grid.latitude[row], grid.longitude[column], own.elevation[moves]


class ColumnModel:
    """The own columns of a rank, and what they have gained and lost.

    Parameters
    ----------
    own : changed in place as time goes on
    weather : at `places_of` the columns
    time : of ``own``

    Attributes
    ----------
    worst : largest error of a column's water balance in an hour so far, kg m-2
    n_substeps : of all own columns so far
    """

    def __init__(self, own: OwnColumns, weather: WeatherSource, time: datetime) -> None:
        self.own, self.weather, self.time = own, weather, time
        self._fluxes = np.zeros((own.columns.moves.size, N_FLUXES))
        self.worst, self.n_substeps = 0.0, 0
        self._since = time
        self._moving = np.flatnonzero(own.columns.moves)
        self._rain, self._demand = np.zeros((2, own.columns.moves.size))

    def hour(self) -> None:
        """Move on by an hour. Collective over the ranks of the weather.

        Raises
        ------
        InputError
            Where the weather cannot be read.
        ArithmeticError
            Where the balance of a column does not close, or the equations have no solution: a fault of the program.
        """
        weather = self.weather.hour(self.time)
        self._rain[self._moving] = weather.rain
        self._demand[self._moving] = reference_evaporation(weather)
        own = self.own
        error, n, patch = advance(own.columns, own.state, self._rain, self._demand, 3600.0, Processes(), self._fluxes)
        if error > BALANCE:
            what = f"is {error:g} kg m-2 off" if np.isfinite(error) else "has no solution"
            file, number = own.restart.place_in_state(patch)
            where = f"{file.name}: the water of patch {number}"
            raise ArithmeticError(f"{where} {what} in the hour from {self.time:%F %H UTC}")
        self.worst, self.n_substeps, self.time = max(self.worst, error), self.n_substeps + n, self.time + HOUR

    def moisture(self) -> FloatArray:
        """Water in `LAYERS` of the own patches, (n_own, 3) m3 m-3."""
        theta = self.profiles()
        return np.stack([weighted_sum(theta, overlap_weights(*layer)) for layer in LAYERS], axis=1)

    def profiles(self) -> FloatArray:
        """Water in the model's layers of the own patches, (n_own, 10) m3 m-3."""
        return self.own.state.kept[:, WATER] / self.own.columns.thickness

    def mean_fluxes(self) -> dict[str, FloatArray]:
        """Rain, runoff (of the surface and of the aquifer) and evaporation (of soil and plants) since the last call.

        Each (n_own,) kg m-2 s-1.
        """
        seconds = (self.time - self._since).total_seconds()
        sums, self._fluxes, self._since = self._fluxes, np.zeros_like(self._fluxes), self.time
        return {
            "rain": sums[:, RAIN] / seconds,
            "runoff": (sums[:, SURFACE_RUNOFF] + sums[:, DRAINAGE]) / seconds,
            "evaporation": (sums[:, EVAPORATION] + sums[:, TRANSPIRATION]) / seconds,
        }


def cells_of(points: tuple[tuple[float, float], ...], grid: Grid, has_columns: FloatArray) -> list[int]:
    """Flat indices of the cells in which points (latitude, longitude) lie.

    ``has_columns`` is an image that is NaN where no column moves.

    Raises
    ------
    ValueError
        Naming the first point that is not on the grid or in a cell without moving columns.
    """
    cells = []
    rows, columns = grid.latitude_edges, grid.longitude_edges
    up = np.sign(rows[-1] - rows[0])
    for latitude, longitude in points:
        east = columns[0] + (longitude - columns[0]) % 360.0
        row = int(np.searchsorted(up * rows, up * latitude, side="right")) - (latitude == rows[-1])
        column = int(np.searchsorted(columns, east, side="right"))
        within = 0 < row < rows.size and 0 < column < columns.size
        if not within or np.isnan(has_columns[row - 1, column - 1]):
            of_grid = f"latitude {min(rows):g} to {max(rows):g}, longitude {columns[0]:g} to {columns[-1]:g}"
            what = (
                "lies in a cell without a soil column that moves, as of sea, ice or frost"
                if within
                else f"is not on the grid of the case, {of_grid}; latitude comes first"
            )
            raise ValueError(f"[{latitude:g}, {longitude:g}] {what}")
        cells.append((row - 1) * grid.shape[1] + column - 1)
    return cells
