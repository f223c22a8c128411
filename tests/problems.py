"""Problems for methods, made without files, and what tests on any number of ranks need."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pytest
from mpi4py import MPI

from imgda_mpi.grid import Grid
from imgda_mpi.numerics.problem import Members, Observations, Problem

TIME = datetime(2022, 6, 1, tzinfo=UTC)
SELF = MPI.COMM_SELF
COMMS = [pytest.param(SELF, id="self"), pytest.param(MPI.COMM_WORLD, id="world", marks=pytest.mark.mpi)]


def agree(comm: MPI.Intracomm, holds: object) -> bool:
    """Whether something holds on every rank: a test must not fail on one rank alone, or the others wait for it."""
    return bool(comm.allreduce(bool(holds), op=MPI.LAND))


def grid_of(shape: tuple[int, int]) -> Grid:
    """A global grid of equal steps."""
    ny, nx = shape
    return Grid(90.0 - (np.arange(ny) + 0.5) * 180.0 / ny, -180.0 + (np.arange(nx) + 0.5) * 360.0 / nx)


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
    return Problem(grid or grid_of(shape), np.zeros(shape), land, given, members, TIME, seed)


def members_of_images(anomalies: Mapping[int, np.ndarray], n_members: int, every: np.ndarray) -> Members:
    """Members of which this rank holds some; ``every`` are the anomalies of all, (n_members, ny, nx)."""
    return Members(anomalies, np.asarray(every).std(axis=0, ddof=1), n_members)
