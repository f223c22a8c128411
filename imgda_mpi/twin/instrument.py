"""What an instrument with the pixels of GLDAS at 1 degree would see of a true image: the truth of a twin experiment."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.example.gldas_file import gldas_grid
from imgda_mpi.example.observation import LEAST_WEIGHT, is_ground
from imgda_mpi.grid import Grid
from imgda_mpi.numerics.keyed_random import generator
from imgda_mpi.numerics.smooth_fields import smooth_field
from imgda_mpi.observations.regrid import bilinear
from imgda_mpi.sparse import csr_array

PIXELS = gldas_grid(1)
"""(150, 360), rows from the south."""

LOWEST, HIGHEST = 0.01, 0.60
"""Between which what is seen is clipped, m3 m-3."""

POINTS = 4
"""Along each side of a pixel: its value is the mean over them."""

FOLD = 0.94
"""Time over which the correlation of the coherent errors falls to 1/e, in spacings of the knots."""


@dataclass(frozen=True)
class Instrument:
    """Errors of an instrument.

    Parameters
    ----------
    white : standard deviation of the errors of each pixel and time, m3 m-3
    coherent : standard deviation of the errors that pixels have in common, m3 m-3
    length : of the coherent errors, km: their correlation is exp(-d^2 / (2 length^2))
    days : time over which the correlation of the coherent errors falls to 1/e
    seed : of all errors, 0 to 2^64 - 1

    Raises
    ------
    ValueError
        Where a number is out of range.
    """

    white: float
    coherent: float
    length: float
    days: float
    seed: int

    def __post_init__(self) -> None:
        for name, is_good in (
            ("white", 0.0 <= self.white < math.inf),
            ("coherent", 0.0 <= self.coherent < math.inf),
            ("length", 0.0 < self.length < math.inf),
            ("days", 0.0 < self.days < math.inf),
            ("seed", 0 <= self.seed < 2**64),
        ):
            if not is_good:
                raise ValueError(f"{name}={getattr(self, name)}: out of range")


def seen(image: FloatArray, grid: Grid, time: datetime, instrument: Instrument) -> FloatArray:
    """The truth as an instrument sees it on its pixels, with errors. Not collective.

    A pixel has the mean over 4 x 4 points of the truth between the centres of its cells; near coasts only cells with
    soil count. Both kinds of errors are added, and the sum is clipped to 0.01..0.60. They depend on the instrument
    and the time alone.

    Parameters
    ----------
    image : true soil moisture, (ny, nx) m3 m-3, NaN without soil
    grid : of the image
    time : aware; fractions of a second do not count
    instrument : its errors

    Returns
    -------
    (150, 360) array
        m3 m-3, rows from the south; NaN over sea, lakes, ice sheets, and where the truth has next to no soil.
    """
    rows, columns = _support(grid)
    is_soil = np.isfinite(image)
    weight = rows @ is_soil.astype(np.float64) @ columns.T
    value = rows @ np.where(is_soil, image, 0.0) @ columns.T
    is_seen = ground() & (weight > LEAST_WEIGHT)
    true = value / np.where(is_seen, weight, 1.0)
    errors = instrument.white * _white(instrument, time) + instrument.coherent * _coherent(instrument, time)
    return np.where(is_seen, np.clip(true + errors, LOWEST, HIGHEST), np.nan)


def n_clipped(image: FloatArray) -> int:
    """Pixels of what an instrument sees that are clipped."""
    return int(((image == LOWEST) | (image == HIGHEST)).sum())


@functools.cache
def ground() -> BoolArray:
    """Pixels that an instrument looks at, (150, 360): land but for ice sheets and large lakes."""
    return is_ground(PIXELS)


def _support(grid: Grid) -> tuple[csr_array, csr_array]:
    """Weights of the rows (150, ny) and the columns (360, nx) of a grid in the means over pixels."""
    points = bilinear(grid, gldas_grid(POINTS))
    n_rows, n_columns = PIXELS.shape
    return _means(n_rows) @ points.latitude, _means(n_columns) @ points.longitude


def _means(n: int) -> csr_array:
    """Sparse (n, 4 n): means of every four points."""
    ends = np.arange(0, n * POINTS + 1, POINTS)
    return csr_array((np.full(n * POINTS, 1.0 / POINTS), np.arange(n * POINTS), ends), shape=(n, n * POINTS))


def _white(instrument: Instrument, time: datetime) -> FloatArray:
    seconds = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    return generator(instrument.seed, "white errors", seconds).standard_normal(PIXELS.shape)


def _coherent(instrument: Instrument, time: datetime) -> FloatArray:
    """Variance 1 at every time: cos(a) f_k + sin(a) f_k+1 with independent fields at knots of time.

    At a distance of s <= 1 knots the correlation in time is (1 - s/2) cos(pi s / 2) + sin(pi s / 2) / pi over all
    times, which is 1/e at s = 0.94.
    """
    days = (time - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(days=1)
    knot, part = divmod(days * FOLD / instrument.days, 1.0)
    before, after = (_field(instrument.seed, int(knot) + n, instrument.length) for n in (0, 1))
    errors = np.zeros(PIXELS.shape)
    errors[ground()] = math.cos(0.5 * math.pi * part) * before + math.sin(0.5 * math.pi * part) * after
    return errors


@functools.lru_cache(maxsize=4)
def _field(seed: int, knot: int, length: float) -> FloatArray:
    """The field of a knot at the pixels of `ground`: those that follow one another in time need two, and the same."""
    row, column = np.nonzero(ground())
    field = smooth_field(
        PIXELS.latitude[row], PIXELS.longitude[column], length, generator(seed, "coherent errors", knot)
    )
    field.flags.writeable = False
    return field
