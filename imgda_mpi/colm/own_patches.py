"""The own patches of a rank: where they lie, and what does not change of them and tells which are alike."""

from __future__ import annotations

from dataclasses import dataclass

from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.plausible import Place
from imgda_mpi.parallel.rows import scatter_rows


def own_patches(comm: MPI.Intracomm, every: PatchMap | None, offsets: IntArray) -> PatchMap:
    """Map of the own patches, on the whole grid, from that of all on rank 0 (None elsewhere). Collective.

    Rank r owns the patches ``offsets[r]:offsets[r + 1]``.
    """
    grid = comm.bcast(every.grid if every else None)
    columns = (every.cell, every.weight, every.patch_type) if every else (None, None, None)
    cell, weight, patch_type = (scatter_rows(comm, values, offsets) for values in columns)
    return PatchMap(grid, cell, weight, patch_type)


@dataclass(frozen=True, eq=False)
class PatchProperties:
    """Properties of n patches; numbers of patches that are no soil may be anything.

    Parameters
    ----------
    patch_class : of land cover, as the model counts them, (n,)
    porosity : (n, 10) m3 m-3
    conductivity : of saturated soil, ``hksati``, (n, 10) mm s-1; None where the files have none
    height : above the sea, (n,) m; None where the files have none
    const : where the constants of a patch come from
    """

    patch_class: IntArray
    porosity: FloatArray
    conductivity: FloatArray | None
    height: FloatArray | None
    const: Place
