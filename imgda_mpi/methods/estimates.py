"""What is estimated from the innovation needs observed cells: how many, and what is said where they are few."""

from __future__ import annotations

import logging

import numpy as np
from mpi4py import MPI

from imgda_mpi.faults import ConfigError, fault
from imgda_mpi.methods.method import Method
from imgda_mpi.numerics.problem import Observations
from imgda_mpi.parallel.failure import same_fate

log = logging.getLogger(__name__)

FEWEST = 30
"""Below, an estimated variance says little: of 30 independent values it has a standard error of a quarter."""

ENOUGH = 100
"""Below, it is used with a warning: a standard error of a seventh, and more where errors are coherent."""


def check_enough(method: Method, observations: Observations, allow_few: bool, comm: MPI.Intracomm) -> None:
    """Refuse observations that are too few for what a method estimates of them; warn of few. Collective over ``comm``.

    Where nothing is observed nothing is estimated.

    Raises
    ------
    ConfigError
        Below `FEWEST` observed cells, unless few are allowed.
    """
    n_observed, estimated = int(np.count_nonzero(observations.observed)), method.estimated(observations)
    if not estimated or not 0 < n_observed < ENOUGH:
        return
    with same_fate(comm):
        if n_observed < FEWEST and not allow_few:
            raise fault(
                f"method {method.name}",
                found=f"{n_observed} observed soil cells to estimate {' and '.join(estimated)} from",
                expected=f"at least {FEWEST}",
                do="take a method that is told its errors, as pointwise, or allow few",
                kind=ConfigError,
            )
    if comm.rank == 0:
        log.warning(
            "method %s: %d observed soil cells to estimate %s from: fewer than %d give rough estimates",
            method.name,
            n_observed,
            " and ".join(estimated),
            ENOUGH,
        )
