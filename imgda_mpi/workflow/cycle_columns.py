"""A run of cycles of soil columns: model, analyses and loop in the same ranks."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from mpi4py import MPI

from imgda_mpi.colm.case_files import CaseFiles
from imgda_mpi.colm.case_listing import list_files
from imgda_mpi.colm.colm202x import AQUIFER, LIQUID, Colm202xRestart, open_restart
from imgda_mpi.columns.model import HOUR, ColumnModel
from imgda_mpi.columns.restart import WORK, OwnColumns, read_columns
from imgda_mpi.columns.weather import WeatherSource
from imgda_mpi.console import Repeated, progress
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.cycling.attempts import log_file
from imgda_mpi.cycling.ending import Clock
from imgda_mpi.cycling.lock import only_driver
from imgda_mpi.cycling.schedule import Window
from imgda_mpi.disk import identity, remove
from imgda_mpi.faults import settled_by, writing
from imgda_mpi.parallel.failure import Ranks, from_rank_0, on_rank_0
from imgda_mpi.results.manifest import Known, all_versions, checksums
from imgda_mpi.results.run_records import ANALYSIS, FileSet
from imgda_mpi.settings.cycle import CycleRun, RunOfColumns
from imgda_mpi.workflow.analyse import analyse
from imgda_mpi.workflow.columns import cells_of_points, weather_of
from imgda_mpi.workflow.cycle_analyses import check_there, image_of, is_analysed
from imgda_mpi.workflow.cycle_parts import existing_run, loop_of, the_run, windows_of
from imgda_mpi.workflow.window import lay_out, run_window


def cycle_columns(settings: CycleRun, comm: MPI.Intracomm, clock: Clock) -> str:
    """Make all cycles of a run of soil columns that are not complete yet; says what there is. Collective.

    Raises
    ------
    OutOfTime, ImgdaError
        See `run_columns`.
    """
    said, _ = run_columns(settings, comm, clock)
    return said


def run_columns(
    settings: CycleRun, comm: MPI.Intracomm, clock: Clock, transform: CurveletTransform | None = None
) -> tuple[str, CurveletTransform | None]:
    """Make all cycles of a run of soil columns that are not complete yet. Collective.

    Says what there is, and gives the transform of its analyses, if they had one. ``transform`` is that of another run,
    taken where it is that of these settings.

    Raises
    ------
    OutOfTime
        Where there is no time for all: the same command goes on.
    ImgdaError
        All complete cycles stay.
    """
    team, every, runner = Ranks(comm), windows_of(settings), ColumnsRunner(settings, comm)
    analyst = OwnAnalyst(settings, runner, comm, transform)
    if from_rank_0(comm, lambda: existing_run(settings)) is None:
        runner.read_first()
    run = the_run(settings, f"soil columns of {runner.case.case}", runner, all_versions(), team)

    def show(rest: Sequence[Window]) -> Generator[Window, None, None]:
        what, n_done = settings.output.directory.name, len(every) - len(rest)
        return progress(rest, what, speaks=comm.rank == 0, unit="cycles", done=n_done)

    with ExitStack() as stack:
        on_rank_0(comm, lambda: stack.enter_context(only_driver(run.directory)))
        stack.callback(analyst.said.say)
        loop = loop_of(settings, run, runner, analyst, clock, team, show)
        loop.look()
        loop.cycles(loop.left(every))
    return from_rank_0(comm, lambda: loop.summary), analyst.transform


class ColumnsRunner:
    """Soil columns as `imgda_mpi.cycling.loop.Runner` describes a model. Collective."""

    def __init__(self, settings: CycleRun, comm: MPI.Intracomm) -> None:
        if not isinstance(settings.model, RunOfColumns):
            raise ValueError(f"model {settings.model.kind} has commands of its own")
        self.settings, self.case, self.comm = settings, settings.model, comm
        self._own: OwnColumns | None = None
        self._last: tuple[object, Colm202xRestart] | None = None  # the set that was written last, and what is in it
        self._weather: WeatherSource | None = None  # what was made up for the own columns
        self._cells: list[int] = []
        self.known: Known = {}

    def first_set(self) -> list[Path]:
        """Files of the restart that the run starts from."""
        files = CaseFiles(self.case.directory, self.case.case, self.settings.cycle.start, self.case.land_cover_year)
        with settled_by("[model], [cycle] start"):
            return from_rank_0(self.comm, lambda: [files.states / name for name in list_files(files).states])

    def set_of(self, files: Sequence[Path]) -> FileSet:
        """The set that some files are, each of which is read once: what was written is known. Collective."""
        found = checksums(files, self.comm, self.known)
        # The next cycle begins with these.
        self.known = {file: of_file for file, of_file in self.known.items() if of_file in found.values()}
        return FileSet.of(found)

    def run(self, folder: Path, began_with: Sequence[Path], window: Window) -> list[Path]:
        """Run a window from a set; the files of the restart at its end.

        Raises
        ------
        ImgdaError
        """
        comm, wanted = self.comm, self.settings.weather
        if wanted is None:
            raise ValueError("soil columns need weather")
        on_rank_0(comm, lambda: lay_out(folder, self.case.directory, began_with[0].parent))
        own = self._read(began_with, folder, window.start)
        with settled_by("[weather]"):
            weather = self._weather or weather_of(wanted, window.start, window.end, own, comm)[0]
        if wanted.kind == "generated":
            self._weather = weather  # it has any hour
        model = ColumnModel(own, weather, window.start)
        hours = iter(range(int(window.length / HOUR)))
        written = run_window(model, window.end, hours, self.case.points, self._cells, folder, comm)
        self.keep(written, own.as_written(folder, window.end))
        return written

    def read_first(self) -> None:
        """Read the columns that the run starts from, and find the cells of its points. Collective.

        Raises
        ------
        InputError, ConfigError
        """
        files = self.first_set()
        own = self._read(files, self.case.directory, self.settings.cycle.start)
        self.keep(files, own.restart)

    def _read(self, files: Sequence[Path], case: Path, time: datetime) -> OwnColumns:
        """The columns of a set, which become the own ones. Collective."""
        before = self._own
        with settled_by("[model]"):
            own = self._own = read_columns(self.restart(files, case, time), before)
        if before is None or own.columns is not before.columns:
            self._cells, self._weather = cells_of_points(self.case.points, "[model]", own, self.comm), None
        return own

    def restart(self, files: Sequence[Path], case: Path, time: datetime) -> Colm202xRestart:
        """The restart of a set, as one of a case; from memory where it is the set that was kept last. Collective.

        Raises
        ------
        InputError
        """
        if self._last is not None and self._last[0] == from_rank_0(self.comm, lambda: identity(files)):
            return self._last[1].as_written(case, time, {})
        return open_restart(case, self.case.case, time, self.case.land_cover_year, self.comm, work_of_soil=WORK)

    def keep(self, files: Sequence[Path], restart: Colm202xRestart) -> None:
        """Keep in memory what has just been written to the files of a set. Collective."""
        self._last = from_rank_0(self.comm, lambda: identity(files)), restart

    def section(self, files: Sequence[Path], time: datetime) -> dict[str, Any]:
        """``[model]`` of the settings of an analysis of a set."""
        directory, case = files[0].parents[2], self.case
        of_case = {"case": case.case, "land_cover_year": case.land_cover_year}
        return {"kind": "colm202x", "directory": directory, "time": time, **of_case}


class OwnAnalyst:
    """Analyses by the ranks of the run, which make their transform once, or take that of another run. Collective."""

    def __init__(
        self, settings: CycleRun, runner: ColumnsRunner, comm: MPI.Intracomm, transform: CurveletTransform | None
    ) -> None:
        self.settings, self.runner, self.comm, self.transform = settings, runner, comm, transform
        self.said = Repeated(settings.output.directory.name, "analyses")

    def image(self, window: Window) -> Path:
        """The file of the observed image."""
        return image_of(self.settings, window)

    def analyse(self, folder: Path, background: Sequence[Path], window: Window) -> None:
        """Make the analysis of a set in ``folder/analysis``, unless it is there."""
        directory = folder / ANALYSIS
        settings = self.settings.of_analysis(self.runner.section(background, window.start), directory)

        def is_there() -> bool:
            if is_analysed(settings, directory):
                return True
            check_there(self.image(window))
            with writing(directory):
                remove(directory)
            return False

        if not from_rank_0(self.comm, is_there):
            with settled_by("[model]"):
                restart = self.runner.restart(background, background[0].parents[2], window.start)
            log = on_rank_0(self.comm, lambda: self._log(folder))
            with self.said.piece(log):
                made = analyse(settings, self.comm, transform=self.transform, restart=restart, known=self.runner.known)
            edits = {LIQUID: made.liquid, AQUIFER: made.aquifer}
            self.runner.keep(made.files, restart.as_written(directory, window.start, edits, made.mark))
            self.transform = made.transform or self.transform

    def _log(self, folder: Path) -> Path:
        """Where what the analysis of a cycle says goes. Not collective."""
        path = log_file(folder, ANALYSIS)
        with writing(path):
            path.parent.mkdir(exist_ok=True)
            path.write_text("")
        return path
