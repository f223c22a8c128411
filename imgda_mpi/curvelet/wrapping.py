"""Moving frequencies between the half spectrum of a real image and the boxes of wedges.

A wedge crosses a row of the spectrum in one stretch, and wrapping it onto its box cuts that into two at most. So a
table of stretches (*segments*) says what goes where, and one compiled loop over contiguous numbers moves it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imgda_mpi.arrays import IntArray, Values
from imgda_mpi.compiled import compiled
from imgda_mpi.curvelet.geometry import Geometry
from imgda_mpi.curvelet.layout import Wedge
from imgda_mpi.curvelet.windows import WedgeWindows, window
from imgda_mpi.fourier import ComplexValues, padded_boxes, padded_size, padded_spectrum


@dataclass(frozen=True)
class Segments:
    """What lies where in the boxes of neighbouring complex wedges.

    Attributes
    ----------
    table : (n_segments, 5) unsigned array
        Of each segment, by its place: first place in the boxes, length, first weight, first place in the flat half
        spectrum, and 1 where the spectrum holds the conjugates, backwards.
    weight : (n_weights,) array
        Window divided by the norm of the two FFTs.
    """

    table: IntArray
    weight: Values


def segments_of(geometry: Geometry, wedges: Sequence[Wedge], windows: WedgeWindows, dtype: np.dtype[Any]) -> Segments:
    """Segments of complex wedges whose padded boxes follow each other; ValueError where one would hold no frequency."""
    tables: list[IntArray] = [np.empty((0, 5), np.uint64)]
    weights: list[Values] = [np.empty(0, dtype)]
    offset, n_weights = 0, 0
    for wedge in wedges:
        table, weight = _wedge_segments(geometry, wedge, windows)
        table += np.array([offset, 0, n_weights, 0, 0], np.uint64)
        tables.append(table)
        weights.append(weight.astype(dtype))
        offset += padded_size(wedge.shape)
        n_weights += weight.size
    table = np.concatenate(tables)
    return Segments(table[np.argsort(table[:, 0])], np.concatenate(weights))


def coarse_segments(geometry: Geometry, wedge: Wedge, dtype: np.dtype[Any]) -> Segments:
    """Segments between the half spectrum of the image and that of the coarsest scale: one for each row."""
    low = window(geometry, 1, 1)
    half = low.columns >= 0
    norm = math.sqrt(math.prod(geometry.shape) * math.prod(wedge.shape))
    weight = (low.weight[:, half] / norm).astype(dtype)
    (n1, here), (ny, there) = padded_spectrum(wedge.shape), padded_spectrum(geometry.shape)
    n_rows, length = weight.shape
    first = np.arange(n_rows) * length
    table = np.stack([low.rows % n1 * here, 0 * first + length, first, low.rows % ny * there, 0 * first], axis=1)
    return Segments(table[np.argsort(table[:, 0])].astype(np.uint64), weight.ravel())


def _wedge_segments(geometry: Geometry, wedge: Wedge, windows: WedgeWindows) -> tuple[IntArray, Values]:
    """Table and weights of one wedge, places counted from its own box."""
    k1, k2, weight = windows.of(wedge.scale, wedge.number)
    if not weight.size:
        raise ValueError(
            f"n_scales={geometry.n_scales}, n_angles={geometry.n_angles}: wedge {wedge.number} of scale {wedge.scale} "
            "holds no frequency; take fewer"
        )
    (n1, n2), (ny, nx) = wedge.shape, geometry.shape
    # By column: where it lies in the box and in the image, and whether a segment may go on from the column before.
    every = np.arange(k2.min(), k2.max() + 1)
    there, here = every % nx, every % n2
    mirrored = there > nx // 2
    breaks = np.ones(every.size, dtype=bool)
    breaks[1:] = (np.diff(here) != 1) | (np.diff(there) != 1) | np.diff(mirrored)
    column = k2 - every[0]
    starts = np.flatnonzero((np.diff(k1, prepend=k1[0] - 1) != 0) | (np.diff(k2, prepend=k2[0]) != 1) | breaks[column])
    row, column = k1[starts], column[starts]
    backward = mirrored[column]
    source_row = np.where(backward, -row, row) % ny
    source_column = np.where(backward, nx - there[column], there[column])
    table = np.stack(
        [
            row % n1 * padded_boxes(wedge.shape)[1] + here[column],
            np.diff(starts, append=k1.size),
            starts,
            source_row * padded_spectrum(geometry.shape)[1] + source_column,
            backward,
        ],
        axis=1,
    )
    return table.astype(np.uint64), weight / math.sqrt(ny * nx * n1 * n2)


@compiled
def gather(spectrum: ComplexValues, table: IntArray, weight: Values, boxes: ComplexValues) -> None:
    """Fill boxes (n,) with the weighted frequencies of a flat half spectrum, and with zeros between the segments.

    ``table`` and ``weight`` are those of :class:`Segments`.
    """
    filled = np.uint64(0)
    for s in range(table.shape[0]):
        place, length, w, source, backward = table[s]
        for k in range(filled, place):
            boxes[np.uint64(k)] = 0
        for k in range(length):
            i = np.uint64(k)
            x = weight[w + i]
            z = spectrum[source - i] if backward else spectrum[source + i]
            boxes[place + i] = complex(x * z.real, -x * z.imag if backward else x * z.imag)
        filled = place + length
    for k in range(filled, boxes.size):
        boxes[np.uint64(k)] = 0


@compiled
def scatter(boxes: ComplexValues, table: IntArray, weight: Values, spectrum: ComplexValues) -> None:
    """Add the weighted frequencies of boxes (n,) to a flat half spectrum: the adjoint of :func:`gather`."""
    for s in range(table.shape[0]):
        place, length, w, source, backward = table[s]
        for k in range(length):
            i = np.uint64(k)
            x, z = weight[w + i], boxes[place + i]
            if backward:
                spectrum[source - i] += complex(x * z.real, -x * z.imag)
            else:
                spectrum[source + i] += complex(x * z.real, x * z.imag)


@compiled
def high_pass(
    spectrum: ComplexValues, low_rows: Values, low_columns: Values, norm: Values, first: int, last: int
) -> None:
    """Multiply columns ``first:last`` of a half spectrum by what a low pass leaves over, sqrt(1 - low^2), and a norm.

    The spectrum (ny, nx // 2 + 1 or more) is changed in place. The low pass is a product over the two axes of (ny,) and
    (nx // 2 + 1,) arrays; the norm has a number for each column too.
    """
    columns, factor = low_columns[first:last], norm[first:last]
    for i in range(low_rows.size):
        row = spectrum[i, first:last]
        for j in range(columns.size):
            low = low_rows[i] * columns[j]
            weight = np.sqrt(1 - low * low) * factor[j]
            row[j] = complex(row[j].real * weight, row[j].imag * weight)


@compiled
def squares_product(values: Values, table: IntArray, weight: Values) -> float:
    """Sum over a wedge's frequencies of its squared weights times the values of a flat half spectrum."""
    total = 0.0
    for s in range(table.shape[0]):
        _, length, w, source, backward = table[s]
        for k in range(length):
            i = np.uint64(k)
            x = np.float64(weight[w + i])
            total += x * x * (values[source - i] if backward else values[source + i])
    return total


@compiled
def add_squares(factor: float, table: IntArray, weight: Values, values: Values) -> None:
    """Add a wedge's squared weights times a factor to the values of a flat half spectrum."""
    for s in range(table.shape[0]):
        _, length, w, source, backward = table[s]
        for k in range(length):
            i = np.uint64(k)
            x = np.float64(weight[w + i])
            if backward:
                values[source - i] += factor * x * x
            else:
                values[source + i] += factor * x * x
