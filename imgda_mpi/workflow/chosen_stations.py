"""Which stations of a section runs are held against, and what of the runs is compared with them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray
from imgda_mpi.faults import ConfigError, fault
from imgda_mpi.histories.places import has_cell
from imgda_mpi.observations.image import Layer
from imgda_mpi.settings.verify import AnySites
from imgda_mpi.stations.choice import one_of_each
from imgda_mpi.stations.read import read_stations
from imgda_mpi.stations.series import StationSeries
from imgda_mpi.verify.station_series import Places
from imgda_mpi.workflow.verify_inputs import Inputs

log = logging.getLogger(__name__)

ROWS = {
    "repeated time": "rows of a time that is there twice",
    "bad flag": "rows with a bad flag",
    "missing": "rows without a value",
    "out of range": "rows beyond 0 to 1 m3 m-3",
}
"""Rows of a file that are no valid value, by reason, in words."""

SAID = 5  # names of stations that are left out


@dataclass(frozen=True, eq=False)
class Chosen:
    """Stations that are compared, on the rank that read them.

    Parameters
    ----------
    series : of each
    places : in the same order
    at_depth : whether runs' values are those at depths, or of layers
    counts : of sensors and stations, and of stations left out by reason
    """

    series: list[StationSeries]
    places: Places
    at_depth: bool
    counts: dict[str, int]

    @property
    def summary(self) -> str:
        """The counts that are not 0, in words."""
        return ", ".join(f"{reason}: {number}" for reason, number in self.counts.items() if number)

    def without(self, gone: BoolArray, reason: str) -> Chosen:
        """All but some stations, (n_stations,), which are counted and said."""
        if gone.any():
            names = [self.places.names[number] for number in np.flatnonzero(gone).tolist()]
            said = ", ".join(names[:SAID]) + (", ..." if len(names) > SAID else "")
            log.info("%d of %d stations are %s and left out: %s", len(names), gone.size, reason, said)
        return Chosen(
            [one for one, left in zip(self.series, ~gone, strict=True) if left],
            self.places.some(~gone),
            self.at_depth,
            self.counts | {reason: int(np.count_nonzero(gone))},
        )


def choose_stations(section: AnySites, inputs: Inputs) -> Chosen:
    """Read the stations of a section, one series each; those within the grid. On one rank.

    Raises
    ------
    InputError
        Where the file cannot be read, or has no sensor in the range of depth, or no valid value.
    ConfigError
        Where a package is missing, or runs without nodes are to be compared at a depth.
    """
    at_depth = _at_depth(section, inputs)
    how = section.values("file", "depth", "at", "cell", "match", "least_pairs", "assimilated")
    sensors = read_stations(section.kind, section.file, section.depth, **how)
    series = one_of_each(sensors, section.depth)
    layers = [] if at_depth else common_layers(inputs)
    depth = np.array([one.depth for one in series])
    compared = np.array([_level(float(middle), layers, at_depth) for middle in depth.mean(axis=1)])
    places = Places(
        names=[f"{one.network} {one.station}".strip() for one in series],
        networks=[one.network for one in series],
        latitude=np.array([one.latitude for one in series]),
        longitude=np.array([one.longitude for one in series]),
        depth=depth,
        compared=compared,
    )
    counts = {
        "files that cannot be read": sensors.n_unread,
        "sensors with values that are no m3 m-3": sensors.n_odd,
        "sensors": len(sensors),
        "stations": len(series),
        "rows": sum(one.counts["rows"] for one in sensors),
        **{said: sum(one.counts[reason] for one in sensors) for reason, said in ROWS.items()},
        "valid values": sum(int(np.isfinite(one.values).sum()) for one in sensors),
    }
    chosen = Chosen(series, places, at_depth, counts)
    chosen = chosen.without(~has_cell(inputs.grid, places.latitude, places.longitude), "outside the grid")
    if not at_depth:
        chosen = chosen.without(np.isnan(chosen.places.compared[:, 0]), "in no layer that all runs have")
    return chosen


def common_layers(inputs: Inputs) -> list[Layer]:
    """Those of ``inputs.layers`` that all runs have, at the first of the times for which they have any."""
    layers = list(inputs.layers)
    for run in inputs.runs.values():
        states = (run.frames_of(time, inputs.window) for time in inputs.times)
        of_run = next((run.layers(frames[0]) for of_time in states for frames in of_time.values()), ())
        layers = [layer for layer in layers if layer in of_run]
    return layers


def _at_depth(section: AnySites, inputs: Inputs) -> bool:
    without = [name for name, run in inputs.runs.items() if not run.has_nodes]
    if section.at == "depth" and without:
        raise fault(
            "at",
            found=f"runs without nodes ({', '.join(without)})",
            expected="values at nodes of the soil, as histories of CoLM have",
            do='take at = "layer"',
            kind=ConfigError,
        )
    return section.at != "layer" and not without


def _level(middle: float, layers: Sequence[Layer], at_depth: bool) -> Layer:
    """What of a run is compared with a sensor: twice its depth, or the upper one of the layers that hold it."""
    if at_depth:
        return middle, middle
    holding = [layer for layer in sorted(layers) if layer[0] <= middle <= layer[1]]
    return holding[0] if holding else (np.nan, np.nan)
