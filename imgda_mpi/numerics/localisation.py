"""Correlations that fall off with the distance on the sphere, and images multiplied by their matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.fft

from imgda_mpi.arrays import FloatArray
from imgda_mpi.grid import EARTH_RADIUS, Grid, fast_length
from imgda_mpi.sparse import csr_array, eye_array

NEGLIGIBLE = 1e-10  # of the largest: zonal waves that the correlation does not have

STEPS_PER_LENGTH = 4
"""Coarse rows and columns in a length: correlations are wrong by up to 0.0025 then, less with its third power."""

LONGEST_STEP = 1.40625  # degrees, of coarse rows and columns: less than 20 MB; grids as coarse as that are left alone

NEAREST = 6  # coarse rows or columns that one is estimated from: more are no better

ROWS_PER_BLOCK = 128  # of the matrices of the waves: smaller blocks hold fewer zeros, larger ones multiply faster


def gaspari_cohn(distance: FloatArray) -> FloatArray:
    """Correlation that is 1 at distance 0 and 0 from distance 2 on, in units of its length.

    Notes
    -----
    Gaspari and Cohn (1999), Q. J. R. Meteorol. Soc. 125, 723, eq. 4.10.

    >>> gaspari_cohn(np.array([0.0, 1.0, 2.0, 3.0])).round(4).tolist()
    [1.0, 0.2083, 0.0, 0.0]
    """
    z = np.minimum(distance, 2.0)
    near = 1 - z**2 * (5 / 3 - z * (5 / 8 + z * (1 / 2 - z / 4)))
    far = 4 - z * (5 - z * (5 / 3 + z * (5 / 8 - z * (1 / 2 - z / 12)))) - 2 / (3 * np.maximum(z, 1.0))
    return np.where(z <= 1, near, np.where(z < 2, np.maximum(far, 0.0), 0.0))


def chord(grid: Grid) -> FloatArray:
    """Position of each cell on the sphere, (ny, nx, 3) m: distances are straight lines through the Earth.

    With them the correlation is that of three-dimensional space, where it is known to be positive definite. Up to
    2000 km they are shorter by less than half a percent than those along the surface.
    """
    latitude, longitude = np.meshgrid(np.radians(grid.latitude), np.radians(grid.longitude), indexing="ij")
    circle = np.cos(latitude)
    return EARTH_RADIUS * np.stack([circle * np.cos(longitude), circle * np.sin(longitude), np.sin(latitude)], axis=-1)


class WaveBlock(NamedTuple):
    """Some rows of the matrices of all zonal waves, zeros far from the diagonal left out.

    ``matrices`` (n_waves, n_rows, n_near) give these ``rows`` from those that are ``near`` to them.
    """

    rows: slice
    near: slice
    matrices: FloatArray


class Localisation:
    """The matrix L of correlations between the cells of a grid, applied to images.

    L is D W L_c W^T D. L_c has the exact correlations of a coarse grid, W estimates each row and each column from the
    `NEAREST` coarse ones (simple kriging along a meridian and along the widest row), and D makes the diagonal 1: so L
    has no negative direction. With `STEPS_PER_LENGTH` coarse steps in the length its elements are those of the exact
    matrix within 0.0025, near the poles and at the borders of a region too. From 625 km on, where the steps are as long
    as they get, the difference falls off with the third power of the length: 0.0006 at 1000 km, 0.0002 at 1800 km. A
    grid that is about as coarse as the coarse one, as all up to 128 x 256, takes its place: there L is exact.

    Along a row the correlation depends on the difference of longitudes alone, so that L_c is a product in the space of
    zonal waves: one matrix of rows by rows for each wave, of which the rows within twice the length are kept. On a
    global grid that takes at most 20 MB from 625 km on, and some 6 MB (1000 km / length)^2 below: 0.15 GB at 200 km.
    Roots are whole: as much again for long lengths, 0.53 GB at 200 km, kept from the first call of `root` on.

    Parameters
    ----------
    grid : Grid
        Its columns must be equally spaced.
    length : float
        Of the `gaspari_cohn` correlation, m: 0.21 there, 0 from twice the length on.

    Raises
    ------
    ValueError
        Where the columns are not equally spaced, or the length is not above 0.

    Notes
    -----
    Estimates from the values at fewer places, as those of predictive processes: Banerjee et al. (2008), J. R. Stat.
    Soc. B 70, 825.
    """

    def __init__(self, grid: Grid, length: float) -> None:
        if not grid.has_equal_columns:
            raise ValueError("columns must be equally spaced in longitude")
        if not length > 0:
            raise ValueError(f"length={length}: needs a length above 0 m")
        self._length = length
        step = min(float(np.degrees(length / STEPS_PER_LENGTH / EARTH_RADIUS)), LONGEST_STEP)
        latitude, longitude = _coarse_rows(grid.latitude, step), _coarse_columns(grid, step)
        self._latitude, self._n_columns = np.radians(latitude), longitude.size
        self._is_coarse = latitude is grid.latitude and longitude is grid.longitude
        # Without an end to end zeros keep the two borders of a region from meeting.
        closed = grid.is_periodic or longitude is not grid.longitude
        self._period = self._n_columns if closed else fast_length(2 * self._n_columns)
        turn = np.arange(self._period)
        self._separation = np.radians(np.diff(longitude).mean()) * np.minimum(turn, self._period - turn)
        widest = float(np.cos(self._latitude).max())
        self._rows = self._estimates(grid.latitude, latitude, 1.0)
        self._columns = self._estimates(grid.longitude, longitude, widest)
        self._scale = 1 / np.sqrt(self._variance())
        self._blocks = self._wave_blocks()

    def apply(self, images: FloatArray) -> FloatArray:
        """L times each image, (n, ny, nx)."""
        return self._refined(self._product(self._blocks, self._gathered(images)))

    @property
    def noise_shape(self) -> tuple[int, int]:
        """Shape of the white images for `root`: the coarse grid's, of a region with more columns than it has."""
        return self._latitude.size, self._period

    def root(self, white: FloatArray) -> FloatArray:
        """Noise with the correlations L, (n, ny, nx), from white noise, (n, *noise_shape): D W times a root of L_c."""
        return self._refined(self._product(self._roots, white))

    @cached_property
    def _roots(self) -> list[WaveBlock]:
        """Symmetric roots of the matrices of the zonal waves: only who draws samples needs them."""
        n_rows, every = self._latitude.size, slice(0, self._latitude.size)
        roots = np.zeros((self._blocks[0].matrices.shape[0], n_rows, n_rows))
        for rows, near, matrices in self._blocks:
            roots[:, rows, near] = matrices
        for wave, matrix in enumerate(roots):
            values, vectors = np.linalg.eigh(matrix)
            # On a coarse region the closed array has correlations that are not quite positive definite.
            roots[wave] = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        return [WaveBlock(every, every, roots)]

    def _correlation(self, row: int, others: slice, separation: FloatArray) -> FloatArray:
        """Of a coarse row with others at separations in longitude, (n_others, n_separations)."""
        latitude = self._latitude[others]
        across = np.sin((latitude - self._latitude[row]) / 2) ** 2
        along = np.cos(self._latitude[row]) * np.cos(latitude)
        square = across[:, None] + along[:, None] * np.sin(separation / 2) ** 2
        distance = 2 * EARTH_RADIUS * np.sqrt(np.maximum(square, 0.0))
        return gaspari_cohn(distance / self._length)

    def _estimates(self, axis: FloatArray, coarse: FloatArray, circle: float) -> csr_array:
        """Weights of the coarse rows or columns in the best linear estimates of all, (n, n_coarse).

        A ``circle`` of 1 is as long as the equator.
        """
        if coarse is axis:
            return eye_array(axis.size, format="csr")
        step = coarse[1] - coarse[0]
        position = (axis - coarse[0]) / step
        nodes = np.floor(position).astype(int)[:, None] + np.arange(1 - NEAREST // 2, 1 + NEAREST // 2)

        def correlation(steps: FloatArray) -> FloatArray:
            return gaspari_cohn(2 * EARTH_RADIUS * circle * np.abs(np.sin(np.radians(step * steps) / 2)) / self._length)

        between = np.arange(float(NEAREST))
        weights = np.linalg.solve(correlation(between[:, None] - between), correlation((position[:, None] - nodes).T)).T
        ends = NEAREST * np.arange(axis.size + 1)
        return csr_array((weights.ravel(), (nodes % coarse.size).ravel(), ends), shape=(axis.size, coarse.size))

    def _variance(self) -> FloatArray:
        """Diagonal of W L_c W^T, (ny, nx): what the estimates of the cells have of their variance 1."""
        # The columns that one is estimated from are neighbours: only how far they are apart counts.
        weights = self._columns.data.reshape(self._columns.shape[0], -1)
        size, every = weights.shape[1], slice(None)
        along = [(2 if lag else 1) * (weights[:, : size - lag] * weights[:, lag:]).sum(axis=1) for lag in range(size)]
        separation = self._separation[1] * np.arange(size)
        coarse = np.stack([self._correlation(row, every, separation) for row in range(self._latitude.size)])
        across = [self._rows.multiply(self._rows @ coarse[:, :, lag]).sum(axis=1) for lag in range(size)]
        return np.asarray(np.stack(across, axis=1) @ np.stack(along))

    def _wave_blocks(self) -> list[WaveBlock]:
        """The matrices of the zonal waves of L_c, in blocks of rows."""

        def waves_of(row: int, others: slice) -> FloatArray:
            """Zonal waves of the correlations of a row with others, (n_others, n_waves)."""
            return np.asarray(scipy.fft.rfft(self._correlation(row, others, self._separation), axis=1).real)

        # Where a degree of longitude is longest the correlation is narrowest, and has the most waves.
        n_rows, equator = self._latitude.size, int(np.abs(self._latitude).argmin())
        size = np.abs(waves_of(equator, slice(equator, equator + 1))[0])
        n_waves = int(np.flatnonzero(size > NEGLIGIBLE * size.max())[-1]) + 1
        blocks = []
        edges = np.linspace(0, n_rows, -(-n_rows // ROWS_PER_BLOCK) + 1).astype(int)
        for first, last in pairwise(edges.tolist()):
            folded = np.arcsin(np.sin(self._latitude))
            south, north = folded[first:last].min(), folded[first:last].max()
            apart = np.maximum(np.maximum(south - folded, folded - north), 0.0)
            reached = np.flatnonzero(EARTH_RADIUS * np.sin(apart / 2) < self._length)
            rows, near = slice(first, last), slice(int(reached[0]), int(reached[-1]) + 1)
            matrices = np.empty((n_waves, last - first, near.stop - near.start))
            for row in range(first, last):
                matrices[:, row - first, :] = waves_of(row, near)[:, :n_waves].T
            blocks.append(WaveBlock(rows, near, matrices))
        return blocks

    def _product(self, blocks: Sequence[WaveBlock], images: FloatArray) -> FloatArray:
        """Matrices of the zonal waves times images on the coarse grid."""
        n, n_waves = images.shape[0], blocks[0].matrices.shape[0]
        spectra = scipy.fft.rfft(images, n=self._period, axis=2)
        # (waves, rows, n): real matrices times complex columns, as real columns side by side.
        columns = np.moveaxis(spectra[:, :, :n_waves], (0, 1, 2), (2, 1, 0))
        columns = np.concatenate([columns.real, columns.imag], axis=2)
        product = np.concatenate([block.matrices @ columns[:, block.near] for block in blocks], axis=1)
        spectra[...] = 0
        spectra[:, :, :n_waves] = np.moveaxis(product[:, :, :n] + 1j * product[:, :, n:], (0, 1, 2), (2, 1, 0))
        return np.asarray(scipy.fft.irfft(spectra, n=self._period, axis=2)[:, :, : self._n_columns])

    def _gathered(self, images: FloatArray) -> FloatArray:
        """W^T D times images, (n, ny, nx): on the coarse grid."""
        if self._is_coarse:
            return images
        rows = self._rows.T
        return np.stack([rows @ (self._scale * image) @ self._columns for image in images])

    def _refined(self, coarse: FloatArray) -> FloatArray:
        """D W times images on the coarse grid, (n, ny, nx)."""
        if self._is_coarse:
            return coarse
        images = np.empty((coarse.shape[0], *self._scale.shape))
        for image, values in zip(images, coarse, strict=True):
            image[...] = self._scale * (self._rows @ (values @ self._columns.T))
        return images


def _coarse_rows(latitude: FloatArray, step: float) -> FloatArray:
    """Equally spaced latitudes from before the first to behind the last, degrees; those given where they are no more.

    Some may lie beyond a pole: they are places on its other side, and as good as others.
    """
    n, beyond = math.ceil(float(np.ptp(latitude)) / step) + 1, NEAREST // 2
    if n + 2 * beyond >= latitude.size:
        return latitude
    rows: FloatArray = latitude[0] + (latitude[-1] - latitude[0]) / (n - 1) * np.arange(-beyond, n + beyond)
    return rows


def _coarse_columns(grid: Grid, step: float) -> FloatArray:
    """Equally spaced longitudes around the globe, degrees; those of the grid where it would need no less of them."""
    around = math.ceil(360.0 / step)
    needed = around if grid.is_periodic else math.ceil(float(np.ptp(grid.longitude)) / step) + 1 + NEAREST
    if needed >= grid.longitude.size:
        return grid.longitude
    columns: FloatArray = grid.longitude[0] + 360.0 / around * np.arange(around)
    return columns
