"""The own patches of a rank: where they lie, and what no soil column may hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.faults import fault
from imgda_mpi.parallel.rows import scatter_rows

# CoLM writes -1.0e36 where it has no value; anything this large is no soil water and no temperature.
LARGEST_PLAUSIBLE = 1.0e30


def own_patches(comm: MPI.Intracomm, every: PatchMap | None, offsets: IntArray) -> PatchMap:
    """Map of the own patches, on the whole grid, from that of all on rank 0 (None elsewhere). Collective.

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

    ``state`` and ``const`` say where the state and the constants of a patch of ``soil`` come from.

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


def check_aquifer(soil: SoilColumns, aquifer: FloatArray, where: str) -> None:
    """Refuse an aquifer store (n_own,) that is missing on a soil patch. Not collective.

    Raises
    ------
    InputError
    """
    missing = soil.is_soil & ~(np.abs(aquifer) < LARGEST_PLAUSIBLE)
    if missing.any():
        raise fault(
            where,
            "wa",
            found=f"no value on {int(missing.sum())} soil patches",
            expected="the aquifer store in mm",
            do="do not compensate with it",
        )
