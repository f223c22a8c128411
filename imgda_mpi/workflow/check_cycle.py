"""Everything a run of cycles would stop at, found before it is queued: all of it at once where that can be."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mpi4py import MPI

from imgda_mpi.colm.colm202x import Colm202xRestart
from imgda_mpi.columns.restart import read_columns
from imgda_mpi.console import Stages
from imgda_mpi.cycling.schedule import Window, left
from imgda_mpi.disk import check_room
from imgda_mpi.faults import ConfigError, ImgdaError, fault, reading, settled_by
from imgda_mpi.model.restart import Restart, open_restart
from imgda_mpi.netcdf import resolve
from imgda_mpi.parallel.failure import Ranks, from_rank_0, same_fate
from imgda_mpi.planning.cycles import needs_table
from imgda_mpi.results.differences import some
from imgda_mpi.results.run_folder import Cycle
from imgda_mpi.results.run_records import time_text
from imgda_mpi.settings.analysis import Parallel
from imgda_mpi.settings.cycle import CycleRun, RunOfColumns
from imgda_mpi.settings.fields import FieldFile
from imgda_mpi.settings.methods import NothingSettings
from imgda_mpi.settings.observations import OnGrid
from imgda_mpi.workflow.check import tell
from imgda_mpi.workflow.columns import cells_of_points, weather_of
from imgda_mpi.workflow.cycle_columns import ColumnsRunner
from imgda_mpi.workflow.cycle_parts import (
    case_of,
    check_case,
    check_launch,
    check_model_command,
    run_there,
    windows_of,
)
from imgda_mpi.workflow.cycle_sizes import needs_of_run
from imgda_mpi.workflow.output import noted
from imgda_mpi.workflow.prepare import prepare

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Faults:
    """What stands in the way, in the order it was found. Collective over ``comm``."""

    def __init__(self, comm: MPI.Intracomm) -> None:
        self.comm = comm
        self.said: list[str] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Go on after an error that all ranks share."""
        try:
            yield
        except ImgdaError as err:
            if not Ranks(self.comm).share(err):
                raise
            self.said.append(str(err))

    def on_rank_0(self, work: Callable[[], Result]) -> Result | None:
        """What rank 0 makes, on every rank; None where it cannot."""
        with self.noted():
            return from_rank_0(self.comm, work)
        return None

    def check(self) -> None:
        """Raise what was noted.

        Raises
        ------
        ConfigError
        """
        every = list(dict.fromkeys(self.said))
        with same_fate(self.comm):
            if every:
                first = "" if len(every) == 1 else f"{len(every)} things stand in the way of the run:\n  "
                raise ConfigError(first + "\n  ".join(every))


def check_cycle(settings: CycleRun, comm: MPI.Intracomm) -> None:
    """Check all that a run of cycles starts from, as far as it can be known, and say what was found. Collective.

    Raises
    ------
    ConfigError
        With all that was found to be wrong.
    """
    faults, windows = Faults(comm), windows_of(settings)
    if comm.rank == 0:
        n_analyses = sum(window.is_analysed for window in windows)
        log.info("cycles       %d, of which %d begin with an analysis", len(windows), n_analyses)
    found = _check_model(settings, windows, faults)
    image = _check_files(settings, [window.start for window in windows if window.is_analysed], faults)
    done = faults.on_rank_0(lambda: _cycles_there(settings))
    if found is not None:
        files, section = found
        restart: Restart | None = None
        with faults.noted():
            restart = _check_first_analysis(settings, section, image, comm)
        with faults.noted():
            if restart is not None and isinstance(settings.model, RunOfColumns):
                _check_columns(settings, restart, comm)
        if restart is not None and done is not None:
            todo, start = left(windows, done[-1].record.end if done else None), restart
            faults.on_rank_0(lambda: _check_disk(settings, todo, start, len(files), done))
    faults.check()
    if comm.rank == 0:
        log.info("nothing stands in the way of the run")


def _check_model(
    settings: CycleRun, windows: Sequence[Window], faults: Faults
) -> tuple[list[Path], dict[str, Any]] | None:
    """Files of the start's restart and the ``[model]`` section of its analysis; None where there are none."""
    model, start, comm = settings.model, settings.cycle.start, faults.comm
    if isinstance(model, RunOfColumns):
        runner = ColumnsRunner(settings, comm)
        with faults.noted():
            files = runner.first_set()
            return files, runner.section(files, start)
        return None
    case = case_of(model)

    def first() -> tuple[list[Path], dict[str, Any]]:
        with settled_by("[model], [cycle] start"):
            files = case.first_set(start)
            return files, case.section(files, start)

    n_before = len(faults.said)
    faults.on_rank_0(lambda: check_case(case, settings))
    is_sound = len(faults.said) == n_before
    faults.on_rank_0(lambda: check_model_command(settings))
    faults.on_rank_0(lambda: check_launch(settings))
    return faults.on_rank_0(first) if is_sound else None  # which would say the same of the namelist again


