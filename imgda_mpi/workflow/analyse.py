"""One analysis: read a restart and an observed image, correct the soil water, write the analysed restart."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.ledger import WaterLedger, ledger_rows
from imgda_mpi.colm.soil_update import SoilUpdate, check_bounds, compensate_aquifer, update_soil
from imgda_mpi.config import Settings
from imgda_mpi.console import Stages
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.parallel.rows import gather_rows
from imgda_mpi.report.table import score_line
from imgda_mpi.workflow.diagnostics import Analysis, write_diagnostics
from imgda_mpi.workflow.increment import increment_of
from imgda_mpi.workflow.inputs import Inputs, read_inputs
from imgda_mpi.workflow.output import new_directory, write_manifest
from imgda_mpi.workflow.surface import SURFACE, surface_image

log = logging.getLogger(__name__)


def analyse(settings: Settings, comm: MPI.Intracomm) -> None:
    """Correct one restart with one observed image. Collective over ``comm``.

    Raises
    ------
    ImgdaError
        The final output folder does not exist then.
    """
    stages = Stages()
    inputs = read_inputs(settings, stages, comm)
    restart, soil = inputs.restart, inputs.soil
    with stages.stage("increment"):
        increment = increment_of(settings, inputs, comm)
        stages.say(increment.summary)
    with stages.stage("soil"):
        wanted = np.where(increment.applied, increment.image, 0.0)
        update = update_soil(soil, restart.patches.to_patches(wanted), SURFACE)
        with same_fate(comm):
            check_bounds(soil, update.liquid)
        aquifer = compensated_aquifer(inputs, update, comm) if settings.soil.compensate == "aquifer" else None
        analysis = surface_image(restart, replace(soil, liquid=update.liquid).surface_moisture(SURFACE), comm)
        drawn = np.zeros_like(inputs.aquifer) if aquifer is None else aquifer - inputs.aquifer
        rows = gather_rows(comm, ledger_rows(soil, update, drawn), restart.offsets)
        ledger = WaterLedger(restart.all_patches, rows) if restart.all_patches and rows is not None else None
        stages.say(ledger.summary if ledger else "")
    with new_directory(settings.output.directory, comm) as directory:
        with stages.stage("write"):
            written = restart.write(directory / "restart", update.liquid, aquifer)
            stages.say(f"{len(written)} files")
        result = Analysis(inputs, increment, analysis, ledger)
        diagnostics = write_diagnostics(directory / "diagnostics.nc", result, settings, stages, comm)
        write_manifest(directory, [*written, diagnostics], inputs.files, settings, settings.errors.seed, comm)
    log.info("result in %s", settings.output.directory)
    if inputs.observation is not None:
        scores = score_line(inputs.background, analysis, inputs.observation.values)
        log.info("against the observation: %s", scores)


def compensated_aquifer(inputs: Inputs, update: SoilUpdate, comm: MPI.Intracomm) -> FloatArray:
    """Aquifer store (n_own,) mm that keeps each column's total water; warns of deficits that become a surplus.

    Collective over ``comm``.
    """
    before = inputs.aquifer
    after = compensate_aquifer(before, update)
    surplus = comm.allreduce(int(((before <= 0) & (after > 0)).sum()))
    if comm.rank == 0 and surplus > 0:
        log.warning("wa becomes positive on %d patches; the variably saturated scheme keeps it at 0 or below", surplus)
    return after
