"""One analysis: read a restart and an observed image, correct the soil water, write the analysed restart."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from imgda_mpi.colm.ledger import WaterLedger, ledger_rows
from imgda_mpi.colm.restart import Restart
from imgda_mpi.colm.soil_layers import overlap_weights
from imgda_mpi.colm.soil_update import SoilUpdate, check_bounds, compensate_aquifer, update_soil
from imgda_mpi.config import Settings
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.parallel.rows import gather_rows
from imgda_mpi.report.table import score_line
from imgda_mpi.workflow.console import Stages
from imgda_mpi.workflow.diagnostics import Analysis, write_diagnostics
from imgda_mpi.workflow.increment import increment_of
from imgda_mpi.workflow.inputs import (
    describe,
    innovation_of,
    input_files,
    open_restart,
    pixel_summary,
    read_observation,
)
from imgda_mpi.workflow.output import check_output, new_directory, write_manifest

FloatArray = npt.NDArray[np.float64]

log = logging.getLogger(__name__)

SURFACE = overlap_weights(0.0, 0.1)
"""Share of the soil layers in the image: 0-10 cm."""


def analyse(settings: Settings, comm: MPI.Intracomm) -> None:
    """Correct one restart with one observed image. Collective over ``comm``.

    Raises
    ------
    ImgdaError
        The final output folder does not exist then.
    """
    stages = Stages()
    with stages.stage("restart"):
        restart = open_restart(settings, comm)
        check_output(settings.output.directory, restart.n_bytes, comm)
        soil, aquifer = restart.read_soil()
        background = surface_image(restart, soil.surface_moisture(SURFACE), comm)
        stages.say(
            f"{restart.name}: {restart.patches.n_patch} patches in {restart.patches.soil_cells.sum()} soil cells"
        )
    with stages.stage("observation"):
        observation = read_observation(settings, restart.patches.grid, comm)
        innovation = innovation_of(background, observation, settings, comm)
        stages.say(describe(observation, innovation, settings) if observation else "none")
    if observation is not None:
        log.info("             %s", pixel_summary(observation))
    with stages.stage("increment"):
        increment, wedges = increment_of(settings, restart.patches.grid, innovation, comm)
        stages.say(f"method {settings.method}")
    with stages.stage("soil"):
        own = slice(*restart.offsets[comm.rank : comm.rank + 2])
        # Off the observed cells the diagonal update leaves only the leakage of its basis functions.
        wanted = np.where(np.isfinite(innovation), increment, 0.0)
        update = update_soil(soil, restart.patches.to_patches(wanted)[own], SURFACE)
        with same_fate(comm):
            check_bounds(soil, update.liquid)
        new_aquifer = compensated(aquifer, update, comm) if settings.soil.compensate == "aquifer" else aquifer
        analysis = surface_image(restart, replace(soil, liquid=update.liquid).surface_moisture(SURFACE), comm)
        rows = gather_rows(comm, ledger_rows(soil, update, new_aquifer - aquifer), restart.offsets)
        ledger = None if rows is None else WaterLedger(restart.patches, rows)
        stages.say(ledger.summary if ledger else "")
    with new_directory(settings.output.directory, restart.n_bytes, comm) as directory:
        with stages.stage("write"):
            written = restart.write(
                directory / "restart", update.liquid, None if new_aquifer is aquifer else new_aquifer
            )
            stages.say(f"{len(written)} files")
        result = Analysis(restart, observation, background, innovation, increment, analysis, wedges, ledger)
        diagnostics = write_diagnostics(directory / "diagnostics.nc", result, settings, stages, comm)
        inputs = input_files(restart, observation, settings)
        write_manifest(directory, [*written, diagnostics], inputs, settings, comm)
    log.info("result in %s", settings.output.directory)
    if observation is not None:
        log.info("against the observation: %s", score_line(background, analysis, observation.values))


def compensated(aquifer: FloatArray, update: SoilUpdate, comm: MPI.Intracomm) -> FloatArray:
    """Aquifer store (n_own,) mm that keeps each column's total water; warns of deficits that become a surplus.

    Collective over ``comm``.
    """
    new = compensate_aquifer(aquifer, update)
    surplus = comm.allreduce(int(((aquifer <= 0) & (new > 0)).sum()))
    if comm.rank == 0 and surplus > 0:
        log.warning("wa becomes positive on %d patches; the variably saturated scheme keeps it at 0 or below", surplus)
    return new


def surface_image(restart: Restart, moisture: FloatArray, comm: MPI.Intracomm) -> FloatArray:
    """Image of the own patches' surface moisture (n_own,), (ny, nx) on every rank. Collective over ``comm``.

    Rank 0 averages over all patches, so that the sums do not depend on who owns which.
    """
    every = gather_rows(comm, moisture, restart.offsets)
    image: FloatArray = comm.bcast(None if every is None else restart.patches.to_image(every))
    return image
