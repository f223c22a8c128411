"""Problems for methods, made without files, and what tests on any number of ranks need."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pytest
from mpi4py import MPI

from imgda_mpi.grid import Grid, global_grid
from imgda_mpi.methods.method import Method
from imgda_mpi.numerics.problem import Members, Observations, Problem

TIME = datetime(2022, 6, 1, tzinfo=UTC)
SELF = MPI.COMM_SELF
COMMS = [pytest.param(SELF, id="self")]
if MPI.COMM_WORLD.size > 1:  # one rank alone would be the same again
    COMMS.append(pytest.param(MPI.COMM_WORLD, id="world", marks=pytest.mark.mpi))

GLOBE = global_grid((32, 64))
REGION = Grid(np.linspace(50, 32, 19), np.linspace(10, 34, 25))
SMALL = Grid(np.linspace(50, 32, 7), np.linspace(10, 34, 9))  # for dense matrices
N_MEMBERS = 6


def agree(comm: MPI.Intracomm, holds: object) -> bool:
    """Whether something holds on every rank: a test must not fail on one rank alone, or the others wait for it."""
    return bool(comm.allreduce(bool(holds), op=MPI.LAND))


def problem_of(
    innovation: np.ndarray,
    observed: np.ndarray | None = None,
    sd: float | np.ndarray = 0.1,
    *,
    land: np.ndarray | None = None,
    grid: Grid | None = None,
    members: Members | None = None,
    seed: int = 3,
) -> Problem:
    """A problem whose background is 0, so that what is observed is the innovation."""
    shape = innovation.shape
    observed = np.ones(shape, bool) if observed is None else observed
    land = np.ones(shape, bool) if land is None else land
    given = Observations(np.where(observed, innovation, 0.0), observed, sd)
    return Problem(grid or global_grid(shape), np.zeros(shape), land, given, members, TIME, seed)


def members_of_images(anomalies: Mapping[int, np.ndarray], n_members: int, every: np.ndarray) -> Members:
    """Members of which this rank holds some; ``every`` are the anomalies of all, (n_members, ny, nx)."""
    return Members(anomalies, np.asarray(every).std(axis=0, ddof=1), n_members)


def half_observed(grid: Grid, comm: MPI.Intracomm = SELF, method: Method | None = None) -> Problem:
    """Half of the land is observed; members are coherent, the innovation too."""
    rng, shape = np.random.default_rng(2), grid.shape
    drawn = 0.02 * rng.standard_normal((N_MEMBERS, *shape)).cumsum(axis=2)
    row, column = np.indices(shape)
    land = (row + column) % 7 > 0
    anomalies = np.where(land, drawn - drawn.mean(axis=0), 0.0)
    held = {n: image for n, image in enumerate(anomalies) if method is None or method.holder(n, comm.size) == comm.rank}
    innovation = 0.1 * np.sin(row / 4) + 0.05 * rng.standard_normal(shape)
    members = members_of_images(held, N_MEMBERS, anomalies)
    return problem_of(innovation, land & (column < shape[1] // 2), 0.05, land=land, grid=grid, members=members)


def noise_on(grid: Grid, rng: np.random.Generator) -> Observations:
    """White noise in some of the cells."""
    observed = rng.random(grid.shape) < 0.6
    return Observations(np.where(observed, 0.1 * rng.standard_normal(grid.shape), 0.0), observed, 0.05)
