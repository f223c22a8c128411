"""One analysis: read a restart and an observed image, correct the soil water, write the analysed restart."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.marks import Mark
from imgda_mpi.console import Stages
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.model.restart import Restart
from imgda_mpi.model.update import update
from imgda_mpi.parallel.failure import from_rank_0, same_fate
from imgda_mpi.parallel.memory import peak_memory
from imgda_mpi.results.folder import new_directory
from imgda_mpi.results.manifest import Known, checksums, write_manifest
from imgda_mpi.settings.analysis import NOT_DECIDING, Settings
from imgda_mpi.verify.scores import Scores, before_and_after, score_line
from imgda_mpi.workflow.prepare import Prepared, prepare

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Analysed:
    """What an analysis made.

    Parameters
    ----------
    directory : of the result
    files : the analysed restart, and its mark where that is a file of its own
    scores : of background and analysis against the assimilated image; None without one
    transform : the one that was used; None for methods without one
    liquid, aquifer : of the own patches in the analysed restart, (n_own, 10) kg m-2 and (n_own,) mm
    mark : of the analysed restart; None where it has that of before, or none
    """

    directory: Path
    files: list[Path]
    scores: tuple[Scores, Scores] | None
    transform: CurveletTransform | None
    liquid: FloatArray
    aquifer: FloatArray
    mark: Mark | None


def analyse(
    settings: Settings,
    comm: MPI.Intracomm,
    *,
    transform: CurveletTransform | None = None,
    restart: Restart | None = None,
    known: Known | None = None,
) -> Analysed:
    """Correct one restart with one observed image. Collective over ``comm``.

    ``restart`` is that of the settings where it is in memory already, ``transform`` one that is taken where it is the
    settings': a loop makes its transform once. ``known`` are checksums as of `checksums`.

    Raises
    ------
    ImgdaError
        The final output folder does not exist then.
    """
    stages = Stages()
    prepared = prepare(settings, stages, comm, transform, restart)
    restart, problem = prepared.restart, prepared.problem
    with stages.stage("increment"):
        increment = prepared.method.increment(problem, comm)
        stages.say(increment.summary)
    with stages.stage("soil"):
        wanted = np.where(increment.applied, increment.image, 0.0)
        compensates = settings.soil.compensate == "aquifer"
        updated = update(restart, prepared.soil, prepared.aquifer, wanted, comm, compensates=compensates)
        stages.say(updated.ledger.summary if updated.ledger else "")
    if updated.ledger is not None:
        from imgda_mpi.workflow.doubts import doubts  # on the one rank that has the ledger

        inflation = settings.method.values().get("inflation")
        for doubt in doubts(increment, problem.innovation, updated.ledger, inflation):
            log.warning(doubt)
    in_force, final = settings.model_dump_json(), settings.output.directory
    with new_directory(final, comm) as directory:
        with stages.stage("write"):
            inputs = checksums(prepared.files, comm, known)
            mark = mark_of(prepared, in_force, inputs, comm) if prepared.assimilated else None
            written = restart.write(directory / "restart", updated.liquid, updated.aquifer, mark)
            stages.say(f"{len(written)} files")
        seconds = comm.gather(list(stages.seconds.values()))
        used = comm.gather((peak_memory(), increment.sent.n_bytes, increment.sent.messages))
        diagnostics = directory / "diagnostics.nc"
        with same_fate(comm):
            if updated.ledger is not None:
                from imgda_mpi.results.analysis_file import Analysis, write_analysis  # on the one rank that writes

                result = Analysis(
                    restart=restart.name,
                    settings=in_force,
                    labels=prepared.method.labels,
                    fft_plans=prepared.fft_plans,
                    observation=prepared.observation,
                    problem=problem,
                    increment=increment,
                    analysis=updated.image,
                    ledger=updated.ledger,
                    stages=list(stages.seconds),
                    seconds=np.array(seconds),
                    used=np.array(used, np.int64),
                )
                write_analysis(diagnostics, result)
        write_manifest(directory, [*written, diagnostics], inputs, in_force, problem.seed, comm, known)
    log.info("result in %s", final)
    scores = None
    if prepared.observation is not None:
        scores = before_and_after(problem.background, updated.image, prepared.observation.values)
        if scores[0].n_cells > 0:
            log.info("against the assimilated image: %s", score_line(*scores))
    return Analysed(
        directory=final,
        files=[final / file.relative_to(directory) for file in written],
        scores=scores,
        transform=prepared.transform,
        liquid=updated.liquid,
        aquifer=prepared.aquifer if updated.aquifer is None else updated.aquifer,
        mark=mark,
    )


def mark_of(prepared: Prepared, settings: str, inputs: Mapping[Path, str], comm: MPI.Intracomm) -> Mark:
    """What the analysed restart says of itself, the same on every rank. Collective."""

    def mark() -> Mark:
        from imgda_mpi.results.identity import digest  # on the one rank that asks

        return Mark(digest(settings, inputs, NOT_DECIDING), prepared.assimilated)

    return from_rank_0(comm, mark)
