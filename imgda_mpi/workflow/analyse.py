"""One analysis: read a restart and an observed image, correct the soil water, write the analysed restart."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.ledger import WaterLedger, ledger_rows
from imgda_mpi.colm.restart import Restart
from imgda_mpi.colm.soil_update import SoilUpdate, check_bounds, compensate_aquifer, update_soil
from imgda_mpi.config import Settings
from imgda_mpi.console import Stages
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.parallel.rows import gather_rows
from imgda_mpi.problem import Observations
from imgda_mpi.verify.scores import Scores, before_and_after, score_line
from imgda_mpi.workflow.diagnostics import Analysis, write_diagnostics
from imgda_mpi.workflow.output import new_directory, write_manifest
from imgda_mpi.workflow.preparation import prepare
from imgda_mpi.workflow.surface import SURFACE, surface_image

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Analysed:
    """What an analysis made.

    Parameters
    ----------
    directory : of the result
    files : the analysed restart
    scores : of background and analysis against the observation that was assimilated; None without one
    """

    directory: Path
    files: list[Path]
    scores: tuple[Scores, Scores] | None


def analyse(
    settings: Settings,
    comm: MPI.Intracomm,
    *,
    transform: CurveletTransform | None = None,
    restart: Restart | None = None,
) -> Analysed:
    """Correct one restart with one observed image. Collective over ``comm``.

    Parameters
    ----------
    settings : Settings
    comm : MPI.Intracomm
    transform, restart : optional
        Those of the settings where they are in memory already: a loop makes its transform once.

    Raises
    ------
    ImgdaError
        The final output folder does not exist then.
    """
    stages = Stages()
    prepared = prepare(settings, stages, comm, transform, restart)
    restart, soil, problem = prepared.restart, prepared.soil, prepared.problem
    with stages.stage("increment"):
        increment = prepared.method.increment(problem, comm)
        stages.say(increment.summary)
    if comm.rank == 0 and "estimated_observation_error" in increment.facts:
        warn_of_contradiction(increment.facts["estimated_observation_error"].value, problem.observations)
    with stages.stage("soil"):
        wanted = np.where(increment.applied, increment.image, 0.0)
        update = update_soil(soil, restart.patches.to_patches(wanted), SURFACE)
        with same_fate(comm):
            check_bounds(soil, update.liquid)
        compensates = settings.soil.compensate == "aquifer"
        aquifer = compensated_aquifer(prepared.aquifer, update, comm) if compensates else None
        analysis = surface_image(restart, replace(soil, liquid=update.liquid).surface_moisture(SURFACE), comm)
        drawn = np.zeros_like(prepared.aquifer) if aquifer is None else aquifer - prepared.aquifer
        rows = gather_rows(comm, ledger_rows(soil, update, drawn), restart.offsets)
        ledger = WaterLedger(restart.all_patches, rows) if restart.all_patches and rows is not None else None
        stages.say(ledger.summary if ledger else "")
    final = settings.output.directory
    with new_directory(final, comm) as directory:
        with stages.stage("write"):
            written = restart.write(directory / "restart", update.liquid, aquifer)
            stages.say(f"{len(written)} files")
        result = Analysis(prepared, increment, analysis, ledger)
        diagnostics = write_diagnostics(directory / "diagnostics.nc", result, settings, stages, comm)
        write_manifest(directory, [*written, diagnostics], prepared.files, settings, problem.seed, comm)
    log.info("result in %s", final)
    scores = None
    if prepared.observation is not None:
        scores = before_and_after(problem.background, analysis, prepared.observation.values)
        log.info("against the observation: %s", score_line(*scores))
    return Analysed(final, [final / file.relative_to(directory) for file in written], scores)


def compensated_aquifer(before: FloatArray, update: SoilUpdate, comm: MPI.Intracomm) -> FloatArray:
    """Aquifer store (n_own,) mm that keeps each column's total water; warns of deficits that become a surplus.

    Collective over ``comm``.
    """
    after = compensate_aquifer(before, update)
    surplus = comm.allreduce(int(((before <= 0) & (after > 0)).sum()))
    if comm.rank == 0 and surplus > 0:
        log.warning("wa becomes positive on %d patches; the variably saturated scheme keeps it at 0 or below", surplus)
    return after


def warn_of_contradiction(estimate: float, observations: Observations) -> None:
    """Say where the estimated standard deviation of the observation errors, m3 m-3, is far from the one given."""
    given = float(np.sqrt(observations.variance[observations.observed].mean()))
    if not 0.5 <= estimate / given <= 2.0:
        log.warning(
            "the innovation's finest scales say %.3f m3 m-3 for the observation errors, errors.observation says %.3f: "
            "the estimate is used",
            estimate,
            given,
        )
