"""The observed image on the model grid, and what became of every pixel on the way to it."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.grid import Grid
from imgda_mpi.observations.quality import gross_check

Layer = tuple[float, float]
"""Top and bottom of a layer of the soil, m below the surface."""

SURFACE_LAYER: Layer = (0.0, 0.1)
"""That of the model's image."""


SKETCHES = 32
"""Numbers that stand for an image where it is compared with others."""


@dataclass(frozen=True, eq=False)
class MaskedPixels:
    """Pixels (ny_source, nx_source) that are not to be used, and the file that says so."""

    pixels: BoolArray
    file: Path


class ToCells(Protocol):
    """Takes an image from the pixels of a source to the cells of the model grid."""

    def __call__(self, values: FloatArray) -> FloatArray:
        """Means (ny, nx) over the valid (finite) ones of the source's pixels; NaN where there are too few."""
        ...

    @property
    def covered(self) -> BoolArray:
        """Cells that the source covers, valid or not, (ny, nx)."""
        ...

    @property
    def reached(self) -> BoolArray:
        """Pixels that have a weight in any cell, of the shape of the source's values."""
        ...

    def per_cell(self, values: FloatArray) -> str:
        """How many valid pixels a cell is the mean of, in words; nothing where they count by weights."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Source(ABC):
    """Soil moisture of one time as a file holds it.

    Parameters
    ----------
    values : volumetric soil moisture of the pixels, m3 m-3, NaN where missing
    path, variable : where it was read
    time : of the image, UTC
    time_is_stated : whether the file itself has no time, so that ``time`` is the one asked for
    interval : that the image stands for, in words; empty where the file does not say
    remarks : what is doubtful of it and has to be said
    mask : pixels that are not to be used; None where all are
    """

    values: FloatArray
    path: Path
    variable: str
    time: datetime
    time_is_stated: bool
    interval: str = ""
    remarks: tuple[str, ...] = ()
    mask: MaskedPixels | None = None

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of values and places, hexadecimal, whatever order the file has them in."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SourceImage(Source):
    """One soil-moisture image on a grid; ``values`` and ``mask`` are (ny_source, nx_source).

    Parameters
    ----------
    grid : the file's own
    """

    grid: Grid

    def to_cells(self, grid: Grid, regridding: str) -> ToCells:
        """What takes the image to the model grid; arguments as of `imgda_mpi.observations.cf.read_cf`.

        Raises
        ------
        ValueError
            Where the regridding is unknown.
        """
        # Only here, because every rank gets observed images, and only one makes them.
        from imgda_mpi.observations.regrid import METHODS

        if regridding not in METHODS:
            raise ValueError(f"unknown regridding {regridding!r}; known are {', '.join(METHODS)}")
        return METHODS[regridding](self.grid, grid)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of values and grid, hexadecimal.

        The same whatever order of rows, range of longitudes or unit a file has; packed to fewer digits it is another.
        """
        latitude, longitude = self.grid.latitude, self.grid.longitude % 360.0
        rows, columns = np.argsort(latitude), np.argsort(longitude)
        return sha256_of(latitude[rows], longitude[columns], self.values[np.ix_(rows, columns)])


