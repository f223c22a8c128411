"""The increment of the image: by curvelet coefficients over all ranks, or cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from imgda_mpi.analysis import coefficient_increment, gain, pointwise_increment
from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.config import Settings
from imgda_mpi.curvelet import CurveletTransform, Layout
from imgda_mpi.ensemble import KINDS, perturbation
from imgda_mpi.grid import embed
from imgda_mpi.parallel.exchange import CoefficientExchange
from imgda_mpi.parallel.ownership import share_by_cost
from imgda_mpi.spectral_errors import SampleVariance
from imgda_mpi.workflow.console import progress
from imgda_mpi.workflow.inputs import Inputs


@dataclass(frozen=True)
class PaperErrors:
    """White perturbations of the background and of the observation (Bai et al. 2026, section 3.3).

    Parameters
    ----------
    background, observation : float or (ny, nx) array
        Standard deviations in physical space, m3 m-3.
    n_members : int
        Members for the background and as many for the observation.
    seed : int
    time : datetime
        Analysis time; the perturbations are keyed by it.
    """

    background: float | FloatArray
    observation: float | FloatArray
    n_members: int
    seed: int
    time: datetime

    def deviation(self, job: int, shape: tuple[int, int]) -> FloatArray:
        """What perturbs member ``job``, (ny, nx) m3 m-3; the background's members come first."""
        kind = tuple(KINDS)[job // self.n_members]
        noise = perturbation(shape, seed=self.seed, time=self.time, kind=kind, member=job % self.n_members)
        return (self.background if kind == "background" else self.observation) * noise


@dataclass(frozen=True)
class WedgeStatistics:
    """Mean and standard deviation over the positions of each wedge, (n_wedges,) arrays by name."""

    scale: npt.NDArray[np.int64]
    wedge: npt.NDArray[np.int64]
    values: dict[str, FloatArray]


def increment_of(settings: Settings, inputs: Inputs, comm: MPI.Intracomm) -> tuple[FloatArray, WedgeStatistics | None]:
    """Increment of the image by the method of the settings. Collective over ``comm``.

    Returns
    -------
    (ny, nx) array, m3 m-3, on every rank; and for method ``image`` WedgeStatistics on rank 0, None elsewhere
    """
    # Where nothing is observed there is no innovation, and no value has to be invented.
    innovation = np.nan_to_num(inputs.innovation, nan=0.0)
    if settings.method == "none":
        return np.zeros_like(innovation), None
    if settings.method == "insert":
        return innovation, None
    assert inputs.deviations is not None
    ny, nx = innovation.shape
    embedded = embed(innovation, inputs.restart.patches.grid.transform_shape())
    if inputs.transform is None:
        return np.asarray(pointwise_increment(embedded, *inputs.deviations)[:ny, :nx], np.float64), None
    errors = PaperErrors(*inputs.deviations, settings.errors.n_members, settings.errors.seed, settings.model.time)
    increment, statistics = image_increment(embedded, errors, inputs.transform, comm)
    image: FloatArray = comm.bcast(None if increment is None else increment[:ny, :nx])
    return image, statistics


def image_increment(
    innovation: FloatArray,
    errors: PaperErrors,
    transform: CurveletTransform,
    comm: MPI.Intracomm,
) -> tuple[Values | None, WedgeStatistics | None]:
    """Increment of the image by a Kalman update of its curvelet coefficients.

    Collective over ``comm``. Every rank perturbs and transforms its members, and the owners of a wedge compute its
    variances from all members, its gain, and its increment. The result has the same bits on any number of ranks.

    Parameters
    ----------
    innovation : (ny, nx) array, m3 m-3
        Observation minus background, 0 where nothing is observed; the same on every rank.
    errors : PaperErrors
    transform : CurveletTransform
        Of images of this shape.

    Returns
    -------
    (ny, nx) array, m3 m-3, and WedgeStatistics on rank 0, None elsewhere.
    """
    layout = transform.layout
    wedges = share_by_cost([wedge.stop - wedge.start for wedge in layout.wedges], comm.size)
    ends = np.array([0, *(wedge.stop for wedge in layout.wedges)], dtype=np.int64)
    exchange = CoefficientExchange(comm, ends[wedges], transform.dtype)
    own = layout.part(int(wedges[comm.rank]), int(wedges[comm.rank + 1]))

    variances = _sample_variances(errors, transform, exchange, own)
    own_innovation = transform.forward(innovation)[exchange.own]
    own_increment = coefficient_increment(own_innovation, *variances)

    whole = exchange.to_root(own_increment)
    statistics = _statistics(own, *variances, own_innovation, own_increment, comm)
    return (None if whole is None else transform.inverse(whole)), statistics


def _sample_variances(
    errors: PaperErrors,
    transform: CurveletTransform,
    exchange: CoefficientExchange,
    own: Layout,
) -> tuple[FloatArray, FloatArray]:
    """B and R of the own wedges (eqs. 7 and 8).

    Members go in rounds of one per rank. After each round every owner adds the members it received in member order,
    so that neither the sums nor the memory depend on how many ranks there are.
    """
    size, rank = exchange.comm.size, exchange.comm.rank
    n_jobs = len(KINDS) * errors.n_members
    sums = [SampleVariance(own) for _ in KINDS]
    rounds = [range(first, min(first + size, n_jobs)) for first in range(0, n_jobs, size)]
    for jobs in progress(rounds, "members", speaks=rank == 0):
        mine = None
        if rank < len(jobs):
            mine = transform.forward(errors.deviation(jobs[rank], transform.layout.image_shape))
        for job, values in zip(jobs, exchange.to_owners(mine, range(len(jobs))), strict=True):
            sums[job // errors.n_members].add(values)
    background, observation = (total.result() for total in sums)
    return background, observation


def _statistics(
    own: Layout,
    background: Values,
    observation: Values,
    innovation: Values,
    increment: Values,
    comm: MPI.Intracomm,
) -> WedgeStatistics | None:
    fields = {
        "gain": gain(background, observation),
        "background_variance": background,
        "observation_variance": observation,
        "innovation_power": own.power(innovation),
        "increment_power": own.power(increment),
    }
    rows = []
    for w in own.wedges:
        parts_of_wedge = {name: values[w.start : w.stop] for name, values in fields.items()}
        rows.append((w.scale, w.number, {name: (part.mean(), part.std()) for name, part in parts_of_wedge.items()}))
    parts = comm.gather(rows)
    if parts is None:
        return None
    every = [row for part in parts for row in part]
    values = {}
    for name in fields:
        values[f"{name}_mean"] = np.array([row[2][name][0] for row in every])
        values[f"{name}_sd"] = np.array([row[2][name][1] for row in every])
    return WedgeStatistics(np.array([row[0] for row in every]), np.array([row[1] for row in every]), values)
