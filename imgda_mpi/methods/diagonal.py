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
from imgda_mpi.distributed.rectangle import Rectangle, holder_of_coefficients
from imgda_mpi.distributed.wedge_statistics import WedgeStatistics, gather_statistics
from imgda_mpi.methods.coefficients import CoefficientUpdate
from imgda_mpi.methods.method import Increment, made
from imgda_mpi.numerics.problem import Fact, Problem


class DiagonalUpdate(CoefficientUpdate):
    """Each coefficient alone; what this leaves off the observed cells is not applied.

    Parameters are those of `CoefficientUpdate`, and ``ranks``, who has which members and coefficients: see
    `ErrorModel.rectangle`.
    """

    solver = "diagonal"

    def __init__(
        self,
        errors: ErrorModel[Any],
        transform: CurveletTransform,
        ranks: Rectangle,
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
    ranks: Rectangle,
    comm: MPI.Intracomm,
    scales: Collection[int] | None = None,
) -> tuple[Values | None, WedgeStatistics | None, Sent]:
    """Increment of the image by a Kalman update of its curvelet coefficients. Collective over ``comm``.

    The problem is given on the transform's array, and ``ranks`` are those of ``comm`` or fewer. The owners of the
    coefficients compute their variances, their gain, and their increment: the bits are the same on any rectangle.

    Returns
    -------
    (ny, nx) array, m3 m-3, and WedgeStatistics on rank 0, None elsewhere; and what this rank sent to others
    """
    with CoefficientExchange(comm, ranks, transform.dtype) as exchange:
        place = ranks.place(comm.rank)
        own, increments, of_pieces = None, None, []
        if place is not None:
            own = errors.coefficients(transform, ranks, exchange, place)
            background, observation = errors.variances(own, problem)
            if scales is not None:
                own.clear_scales_but(scales, background)
            increments, of_pieces = own.update(problem.innovation.values, background, observation)
        statistics = gather_statistics(of_pieces, comm)
        # Rank 0 has the increments of one chunk at a time.
        spectrum = transform.empty_spectrum() if comm.rank == 0 else None
        for chunk in reversed(transform.layout.chunks):
            mine = own.of_chunk(increments, chunk) if own is not None and increments is not None else None
            values = exchange.to_root(mine, chunk)
            if spectrum is not None and values is not None:
                transform.from_coefficients(values, chunk, spectrum)
    if spectrum is None:
        return None, statistics, exchange.sent
    image = np.empty(transform.layout.image_shape, transform.dtype)
    transform.to_image(spectrum, image)
    return image, statistics, exchange.sent
