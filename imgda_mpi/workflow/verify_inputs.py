"""What a verification starts from: the series of its runs, the times, and the periods."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from imgda_mpi.arrays import BoolArray
from imgda_mpi.columns.vegetation import COVERS
from imgda_mpi.faults import ConfigError, fault, settled_by
from imgda_mpi.grid import Grid
from imgda_mpi.histories.image_series import ImageSeries
from imgda_mpi.histories.read import open_series
from imgda_mpi.netcdf.dates import DATE_TEXT
from imgda_mpi.observations.image import Layer
from imgda_mpi.results.run_folder import open_run
from imgda_mpi.settings.verify import OfMoisture, Verification
from imgda_mpi.verify.regions import ALL_LAND, BOXES, Box, cells_of
from imgda_mpi.workflow.made_before import check_made
from imgda_mpi.workflow.verify_covers import covers_of

log = logging.getLogger(__name__)

MIDDLES = "those of means are their middles, which instants have not"

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, eq=False)
class Inputs:
    """Runs that are verified, the same on every rank.

    Parameters
    ----------
    runs : by their names; the first one is the control
    grid : of all of them
    times : that are verified, ascending, UTC
    window : length of the means that begin at the times; None of the moments themselves
    periods : first and last moment by name, in the order of time
    boxes : by name, those with cells of the grid
    layers : m
    covers : cells of the grid by vegetation, (ny, nx) each
    """

    runs: Mapping[str, ImageSeries]
    grid: Grid
    times: Sequence[datetime]
    window: timedelta | None
    periods: Mapping[str, tuple[datetime, datetime]]
    boxes: Mapping[str, Box]
    layers: Sequence[Layer]
    covers: Mapping[str, BoolArray] = field(default_factory=dict)

    def regions_on(self, grid: Grid) -> dict[str, BoolArray]:
        """Cells of all regions, (ny, nx) each, the first one all of them; vegetation is known on the own grid alone."""
        everywhere = np.ones(grid.shape, bool)
        is_own = grid.has_cells_of(self.grid)
        return {
            ALL_LAND: everywhere,
            **{name: cells_of(grid, box) for name, box in self.boxes.items()},
            **{name: cells if is_own else ~everywhere for name, cells in self.covers.items()},
        }


@dataclass(frozen=True)
class Part:
    """What a part of a verification came to, on rank 0.

    Parameters
    ----------
    text : all of its tables
    written : files
    summary : what of the tables the screen shows; None for all
    """

    text: str
    written: Sequence[Path]
    summary: str | None = None


def times_of_periods(inputs: Inputs) -> list[list[datetime]]:
    """The times of each period."""
    return [[time for time in inputs.times if first <= time <= last] for first, last in inputs.periods.values()]


def read_inputs(settings: Verification) -> Inputs:
    """Open the runs, and find out what is verified. On rank 0.

    Raises
    ------
    ImgdaError
        Where a run cannot be read, grids differ, there is no time that all have, or none in any period.
    """
    for name, folder in settings.run_folders.items():
        check_made(folder, f"[runs.{name}] directory")
    runs = {}
    for name, section in settings.runs.items():
        with settled_by(f"[runs.{name}]"):
            runs[name] = series_of(section, settings.layers, settings.all_times)
    grid = _grid(runs)
    times = _times(settings, runs)
    for name, run in runs.items():
        with settled_by(f"[runs.{name}]"):
            check_times(run, times, settings.window)
    if not any(have_all(runs.values(), time, settings.window) for time in times):
        raise ConfigError(f"[runs]: found no time that all have ({_spans(runs)}); correct runs or `times`")
    if settings.times is None:
        runs = {name: _with_left_out(run, len(times)) for name, run in runs.items()}
    periods = _periods(settings, times)
    boxes = {name: box for name, box in {**BOXES, **settings.boxes}.items() if cells_of(grid, box).any()}
    for name in settings.boxes.keys() & COVERS.keys():
        raise ConfigError(f"boxes {name}: is the name of a vegetation; give the box another one")
    for name in settings.boxes.keys() - boxes.keys():
        raise ConfigError(f"boxes {name}: no cell of the runs' grid is in it; correct or remove it")
    inputs = Inputs(runs, grid, times, settings.window, periods, boxes, settings.layers, covers_of(settings, grid))
    _check_periods(inputs)
    _check_layers(inputs)
    return inputs


def check_times(series: ImageSeries, times: Sequence[datetime], window: timedelta | None) -> None:
    """Refuse a series that has nothing at any of some times. On rank 0.

    Raises
    ------
    InputError
        Also where a file is damaged.
    """
    if not any(series.frames_of(time, window) for time in times):
        found = f"times from {_span(series.times)}" if series.times else "none of these times in its files"
        said = "" if window is None else ", and of a window a third of its moments"
        raise fault(
            series.what,
            found=found,
            expected=f"any of those that are verified, {_span(times)}{said}",
            do="correct its files or max_time_offset, or give other `times`",
        )


def have_all(every: Iterable[ImageSeries], time: datetime, window: timedelta | None) -> bool:
    """Whether all of some series have a time."""
    return all(series.frames_of(time, window) for series in every)


def series_of(section: OfMoisture, layers: Sequence[Layer], times: Sequence[datetime]) -> ImageSeries:
    """The series of a section of settings; layers and times are those that are asked for. On rank 0."""
    return open_series(section.kind, layers=layers, times=times, **section.values("assimilated", "regridding"))


def _grid(runs: Mapping[str, ImageSeries]) -> Grid:
    """The grid of all runs."""
    (first, control), *others = runs.items()
    for name, run in others:
        if not run.grid.has_cells_of(control.grid):
            found, expected = (extent(one.grid) for one in (run, control))
            do = "give runs of one grid, or remap one of them first"
            with settled_by(f"[runs.{name}]"):
                raise fault(run.what, found=found, expected=f"{expected}, as of {first}", do=do)
    return control.grid


def extent(grid: Grid) -> str:
    """A grid in words."""
    (ny, nx), lat, lon = grid.shape, grid.latitude, grid.longitude
    return f"{ny} x {nx} cells from {lat[0]:g} N, {lon[0]:g} E to {lat[-1]:g} N, {lon[-1]:g} E"


def _times(settings: Verification, runs: Mapping[str, ImageSeries]) -> list[datetime]:
    """The times asked for, else those that all runs have that know theirs."""
    if settings.times is not None:
        return list(settings.all_times)
    known = {name: run.times for name, run in runs.items() if run.times is not None}
    if not known:
        raise ConfigError("key 'times' is missing: the files of the runs are found by the time")
    common = sorted(set.intersection(*(set(times) for times in known.values())))
    if not common:
        raise ConfigError(
            f"[runs]: found no time that all have ({_spans(runs)}); correct runs, or give `times`: {MIDDLES}"
        )
    return common


def _spans(runs: Mapping[str, ImageSeries]) -> str:
    return "; ".join(f"{name} {_span(run.times)}" for name, run in runs.items() if run.times)


def _span(times: Sequence[datetime]) -> str:
    return f"{times[0]:{DATE_TEXT}} to {times[-1]:{DATE_TEXT}}"


def _with_left_out(run: ImageSeries, n_times: int) -> ImageSeries:
    """The run, with a remark where it has more times than are verified."""
    n_left = 0 if run.times is None else len(run.times) - n_times
    said = f"{n_left} of its {n_times + n_left} times are not those of all runs and are left out"
    return replace(run, remarks=(*run.remarks, said)) if n_left else run


def _periods(settings: Verification, times: Sequence[datetime]) -> dict[str, tuple[datetime, datetime]]:
    """Those of the settings, else assimilation and forecast of the first run with analyses, else all."""
    if settings.periods:
        ordered = sorted(settings.periods.items(), key=lambda item: item[1].first)
        return {name: (period.first, period.last) for name, period in ordered}
    whole = times[0], times[-1]
    analyses = analyses_of(settings)
    if analyses is None:
        return {"all": whole}
    first, last = analyses
    parts = {"assimilation": (first, last), "forecast": (last + SECOND, max(whole[1], last + SECOND))}
    if whole[0] < first:
        parts = {"before": (whole[0], first - SECOND), **parts}
    there = {name: span for name, span in parts.items() if any(span[0] <= time <= span[1] for time in times)}
    return there or {"all": whole}


def analyses_of(settings: Verification) -> tuple[datetime, datetime] | None:
    """Times of the first and the last analysis of the first run folder with any. On rank 0.

    Raises
    ------
    InputError
    """
    for directory in settings.run_folders.values():
        described = open_run(directory).description
        if described.first_analysis is not None and described.last_analysis is not None:
            return described.first_analysis, described.last_analysis
    return None


def _check_periods(inputs: Inputs) -> None:
    of_periods = dict(zip(inputs.periods, times_of_periods(inputs), strict=True))
    for name, times in of_periods.items():
        if not times:
            span = _span(inputs.times)
            raise ConfigError(f"[periods.{name}]: none of the times verified, {span}, is in it; correct or remove it")
    left = len(inputs.times) - sum(map(len, of_periods.values()))
    if left:
        log.info("%d of %d times are in no period and are left out", left, len(inputs.times))


def at_scales(times: Sequence[datetime], every: timedelta) -> frozenset[datetime]:
    """Of some times the first, and always the next that is so far from the one before."""
    chosen: list[datetime] = []
    for time in times:
        if not chosen or time - chosen[-1] >= every:
            chosen.append(time)
    return frozenset(chosen)


def _check_layers(inputs: Inputs) -> None:
    """Refuse layers of which a run has none."""
    for name, run in inputs.runs.items():
        states = (run.frames_of(time, inputs.window) for time in inputs.times)
        frame = next(frames[0] for of_time in states for frames in of_time.values())
        if not run.layers(frame):
            asked = ", ".join(f"{top:g}-{bottom:g} m" for top, bottom in inputs.layers)
            raise ConfigError(
                f"layers: {run.what} has none of {asked}; give layers that it has, top and bottom in m "
                f"(see layers, [runs.{name}])"
            )
