"""The own patches of a rank: where they lie."""

from __future__ import annotations

from mpi4py import MPI

from imgda_mpi.arrays import IntArray
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.parallel.rows import scatter_rows


def own_patches(comm: MPI.Intracomm, every: PatchMap | None, offsets: IntArray) -> PatchMap:
    """Map of the own patches, on the whole grid, from that of all on rank 0 (None elsewhere). Collective.

    Rank r owns the patches ``offsets[r]:offsets[r + 1]``.
    """
    grid = comm.bcast(every.grid if every else None)
    columns = (every.cell, every.weight, every.patch_type) if every else (None, None, None)
    cell, weight, patch_type = (scatter_rows(comm, values, offsets) for values in columns)
    return PatchMap(grid, cell, weight, patch_type)
