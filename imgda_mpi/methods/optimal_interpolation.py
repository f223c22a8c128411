"""Exact optimal interpolation: one variance, a correlation that falls off exponentially, and a dense matrix."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.faults import ConfigError
from imgda_mpi.grid import Grid
from imgda_mpi.methods.method import Increment, Method, made
from imgda_mpi.numerics.localisation import chord
from imgda_mpi.numerics.problem import Observations, Problem

MOST_PIXELS = 12_000  # observed ones: the matrix has 1.2 GB


class OptimalInterpolation(Method):
    """B = s_b^2 exp(-distance / length), s_b^2 being the innovation's variance without the noise's.

    For comparisons of few pixels: each rank does all of it.

    Parameters
    ----------
    length : float
        Of the correlation, km.
    """

    def __init__(self, length: float) -> None:
        self._length = 1000.0 * length
        self.name = f"optimal_interpolation {length:g} km"

    def check(self, grid: Grid, observations: Observations) -> None:
        """Refuse more pixels than a dense matrix is made for: see `Method.check`."""
        n = int(np.count_nonzero(observations.observed))
        if n > MOST_PIXELS:
            raise ConfigError(
                f"found optimal_interpolation with {n} observed cells, expected at most {MOST_PIXELS}, for its matrix "
                "is dense; leave it out, or set a coarser grid"
            )

    def _increment(self, problem: Problem, comm: MPI.Intracomm) -> Increment:
        image = interpolation_increment(problem.innovation, problem.land, problem.grid, self._length)
        return made(problem, image, f"method {self.name}", unseen_too=True)


def interpolation_increment(innovation: Observations, land: BoolArray, grid: Grid, length: float) -> FloatArray:
    """Increment (ny, nx), m3 m-3, of the cells of ``land``, 0 elsewhere; the length in m."""
    import scipy.linalg  # where it is used: few runs need it
    from scipy.spatial.distance import cdist

    increment, observed = np.zeros(land.shape), innovation.observed
    n = int(np.count_nonzero(observed))
    variance = max((np.square(innovation.values[observed]).sum() - innovation.noise_power) / max(n, 1), 0.0)
    if variance == 0:
        return increment
    places = chord(grid)
    matrix = cdist(places[observed], places[observed])
    matrix *= -1.0 / length
    np.exp(matrix, out=matrix)
    matrix *= variance
    matrix[np.diag_indices(n)] += innovation.variance[observed]
    weights = scipy.linalg.solve(matrix, innovation.values[observed], assume_a="pos", overwrite_a=True)
    # A slice of cells at a time: the matrix of all cells by all pixels would be the larger one.
    increments = [
        variance * np.exp(-cdist(part, places[observed]) / length) @ weights
        for part in np.array_split(places[land], 20)
    ]
    increment[land] = np.concatenate(increments)
    return increment
