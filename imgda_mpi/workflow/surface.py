"""The restart of the settings, and the image of its surface soil moisture."""

from __future__ import annotations

from pathlib import Path

from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm import colm202x, colm2014
from imgda_mpi.colm.restart import Restart
from imgda_mpi.colm.soil_layers import overlap_weights
from imgda_mpi.config import Colm202x, Colm2014
from imgda_mpi.parallel.rows import gather_rows

Model = Colm202x | Colm2014

SURFACE = overlap_weights(0.0, 0.1)
"""Share of the soil layers in the image: 0-10 cm."""


def open_restart(model: Model, comm: MPI.Intracomm, directory: Path | None = None) -> Restart:
    """The restart of the settings, or that of the same name in the folder of a member. Collective over ``comm``.

    Raises
    ------
    InputError
    """
    if isinstance(model, Colm202x):
        folder = directory or model.directory
        return colm202x.open_restart(folder, model.case, model.time, model.land_cover_year, comm)
    file = model.restart_file if directory is None else directory / model.restart_file.name
    return colm2014.open_restart(file, model.const_file, model.time, comm)


def surface_image(restart: Restart, moisture: FloatArray, comm: MPI.Intracomm) -> FloatArray:
    """Image of the own patches' surface moisture (n_own,), (ny, nx) on every rank. Collective over ``comm``.

    Rank 0 averages over all patches, so that the sums do not depend on who owns which.
    """
    every = gather_rows(comm, moisture, restart.offsets)
    patches = restart.all_patches
    image: FloatArray = comm.bcast(patches.to_image(every) if patches and every is not None else None)
    return image
