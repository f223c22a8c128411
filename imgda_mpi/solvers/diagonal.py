"""The diagonal solver of Bai et al. (2026): a Kalman update of each curvelet coefficient on its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from mpi4py import MPI

from imgda_mpi.analysis import Innovation
from imgda_mpi.arrays import Values
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.parallel.exchange import CoefficientExchange, Sent
from imgda_mpi.parallel.rank_grid import RankGrid
from imgda_mpi.solvers.own_coefficients import OwnCoefficients
from imgda_mpi.solvers.wedge_statistics import WedgeStatistics, gather_statistics


class CoefficientErrors(Protocol):
    """An error model as the diagonal solver knows it."""

    def variances(self, own: OwnCoefficients, innovation: Innovation) -> tuple[Values, Values]:
        """B and R of the own coefficients, (n_own,) (m3 m-3)2. Collective over the rectangle of ranks.

        B + R is above 0, and both slots of a complex coefficient have the same.
        """


def diagonal_increment(
    innovation: Innovation,
    errors: CoefficientErrors,
    transform: CurveletTransform,
    grid: RankGrid,
    comm: MPI.Intracomm,
    scales: Sequence[int] | None = None,
) -> tuple[Values | None, WedgeStatistics | None, Sent]:
    """Increment of the image by a Kalman update of its curvelet coefficients (eqs. 5 to 9).

    Collective over ``comm``. The owners of the coefficients compute their variances, their gain, and their increment.
    The bits are the same on any grid of ranks.

    Parameters
    ----------
    innovation : Innovation
        The same on every rank.
    errors : CoefficientErrors
    transform : CurveletTransform
        Of images of this shape.
    grid : RankGrid
        Who has which members and coefficients; of ``comm.size`` ranks or fewer.
    scales : sequence of int, optional
        Scales to be updated, 1 being the coarsest; all of them unless given.

    Returns
    -------
    (ny, nx) array, m3 m-3, and WedgeStatistics on rank 0, None elsewhere; and what this rank sent to others
    """
    exchange = CoefficientExchange(comm, grid, transform.dtype)
    place = grid.place(comm.rank)
    own = None
    if place is not None:
        own = OwnCoefficients(transform, grid, exchange, place)
        background, observation = errors.variances(own, innovation)
        if scales is not None:
            own.clear_scales_but(scales, background)
        own.update(innovation.values, background, observation)
    statistics = gather_statistics(own.statistics if own else [], comm)
    image = _inverse(own, transform, exchange, comm)
    exchange.free()
    return image, statistics, exchange.sent


def _inverse(
    own: OwnCoefficients | None, transform: CurveletTransform, exchange: CoefficientExchange, comm: MPI.Intracomm
) -> Values | None:
    """Image of the increments of all ranks, on rank 0, which has one chunk of them at a time."""
    spectrum = transform.empty_spectrum() if comm.rank == 0 else None
    for chunk in reversed(transform.layout.chunks):
        values = exchange.to_root(own.increment(chunk) if own else None, chunk)
        if spectrum is not None and values is not None:
            transform.from_coefficients(values, chunk, spectrum)
    if spectrum is None:
        return None
    image = np.empty(transform.layout.image_shape, transform.dtype)
    transform.to_image(spectrum, image)
    return image
