"""The increment of the image in the soil columns of a restart: water, aquifer, and the ledger of both."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.ledger import WaterLedger, ledger_rows
from imgda_mpi.colm.soil_update import SoilColumns, check_bounds, compensate_aquifer, update_soil
from imgda_mpi.model.restart import SURFACE, Restart, surface_image
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.parallel.rows import gather_rows

log = logging.getLogger(__name__)


METRES_OF_WATER = 100.0
"""Mean aquifer store, mm, between the two schemes: a deficit of some mm, or about 4800."""


@dataclass(frozen=True, eq=False)
class Updated:
    """What an increment made of the soil.

    Parameters
    ----------
    liquid : of the own patches, (n_own, 10) kg m-2
    aquifer : store of the own patches, (n_own,) mm; None where it stays
    image : surface soil moisture after frozen ground and bounds, (ny, nx) m3 m-3
    ledger : on rank 0, None elsewhere
    """

    liquid: FloatArray
    aquifer: FloatArray | None
    image: FloatArray
    ledger: WaterLedger | None


def update(
    restart: Restart,
    soil: SoilColumns,
    aquifer: FloatArray,
    increment: FloatArray,
    comm: MPI.Intracomm,
    *,
    compensates: bool,
) -> Updated:
    """Give an increment of the surface moisture to the soil of the own patches. Collective over ``comm``.

    Parameters
    ----------
    restart, soil, aquifer : as `imgda_mpi.model.restart.read_soil` gave them
    increment : (ny, nx) m3 m-3, 0 where nothing is to change
    compensates : whether what a column gains is taken out of its aquifer store, see `compensate_aquifer`
    """
    changed = update_soil(soil, restart.patches.to_patches(increment), SURFACE)
    with same_fate(comm):
        check_bounds(soil, changed.liquid)
    image = surface_image(restart, replace(soil, liquid=changed.liquid).surface_moisture(SURFACE), comm)
    after, drawn, unbalanced = None, np.zeros_like(aquifer), np.zeros_like(aquifer)
    if compensates:
        n_soil, stored = comm.allreduce(np.array([soil.is_soil.sum(), aquifer[soil.is_soil].sum()]))
        after, unbalanced = compensate_aquifer(aquifer, changed, is_deficit=bool(stored < METRES_OF_WATER * n_soil))
        drawn = after - aquifer
    own = ledger_rows(soil, changed, drawn, unbalanced, restart.patches.is_left_out)
    rows = gather_rows(comm, own, restart.offsets)
    ledger = WaterLedger(restart.all_patches, rows) if restart.all_patches and rows is not None else None
    if ledger is not None:
        _warn_of_full_aquifers(ledger)
    return Updated(changed.liquid, after, image, ledger)


def _warn_of_full_aquifers(ledger: WaterLedger) -> None:
    lost = -ledger.term("unbalanced")[ledger.flag("aquifer_full")]
    if lost.size:
        log.warning(
            "wa is full on %d patches (at 0, or at the surplus it had) and takes no more, as the variably saturated "
            "scheme would move the water table: on these, %.3f mm (mean, at most %.3f mm) of what the soil loses is "
            "not balanced",
            *(lost.size, lost.mean(), lost.max()),
        )
