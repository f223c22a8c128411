"""Series of runs beside those of stations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.verify.regions import Box, in_box

ALL = "all stations"
"""The region of all stations."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Places:
    """Where stations measure, and what of a run is compared with them.

    Parameters
    ----------
    names : of the stations, with the network where it is known, (n_stations,)
    networks : "" where it is not known, (n_stations,)
    latitude, longitude : (n_stations,) degrees
    depth : top and bottom of what the sensor measures, (n_stations, 2) m
    compared : top and bottom of the layer of a run, or twice the depth in it, (n_stations, 2) m
    """

    names: Sequence[str]
    networks: Sequence[str]
    latitude: FloatArray
    longitude: FloatArray
    depth: FloatArray
    compared: FloatArray

    def some(self, chosen: BoolArray) -> Places:
        """Those of some of the stations, (n_stations,)."""
        index = np.flatnonzero(chosen).tolist()
        return Places(
            names=[self.names[number] for number in index],
            networks=[self.networks[number] for number in index],
            latitude=self.latitude[index],
            longitude=self.longitude[index],
            depth=self.depth[index],
            compared=self.compared[index],
        )

    def regions(self, boxes: Mapping[str, Box]) -> dict[str, BoolArray]:
        """Stations of all regions that have some, (n_stations,) each: all of them, and those in boxes."""
        found = {ALL: np.ones(self.latitude.size, bool)}
        for name, box in boxes.items():
            inside = in_box(self.latitude, self.longitude, box)
            if inside.any():
                found[name] = inside
        return found


@dataclass(frozen=True, eq=False, kw_only=True)
class AtStations:
    """Soil moisture of runs and stations, m3 m-3, NaN where missing.

    Parameters
    ----------
    runs : names; the first one is the control
    seconds : times since 1970, UTC, ascending, (n_times,)
    values : of runs, (n_runs, n_times, n_stations)
    measured : (n_times, n_stations)
    """

    runs: Sequence[str]
    seconds: FloatArray
    values: FloatArray
    measured: FloatArray

    @property
    def pairs(self) -> BoolArray:
        """Where the station and every run have a value, (n_times, n_stations)."""
        return np.asarray(np.isfinite(self.measured) & np.isfinite(self.values).all(axis=0))

    def of_stations(self, start: int, stop: int) -> AtStations:
        """Those of some of the stations."""
        return AtStations(
            runs=self.runs,
            seconds=self.seconds,
            values=np.ascontiguousarray(self.values[..., start:stop]),
            measured=np.ascontiguousarray(self.measured[:, start:stop]),
        )
