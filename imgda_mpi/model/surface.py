"""A restart of any model, and the image of its surface soil moisture."""

from __future__ import annotations

from copy import copy
from typing import Any

from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.plausible import Implausible
from imgda_mpi.colm.soil_layers import overlap_weights
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.lazy import load
from imgda_mpi.model.restart import Restart
from imgda_mpi.parallel.rows import gather_rows

MODELS = {"colm202x": "colm.colm202x:open_restart", "colm2014": "colm.colm2014:open_restart"}
"""Every model by its kind: what opens a restart."""

SURFACE = overlap_weights(0.0, 0.1)
"""Share of the soil layers in the image: 0-10 cm."""


def open_restart(kind: str, comm: MPI.Intracomm, **files: Any) -> Restart:
    """The restart of a model of a kind; ``files`` are the arguments of its function. Collective over ``comm``.

    Raises
    ------
    InputError
    """
    restart: Restart = load(MODELS[kind])(**files, comm=comm)
    return restart


def read_soil(
    restart: Restart, comm: MPI.Intracomm, implausible: Implausible = "stop"
) -> tuple[Restart, SoilColumns, FloatArray]:
    """Soil and aquifer store (n_own,) mm of a restart, and the restart without the patches that are left out of it.

    Collective over ``comm``. The restart given keeps all of its patches.

    Raises
    ------
    InputError
        As `Restart.read_soil`.
    """
    soil, aquifer = restart.read_soil(implausible)
    every = gather_rows(comm, soil.is_soil, restart.offsets)
    restart = copy(restart)
    restart.patches = restart.patches.with_soil(soil.is_soil)
    if restart.all_patches is not None and every is not None:
        restart.all_patches = restart.all_patches.with_soil(every)
    return restart, soil, aquifer


def surface_image(restart: Restart, moisture: FloatArray, comm: MPI.Intracomm) -> FloatArray:
    """Image of the own patches' surface moisture (n_own,), (ny, nx) on every rank. Collective over ``comm``.

    Rank 0 averages over all patches, so that the sums do not depend on who owns which.
    """
    every = gather_rows(comm, moisture, restart.offsets)
    patches = restart.all_patches
    image: FloatArray = comm.bcast(patches.to_image(every) if patches and every is not None else None)
    return image
