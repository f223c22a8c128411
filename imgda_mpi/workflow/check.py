"""Everything an analysis would stop at, found before it is queued."""

from __future__ import annotations

import logging

import numpy as np
from mpi4py import MPI

from imgda_mpi.colm.hdf5 import has_parallel_hdf5
from imgda_mpi.console import Stages
from imgda_mpi.settings.analysis import Parallel, Settings
from imgda_mpi.settings.model import Colm202x
from imgda_mpi.workflow.prepare import Prepared, prepare, room

log = logging.getLogger(__name__)


def check(settings: Settings, comm: MPI.Intracomm) -> None:
    """Open and check all inputs and the output folder as `analyse` does, and say what was found. Collective.

    Raises
    ------
    ImgdaError
        The first thing that an analysis would stop at.
    """
    # The ranks of the analysis are not those of this check.
    prepared = prepare(settings.model_copy(update={"parallel": Parallel()}), Stages(), comm)
    tell(settings, prepared)
    if comm.rank == 0:
        log.info("output       %s (at most %.1f MB)", settings.output.directory, room(prepared.restart) / 1e6)
        log.info("nothing stands in the way of the analysis")


def tell(settings: Settings, prepared: Prepared) -> None:
    """Say what an analysis starts from."""
    patches = prepared.restart.all_patches
    if patches is None:  # not on rank 0
        return
    grid = patches.grid
    lat, lon = grid.latitude, grid.longitude
    lowest, highest = np.nanquantile(prepared.problem.background, [0, 1])
    log.info("image        %d x %d, %.2f to %.2f N, %.2f to %.2f E", *grid.shape, lat[0], lat[-1], lon[0], lon[-1])
    log.info("background   %d soil patches, %.3f to %.3f m3 m-3", patches.is_soil.sum(), lowest, highest)
    log.info("method       %s", prepared.method.name)
    if isinstance(settings.model, Colm202x):
        log.info(
            "restart I/O  %s", "parallel HDF5" if has_parallel_hdf5() else "one rank per file (this h5py has no MPI)"
        )
