"""Runs beside one that is the truth, moment by moment: scores in layers, and profiles at points."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import LAYERS, node_depth
from imgda_mpi.faults import ImgdaError, fault
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf.dates import DATE_TEXT
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.results.run_folder import Run
from imgda_mpi.results.run_images import instants, time_share
from imgda_mpi.verify.propagation import DEPTHS, Propagation, at_depth, felt
from imgda_mpi.verify.score_series import ScoreRow, Side, scores_at

Observed = Callable[[datetime], FloatArray | None]
"""The image that was observed at a time, on the grid of the runs, (ny, nx) m3 m-3, NaN where missing; None without."""


@dataclass(frozen=True, eq=False)
class Profiles:
    """Profiles of a run at points, after the analyses where there are any.

    Parameters
    ----------
    times : n_times
    points : latitude and longitude, (n_points, 2) degrees
    values : water of the ten soil layers, (n_times, n_points, 10) m3 m-3, NaN where missing
    """

    times: Sequence[datetime]
    points: FloatArray
    values: FloatArray


@dataclass(frozen=True, eq=False)
class ScoreSeries:
    """What `score_series` finds: rows in the order of time, and profiles by run, none of runs without points."""

    rows: Sequence[ScoreRow]
    profiles: Mapping[str, Profiles]


def score_series(runs: Mapping[str, Run], truth: Run, observed: Observed, comm: MPI.Intracomm) -> ScoreSeries | None:
    """Scores of runs at all moments of the truth, on rank 0; None elsewhere. Collective over ``comm``.

    Against the truth in all layers, against what was observed in the uppermost one; at the time of an analysis before
    and after it. At a moment all are scored on the same cells. Ranks share the time out, and open only the histories
    that they need; each holds the images of one moment. The same bits on any number of ranks.

    Parameters
    ----------
    runs : by their names, all of the moments of the truth
    truth : a run without analyses
    observed : asked once for each moment, by the rank that scores it

    Raises
    ------
    InputError
        As of `instants`; where a run has other moments, layers, or another grid than the truth, or the truth analyses.
    """
    with same_fate(comm):
        own = _of_share(runs, truth, observed, *time_share(truth, comm.rank, comm.size))
    every: Sequence[_Share] | None = comm.gather(own)
    if every is None:
        return None
    rows = [row for part in every for row in part.rows]
    points = {name: of_run for part in every for name, of_run in part.points.items()}
    profiles = {}
    for name, of_run in points.items():
        times, values = zip(*(moment for part in every for moment in part.profiles[name]), strict=True)
        profiles[name] = Profiles(times, of_run, np.stack(values))
    return ScoreSeries(rows, profiles)


def propagations(
    profiles: Profiles, control: Profiles, run: str, vegetation: Sequence[str], analyses: tuple[datetime, datetime]
) -> list[Propagation]:
    """When and how long the corrections of a run are felt at `DEPTHS` at its points, beside a run without any.

    Parameters
    ----------
    profiles, control : of `score_series`
    run : its name
    vegetation : class of land cover of every point, in words
    analyses : times of the first and the last one
    """
    difference = profiles.values - control.values
    found = []
    for number, (latitude, longitude) in enumerate(profiles.points):
        for depth in DEPTHS:
            at_point = at_depth(difference[:, number], node_depth, depth)
            when = felt(profiles.times, at_point, *analyses)
            found.append(Propagation(run, float(latitude), float(longitude), vegetation[number], depth, *when))
    return found


class _Share(NamedTuple):
    """What one rank finds; the points are known where it has moments."""

    rows: list[ScoreRow]
    points: dict[str, FloatArray]
    profiles: dict[str, list[tuple[datetime, FloatArray]]]


class _Moment(NamedTuple):
    """A moment of a run: images of the layers by side, each (n_layers, ny, nx), and profiles at the points if any."""

    time: datetime
    path: Path
    grid: Grid
    points: FloatArray
    images: dict[Side, FloatArray]
    profiles: FloatArray | None


def _moments(run: Run, since: datetime | None, until: datetime | None) -> Iterator[_Moment]:
    """Moments in a range of time."""
    for time, group in itertools.groupby(instants(run, since, until), key=lambda instant: instant.time):
        images: dict[Side, FloatArray] = {}
        for instant in group:
            history = instant.history
            images[instant.side] = history.moisture(instant.index)
            profiles = history.profiles(instant.index) if len(history.points) else None
        yield _Moment(time, history.path, history.grid, history.points, images, profiles)


def _of_share(
    runs: Mapping[str, Run], truth: Run, observed: Observed, since: datetime | None, until: datetime | None
) -> _Share:
    found = _Share([], {}, {name: [] for name in runs})
    every = {name: _moments(run, since, until) for name, run in runs.items()}
    for of_truth in _moments(truth, since, until):
        beside = {name: next(moments, None) for name, moments in every.items()}
        at_time = {name: _alike(runs[name], moment, of_truth) for name, moment in beside.items()}
        found.rows.extend(_rows(at_time, of_truth, observed(of_truth.time)))
        for name, moment in at_time.items():
            if moment.profiles is not None:
                found.points[name] = moment.points
                found.profiles[name].append((moment.time, moment.profiles))
    for name, moments in every.items():
        for moment in moments:
            raise _other_times(runs[name], f"{moment.time:{DATE_TEXT}}", "no moment that the truth has not")
    return found


def _alike(run: Run, moment: _Moment | None, of_truth: _Moment) -> _Moment:
    """The moment of a run, of the time and the grid of that of the truth."""
    if moment is None or moment.time != of_truth.time:
        found = "its end" if moment is None else f"{moment.time:{DATE_TEXT}}"
        raise _other_times(run, found, f"{of_truth.time:{DATE_TEXT}}, as of the truth")
    if not moment.grid.has_cells_of(of_truth.grid):
        found, expected = (f"{n.grid.shape[0]} x {n.grid.shape[1]} cells" for n in (moment, of_truth))
        expected = f"the grid of the truth, {expected}, with the same centres"
        raise fault(moment.path, "lat, lon", found=found, expected=expected, do="give runs of one grid")
    return moment


def _other_times(run: Run, found: str, expected: str) -> ImgdaError:
    return fault(run.directory, "time", found=found, expected=expected, do="run all to the same end, with one window")


def _rows(runs: Mapping[str, _Moment], truth: _Moment, observed: FloatArray | None) -> Iterator[ScoreRow]:
    if "" not in truth.images:
        found, expected = f"an analysis at {truth.time:{DATE_TEXT}}", "a truth without any"
        raise fault(truth.path, found=found, expected=expected, do="give the run that observations are made of")
    for number, layer in enumerate(LAYERS):
        estimates = {
            (name, side): images[number] for name, moment in runs.items() for side, images in moment.images.items()
        }
        yield from scores_at(truth.time, "truth", layer, truth.images[""][number], estimates)
        if number == 0 and observed is not None:
            yield from scores_at(truth.time, "observation", layer, observed, estimates)
