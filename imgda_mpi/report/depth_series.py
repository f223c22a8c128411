"""Soil moisture in depth and time at a few places, of a run and of its control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import pairwise

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.colm.soil_layers import LAYERS, N_SOIL, interface_depth, node_depth
from imgda_mpi.grid import Grid
from imgda_mpi.histories.image_series import Frame, ImageSeries
from imgda_mpi.observations.binning import binning
from imgda_mpi.report.frames import frame_at
from imgda_mpi.report.material import Material, Ran
from imgda_mpi.results.run_images import instants

N_CLASSES = 4
"""Of vegetation, as in the paper: those with the most cells."""

DEEPEST = 1.0
"""Changes are compared down to there, m."""

BARREN = "barren"
"""What is no class of vegetation."""

DAY = 86400  # s


@dataclass(frozen=True)
class Place:
    """A point with its class of vegetation, empty where that is not known; degrees."""

    latitude: float
    longitude: float
    vegetation: str


@dataclass(frozen=True, eq=False, kw_only=True)
class DepthSeries:
    """Soil moisture at places in time, after analyses.

    Parameters
    ----------
    control, run : names
    places : n_places
    times : n_times, ascending
    edges : of the layers of soil from the surface down, (n_layers + 1,) m
    of_control, of_run : (n_times, n_places, n_layers) m3 m-3, NaN where missing
    rain : mean since the time before, of means over their interval, (n_times, n_places) mm day-1; NaN where not known
    assimilation : first and last time of it, or of all where no analyses are known
    """

    control: str
    run: str
    places: Sequence[Place]
    times: Sequence[datetime]
    edges: FloatArray
    of_control: FloatArray
    of_run: FloatArray
    rain: FloatArray
    assimilation: tuple[datetime, datetime]

    @property
    def change(self) -> FloatArray:
        """Mean size of run minus control down to `DEEPEST` during the assimilation, (n_places,) m3 m-3."""
        first, last = self.assimilation
        during = np.array([first <= time <= last for time in self.times], dtype=bool)
        return mean_change(self.of_run[during] - self.of_control[during], self.edges)


def mean_change(difference: FloatArray, edges: FloatArray) -> FloatArray:
    """Mean over times and depth, down to `DEEPEST`, of the sizes of differences (n_times, ..., n_layers), (...)."""
    thickness = np.diff(np.minimum(edges, DEEPEST))
    size = np.abs(difference) @ (thickness / thickness.sum())
    known = np.isfinite(size)
    total, n = np.where(known, size, 0.0).sum(axis=0), known.sum(axis=0)
    return np.asarray(np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0))


@lru_cache(maxsize=1)
def depth_series(material: Material) -> DepthSeries | str:
    """Series at the points that are wanted, else where most has changed within each of four classes of vegetation.

    From profiles at points where both runs have them, else from the images of layers. Kept for the next one who asks.

    Raises
    ------
    InputError
        Where a history is damaged.
    """
    if material.pair is None:
        return "there are no histories of a run with analyses and of a control without"
    control, run = material.pair
    series = control.series, run.series
    if series[0] is None or series[1] is None or series[0].times is None or series[1].times is None:
        return f"the times of the histories of {control.name} and {run.name} are not known"
    if not series[1].grid.has_cells_of(series[0].grid):
        return f"{control.name} and {run.name} are on other grids"
    there = set(series[1].times)
    times = [time for time in series[0].times if time in there]
    span = (run.times[0], run.times[-1]) if run.times else (times[0], times[-1]) if times else None
    if span is None or not any(span[0] <= time <= span[1] for time in times):
        return f"{control.name} and {run.name} have no time of the assimilation in common"
    wanted = _Task(material, control, run, series[0].grid, times, span)
    if material.wanted.points and not wanted.given.size:
        return "none of the points that were asked for is on the grid of the runs"
    found = _from_points(wanted) or _from_images(wanted, series[0], series[1])
    return found if isinstance(found, str) else _with_soil(found)


def _with_soil(found: DepthSeries) -> DepthSeries | str:
    """The same where both runs have values: a point that is wanted may be in the sea."""
    known = np.flatnonzero(np.isfinite(found.of_run - found.of_control).any(axis=(0, 2)))
    if not known.size:
        return f"{found.control} and {found.run} have no values in common at the places that would be shown"
    return _chosen(found, known.tolist())


@dataclass(frozen=True, eq=False)
class _Task:
    """What is to be shown of whom."""

    material: Material
    control: Ran
    run: Ran
    grid: Grid
    times: Sequence[datetime]
    assimilation: tuple[datetime, datetime]

    def cells(self, latitude: FloatArray, longitude: FloatArray) -> IntArray:
        """Numbers of the cells that hold points, -1 outside the grid."""
        return binning(latitude, longitude, self.grid).cell

    @property
    def given(self) -> IntArray:
        """Cells of the points that the user wants, as far as they are on the grid."""
        points = np.array(self.material.wanted.points, np.float64).reshape(-1, 2)
        found = self.cells(points[:, 0], points[:, 1])
        return found[found >= 0]

    def place(self, cell: int, covers: Mapping[str, BoolArray]) -> Place:
        """The centre of a cell."""
        row, column = divmod(cell, self.grid.shape[1])
        cover = next((name for name, cells in covers.items() if cells[row, column]), "")
        return Place(float(self.grid.latitude[row]), float(self.grid.longitude[column]), cover)


def _from_points(wanted: _Task) -> DepthSeries | None:
    """From the profiles of soil columns; None where there are none, or not of all points that are wanted."""
    if wanted.control.run is None or wanted.run.run is None:
        return None
    control = _profiles(wanted.control, wanted, with_rain=True)
    run = _profiles(wanted.run, wanted, with_rain=False) if control else None
    if control is None or run is None or not np.array_equal(control.points, run.points):
        return None
    every = _places_of_points(wanted, control.points)
    found = DepthSeries(
        control=wanted.control.name,
        run=wanted.run.name,
        places=every,
        times=wanted.times,
        edges=interface_depth,
        of_control=control.values,
        of_run=run.values,
        rain=control.rain,
        assimilation=wanted.assimilation,
    )
    cells = wanted.cells(control.points[:, 0], control.points[:, 1])
    given = wanted.given
    if given.size:
        return _chosen(found, [int(np.flatnonzero(cells == one)[0]) for one in given])
    return _chosen(found, _largest(found.change, [place.vegetation for place in every]))


def _chosen(found: DepthSeries, numbers: Sequence[int]) -> DepthSeries:
    """The same at some of its places, in that order."""
    return replace(
        found,
        places=[found.places[number] for number in numbers],
        of_control=found.of_control[:, numbers],
        of_run=found.of_run[:, numbers],
        rain=found.rain[:, numbers],
    )


def _largest(change: FloatArray, vegetation: Sequence[str]) -> list[int]:
    """Numbers of those with the largest change, of each class one, those of the most members first."""
    classes = sorted({name for name in vegetation if name}, key=lambda name: (-vegetation.count(name), name))
    members = [np.array([own == name for own in vegetation]) for name in classes[:N_CLASSES]]
    changes = [np.where(own, change, np.nan) for own in members or [np.ones(change.size, bool)]]
    return [int(np.nanargmax(own)) for own in changes if np.isfinite(own).any()]


@dataclass(frozen=True, eq=False)
class _Profiles:
    """Profiles (n_times, n_points, 10) m3 m-3 and rain (n_times, n_points) mm day-1 at points (n_points, 2)."""

    points: FloatArray
    values: FloatArray
    rain: FloatArray


def _profiles(ran: Ran, wanted: _Task, *, with_rain: bool) -> _Profiles | None:
    """Of the times that are wanted, the state after the analysis; None without points, or those that are wanted."""
    if ran.run is None or not ran.has_columns:
        return None
    number = {time: place for place, time in enumerate(wanted.times)}
    found: _Profiles | None = None
    for instant in instants(ran.run):
        points = instant.history.points
        if found is None:
            cells = wanted.cells(points[:, 0], points[:, 1])
            if not len(points) or not np.isin(wanted.given, cells).all():
                return None
            shape = len(number), len(points)
            found = _Profiles(points, np.full((*shape, N_SOIL), np.nan), np.full(shape, np.nan))
        if (at := number.get(instant.time)) is None:
            continue
        found.values[at] = instant.history.profiles(instant.index)
        if with_rain and instant.index > 0:
            rain = instant.history.image("rain", instant.index).ravel()[cells]
            found.rain[at] = np.where(cells >= 0, rain, np.nan) * DAY
    return found


def _places_of_points(wanted: _Task, points: FloatArray) -> list[Place]:
    """Points with their vegetation: that of the experiment, else that of their cells."""
    known = {(round(row.latitude, 3), round(row.longitude, 3)): row.vegetation for row in wanted.material.reach}
    covers = {} if known else wanted.material.covers(wanted.grid)
    cells = wanted.cells(points[:, 0], points[:, 1])
    return [
        Place(
            float(latitude),
            float(longitude),
            known.get((round(float(latitude), 3), round(float(longitude), 3)), "")
            or (wanted.place(int(cell), covers).vegetation if cell >= 0 else ""),
        )
        for (latitude, longitude), cell in zip(points, cells, strict=True)
    ]


def _from_images(wanted: _Task, control: ImageSeries, run: ImageSeries) -> DepthSeries | str:
    """From images of layers or, where there are nodes, of the ten layers of soil."""
    has_nodes = control.has_nodes and run.has_nodes
    edges = interface_depth if has_nodes else _edges_of_layers(control, run, wanted.times[0])
    if edges.size == 2:
        return f"the histories of {wanted.control.name} and {wanted.run.name} have only one layer in common"
    covers = wanted.material.covers(wanted.grid)
    cells = wanted.given.tolist() or _changed_cells(wanted, control, run, covers)
    if not cells:
        return f"{control.what} and {run.what} have no cell in common"
    of_control: list[FloatArray] = []
    of_run: list[FloatArray] = []
    rain: list[FloatArray] = []
    for time in wanted.times:
        frames = [frame_at(series, time) for series in (control, run)]
        for values, frame in zip((of_control, of_run), frames, strict=True):
            images = map(frame.depth, node_depth) if has_nodes else _layers(frame, edges)
            values.append(np.stack([image.ravel()[cells] for image in images], axis=-1))
        fallen = frames[0].rain()
        rain.append(np.full(len(cells), np.nan) if fallen is None else fallen.ravel()[cells] * DAY)
    return DepthSeries(
        control=wanted.control.name,
        run=wanted.run.name,
        places=[wanted.place(cell, covers) for cell in cells],
        times=wanted.times,
        edges=edges,
        of_control=np.stack(of_control),
        of_run=np.stack(of_run),
        rain=np.stack(rain),
        assimilation=wanted.assimilation,
    )


def _changed_cells(wanted: _Task, control: ImageSeries, run: ImageSeries, covers: Mapping[str, BoolArray]) -> list[int]:
    """Cells with the largest change within each class, from one moment of each day of the assimilation."""
    first, last = wanted.assimilation
    of_day = {time.date(): time for time in reversed(wanted.times) if first <= time <= last}
    times = sorted(of_day.values())
    edges = _edges_of_layers(control, run, times[0])
    thickness = np.diff(np.minimum(edges, DEEPEST))
    change = np.zeros(wanted.grid.shape)
    for time in times:
        pair = (_layers(frame_at(series, time), edges) for series in (control, run))
        for weight, one, other in zip(thickness, *pair, strict=True):
            change += weight * np.abs(other - one)
    plants = {name: cells for name, cells in covers.items() if name != BARREN}
    classes = sorted(plants.values(), key=lambda cells: -int(cells.sum()))[:N_CLASSES]
    within = [np.where(cells, change, np.nan).ravel() for cells in classes or [np.isfinite(change)]]
    return [int(np.nanargmax(own)) for own in within if np.isfinite(own).any()]


def _edges_of_layers(control: ImageSeries, run: ImageSeries, time: datetime) -> FloatArray:
    """Edges of the layers that follow each other from the uppermost one down, in both runs."""
    if control.has_nodes and run.has_nodes:
        return np.array([LAYERS[0][0], *(bottom for _, bottom in LAYERS)])
    own, other = (series.layers(frame_at(series, time)) for series in (control, run))
    edges = list(own[0])
    for top, bottom in own[1:]:
        if top == edges[-1] and (top, bottom) in other:
            edges.append(bottom)
    return np.array(edges)


def _layers(frame: Frame, edges: FloatArray) -> list[FloatArray]:
    return [frame.layer((float(top), float(bottom))) for top, bottom in pairwise(edges)]
