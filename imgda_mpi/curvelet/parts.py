"""The parts of the transform: between the half spectrum of an image and the coefficients of one chunk of wedges.

Every part adds its share to a spectrum and leaves out one half of it in the columns that are their own conjugate, where
the opposite frequencies come in later: see `CurveletTransform.to_image`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Protocol

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray, Values
from imgda_mpi.curvelet.geometry import Geometry
from imgda_mpi.curvelet.layout import Chunk, Layout, Wedge
from imgda_mpi.curvelet.windows import WedgeWindows, low_pass
from imgda_mpi.curvelet.wrapping import (
    Segments,
    add_squares,
    coarse_segments,
    gather,
    high_pass,
    scatter,
    segments_of,
    squares_product,
)
from imgda_mpi.fourier import (
    BoxFourier,
    ComplexValues,
    Planner,
    RealFourier,
    aligned,
    empty,
    padded_size,
    place_for,
    real_fourier,
)


class Part(Protocol):
    """Coefficients of one chunk; both methods as in `CurveletTransform`."""

    def to_coefficients(self, spectrum: ComplexValues, values: Values) -> None:
        """Coefficients from a half spectrum."""

    def from_coefficients(self, values: Values, spectrum: ComplexValues) -> None:
        """Add coefficients to a half spectrum."""

    def squares_products(self, values: FloatArray) -> list[float]:
        """Of each wedge the sum of its squared window times the values of a half spectrum."""

    def add_squares(self, factors: FloatArray, values: FloatArray) -> None:
        """Add the squared windows of the wedges, each times its factor, to the values of a half spectrum."""


def parts_of(
    geometry: Geometry, layout: Layout, dtype: np.dtype[Any], image: RealFourier, planner: Planner
) -> list[Part]:
    """A part for each chunk, ``image`` being the FFTs of the whole image."""
    # Places to work that all of them share stay in the cache.
    n_padded = max(
        sum(padded_size(wedge.shape) for wedge in chunk.wedges if not wedge.is_real) for chunk in layout.chunks
    )
    padded, *work = empty((3, n_padded), np.result_type(dtype, np.complex64))
    windows = WedgeWindows(geometry)
    return [
        FinestWavelets(geometry, dtype, image)
        if chunk.wedges[0].is_real and chunk.wedges[0].scale > 1
        else CoarseAndWedges(geometry, chunk, windows, dtype, planner, padded, work)
        for chunk in layout.chunks
    ]


class CoarseAndWedges:
    """Complex wedges, and before them the coarsest scale where the chunk begins with it."""

    def __init__(
        self,
        geometry: Geometry,
        chunk: Chunk,
        windows: WedgeWindows,
        dtype: np.dtype[Any],
        planner: Planner,
        padded: ComplexValues,
        work: Sequence[ComplexValues],
    ) -> None:
        self._coarse = Coarse(geometry, chunk.wedges[0], dtype, planner) if chunk.wedges[0].is_real else None
        wedges = [wedge for wedge in chunk.wedges if not wedge.is_real]
        self._first = chunk.wedges[0].stop - chunk.start if self._coarse else 0
        self._dtype, self._complex = dtype, np.result_type(dtype, np.complex64)
        self._segments = segments_of(geometry, wedges, windows, dtype)
        # Segments lie in the order of their boxes.
        ends = np.cumsum([padded_size(wedge.shape) for wedge in wedges])
        bounds = np.searchsorted(self._segments.table[:, 0], [0, *ends])
        self._of_wedges = [
            (Segments(self._segments.table[first:last], self._segments.weight), _square_norm(geometry, wedge))
            for wedge, first, last in zip(wedges, bounds[:-1], bounds[1:], strict=True)
        ]
        self._padded = padded[: sum(padded_size(wedge.shape) for wedge in wedges)]
        # Neighbours of one shape go through one plan.
        self._fourier: list[tuple[slice, BoxFourier]] = []
        first, first_padded = 0, 0
        for shape, group in groupby(wedge.shape for wedge in wedges):
            boxes = (len(list(group)), *shape)
            fourier = BoxFourier(boxes, padded[first_padded:], work, planner)
            self._fourier.append((slice(first, first + math.prod(boxes)), fourier))
            first, first_padded = first + math.prod(boxes), first_padded + padded_size(boxes)

    def to_coefficients(self, spectrum: ComplexValues, values: Values) -> None:
        """Coefficients from a half spectrum."""
        if self._coarse:
            self._coarse.to_coefficients(spectrum, values[: self._first])
        with place_for(values[self._first :]) as place:
            gather(spectrum.reshape(-1), self._segments.table, self._segments.weight, self._padded)
            boxes = place.view(self._complex)
            for part, fourier in self._fourier:
                fourier.from_padded(boxes[part])

    def from_coefficients(self, values: Values, spectrum: ComplexValues) -> None:
        """Add coefficients to a half spectrum."""
        if self._coarse:
            self._coarse.from_coefficients(values[: self._first], spectrum)
        boxes = aligned(values[self._first :], self._dtype).view(self._complex)
        for part, fourier in self._fourier:
            fourier.to_padded(boxes[part])
        scatter(self._padded, self._segments.table, self._segments.weight, spectrum.reshape(-1))

    def squares_products(self, values: FloatArray) -> list[float]:
        """Of each wedge the sum of its squared window times the values of a half spectrum."""
        of_wedges = [
            norm * squares_product(values.reshape(-1), segments.table, segments.weight)
            for segments, norm in self._of_wedges
        ]
        return [*(self._coarse.squares_products(values) if self._coarse else []), *of_wedges]

    def add_squares(self, factors: FloatArray, values: FloatArray) -> None:
        """Add the squared windows of the wedges, each times its factor, to the values of a half spectrum."""
        if self._coarse:
            self._coarse.add_squares(factors[:1], values)
        for factor, (segments, norm) in zip(factors[1 if self._coarse else 0 :], self._of_wedges, strict=True):
            add_squares(factor * norm, segments.table, segments.weight, values.reshape(-1))


class Coarse:
    """The coarsest scale, one real array."""

    def __init__(self, geometry: Geometry, wedge: Wedge, dtype: np.dtype[Any], planner: Planner) -> None:
        self._fourier = real_fourier(wedge.shape, dtype, planner)
        self._spectrum = self._fourier.spectrum
        self._shape = wedge.shape
        self._dtype = dtype
        self._segments = coarse_segments(geometry, wedge, dtype)
        columns = np.arange(self._segments.weight.size) % int(self._segments.table[0, 1])
        shares = _shares(geometry.shape, columns)
        self._share = self._segments.weight * shares.astype(dtype)
        self._squares = Segments(self._segments.table, self._segments.weight * np.sqrt(shares))
        self._norm = _square_norm(geometry, wedge)

    def to_coefficients(self, spectrum: ComplexValues, values: Values) -> None:
        """Coefficients from a half spectrum."""
        gather(spectrum.reshape(-1), self._segments.table, self._segments.weight, self._spectrum.reshape(-1))
        with place_for(values) as place:
            self._fourier.to_image(self._spectrum, place.reshape(self._shape))

    def from_coefficients(self, values: Values, spectrum: ComplexValues) -> None:
        """Add coefficients to a half spectrum."""
        self._fourier.to_spectrum(aligned(values.reshape(self._shape), self._dtype), self._spectrum)
        scatter(self._spectrum.reshape(-1), self._segments.table, self._share, spectrum.reshape(-1))

    def squares_products(self, values: FloatArray) -> list[float]:
        """See `Part`."""
        return [self._norm * squares_product(values.reshape(-1), self._squares.table, self._squares.weight)]

    def add_squares(self, factors: FloatArray, values: FloatArray) -> None:
        """See `Part`."""
        add_squares(self._norm * factors[0], self._squares.table, self._squares.weight, values.reshape(-1))


class FinestWavelets:
    """The finest scale as one real array: what the low pass of the level below leaves over."""

    def __init__(self, geometry: Geometry, dtype: np.dtype[Any], image: RealFourier) -> None:
        (ny, nx), level = geometry.shape, geometry.n_scales - 1
        self._image, self._shape, self._dtype = image, geometry.shape, dtype
        row, column = np.arange(ny), np.arange(nx // 2 + 1)
        frequencies = ((0, np.minimum(row, ny - row)), (1, column))
        self._low_rows, self._low_columns = (
            low_pass(geometry, level, axis, k).astype(dtype) for axis, k in frequencies
        )
        self._norm = np.full(column.size, 1 / (ny * nx), dtype)
        self._shares = _shares(geometry.shape, column)
        self._share = self._norm * self._shares.astype(dtype)

    def to_coefficients(self, spectrum: ComplexValues, values: Values) -> None:
        """Coefficients from a half spectrum."""

        def weigh(columns: slice) -> None:
            high_pass(spectrum, self._low_rows, self._low_columns, self._norm, columns.start, columns.stop)

        with place_for(values) as place:
            self._image.to_image(spectrum, place.reshape(self._shape), weigh)

    def from_coefficients(self, values: Values, spectrum: ComplexValues) -> None:
        """Set the spectrum, which holds nothing yet: this part comes first."""
        self._image.to_spectrum(aligned(values.reshape(self._shape), self._dtype), spectrum)
        high_pass(spectrum, self._low_rows, self._low_columns, self._share, 0, self._share.size)

    def squares_products(self, values: FloatArray) -> list[float]:
        """See `Part`."""
        used = values[:, : self._shares.size]
        low = np.square(self._low_rows) @ used @ (self._shares * np.square(self._low_columns))
        return [float(np.sum(used @ self._shares) - low)]

    def add_squares(self, factors: FloatArray, values: FloatArray) -> None:
        """See `Part`."""
        low = np.outer(np.square(self._low_rows), np.square(self._low_columns))
        values[:, : self._shares.size] += factors[0] * self._shares * (1 - low)


def self_conjugate(shape: tuple[int, int]) -> list[int]:
    """Columns of the half spectrum of a real image that hold both k and -k."""
    return [0] if shape[1] % 2 else [0, shape[1] // 2]


def _square_norm(geometry: Geometry, wedge: Wedge) -> float:
    """What squared weights of segments are multiplied by to be squared windows."""
    return float(math.prod(geometry.shape) * math.prod(wedge.shape))


def _shares(shape: tuple[int, int], columns: IntArray) -> FloatArray:
    """1/2 for the columns of the half spectrum that are their own conjugate, 1 for the others."""
    return np.where(np.isin(columns, self_conjugate(shape)), 0.5, 1.0)
