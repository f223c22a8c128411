"""Error model ``analytic``: the prescribed white errors without any member, and only where something is observed."""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import Values
from imgda_mpi.covariances.covariance import WedgeErrors
from imgda_mpi.covariances.noise import masked_variance, observation_variances
from imgda_mpi.distributed.own_coefficients import OwnWedges
from imgda_mpi.numerics.problem import ErrorSd, Problem, embedded_sd


class AnalyticErrors(WedgeErrors):
    """What `paper` tends to for ever more members, in closed form, for gaps and for fields of standard deviations too.

    Parameters
    ----------
    background_error : float or (ny, nx) array
        Standard deviation of the background errors on the grid, m3 m-3.
    """

    name = "analytic"

    def __init__(self, background_error: ErrorSd) -> None:
        self._background_error = background_error

    def variances(self, own: OwnWedges, problem: Problem) -> tuple[Values, Values]:
        """B and R of the own coefficients. Collective over the rectangle of ranks."""
        observed = masked_variance(own, 1.0, problem.observations)
        sd = embedded_sd(self._background_error, problem.land, problem.land.shape)
        background = (
            masked_variance(own, sd, problem.observations) if isinstance(sd, np.ndarray) else observed * float(sd) ** 2
        )
        return background, observation_variances(own, observed, problem.observations)
