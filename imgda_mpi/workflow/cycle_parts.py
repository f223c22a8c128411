"""What a run of cycles is made of, by its settings."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path

from imgda_mpi.cycling.assimilation import Analyst, WithoutObservation
from imgda_mpi.cycling.command_checks import check_command, check_environment, check_launcher
from imgda_mpi.cycling.ending import Clock
from imgda_mpi.cycling.loop import Loop, Runner, Show
from imgda_mpi.cycling.schedule import Window, windows
from imgda_mpi.disk import check_free, make_whole
from imgda_mpi.faults import ConfigError, OutputError, fault, reading, settled_by
from imgda_mpi.model.runner import ModelCase
from imgda_mpi.parallel.team import Team
from imgda_mpi.results.differences import differences, some
from imgda_mpi.results.run_folder import CYCLES, PARTIAL, RUN_FILE, SETTINGS_FILE, Run, open_run
from imgda_mpi.results.run_records import Description, stamp
from imgda_mpi.results.run_writing import new_run
from imgda_mpi.settings.cycle import NOT_DECIDING, CycleRun, RunOfColm202x, RunOfColm2014, RunOfColumns
from imgda_mpi.settings.document import in_force
from imgda_mpi.settings.fields import Section


def windows_of(settings: CycleRun) -> list[Window]:
    """The windows of a run."""
    times = settings.cycle
    analyses = (times.first_analysis, times.last_analysis) if settings.assimilates else None
    return windows(times.start, times.end, analyses, times.window, times.stop_every)


def case_of(model: RunOfColm202x | RunOfColm2014) -> ModelCase:
    """The case of an external model.

    Raises
    ------
    InputError, ConfigError
        Where its namelist cannot be used.
    """
    if isinstance(model, RunOfColm202x):
        from imgda_mpi.colm.run202x import Colm202xCase

        return Colm202xCase(model.namelist)
    from imgda_mpi.colm.run2014 import Colm2014Case

    return Colm2014Case(model.namelist, model.restart_every)


def check_model_command(settings: CycleRun) -> None:
    """Refuse a command of the model, or its environment, that cannot be run. Not collective.

    Raises
    ------
    InputError, ConfigError
    """
    model = settings.model
    if isinstance(model, RunOfColumns):
        return
    directory = model.namelist.absolute().parent
    with settled_by("[model] environment"):
        if model.environment is not None:
            check_environment(model.environment, directory)
    with settled_by("[model] command, environment"):
        check_command(model.command, model.environment, directory)


def check_launch(settings: CycleRun) -> None:
    """Refuse a launcher of the analyses that is no command. Not collective.

    Raises
    ------
    ConfigError
    """
    if settings.assimilates:
        with settled_by("[cycle] launch"):
            check_launcher(settings.cycle.launch)


def the_run(settings: CycleRun, model: str, runner: Runner, versions: Mapping[str, str], team: Team) -> Run:
    """The run in the folder of the settings, made where there is none. Collective.

    Parameters
    ----------
    model : what runs, in words

    Raises
    ------
    OutputError
        Where the folder holds something else, or a run of other settings; it says what differs.
    InputError
        Where there is neither a run nor the restart that one would start from.
    """
    directory, times = settings.output.directory, settings.cycle
    there = team.lead(lambda: existing_run(settings))
    if there is not None:
        return there
    runner.first_set()
    analyses = (times.first_analysis, times.last_analysis) if settings.assimilates else (None, None)
    description = Description(model, settings.errors.seed, times.start, times.end, *analyses)
    try:
        return new_run(directory, description, in_force(settings), versions, team)
    except OutputError:
        there = team.lead(lambda: existing_run(settings))  # where another job has begun it at the same time
        if there is None:
            raise
        return there


def existing_run(settings: CycleRun) -> Run | None:
    """The run in the folder of the settings; None where there is none. Not collective.

    Raises
    ------
    OutputError
        Where it is a run of other settings; it says what differs.
    InputError
    """
    directory = settings.output.directory
    if not (directory / RUN_FILE).exists():
        return None
    run = open_run(directory)
    check_same(directory, settings, NOT_DECIDING)
    return run


def run_there(settings: CycleRun) -> Run | None:
    """The run in the output folder, which has to be a new one where there is none. Not collective.

    Raises
    ------
    OutputError
        Where the folder holds something else.
    InputError
    """
    with settled_by("[output] directory"):
        run = existing_run(settings)
        if run is None:
            check_free(settings.output.directory.resolve())
    return run


def check_same(directory: Path, settings: Section, without: Collection[str]) -> None:
    """Refuse the folder of a run, or of an experiment, that was made with other settings. Not collective.

    ``without`` are keys that may differ.

    Raises
    ------
    OutputError
        It says what differs.
    InputError
    """
    path = directory / SETTINGS_FILE
    with reading(path):
        there = path.read_text()
    try:
        differing = differences(tomllib.loads(there), tomllib.loads(in_force(settings)), without)
    except tomllib.TOMLDecodeError as err:
        raise fault(path, found=f"{err}", expected="settings in force", do="give another folder") from err
    if differing:
        do = "give another folder, or the settings of this run"
        raise fault(
            directory,
            found=f"another run: {some(differing)}",
            expected="that of these settings",
            do=do,
            kind=OutputError,
        )


def check_case(case: ModelCase, settings: CycleRun) -> None:
    """Find what would stop an external model in the windows of a run, or went otherwise than in those before.

    A run keeps the namelist that it began with. Not collective.

    Raises
    ------
    InputError, ConfigError, OutputError
    """
    directory, windows = settings.output.directory, windows_of(settings)
    folder = directory / CYCLES / f"{stamp(windows[0].start)}.00000000{PARTIAL}"
    with settled_by("[model], [cycle]"):
        case.check([(window.start, window.end) for window in windows], folder)
    kept = directory / case.namelist.name
    if not kept.exists():
        return
    differing = differences(case.values(kept), case.values(case.namelist), ())
    if differing:
        found = f"other values than the run began with: {some(differing)}"
        do = "put them back, or copy it there to go on with the new ones"
        raise fault(case.namelist, found=found, expected=f"those of {kept}", do=do, kind=ConfigError)


def keep_namelist(case: ModelCase, run: Run) -> None:
    """Keep the namelist that a run begins with. Not collective.

    Raises
    ------
    InputError, OutputError
    """
    kept = run.directory / case.namelist.name
    if kept.exists():
        return
    with reading(case.namelist):
        content = case.namelist.read_bytes()
    make_whole(kept, lambda path: path.write_bytes(content))


def loop_of(
    settings: CycleRun, run: Run, runner: Runner, analyst: Analyst, clock: Clock, team: Team, show: Show | None = None
) -> Loop:
    """The loop of a run; ``show`` as of `Loop`."""
    times = settings.cycle
    without = WithoutObservation(times.without_observation, times.wait_at_most)
    return Loop(run, runner, analyst, without, times.retries, times.keep_every, clock, team, show=show)
