"""The increment of the image: by curvelet coefficients over all ranks, or cell by cell."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

from imgda_mpi.analysis import pointwise_increment
from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.config import Settings
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.ensemble import PaperErrors
from imgda_mpi.grid import embed
from imgda_mpi.parallel.exchange import CoefficientExchange, Sent
from imgda_mpi.parallel.rank_grid import RankGrid
from imgda_mpi.workflow.inputs import Inputs
from imgda_mpi.workflow.own_coefficients import OwnCoefficients
from imgda_mpi.workflow.wedge_statistics import WedgeStatistics, gather_statistics


def increment_of(
    settings: Settings, inputs: Inputs, comm: MPI.Intracomm
) -> tuple[FloatArray, WedgeStatistics | None, Sent]:
    """Increment of the image by the method of the settings. Collective over ``comm``.

    Returns
    -------
    (ny, nx) array, m3 m-3, on every rank; for method ``image`` WedgeStatistics on rank 0, None elsewhere; and what this
    rank sent in the exchange of coefficients
    """
    # Where nothing is observed there is no innovation, and no value has to be invented.
    innovation = np.nan_to_num(inputs.innovation, nan=0.0)
    if settings.method == "none":
        return np.zeros_like(innovation), None, Sent()
    if settings.method == "insert":
        return innovation, None, Sent()
    assert inputs.deviations is not None
    ny, nx = innovation.shape
    embedded = embed(innovation, inputs.restart.patches.grid.transform_shape())
    if inputs.transform is None or inputs.ranks is None:
        pointwise = pointwise_increment(embedded, *inputs.deviations)[:ny, :nx]
        return np.asarray(pointwise, np.float64), None, Sent()
    errors = PaperErrors(*inputs.deviations, settings.errors.n_members, settings.errors.seed, settings.model.time)
    increment, statistics, sent = image_increment(embedded, errors, inputs.transform, inputs.ranks, comm)
    image: FloatArray = comm.bcast(None if increment is None else increment[:ny, :nx].astype(np.float64))
    return image, statistics, sent


def image_increment(
    innovation: FloatArray,
    errors: PaperErrors,
    transform: CurveletTransform,
    grid: RankGrid,
    comm: MPI.Intracomm,
) -> tuple[Values | None, WedgeStatistics | None, Sent]:
    """Increment of the image by a Kalman update of its curvelet coefficients.

    Collective over ``comm``. Every rank perturbs and transforms its members, and the owners of the coefficients compute
    their variances from all members, their gain, and their increment. The bits are the same on any grid of ranks.

    Parameters
    ----------
    innovation : (ny, nx) array, m3 m-3
        Observation minus background, 0 where nothing is observed; the same on every rank.
    errors : PaperErrors
    transform : CurveletTransform
        Of images of this shape.
    grid : RankGrid
        Who has which members and coefficients; of ``comm.size`` ranks or fewer.

    Returns
    -------
    (ny, nx) array, m3 m-3, and WedgeStatistics on rank 0, None elsewhere.
    """
    exchange = CoefficientExchange(comm, grid, transform.dtype)
    place = grid.place(comm.rank)
    own = None
    if place is not None:
        own = OwnCoefficients(transform, grid, exchange, place)
        own.update(innovation, *own.variances(errors, speaks=comm.rank == 0))
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
