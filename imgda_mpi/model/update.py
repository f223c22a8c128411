"""The increment of the image in the soil columns of a restart: water, aquifer, and the ledger of both."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.ledger import WaterLedger, ledger_rows
from imgda_mpi.colm.soil_update import SoilColumns, SoilUpdate, check_bounds, compensate_aquifer, update_soil
from imgda_mpi.model.restart import Restart
from imgda_mpi.model.surface import SURFACE, surface_image
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.parallel.rows import gather_rows

log = logging.getLogger(__name__)


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
    soil, aquifer : as `Restart.read_soil` gave them
    increment : (ny, nx) m3 m-3, 0 where nothing is to change
    compensates : whether what a column gains is taken out of its aquifer store
    """
    changed = update_soil(soil, restart.patches.to_patches(increment), SURFACE)
    with same_fate(comm):
        check_bounds(soil, changed.liquid)
    after = _compensated(aquifer, changed, comm) if compensates else None
    image = surface_image(restart, replace(soil, liquid=changed.liquid).surface_moisture(SURFACE), comm)
    drawn = np.zeros_like(aquifer) if after is None else after - aquifer
    rows = gather_rows(comm, ledger_rows(soil, changed, drawn), restart.offsets)
    ledger = WaterLedger(restart.all_patches, rows) if restart.all_patches and rows is not None else None
    return Updated(changed.liquid, after, image, ledger)


def _compensated(before: FloatArray, changed: SoilUpdate, comm: MPI.Intracomm) -> FloatArray:
    """Aquifer store (n_own,) mm that keeps each column's total water; warns of deficits that become a surplus."""
    after = compensate_aquifer(before, changed)
    surplus = comm.allreduce(int(((before <= 0) & (after > 0)).sum()))
    if comm.rank == 0 and surplus > 0:
        log.warning("wa becomes positive on %d patches; the variably saturated scheme keeps it at 0 or below", surplus)
    return after