def sha256_of(*parts: FloatArray) -> str:
    """SHA-256 of some numbers to a millionth, hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        # A millionth takes the rounding of units away; one bit pattern for every NaN, and for both zeros.
        rounded = np.round(part, 6).astype("<f8", order="C")
        rounded += 0.0
        rounded[np.isnan(rounded)] = np.nan
        digest.update(rounded.data)
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class ObservedImage:
    """Observed soil moisture on the model grid.

    Parameters
    ----------
    values : volumetric soil moisture, (ny, nx) m3 m-3, NaN where not observed
    time : of the observation, aware, UTC
    path : the file read
    what : variable, time and interval in one line, for logs
    fingerprint : of the source, see `Source`
    remarks : what is doubtful of it and has to be said
    counts : "source pixels" = "missing" + "masked" + "below range" + "above range" + "not used" + "used", where pixels
        "not used" are valid but give no weight to any model cell (outside the grid, passed over by bilinear
        interpolation, or points of another time).
        "cells" = "cells observed" + "cells mostly missing" + "cells not covered", where the last lie outside the
        source grid or in a gap of it, or hold no point.
    files : every one that was read
    per_cell : how many pixels a cell is the mean of, in words; empty where they count by weights
    """

    values: FloatArray
    time: datetime
    path: Path
    what: str
    fingerprint: str
    remarks: tuple[str, ...]
    counts: Mapping[str, int]
    files: list[Path]
    per_cell: str = ""

    @property
    def observed(self) -> BoolArray:
        """Where the image has a value, (ny, nx)."""
        return np.isfinite(self.values)

    @property
    def source(self) -> str:
        """File, variable, time and interval in one line, for logs."""
        return f"{self.path}: {self.what}"

    @property
    def pixels(self) -> str:
        """What became of the source's pixels, in one line."""
        reasons = ("missing", "masked", "below range", "above range", "not used", "used")
        counts = ", ".join(f"{self.counts[reason]} {reason}" for reason in reasons)
        per_cell = f"; {self.per_cell}" if self.per_cell else ""
        return f"{self.counts['source pixels']} pixels: {counts}{per_cell}"

    def sketch(self, cells: BoolArray) -> tuple[float, ...]:
        """Sums of the observed values in some cells (ny, nx) with `SKETCHES` patterns of random signs, m3 m-3.

        Each sum is divided by the root of the number of cells: the root mean square of the differences of two sketches
        is that of the two images, to an eighth (Johnson and Lindenstrauss 1984; with signs Achlioptas 2003).
        """
        values = np.where(cells, self.values, 0.0).ravel() / math.sqrt(max(int(np.count_nonzero(cells)), 1))
        signs = np.random.Generator(np.random.PCG64(SKETCHES))
        sums = [float(np.sum(values * (2.0 * signs.integers(0, 2, values.size) - 1.0))) for _ in range(SKETCHES)]
        return tuple(round(number, 6) for number in sums)

    def away_from(self, time: datetime) -> str:
        """How far the image's time is from another one, in words; nothing where they are the same."""
        hours = (self.time - time).total_seconds() / 3600.0
        distance = f"{abs(hours):g} h" if abs(hours) < 72 else f"{abs(hours) / 24:.0f} days"
        return f" ({distance} {'before' if hours < 0 else 'after'} the analysis time)" if hours else ""


def observed_image(
    source: Source,
    to_cells: ToCells,
    *,
    valid_range: tuple[float, float] | None,
    error: float = 0.0,
) -> ObservedImage:
    """The source, checked pixel by pixel and brought to the model grid (ny, nx).

    Further arguments as of `imgda_mpi.observations.cf.read_cf`; without a valid range every value is used.

    Raises
    ------
    InputError
        Where the values as a whole cannot be m3 m-3.
    ValueError
        Where the range is empty.
    """
    masked = np.isfinite(source.values) & (False if source.mask is None else source.mask.pixels)
    used = np.where(masked, np.nan, source.values)
    checked = gross_check(used, str(source.path), source.variable, valid_range, error)
    values = to_cells(checked.values)
    valid, observed, covered = np.isfinite(checked.values), np.isfinite(values), to_cells.covered
    counts = {
        "source pixels": valid.size,
        "missing": checked.n_missing - int(masked.sum()),
        "masked": int(masked.sum()),
        "below range": checked.n_below,
        "above range": checked.n_above,
        "not used": int((valid & ~to_cells.reached).sum()),
        "used": int((valid & to_cells.reached).sum()),
        "cells": observed.size,
        "cells observed": int(observed.sum()),
        "cells mostly missing": int((covered & ~observed).sum()),
        "cells not covered": int((~covered).sum()),
    }
    stated = " (stated, the file has none)" if source.time_is_stated else ""
    interval = f" ({source.interval})" if source.interval else ""
    what = f"{source.variable} at {source.time:%Y-%m-%d %H:%M} UTC{stated}{interval}"
    return ObservedImage(
        values=values,
        time=source.time,
        path=source.path,
        what=what,
        fingerprint=source.fingerprint,
        remarks=(*source.remarks, *([checked.remark] if checked.remark else [])),
        counts=counts,
        files=list(dict.fromkeys([source.path, *([source.mask.file] if source.mask else [])])),
        per_cell=to_cells.per_cell(checked.values),
    )


def deviation_image(source: Source, to_cells: ToCells) -> ObservedImage:
    """Standard deviations of a source, brought to the model grid (ny, nx) as an image is.

    0 and less count as missing: no deviation is so, and files have such numbers where there is none.
    """
    positive = replace(source, values=np.where(source.values > 0, source.values, np.nan))
    return observed_image(positive, to_cells, valid_range=None)
