"""What a run of cycles would take, predicted before it is queued."""

from __future__ import annotations

from collections.abc import Sequence

from mpi4py import MPI

from imgda_mpi.cycling.pace import HOUR, Pace, pace_of
from imgda_mpi.cycling.rehearsal import read_rehearsal
from imgda_mpi.faults import settled_by
from imgda_mpi.model.restart import open_restart
from imgda_mpi.planning.cycles import hours_table, needs_table
from imgda_mpi.results.run_folder import Cycle
from imgda_mpi.settings.cycle import CycleRun, RunOfColumns
from imgda_mpi.settings.fields import duration_text
from imgda_mpi.workflow.cycle_columns import ColumnsRunner
from imgda_mpi.workflow.cycle_parts import case_of, run_there, windows_of
from imgda_mpi.workflow.cycle_sizes import needs_of_run
from imgda_mpi.workflow.output import noted


def plan_cycle(settings: CycleRun, cores: Sequence[int], comm: MPI.Intracomm) -> str:
    """Tables of files and bytes of all cycles, and of core-hours on each number of cores, as far as they are known.

    Parameters
    ----------
    cores : of the whole job, each 1 or more
    comm : of this process alone

    Raises
    ------
    ImgdaError
        Where there is no restart of the start.
    """
    model, times, windows = settings.model, settings.cycle, windows_of(settings)
    with settled_by("[model], [cycle] start"):
        runner = ColumnsRunner(settings, comm) if isinstance(model, RunOfColumns) else case_of(model)
        files = runner.first_set() if isinstance(runner, ColumnsRunner) else runner.first_set(times.start)
        of_start = settings.of_analysis(runner.section(files, times.start), settings.output.directory).model
        restart = open_restart(of_start.kind, comm, **of_start.values())
    run = noted(lambda: run_there(settings))
    done = [] if run is None else run.cycles()
    needs, of_history = needs_of_run(settings, windows, restart, len(files), done)
    n_analyses = sum(window.is_analysed for window in windows)
    hours = sum(window.length / HOUR for window in windows)
    pace, of_pace = _pace(settings, done)
    said = [
        f"{len(windows)} cycles, {n_analyses} analyses, {hours:g} h of the model",
        "",
        needs_table(needs),
        f"a cycle: at most, while it is among the last two; in the end: with the restarts of every "
        f"{duration_text(times.keep_every)}",
        f"history: {of_history}",
        "",
    ]
    if pace is None:
        return "\n".join([*said, f"core-hours: {of_pace}"])
    seconds = sum(map(pace.seconds, windows))
    return "\n".join([*said, hours_table(cores, seconds), of_pace])


def _pace(settings: CycleRun, done: Sequence[Cycle]) -> tuple[Pace | None, str]:
    """How fast cycles are, and by what that is known, in words."""
    pace = pace_of([cycle.record for cycle in done])
    if pace is not None:
        return pace, (
            f"seconds: {pace.model:.2f} an hour of the model, {pace.analysis:.1f} an analysis, {pace.own:.1f} for the "
            f"rest of a cycle, as in the last cycles of this run"
        )
    rehearsed = read_rehearsal(settings.output.directory)
    if rehearsed is not None:
        return Pace(rehearsed.seconds, 0.0, 0.0), (
            f"seconds: {rehearsed.seconds:.2f} an hour of the model, as in the rehearsal; analyses are not in it"
        )
    if isinstance(settings.model, RunOfColumns):
        return None, "not known before the first cycle is complete"
    return None, "not known: `imgda_mpi cycle --rehearse` tells, or the first complete cycle"
