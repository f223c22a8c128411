"""Values that runs have at stations: every rank reads its share of the times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.faults import settled_by
from imgda_mpi.histories.image_series import Frame, mean_over
from imgda_mpi.histories.places import Way, at_points
from imgda_mpi.histories.rain import RainSeries
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.parallel.ownership import share
from imgda_mpi.verify.station_series import Places
from imgda_mpi.workflow.verify_inputs import Inputs


@dataclass(frozen=True, eq=False)
class RunValues:
    """What runs have at stations, NaN where they have nothing.

    Parameters
    ----------
    values : (n_runs, n_times, n_stations) m3 m-3
    rain : (n_times, n_stations) kg m-2 s-1
    middles : of the intervals that frames are means of, s since 1970, by run, (n_runs, n_times); of instants the times
    """

    values: FloatArray
    rain: FloatArray
    middles: FloatArray


def values_at(
    inputs: Inputs, places: Places, how: Way, at_depth: bool, rain: RainSeries | None, comm: MPI.Intracomm
) -> RunValues | None:
    """Values of all runs at all times, on rank 0, None elsewhere. Collective.

    Where there are two states of a time it is the one after the analysis; with a window it is the mean over it, where a
    third of the frames have a value.

    Parameters
    ----------
    inputs
    places : the same on every rank
    how : "nearest" or "bilinear"
    at_depth : whether ``places.compared`` are depths of runs with nodes, or layers
    rain : of files; None where it is that of the first run

    Raises
    ------
    InputError
        On every rank, where a file is damaged.
    """
    offsets = share(len(inputs.times), comm.size)
    own = inputs.times[offsets[comm.rank] : offsets[comm.rank + 1]]
    reader = _Reader(inputs, places, how, at_depth, rain)
    with same_fate(comm):
        found = [reader.at(time) for time in own]
    gathered = comm.gather(found)
    if gathered is None:
        return None
    values, rains, middles = zip(*(one for of_rank in gathered for one in of_rank), strict=True)
    return RunValues(np.stack(values, axis=1), np.stack(rains), np.stack(middles, axis=1))


class _Reader:
    """Takes what runs have at the stations at one time."""

    def __init__(self, inputs: Inputs, places: Places, how: Way, at_depth: bool, rain: RainSeries | None) -> None:
        self._runs, self._window = inputs.runs, inputs.window
        self._n, self._at_depth, self._rain = len(places.names), at_depth, rain
        self._rain_at = at_points((rain or inputs).grid, places.latitude, places.longitude, how)
        levels, number = np.unique(places.compared, axis=0, return_inverse=True)
        self._levels: list[tuple[tuple[float, float], IntArray, Callable[[FloatArray], FloatArray]]] = []
        for level, (top, bottom) in enumerate(levels):
            of_level = np.flatnonzero(number == level)
            take = at_points(inputs.grid, places.latitude[of_level], places.longitude[of_level], how)
            self._levels.append(((float(top), float(bottom)), of_level, take))

    def at(self, time: datetime) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Values (n_runs, n_stations), rain (n_stations,) and middles (n_runs,), see `RunValues`."""
        frames, values = [], []
        for name, run in self._runs.items():
            with settled_by(f"[runs.{name}]"):
                frames.append(run.frames_of(time, self._window).get("after", []))
                values.append(self._values(frames[-1]))
        middles = np.array([of_run[0].time.timestamp() if of_run else np.nan for of_run in frames])
        with settled_by(f"[runs.{next(iter(self._runs))}]" if self._rain is None else "[rain]"):
            rain = self._rain_of(frames[0])
        return np.stack(values), rain, middles

    def _values(self, frames: Sequence[Frame]) -> FloatArray:
        values = np.full(self._n, np.nan)
        for (top, bottom), stations, take in self._levels if frames else ():

            def of_level(
                frame: Frame,
                top: float = top,
                bottom: float = bottom,
                take: Callable[[FloatArray], FloatArray] = take,
            ) -> FloatArray:
                return take(frame.depth(top) if self._at_depth else frame.layer((top, bottom)))

            values[stations] = mean_over(frames, of_level)
        return values

    def _rain_of(self, frames: Sequence[Frame]) -> FloatArray:
        """Mean over the moments of the first run that have rain, (n_stations,)."""
        images = [frame.rain() if self._rain is None else self._rain.at(frame.time) for frame in frames]
        known = [self._rain_at(image) for image in images if image is not None]
        return np.mean(known, axis=0) if known else np.full(self._n, np.nan)
