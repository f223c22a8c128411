"""Series of CoLM's own output: water of the ten soil layers, of which any layer and any depth is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import interface_depth, node_depth, overlap_weights
from imgda_mpi.faults import ImgdaError, fault
from imgda_mpi.grid import Grid
from imgda_mpi.histories.depths import weights_at
from imgda_mpi.histories.image_series import Frame, usual_step
from imgda_mpi.histories.opened import LastOpened, check_grid
from imgda_mpi.histories.records import INSTANT, Record, RecordSeries, check_once, longest, times_of
from imgda_mpi.observations.image import Layer

PATCHES = "patches of types up to 2 (wetlands and urban too)"
"""What CoLM's mean of a cell is over."""

DAY = timedelta(days=1)


class ProfileFile(Protocol):
    """A file that is open."""

    @property
    def grid(self) -> Grid:
        """Of its images, (ny, nx)."""
        ...

    def soil(self, index: int, layers: slice) -> FloatArray:
        """Water of some of the soil layers in a record, (n_layers, ny, nx) m3 m-3, NaN where missing."""
        ...

    def rain(self, index: int) -> FloatArray | None:
        """Rain of a record, (ny, nx) kg m-2 s-1; None where the file has none."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class ProfileFrame(Frame):
    """A record of a file."""

    opened: LastOpened[ProfileFile]
    record: Record

    def layer(self, layer: Layer) -> FloatArray:
        """See `Frame`: every soil layer counts by its part of the layer."""
        try:
            weights = overlap_weights(*layer)
        except ValueError as err:
            raise self._beyond(str(err)) from err
        return self._sum(weights)

    def depth(self, depth: float) -> FloatArray:
        """See `Frame`."""
        try:
            weights = weights_at(node_depth, depth)
        except ValueError as err:
            raise self._beyond(str(err)) from err
        return self._sum(weights)

    def rain(self) -> FloatArray | None:
        """See `Frame`."""
        return self.opened(self.record.file).rain(self.record.index)

    def _sum(self, weights: FloatArray) -> FloatArray:
        """Sum over the soil layers with weights (10,), in their order."""
        used = np.flatnonzero(weights)
        water = self.opened(self.record.file).soil(self.record.index, slice(used[0], used[-1] + 1))
        total = np.zeros(water.shape[1:])
        for weight, image in zip(weights[used[0] : used[-1] + 1], water, strict=True):
            total += weight * image
        return total

    def _beyond(self, said: str) -> ImgdaError:
        found = f"nodes down to {node_depth[-1]:.4f} m in a column of {interface_depth[-1]:.4f} m"
        return fault(self.record.file, found=found, expected=said, do="ask for what is within the column")


@dataclass(frozen=True, eq=False, kw_only=True)
class ProfileSeries(RecordSeries):
    """Records of CoLM's own output."""

    opened: LastOpened[ProfileFile]
    wanted: Sequence[Layer]

    def frame(self, record: Record) -> Frame:
        """See `RecordSeries`."""
        return ProfileFrame(time=record.time, side=record.side, opened=self.opened, record=record)

    def layers(self, frame: Frame) -> Sequence[Layer]:
        """See `ImageSeries`."""
        return [layer for layer in self.wanted if layer[1] <= interface_depth[-1]]


def profile_series(
    what: str,
    records: Sequence[Record],
    grids: Sequence[tuple[Path, Grid]],
    opened: LastOpened[ProfileFile],
    layers: Sequence[Layer],
    said: str,
) -> ProfileSeries:
    """Records of files, in the order of time.

    Parameters
    ----------
    what : the files, in words
    records : in any order
    grids : of all files
    opened : opens one
    layers : that are asked for, m
    said : of intervals where their length is not all that has to be said

    Raises
    ------
    InputError
        Where two records are of the same time, or grids differ.
    """
    ordered = sorted(records, key=lambda record: record.time)
    check_once(ordered)
    grid = grids[0][1]
    for path, own in grids[1:]:
        check_grid(path, own, grid)
    return ProfileSeries(
        what=what,
        grid=grid,
        times=times_of(ordered),
        step=usual_step(times_of(ordered)),
        interval=longest(ordered),
        has_nodes=True,
        remarks=(f"{said or lengths_text(ordered)}, {PATCHES}",),
        records=ordered,
        opened=opened,
        wanted=layers,
    )


def lengths_text(records: Sequence[Record]) -> str:
    """What records are of, in words."""
    lengths = {record.length for record in records}
    if lengths == {INSTANT}:
        return "values at the ends of steps"
    several = sorted({min(lengths), max(lengths)})
    return f"means of {' to '.join(map(length_text, several))} (time in the middle)"


def length_text(length: timedelta) -> str:
    """A length of time in hours or days.

    >>> length_text(timedelta(hours=1)), length_text(timedelta(days=31))
    ('1 h', '31 days')
    """
    if length % DAY or not length:
        return f"{length / timedelta(hours=1):g} h"
    return f"{length // DAY} day{'s' if length > DAY else ''}"


def calendar_part(time: datetime, unit: str) -> tuple[datetime, datetime]:
    """First moments of the day, month or year that holds a time, and of the next one.

    >>> calendar_part(datetime(2022, 12, 16, 12), "month")
    (datetime.datetime(2022, 12, 1, 0, 0), datetime.datetime(2023, 1, 1, 0, 0))
    """
    start = time.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "day":
        return start, start + DAY
    if unit == "month":
        start = start.replace(day=1)
        return start, (start + 31 * DAY).replace(day=1)
    start = start.replace(month=1, day=1)
    return start, start.replace(year=start.year + 1)
