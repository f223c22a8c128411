"""The latitude-longitude grid of an image, and the periodic array it is transformed on."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray, IntArray

Number = TypeVar("Number", bound=np.generic)

SMALLEST = 32  # rows or columns of an image that can be transformed

EARTH_RADIUS = 6_371_220.0  # m, the value of CoLM

LONGEST_WAVE = 3e6  # m; errors of soil moisture are alike over half of it


@dataclass(frozen=True)
class Grid:
    """Centres of the cells of an image.

    Parameters
    ----------
    latitude : (ny,) array
        Degrees north, strictly ascending or descending: row 0 of an image lies at ``latitude[0]``.
    longitude : (nx,) array
        Degrees east, strictly ascending (values beyond 180 or 360 are allowed where a grid crosses them).

    Raises
    ------
    ValueError
        Where a coordinate is not one-dimensional, not finite, not strictly monotonic, or out of range.
    """

    latitude: FloatArray
    longitude: FloatArray

    def __post_init__(self) -> None:
        for name, values in (("latitude", self.latitude), ("longitude", self.longitude)):
            if values.ndim != 1 or values.size < 2 or not np.isfinite(values).all():
                raise ValueError(f"{name} must be a vector of at least 2 finite values, found shape {values.shape}")
        steps = np.diff(self.latitude)
        if not ((steps > 0).all() or (steps < 0).all()) or np.abs(self.latitude).max() > 90:
            raise ValueError("latitude must be strictly monotonic within -90..90 degrees")
        if not (np.diff(self.longitude) > 0).all() or np.ptp(self.longitude) >= 360:
            raise ValueError("longitude must be strictly ascending and span less than 360 degrees")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, (ny, nx)."""
        return self.latitude.size, self.longitude.size

    def has_cells_of(self, other: Grid) -> bool:
        """Whether the centres agree within a hundredth of a cell: coordinates are often in single precision."""
        return self.shape == other.shape and all(
            bool(np.abs(a - b).max() <= 0.01 * np.abs(np.diff(b)).min())
            for a, b in ((self.latitude, other.latitude), (self.longitude, other.longitude))
        )

    def find(self, other: Grid) -> tuple[IntArray, IntArray] | None:
        """Rows and columns of this grid where those of another are, in any order and range of longitudes.

        None where it has not got all of them, to a hundredth of a cell.
        """
        steps = tuple(np.abs(np.diff(axis)).min() for axis in (other.latitude, other.longitude))
        apart = (
            np.abs(self.latitude - other.latitude[:, None]),
            np.abs((self.longitude - other.longitude[:, None] + 180.0) % 360.0 - 180.0),
        )
        if any(between.min(axis=1).max() > 0.01 * step for between, step in zip(apart, steps, strict=True)):
            return None
        rows, columns = (between.argmin(axis=1) for between in apart)
        return rows, columns

    @property
    def has_equal_columns(self) -> bool:
        """Whether the columns are equally spaced, to a hundredth."""
        step = np.diff(self.longitude)
        return bool(np.ptp(step) <= 0.01 * step.mean())

    @property
    def is_periodic(self) -> bool:
        """Whether the columns go once around the globe."""
        step = np.diff(self.longitude)
        return bool(abs(np.ptp(self.longitude) + step.mean() - 360.0) < 0.5 * step.min())

    @property
    def is_global(self) -> bool:
        """Whether the image goes around the globe and from pole to pole (within one row)."""
        row = float(np.abs(np.diff(self.latitude)).max())
        return self.is_periodic and bool(np.abs(self.latitude_edges[[0, -1]]).min() > 90.0 - 1.5 * row)

    @property
    def latitude_edges(self) -> FloatArray:
        """Edges of the rows, (ny + 1,) degrees: midpoints of the centres, within -90..90.

        The outermost row reaches to the pole where no further row would fit in between. A Gaussian grid ends about
        three quarters of a row from the pole: its last row is the polar cap.
        """
        edges = cell_edges(self.latitude)
        for end, neighbour in ((0, 1), (-1, -2)):
            outward = self.latitude[end] - self.latitude[neighbour]
            pole = np.copysign(90.0, outward)
            if abs(pole - self.latitude[end]) < 0.9 * abs(outward):
                edges[end] = pole
        return edges

    @property
    def longitude_edges(self) -> FloatArray:
        """Edges of the columns, (nx + 1,) degrees: midpoints of the centres, 360 apart in all on a periodic grid."""
        edges = cell_edges(self.longitude)
        if self.is_periodic:
            edges[0] = 0.5 * (self.longitude[0] + self.longitude[-1] - 360.0)
            edges[-1] = edges[0] + 360.0
        return edges

    @property
    def cell_area(self) -> FloatArray:
        """Area of the cells on the sphere, (ny, nx) m2."""
        height = np.abs(np.diff(np.sin(np.radians(self.latitude_edges))))
        width = np.diff(np.radians(self.longitude_edges))
        return EARTH_RADIUS**2 * np.outer(height, width)

    @property
    def row_height(self) -> float:
        """Mean distance of the rows, m."""
        return float(np.radians(np.abs(np.diff(self.latitude)).mean())) * EARTH_RADIUS

    @property
    def extent(self) -> float:
        """The longer side, along a meridian or the row that is nearest to the equator, m."""
        height = self.row_height * self.latitude.size
        widest = float(np.cos(np.radians(np.abs(self.latitude).min())))
        return max(height, float(np.radians(np.ptp(self.longitude_edges))) * EARTH_RADIUS * widest)

    @property
    def n_scales(self) -> int:
        """Scales of a transform whose coarsest holds the waves longer than `LONGEST_WAVE`, or than the region.

        The shortest waves of a scale are half as long as those of the next coarser one; those of the coarsest have
        `coarsest_wave` pixels. Of a region counts the longer side, up to twice the shorter one.
        """
        wanted = min(LONGEST_WAVE / self.row_height, max(self.shape), 2 * min(self.shape))
        return next(n for n in itertools.count(2) if coarsest_wave(n) >= wanted)

    def transform_shape(self, n_scales: int | None = None) -> tuple[int, int]:
        """Shape of the periodic array that the image is embedded in for the transform.

        A global image is its own periodic array if it has the 32 rows and columns that the transform needs. Along a
        direction that is not closed the image is followed by half its own length of zeros, so that the array's wrap
        does not join its two ends, and by a few more up to a length with a quick FFT, 32 at least. With ``n_scales`` it
        is followed by its own length of zeros, or by more, so that the array has room for two waves of the coarsest
        scale, up to four times the image.
        """
        ny, nx = self.shape
        return (
            ny if self.is_global and ny >= SMALLEST else _open_length(ny, n_scales),
            nx if self.is_periodic and nx >= SMALLEST else _open_length(nx, n_scales),
        )


