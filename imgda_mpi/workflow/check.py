"""Everything an analysis would stop at, found before it is queued."""

from __future__ import annotations

import logging

import numpy as np
from mpi4py import MPI

from imgda_mpi.colm.block_files import has_parallel_hdf5
from imgda_mpi.config import Settings
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.workflow.analyse import SURFACE, surface_image
from imgda_mpi.workflow.increment import make_transform
from imgda_mpi.workflow.inputs import (
    describe,
    error_deviations,
    innovation_of,
    open_restart,
    pixel_summary,
    read_observation,
)
from imgda_mpi.workflow.output import check_output

log = logging.getLogger(__name__)


def check(settings: Settings, comm: MPI.Intracomm) -> None:
    """Open and check all inputs and the output folder as `analyse` does, and say what was found. Collective.

    Raises
    ------
    ImgdaError
        The first thing that an analysis would stop at.
    """
    restart = open_restart(settings, comm)
    check_output(settings.output.directory, restart.n_bytes, comm)
    soil, _ = restart.read_soil()
    background = surface_image(restart, soil.surface_moisture(SURFACE), comm)
    grid, patches = restart.patches.grid, restart.patches
    observation = read_observation(settings, grid, comm)
    innovation = innovation_of(background, observation, settings, comm)
    error_deviations(settings, grid, grid.transform_shape(), comm)
    with same_fate(comm):
        transform = make_transform(settings, grid)
    if comm.rank != 0:
        return
    lat, lon = grid.latitude, grid.longitude
    log.info("restart      %s", restart.name)
    log.info("patches      %d, of them %d with soil water", patches.n_patch, patches.is_soil.sum())
    log.info("image        %d x %d, %.2f to %.2f N, %.2f to %.2f E", *grid.shape, lat[0], lat[-1], lon[0], lon[-1])
    log.info(
        "background   %d cells, %.3f to %.3f m3 m-3", patches.soil_cells.sum(), *np.nanquantile(background, [0, 1])
    )
    if observation is not None:
        log.info("observation  %s", describe(observation, innovation, settings))
        log.info("             %s", pixel_summary(observation))
    log.info(
        "method       %s; %d scales on %d x %d",
        settings.method,
        transform.geometry.n_scales,
        *transform.layout.image_shape,
    )
    log.info("restart I/O  %s", "parallel HDF5" if has_parallel_hdf5() else "through rank 0 (this h5py has no MPI)")
    log.info("output       %s (about %.1f MB)", settings.output.directory, restart.n_bytes / 1e6)
    log.info("nothing stands in the way of the analysis")
