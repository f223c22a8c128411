"""A restart of any model, and the image of its surface soil moisture."""

from __future__ import annotations

from typing import Any

from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import overlap_weights
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


def surface_image(restart: Restart, moisture: FloatArray, comm: MPI.Intracomm) -> FloatArray:
    """Image of the own patches' surface moisture (n_own,), (ny, nx) on every rank. Collective over ``comm``.

    Rank 0 averages over all patches, so that the sums do not depend on who owns which.
    """
    every = gather_rows(comm, moisture, restart.offsets)
    patches = restart.all_patches
    image: FloatArray = comm.bcast(patches.to_image(every) if patches and every is not None else None)
    return image
