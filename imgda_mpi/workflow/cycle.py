"""A run of cycles: a window of the model, an analysis, and on, safe against interruptions.

Around an external model the driver is a process without MPI: it starts the model and the analyses on ranks of their
own, because starting ranks from within a rank is not portable. Soil columns: `imgda_mpi.workflow.cycle_columns`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

from imgda_mpi.cycling.analysis_commands import AnalysisCommand, ResidentAnalysis
from imgda_mpi.cycling.command_runner import CommandRunner
from imgda_mpi.cycling.ending import Clock, cleared
from imgda_mpi.cycling.lock import only_driver
from imgda_mpi.cycling.loop import Loop
from imgda_mpi.faults import ConfigError
from imgda_mpi.parallel.team import Alone
from imgda_mpi.results.run_records import ANALYSIS, time_text
from imgda_mpi.results.versions import package_versions
from imgda_mpi.settings.cycle import CycleRun, RunOfColumns
from imgda_mpi.workflow.cycle_analyses import CommandAnalyst
from imgda_mpi.workflow.cycle_parts import (
    case_of,
    check_case,
    check_launch,
    check_model_command,
    keep_namelist,
    loop_of,
    the_run,
    windows_of,
)

Step = Literal["analysis", "model"]


def cycle(settings: CycleRun, clock: Clock) -> str:
    """Make all cycles of a run that are not complete yet; says what there is. Not collective.

    Raises
    ------
    OutOfTime
        Where there is no time for all: the same command goes on.
    ImgdaError
        All complete cycles stay.
    """
    with driven(settings, clock) as loop:
        loop.cycles(loop.left(windows_of(settings)))
        return loop.summary


def cycle_step(settings: CycleRun, step: Step, time: datetime) -> str:
    """Make the analysis of one cycle, or run its window of the model, unless that is done. Not collective.

    Raises
    ------
    ConfigError
        Where no cycle starts at that time, it is not the next one, or the model is soil columns.
    ImgdaError
    """
    if isinstance(settings.model, RunOfColumns):
        raise ConfigError("--only: soil columns have no steps of their own: leave it and --at out (see [model])")
    with driven(settings, Clock(None)) as loop:
        rest = loop.left(windows_of(settings))
        window = next((window for window in rest if window.start == time), None)
        if window is None:
            if any(window.start == time for window in windows_of(settings)):
                return f"the cycle of {time_text(time)} is complete"
            raise ConfigError(
                f"--at {time_text(time)}: no cycle starts then; the next one is {time_text(rest[0].start)}"
            )
        if window != rest[0]:
            raise ConfigError(f"--at {time_text(time)}: the cycle of {time_text(rest[0].start)} is to be made first")
        folder = loop.begin(window)
        if step == ANALYSIS:
            folder, _ = loop.analyse(folder, window)
            is_made = (folder / ANALYSIS).exists()
            return f"the analysis of {time_text(time)} is made" if is_made else f"no analysis at {time_text(time)}"
        loop.check_analysed(folder, window)
        loop.forecast(folder, window, 0.0)
        return f"the cycle of {time_text(time)} is complete"


@contextmanager
def driven(settings: CycleRun, clock: Clock) -> Iterator[Loop]:
    """The loop of a run around an external model, of which this process is the only driver. Not collective.

    Raises
    ------
    ImgdaError
        Where something stands in the way of the first step.
    """
    model, directory = settings.model, settings.output.directory
    if isinstance(model, RunOfColumns):
        raise ValueError("soil columns run in the ranks of the run")
    case = case_of(model)
    check_case(case, settings)
    check_model_command(settings)
    check_launch(settings)
    runner = CommandRunner(case, model.command, model.environment, settings.cycle.start)
    run = the_run(settings, case.name, runner, package_versions(), Alone())
    with only_driver(directory), cleared(run), closing(_analyses(settings, directory)) as analyses:
        keep_namelist(case, run)
        loop = loop_of(settings, run, runner, CommandAnalyst(settings, case, analyses), clock, Alone())
        loop.look()
        yield loop


def _analyses(settings: CycleRun, directory: Path) -> AnalysisCommand | ResidentAnalysis:
    if settings.cycle.resident:
        return ResidentAnalysis(settings.cycle.launch, directory)
    return AnalysisCommand(settings.cycle.launch)
