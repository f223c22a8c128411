"""What the rest of the program knows of a restart, whichever version of the model wrote it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.errors import fault
from imgda_mpi.parallel.rows import scatter_rows

# CoLM writes -1.0e36 where it has no value; anything this large is no soil water and no temperature.
LARGEST_PLAUSIBLE = 1.0e30


class Restart(Protocol):
    """One instant of the model, spread over ranks: rank r owns the patches ``offsets[r]:offsets[r + 1]``.

    ``patches`` are the own ones; their grid is that of the whole image. Rank 0 alone holds the map of ``all_patches``,
    which is None elsewhere.
    """

    name: str
    time: datetime
    inputs: list[Path]
    patches: PatchMap
    all_patches: PatchMap | None
    offsets: IntArray

    def room(self) -> int:
        """Bytes that `write` needs at most. Not collective."""

    def read_soil(self) -> tuple[SoilColumns, FloatArray]:
        """Soil columns and aquifer storage (n_own,) mm of the own patches. Collective."""

    def write(self, directory: Path, liquid: FloatArray, aquifer: FloatArray | None) -> list[Path]:
        """Write the restart into a directory with other soil water, all else as it was. Collective.

        Parameters
        ----------
        directory : Path
            Exists and is empty; the files get the model's names.
        liquid : (n_own, 10) array, kg m-2
        aquifer : (n_own,) array, mm, or None to keep it

        Returns
        -------
        list of Path
            Every file written, the same list on every rank.
        """


def own_patches(comm: MPI.Intracomm, every: PatchMap | None, offsets: IntArray) -> PatchMap:
    """Map of the own patches, on the whole grid. Collective over ``comm``.

    Parameters
    ----------
    every : PatchMap on rank 0, None elsewhere
    offsets : (size + 1,) array
        Rank r owns the patches ``offsets[r]:offsets[r + 1]``.
    """
    grid = comm.bcast(every.grid if every else None)
    columns = (every.cell, every.weight, every.patch_type) if every else (None, None, None)
    cell, weight, patch_type = (scatter_rows(comm, values, offsets) for values in columns)
    return PatchMap(grid, cell, weight, patch_type)


Place = Callable[[int], tuple[Path, int]]
"""The file of one of the own patches, and the patch's number in it, from 0."""


def check_soil(soil: SoilColumns, state: Place, const: Place) -> None:
    """Refuse soil columns that hold missing, not finite, or impossible values. Not collective.

    Parameters
    ----------
    soil : SoilColumns
    state, const : callable
        Where the state and the constants of a patch of ``soil`` come from.

    Raises
    ------
    InputError
        Naming the first such patch and how many there are.
    """
    for name, values in (("wliq_soisno", soil.liquid), ("wice_soisno", soil.ice), ("t_soisno", soil.temperature)):
        _require(np.abs(values) < LARGEST_PLAUSIBLE, soil, name, values, "finite values", state)
    porous = (soil.porosity > 0) & (soil.porosity <= 1)
    _require(porous, soil, "porsl", soil.porosity, "m3 m-3 above 0, at most 1", const)
    drained = (soil.residual >= 0) & (soil.residual < soil.porosity)
    _require(drained, soil, "theta_r", soil.residual, "m3 m-3 from 0 to below the porosity", const)


def _require(holds: BoolArray, soil: SoilColumns, name: str, values: FloatArray, expected: str, place: Place) -> None:
    wrong = soil.is_soil[:, None] & ~holds
    if wrong.any():
        patch, layer = (int(index) for index in np.argwhere(wrong)[0])
        file, number = place(patch)
        raise fault(
            file,
            name,
            found=f"{values[patch, layer]:g} in soil layer {layer + 1} of patch {number}"
            f" ({int(wrong.any(axis=1).sum())} such patches)",
            expected=f"{expected} on every soil patch",
            do="the file is damaged or of another case: use one that the model wrote in full",
        )
