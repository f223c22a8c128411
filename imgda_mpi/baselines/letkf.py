"""The local ensemble transform Kalman filter: each cell with the observations around it."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from imgda_mpi.analysis import Innovation
from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.grid import Grid
from imgda_mpi.localisation import chord, gaspari_cohn


def letkf_increment(
    innovation: Innovation, anomalies: FloatArray, land: BoolArray, grid: Grid, length: float
) -> FloatArray:
    """Increment of the mean of an ensemble, cell by cell.

    Parameters
    ----------
    innovation : Innovation
        On the grid.
    anomalies : (n_members, ny, nx) array
        Members minus their mean, m3 m-3.
    land : (ny, nx) array of bool
        Cells that are corrected.
    grid : Grid
    length : float
        Of the Gaspari-Cohn correlation by which the observations' weights fall off with distance, m.

    Returns
    -------
    (ny, nx) array
        m3 m-3, 0 off the land.

    Notes
    -----
    Hunt, Kostelich, Szunyogh (2007), Physica D 230, 112: with X the anomalies of a cell and Y those of the observed
    pixels around it, the increment is X ((N-1) I + Y^T R^-1 Y)^-1 Y^T R^-1 d, the inverse of R multiplied by the
    correlation (Hunt et al., section 3.2).
    """
    places = chord(grid)
    where = places[innovation.observed]
    y, d = anomalies[:, innovation.observed].T, innovation.values[innovation.observed]
    precision = 1.0 / innovation.observation_variance[innovation.observed]
    increment = np.zeros(land.shape)
    if not where.size:
        return increment
    cells = np.argwhere(land)
    n_members = anomalies.shape[0]
    identity = (n_members - 1) * np.eye(n_members)
    around = cKDTree(where).query_ball_point(places[land], 2 * length)
    for (row, column), near in zip(cells, around, strict=True):
        if not near:
            continue
        distance = np.sqrt(np.square(where[near] - places[row, column]).sum(axis=1))
        weight = gaspari_cohn(distance / length) * precision[near]
        of_near = y[near]
        weighted = of_near * weight[:, None]
        weights = np.linalg.solve(identity + weighted.T @ of_near, weighted.T @ d[near])
        increment[row, column] = anomalies[:, row, column] @ weights
    return increment