def global_grid(shape: tuple[int, int]) -> Grid:
    """Equal steps of latitude and longitude, rows from north to south and columns from 180 W to 180 E."""
    ny, nx = shape
    latitude = 90.0 - (np.arange(ny, dtype=np.float64) + 0.5) * 180.0 / ny
    longitude = -180.0 + (np.arange(nx, dtype=np.float64) + 0.5) * 360.0 / nx
    return Grid(latitude, longitude)


def embed(image: npt.NDArray[Number], shape: tuple[int, int]) -> npt.NDArray[Number]:
    """The image in the top left corner of an array of zeros of the given shape."""
    padded = np.zeros(shape, dtype=image.dtype)
    padded[: image.shape[0], : image.shape[1]] = image
    return padded


def coarsest_wave(n_scales: int) -> int:
    """Pixels of the shortest waves that the coarsest of so many scales of a curvelet transform holds."""
    return int(3 * 2 ** (n_scales - 2))


def _open_length(n: int, n_scales: int | None) -> int:
    if n_scales is None:
        length = n + (n + 1) // 2
    else:
        longest = min(n_scales, n.bit_length() + 2)  # whose waves are longer than four times the image
        length = max(2 * n, min(2 * coarsest_wave(longest), 4 * n))
    return fast_length(max(SMALLEST, length))


def fast_length(least: int) -> int:
    """The least length, from a given one on, that has no prime factor above 5: FFTs of such lengths are fast."""
    length = least
    # A divisor of a power of 30. SciPy has a function for this, and takes longer to load than an analysis to compute.
    while pow(30, length.bit_length(), length) != 0:
        length += 1
    return length


def which_interval(edges: FloatArray, points: FloatArray) -> IntArray:
    """Number of the interval between edges (n + 1,) that holds each point; -1 outside, and of NaN.

    A point on an edge is in the interval above it, on the highest edge in the last one. Edges ascend or descend.
    """
    if edges[0] > edges[-1]:
        mirrored = which_interval(edges[::-1], points)
        return np.where(mirrored < 0, -1, edges.size - 2 - mirrored)
    interval = np.minimum(np.searchsorted(edges, points, side="right") - 1, edges.size - 2)
    return np.where((points >= edges[0]) & (points <= edges[-1]), interval, -1)


def cell_edges(centres: FloatArray) -> FloatArray:
    """Midpoints of the centres (n,), and at the ends as far beyond them, (n + 1,)."""
    middle = 0.5 * (centres[1:] + centres[:-1])
    first = centres[0] - (middle[0] - centres[0])
    last = centres[-1] + (centres[-1] - middle[-1])
    return np.concatenate([[first], middle, [last]])
