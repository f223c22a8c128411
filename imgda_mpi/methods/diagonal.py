"""The diagonal solver of Bai et al. (2026): a Kalman update of each curvelet coefficient on its own (eqs. 5 to 9)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import Values
from imgda_mpi.covariances.covariance import ErrorModel
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.exchange import CoefficientExchange, Sent
from imgda_mpi.distributed.own_coefficients import OwnCoefficients
from imgda_mpi.distributed.rank_grid import RankGrid, holder_of_coefficients
from imgda_mpi.distributed.wedge_statistics import WedgeStatistics, gather_statistics
from imgda_mpi.methods.coefficients import CoefficientUpdate
from imgda_mpi.methods.method import Increment, made
from imgda_mpi.numerics.problem import Fact, Problem


class DiagonalUpdate(CoefficientUpdate):
    """Each coefficient alone; what this leaves off the observed cells is not applied.

    Parameters
    ----------
    errors : ErrorModel
    transform : CurveletTransform
    ranks : RankGrid
        Who has which members and coefficients, see `ErrorModel.rank_grid`.
    scales : collection of int, optional
    """

    solver = "diagonal"

    def __init__(
        self,
        errors: ErrorModel[Any],
        transform: CurveletTransform,
        ranks: RankGrid,
        scales: Collection[int] | None = None,
    ) -> None:
        super().__init__(errors, transform, scales)
        self._ranks = ranks

    def holder(self, member: int, n_ranks: int) -> int:
        """Rank that transforms a member of the model."""
        return holder_of_coefficients(member, self._ranks)

    def _update(
        self, problem: Problem, embedded: Problem, summary: str, facts: Mapping[str, Fact], comm: MPI.Intracomm
    ) -> Increment:
        ny, nx = problem.grid.shape
        image, statistics, sent = diagonal_increment(
            embedded, self._errors, self._transform, self._ranks, comm, self._scales
        )
        image = comm.bcast(None if image is None else image[:ny, :nx].astype(np.float64))
        return made(problem, image, summary, facts, wedges=statistics, sent=sent)


def diagonal_increment(
    problem: Problem,
    errors: ErrorModel[Any],
    transform: CurveletTransform,
    grid: RankGrid,
    comm: MPI.Intracomm,
    scales: Collection[int] | None = None,
) -> tuple[Values | None, WedgeStatistics | None, Sent]:
    """Increment of the image by a Kalman update of its curvelet coefficients.

    Collective over ``comm``. The owners of the coefficients compute their variances, their gain, and their increment.
    The bits are the same on any grid of ranks.

    Parameters
    ----------
    problem : Problem
        On the transform's array.
    errors : ErrorModel
    transform : CurveletTransform
    grid : RankGrid
        Of ``comm.size`` ranks or fewer.
    scales : collection of int, optional
        Scales to be updated, 1 being the coarsest; all of them unless given.

    Returns
    -------
    (ny, nx) array, m3 m-3, and WedgeStatistics on rank 0, None elsewhere; and what this rank sent to others
    """
    exchange = CoefficientExchange(comm, grid, transform.dtype)
    place = grid.place(comm.rank)
    own, increments, of_pieces = None, None, []
    if place is not None:
        own = errors.coefficients(transform, grid, exchange, place)
        background, observation = errors.variances(own, problem)
        if scales is not None:
            own.clear_scales_but(scales, background)
        increments, of_pieces = own.update(problem.innovation.values, background, observation)
    statistics = gather_statistics(of_pieces, comm)
    image = _inverse(own, increments, transform, exchange, comm)
    exchange.free()
    return image, statistics, exchange.sent


def _inverse(
    own: OwnCoefficients | None,
    increments: Values | None,
    transform: CurveletTransform,
    exchange: CoefficientExchange,
    comm: MPI.Intracomm,
) -> Values | None:
    """Image of the increments of all ranks, on rank 0, which has one chunk of them at a time."""
    spectrum = transform.empty_spectrum() if comm.rank == 0 else None
    for chunk in reversed(transform.layout.chunks):
        mine = own.of_chunk(increments, chunk) if own is not None and increments is not None else None
        values = exchange.to_root(mine, chunk)
        if spectrum is not None and values is not None:
            transform.from_coefficients(values, chunk, spectrum)
    if spectrum is None:
        return None
    image = np.empty(transform.layout.image_shape, transform.dtype)
    transform.to_image(spectrum, image)
    return image