def _check_files(settings: CycleRun, analyses: Sequence[datetime], faults: Faults) -> datetime | None:
    """Look for the files of all analyses; gives the time of the first one that has an image."""
    observation = settings.observation
    if not analyses or observation is None:
        return None
    background_error = settings.method.values().get("background_error")
    mask = observation.mask if isinstance(observation, OnGrid) else None
    patterns = {
        "[observation] mask": mask and mask.file,
        "[ensemble] file": settings.ensemble and settings.ensemble.file,
        "[errors] observation": settings.errors.observation,
        "[method] background_error": background_error,
    }
    image, stops = observation.file, settings.cycle.without_observation == "stop"
    faults.on_rank_0(lambda: _look(image, analyses, "[observation] file", must=stops))
    for keys, given in patterns.items():
        pattern = given.file if isinstance(given, FieldFile) else given
        if isinstance(pattern, Path):
            faults.on_rank_0(partial(_look, pattern, analyses, keys, must=True))
    return faults.on_rank_0(lambda: next((time for time in analyses if _size(resolve(image, time))), None))


def _look(pattern: Path, times: Sequence[datetime], keys: str, *, must: bool) -> None:
    """Say which files are missing or empty, and refuse that where all ``must`` be there, or none is."""
    sizes = {time: _size(resolve(pattern, time)) for time in times}
    missing = [
        f"{time_text(time)} {resolve(pattern, time)}{'' if size is None else ' (empty)'}"
        for time, size in sizes.items()
        if not size
    ]
    log.info("files        of %d of %d analyses are there: %s", len(times) - len(missing), len(times), keys)
    if not missing:
        return
    if must or len(missing) == len(times):
        found = f"no file for {len(missing)} of {len(times)} analyses: {some(missing)}"
        with settled_by(keys):
            do = "fetch them, or correct the path or the times"
            raise fault(pattern, found=found, expected="one for each", do=do)
    log.warning("%d of %d analyses have no image and will be passed over: %s", len(missing), len(times), some(missing))


def _size(path: Path) -> int | None:
    """Bytes of a file; None where there is none."""
    with reading(path):
        return path.stat().st_size if path.is_file() else None


def _check_first_analysis(
    settings: CycleRun, section: dict[str, Any], image: datetime | None, comm: MPI.Intracomm
) -> Restart:
    """Read the restart of the start and check its analysis, with the first image that is there. Collective."""
    of_start = settings.of_analysis(section, settings.output.directory)
    with settled_by("[model], [cycle] start"):
        restart = open_restart(of_start.model.kind, comm, **of_start.model.values())
        restart.check_copied(settings.soil.implausible)
    # The image may be of a later time: the grid and the soil are those of the start.
    later = copy(restart)
    later.time = image or restart.time
    without = {"method": NothingSettings(kind="none"), "observation": None} if image is None else {}
    model = of_start.model.model_copy(update={"time": later.time})
    wanted = of_start.model_copy(update={"model": model, "parallel": Parallel(), **without})
    tell(wanted, prepare(wanted, Stages(), comm, restart=later, will_write=False))
    return restart


def _check_columns(settings: CycleRun, restart: Restart, comm: MPI.Intracomm) -> None:
    """Read the soil columns of a restart and the weather of the whole run. Collective."""
    if settings.weather is None or not isinstance(restart, Colm202xRestart):
        raise ValueError("soil columns have weather, and a restart of CoLM202X")
    with settled_by("[model]"):
        own = read_columns(restart)
    if isinstance(settings.model, RunOfColumns):
        cells_of_points(settings.model.points, "[model]", own, comm)
    with settled_by("[weather]"):
        _, said = weather_of(settings.weather, settings.cycle.start, settings.cycle.end, own, comm)
    if comm.rank == 0:
        log.info("weather      %s", said)


def _cycles_there(settings: CycleRun) -> list[Cycle]:
    """Complete cycles of the run in the output folder, none where that has to be another one."""
    run = noted(lambda: run_there(settings))
    with settled_by("[output] directory"):
        done = [] if run is None else run.check_chain()
        if done:
            done[-1].verify()
    return done


def _check_disk(
    settings: CycleRun, windows: Sequence[Window], restart: Restart, n_files: int, done: Sequence[Cycle]
) -> None:
    """Say what the cycles that are left need of the disk, and refuse more than there is."""
    if not windows:
        log.info("output       all cycles are complete in %s", settings.output.directory)
        return
    needs, of_history = needs_of_run(settings, windows, restart, n_files, done)
    for line in needs_table(needs).splitlines():
        log.info("disk         %s", line)
    log.info("history      %s", of_history)
    log.info("output       %s (%d cycles are complete)", settings.output.directory, len(done))
    with settled_by("[output], [cycle] keep_every"):
        check_room(settings.output.directory.resolve(), int(needs.peak.size), int(needs.peak.files))
