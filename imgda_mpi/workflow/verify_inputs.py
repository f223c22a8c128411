"""What a verification starts from: the series of its runs, the times, and the periods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from imgda_mpi.grid import Grid
from imgda_mpi.histories.image_series import ImageSeries
from imgda_mpi.observations.image import Layer

Box = tuple[float, float, float, float]
"""South, north, west, east, degrees."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """Runs that are verified, the same on every rank.

    Parameters
    ----------
    runs : by their names; the first one is the control
    grid : of all of them
    times : that are verified, ascending, UTC
    window : length of the means that begin at the times; None of the moments themselves
    periods : first and last moment by name
    boxes : by name, those with cells of the grid
    layers : m
    """

    runs: Mapping[str, ImageSeries]
    grid: Grid
    times: Sequence[datetime]
    window: timedelta | None
    periods: Mapping[str, tuple[datetime, datetime]]
    boxes: Mapping[str, Box]
    layers: Sequence[Layer]


@dataclass(frozen=True)
class Part:
    """What a part of a verification came to, on rank 0.

    Parameters
    ----------
    text : its table
    written, read : files
    """

    text: str
    written: Sequence[Path]
    read: Sequence[Path] = field(default_factory=tuple)
