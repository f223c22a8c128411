"""A run of soil columns: from a restart on through the weather, with a history and restarts on the way."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from itertools import pairwise
from time import perf_counter
from typing import NamedTuple

import numpy as np
from mpi4py import MPI

from imgda_mpi.colm.colm202x import open_restart
from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.columns.model import HOUR, ColumnModel, cells_of, places_of
from imgda_mpi.columns.restart import WORK, OwnColumns, read_columns
from imgda_mpi.columns.weather import WeatherSource
from imgda_mpi.console import Stages, progress
from imgda_mpi.disk import listing, tree
from imgda_mpi.faults import ConfigError, settled_by
from imgda_mpi.parallel.failure import Ranks, from_rank_0, on_rank_0
from imgda_mpi.report.run_table import run_table
from imgda_mpi.results.folder import check_output, new_directory
from imgda_mpi.results.history_file import FLUXES
from imgda_mpi.results.manifest import Known, all_versions, checksums, write_manifest
from imgda_mpi.results.run_folder import open_run
from imgda_mpi.results.run_records import Description, FileSet, Record
from imgda_mpi.results.run_writing import begin_cycle, end_cycle, new_run
from imgda_mpi.settings.columns import AnyWeather, ColumnsRun, Points, WeatherFiles
from imgda_mpi.settings.document import in_force
from imgda_mpi.workflow.window import BETWEEN_MOMENTS, lay_out, run_window

log = logging.getLogger(__name__)


def columns(settings: ColumnsRun, comm: MPI.Intracomm) -> str:
    """Run the soil columns of a restart through some weather, and say what became of their water. Collective.

    The output is the folder of a run (`imgda_mpi.results.run_folder`) without analyses: a cycle for each restart that
    is written on the way, else one.

    Raises
    ------
    ImgdaError
        The output folder does not exist then.
    """
    stages, of_weather = Stages(), settings.weather.files if isinstance(settings.weather, WeatherFiles) else ()
    listed = from_rank_0(comm, lambda: listing(of_weather))
    own, windows, cells, weather, said = prepare_columns(settings, stages, comm)
    start, end, final = settings.model.time, settings.run.end, settings.output.directory
    model = ColumnModel(own, weather, start)
    hours = progress(range(int((end - start) / HOUR)), "run", speaks=comm.rank == 0)
    # The bar goes before the stage is said: the last hour is not asked for what comes after it.
    with stages.stage("run"), closing(hours), new_directory(final, comm) as directory:
        team, known = Ranks(comm), Known()
        run = new_run(directory, described(settings, own, said), in_force(settings), all_versions(), team)
        origin, before = None, FileSet.of(checksums(own.restart.copied, comm, known))
        for begin, stop in windows:
            folder, since = begin_cycle(run, begin, team), perf_counter()
            on_rank_0(comm, partial(lay_out, folder, settings.model.directory))
            written = run_window(model, stop, hours, settings.run.points, cells, folder, comm)
            after = FileSet.of(checksums(written, comm, known))
            seconds = {"model": perf_counter() - since}
            record = Record(begin, stop, before, origin, restart=after, seconds=seconds)
            origin, before = end_cycle(folder, record, team).record.as_origin, after
        every = from_rank_0(comm, lambda: [path for path in tree(directory) if path.is_file()])
        inputs, seed = checksums(own.restart.inputs, comm, known), getattr(settings.weather, "seed", "none")
        write_manifest(directory, every, inputs, settings.model_dump_json(), seed, comm, known, listed)
        n_substeps, worst = comm.allreduce(model.n_substeps), comm.allreduce(model.worst, op=MPI.MAX)
        stages.say(f"{n_substeps} substeps; water of every column balanced to {worst:.0e} kg m-2 in every hour")
    log.info("result in %s", final)
    return from_rank_0(comm, lambda: run_table(open_run(final)))


def check_columns(settings: ColumnsRun, comm: MPI.Intracomm) -> None:
    """Open and check all inputs and the output folder as `columns` does, and say what was found. Collective.

    Raises
    ------
    ImgdaError
        The first thing that a run would stop at before it begins.
    """
    ready = prepare_columns(settings, Stages(), comm)
    if comm.rank == 0:
        needed = room(ready.own, ready.windows) / 1e6
        log.info("output       %s (at most %.1f MB)", settings.output.directory, needed)
        log.info("nothing stands in the way of the run")


class Ready(NamedTuple):
    """What a run of columns starts from: its columns, windows, cells of the points with profiles, and weather."""

    own: OwnColumns
    windows: list[tuple[datetime, datetime]]
    cells: list[int]
    weather: WeatherSource
    of_weather: str


def prepare_columns(settings: ColumnsRun, stages: Stages, comm: MPI.Intracomm) -> Ready:
    """Open, check and read everything a run of columns needs, and see that its result can be written. Collective.

    Raises
    ------
    ImgdaError
        On every rank: the first thing that a run would stop at before it begins.
    """
    start, end = settings.model.time, settings.run.end
    with stages.stage("restart"), settled_by("[model]"):
        restart = open_restart(**settings.model.values("kind"), comm=comm, work_of_soil=WORK)
        own = read_columns(restart)
        restart.check_copied()
        stages.say(f"{restart.name}: {own.summary}")
    windows = list(pairwise(restart_times(start, end, settings.run.restart_every)))
    with settled_by("[output] directory"):
        check_output(settings.output.directory, lambda: room(own, windows), comm)
    cells = cells_of_points(settings.run.points, "[run]", own, comm)
    with stages.stage("weather"), settled_by("[weather]"):
        weather, said = weather_of(settings.weather, start, end, own, comm)
        stages.say(said)
    return Ready(own, windows, cells, weather, said)


def cells_of_points(points: Points, section: str, own: OwnColumns, comm: MPI.Intracomm) -> list[int]:
    """Flat indices of the cells of the points with profiles that a section of the settings has. Collective.

    Raises
    ------
    ConfigError
        Where a point is off the grid, or no column of its cell moves.
    """
    has_columns = own.images(own.columns.moves[:, None].astype(np.float64))

    def find() -> list[int]:
        if has_columns is None:
            raise ValueError("rank 0 has the images")
        try:
            return cells_of(points, own.patches.grid, has_columns[0])
        except ValueError as err:
            raise ConfigError(f"{section} points: {err}; give another") from err

    return from_rank_0(comm, find)


def weather_of(
    wanted: AnyWeather, start: datetime, end: datetime, own: OwnColumns, comm: MPI.Intracomm
) -> tuple[WeatherSource, str]:
    """The weather of some time at the own columns that move, and what it is in words. Collective.

    Raises
    ------
    InputError
        Where files do not give it.
    """
    latitude, longitude, height = places_of(own)
    if isinstance(wanted, WeatherFiles):
        from imgda_mpi.columns.forcing_files import open_forcing

        cell, period = own.patches.cell[own.columns.moves], (start, end)
        files = open_forcing(
            comm,
            wanted.files,
            own.patches.grid,
            cell,
            *period,
            {str(name): of_file for name, of_file in wanted.variables.items()},
        )
        return files, files.summary
    from imgda_mpi.columns.generator import GeneratedWeather
    from imgda_mpi.columns.rain_systems import Change

    is_changed = wanted.displacement > 0.0 or wanted.strength > 0.0
    change = Change(wanted.change, wanted.displacement, wanted.strength) if is_changed else None
    return GeneratedWeather(latitude, longitude, height, wanted.seed, change), wanted.in_words


def room(own: OwnColumns, windows: Sequence[tuple[datetime, datetime]]) -> int:
    """Bytes that the restarts and histories of windows need at most. Not collective."""
    n_moments = sum(2 + int((stop - begin) / (BETWEEN_MOMENTS * HOUR)) for begin, stop in windows)
    of_moment = 4 * (len(LAYERS) + len(FLUXES)) * own.patches.grid.cell_area.size
    return len(windows) * own.restart.room() + n_moments * of_moment


def described(settings: ColumnsRun, own: OwnColumns, weather: str) -> Description:
    """What the run is."""
    return Description(
        model=f"soil columns from {own.restart.name}; weather: {weather}",
        seed=getattr(settings.weather, "seed", None),
        start=settings.model.time,
        end=settings.run.end,
        columns={"in all": own.n_columns, "left alone for ice or frost": own.n_frozen},
    )


def restart_times(start: datetime, end: datetime, every: int | None) -> list[datetime]:
    """Start, times of the restarts on the way every so many hours, and end."""
    total = int((end - start) / HOUR)
    return [start + number * HOUR for number in range(0, total, every or total)] + [end]
