"""Exact optimal interpolation: one variance, a correlation that falls off exponentially, and a dense matrix."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from scipy.spatial.distance import cdist

from imgda_mpi.analysis import Innovation
from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.grid import Grid
from imgda_mpi.localisation import chord

MOST_PIXELS = 12_000  # observed ones: the matrix has 1.2 GB


def interpolation_increment(innovation: Innovation, land: BoolArray, grid: Grid, length: float) -> FloatArray:
    """Increment with B = s_b^2 exp(-distance / length), s_b^2 being the innovation's variance without the noise's.

    Parameters
    ----------
    innovation : Innovation
        On the grid.
    land : (ny, nx) array of bool
        Cells that are corrected.
    grid : Grid
    length : float
        m.

    Returns
    -------
    (ny, nx) array
        m3 m-3, 0 off the land.

    Raises
    ------
    ValueError
        Where more pixels are observed than a dense matrix is made for.
    """
    increment, observed = np.zeros(land.shape), innovation.observed
    n = int(np.count_nonzero(observed))
    if n > MOST_PIXELS:
        raise ValueError(f"{n} observed pixels: optimal interpolation by a dense matrix takes up to {MOST_PIXELS}")
    variance = max((np.square(innovation.values[observed]).sum() - innovation.noise_power) / max(n, 1), 0.0)
    if variance == 0:
        return increment
    places = chord(grid)
    matrix = cdist(places[observed], places[observed])
    matrix *= -1.0 / length
    np.exp(matrix, out=matrix)
    matrix *= variance
    matrix[np.diag_indices(n)] += innovation.observation_variance[observed]
    weights = scipy.linalg.solve(matrix, innovation.values[observed], assume_a="pos", overwrite_a=True)
    # A slice of cells at a time: the matrix of all cells by all pixels would be the larger one.
    increments = [
        variance * np.exp(-cdist(part, places[observed]) / length) @ weights
        for part in np.array_split(places[land], 20)
    ]
    increment[land] = np.concatenate(increments)
    return increment
