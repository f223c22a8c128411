"""The local ensemble transform Kalman filter: each cell with the observations around it."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.distributed.rectangle import holder_of_images
from imgda_mpi.grid import Grid
from imgda_mpi.methods.method import Increment, Method, made
from imgda_mpi.numerics.localisation import chord, gaspari_cohn
from imgda_mpi.numerics.problem import Observations, Problem, members_of
from imgda_mpi.parallel.ownership import share


class Letkf(Method):
    """The update of the ensemble's mean, given to the background.

    Parameters
    ----------
    localisation : float
        Length of the Gaspari-Cohn correlation by which the observations' weights fall off with distance, km.

    Notes
    -----
    Hunt, Kostelich, Szunyogh (2007), Physica D 230, 112: with X the anomalies of a cell and Y those of the observed
    pixels around it, the increment is X ((N-1) I + Y^T R^-1 Y)^-1 Y^T R^-1 d, the inverse of R multiplied by the
    correlation (Hunt et al., section 3.2).
    """

    needs_members = True

    def __init__(self, localisation: float) -> None:
        self._length = 1000.0 * localisation
        self.name = f"letkf {localisation:g} km"

    def _increment(self, problem: Problem, comm: MPI.Intracomm) -> Increment:
        members = members_of(problem)
        every = [
            comm.bcast(members.anomalies.get(number), root=holder_of_images(number, comm.size))
            for number in range(members.n_members)
        ]
        # Each rank has its share of the cells, whose increments do not depend on one another.
        first, last = share(int(np.count_nonzero(problem.land)), comm.size)[comm.rank : comm.rank + 2]
        own = np.zeros(problem.land.shape, bool)
        own[tuple(np.argwhere(problem.land)[first:last].T)] = True
        image = comm.allreduce(letkf_increment(problem.innovation, np.stack(every), own, problem.grid, self._length))
        return made(problem, image, f"method {self.name}", unseen_too=True)


def letkf_increment(
    innovation: Observations, anomalies: FloatArray, land: BoolArray, grid: Grid, length: float
) -> FloatArray:
    """Increment (ny, nx), m3 m-3, of the cells of ``land``, 0 elsewhere.

    From the anomalies (n_members, ny, nx) m3 m-3, all on the grid, and the length of the correlation in m.
    """
    from scipy.spatial import cKDTree  # where it is used: few runs need it

    places = chord(grid)
    where = places[innovation.observed]
    y, d = anomalies[:, innovation.observed].T, innovation.values[innovation.observed]
    precision = 1.0 / innovation.variance[innovation.observed]
    increment = np.zeros(land.shape)
    if not where.size:
        return increment
    identity = (len(anomalies) - 1) * np.eye(len(anomalies))
    around = cKDTree(where).query_ball_point(places[land], 2 * length, return_sorted=True)
    for (row, column), near in zip(np.argwhere(land), around, strict=True):
        if not near:
            continue
        distance = np.sqrt(np.square(where[near] - places[row, column]).sum(axis=1))
        of_near = y[near]
        weighted = of_near * (gaspari_cohn(distance / length) * precision[near])[:, None]
        weights = np.linalg.solve(identity + weighted.T @ of_near, weighted.T @ d[near])
        increment[row, column] = anomalies[:, row, column] @ weights
    return increment
