"""The rehearsal of a run of cycles around an external model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from imgda_mpi.colm.differences import history_difference, netcdf_difference, record_difference
from imgda_mpi.cycling.command_runner import CommandRunner
from imgda_mpi.cycling.pace import HOUR
from imgda_mpi.cycling.rehearsal import Difference, Ran, folder_of, rehearse
from imgda_mpi.cycling.schedule import Window
from imgda_mpi.faults import ConfigError, InputError, settled_by
from imgda_mpi.results.run_records import stamp
from imgda_mpi.settings.cycle import CycleRun, RunOfColm202x, RunOfColumns
from imgda_mpi.workflow.cycle_parts import case_of, check_model_command


def rehearse_run(settings: CycleRun) -> str:
    """Run the model through two windows and through both in one go; says that all is the same. Not collective.

    Raises
    ------
    ImgdaError
        Where it is not, and what an executable cannot do.
    """
    model, times = settings.model, settings.cycle
    if isinstance(model, RunOfColumns):
        raise ConfigError("--rehearse: soil columns are part of this program: nothing is to be rehearsed (see [model])")
    middle, end = times.start + times.window, times.start + 2 * times.window
    windows = Window(times.start, middle, False), Window(middle, end, False)
    case = case_of(model)
    with settled_by("[model], [cycle]"):
        folder = folder_of(settings.output.directory) / "whole" / stamp(times.start)
        case.check([(window.start, window.end) for window in windows], folder)
    check_model_command(settings)
    runner = CommandRunner(case, model.command, model.environment, times.start)
    compare = _compared_202x if isinstance(model, RunOfColm202x) else _compared_2014
    rehearsed = rehearse(runner, windows, settings.output.directory, compare)
    hours = 2 * times.window / HOUR
    return (
        f"{case.name}: two windows of {hours / 2:g} h give the restart and the history of one of {hours:g} h, bit for "
        f"bit; {rehearsed.seconds:.2f} s an hour, kept for plan in {folder_of(settings.output.directory)}"
    )


def _compared_202x(whole: Ran, parts: Sequence[Ran]) -> list[Difference]:
    """NetCDF files: values, types and attributes but for the date of the file; histories joined along time."""
    try:
        found = history_difference([path for part in parts for path in part.history], whole.history)
        history = [] if found is None else [Difference(found[1], is_after=found[0] > parts[0].window.end)]
    except InputError as err:
        history = [Difference(f"{err}", is_after=True)]
    return [*history, *_differences(parts[1].restart, whole.restart, netcdf_difference, is_after=True)]


def _compared_2014(whole: Ran, parts: Sequence[Ran]) -> list[Difference]:
    """All bytes; files of fluxes by their names."""
    first = {path.name for path in parts[0].history}
    before = [path for path in whole.history if path.name in first]
    after = [path for path in whole.history if path.name not in first]
    fluxes = partial(record_difference, is_state=False)
    return [
        *_differences(parts[0].history, before, fluxes, is_after=False),
        *_differences(parts[1].history, after, fluxes, is_after=True),
        *_differences(parts[1].restart, whole.restart, partial(record_difference, is_state=True), is_after=True),
    ]


def _differences(
    files: Sequence[Path], others: Sequence[Path], difference: Callable[[Path, Path], str | None], *, is_after: bool
) -> list[Difference]:
    """What is different first in files that have the same names; nothing where all are the same."""
    here, there = ({path.name: path for path in every} for every in (files, others))
    for name in sorted(here.keys() | there.keys()):
        if not (name in here and name in there):
            found: str | None = f"{here.get(name) or there.get(name)}: written in one of the two ways alone"
        else:
            found = difference(here[name], there[name])
        if found is not None:
            return [Difference(found, is_after)]
    return []
