"""A restart of any model: what the rest of the program knows of it, and the image of its surface soil moisture."""

from __future__ import annotations

from copy import copy
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.marks import Mark
from imgda_mpi.colm.own_patches import PatchProperties
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.plausible import Implausible
from imgda_mpi.colm.soil_layers import overlap_weights
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.lazy import load
from imgda_mpi.parallel.rows import gather_rows

MODELS = {"colm202x": "colm.colm202x:open_restart", "colm2014": "colm.colm2014:open_restart"}
"""Every model by its kind: what opens a restart."""

SURFACE = overlap_weights(0.0, 0.1)
"""Share of the soil layers in the image: 0-10 cm."""


class Restart(Protocol):
    """One instant of the model, spread over ranks: rank r owns the patches ``offsets[r]:offsets[r + 1]``.

    ``patches`` are the own ones; their grid is that of the whole image. Rank 0 alone holds the map of ``all_patches``,
    which is None elsewhere. ``mark`` says which observations the restart holds, None where it has not been analysed.
    """

    name: str
    time: datetime
    inputs: list[Path]
    patches: PatchMap
    all_patches: PatchMap | None
    offsets: IntArray
    mark: Mark | None

    def room(self) -> int:
        """Bytes that `write` needs at most. Not collective."""

    def read_soil(self, implausible: Implausible = "stop") -> tuple[SoilColumns, FloatArray]:
        """Soil columns and aquifer storage (n_own,) mm of the own patches, checked by `check_soil`. Collective."""

    def read_properties(self) -> PatchProperties:
        """What does not change of the own patches. Collective."""

    def check_copied(self, implausible: Implausible = "stop") -> None:
        """Read once everything that `write` passes on, and refuse what is damaged. Collective.

        With ``"leave_out"`` soil water and temperature may be any numbers.
        """

    def write(
        self, directory: Path, liquid: FloatArray, aquifer: FloatArray | None, mark: Mark | None = None
    ) -> list[Path]:
        """Write the restart with other soil water, all else as it was; gives all files on every rank. Collective.

        Parameters
        ----------
        directory : exists and is empty; the files get the model's names
        liquid : (n_own, 10) kg m-2
        aquifer : (n_own,) mm, or None to keep it
        mark : of the analysis, or None to keep that of this restart
        """


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
