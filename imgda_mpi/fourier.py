"""FFTs made of one-dimensional passes over blocks that stay in the cache, with plans that can be kept.

A pass over a block of rows or columns takes a plan of its own size: it is quick to measure, and faster than a plan of
the whole array, whose column pass runs through main memory again and again.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import Values
from imgda_mpi.lazy import left_out

with left_out("scipy.fftpack"):  # what pyFFTW would load to offer the same as it
    import pyfftw

ComplexValues = npt.NDArray[np.complexfloating[Any, Any]]

Wisdom = tuple[bytes, bytes, bytes]
"""What FFTW knows of plans it has measured: for double, single and extended precision."""

NO_WISDOM: Wisdom = (b"", b"", b"")

LIBRARY = f"{pyfftw.fftw_version} {pyfftw.__version__}"
"""Versions of FFTW and of what it is called with."""

ALIGNMENT = 64  # bytes: a cache line, and the widest vector
BLOCK = 2**16  # complex numbers in a block: 1 MiB in double precision, a usual second-level cache

PLANS = 2
"""Number of the set of plans that is made here, to be raised with it: what was kept for another set lacks some."""


class Planner:
    """Makes FFTW plans for one thread, in a ``with`` block: estimated, or measured as far as they are not known yet.

    An estimated plan depends on the shape alone. A measured one is much faster on large arrays, but which one wins
    depends on timing, and so do the last bits of what it computes: give the same `wisdom` to get the same plans.

    Parameters
    ----------
    wisdom : Wisdom or None
        Plans that have been measured before, ``NO_WISDOM`` if there are none; None for estimated plans.
    """

    def __init__(self, wisdom: Wisdom | None) -> None:
        self._given = NO_WISDOM if wisdom is None else wisdom
        self._effort = "FFTW_ESTIMATE" if wisdom is None else "FFTW_MEASURE"

    def __enter__(self) -> Planner:
        # FFTW's memory belongs to the process. Emptied, it cannot hand an estimated plan something measured elsewhere;
        # whoever else uses it gets it back.
        self._of_others: Wisdom = pyfftw.export_wisdom()
        _set_wisdom(self._given)
        return self

    def __exit__(self, *_: object) -> None:
        _set_wisdom(self._of_others)

    def plan(
        self,
        source: Values | ComplexValues,
        target: Values | ComplexValues,
        axes: tuple[int, ...],
        direction: str,
        is_aligned: bool = True,
    ) -> Any:
        """A plan between two arrays, whose contents are lost, or others with the same strides.

        A backward plan may overwrite what it starts from. Without ``is_aligned`` arrays may start anywhere, otherwise
        on 16 bytes, which makes faster plans.
        """
        # What a forward plan starts from is the caller's.
        may_destroy = () if direction == "FORWARD" else ("FFTW_DESTROY_INPUT",)
        flags = (self._effort, *may_destroy, *(() if is_aligned else ("FFTW_UNALIGNED",)))
        return pyfftw.FFTW(source, target, axes=axes, direction=f"FFTW_{direction}", flags=flags, threads=1)

    def wisdom(self) -> Wisdom:
        """All that is known after the plans were made."""
        known: Wisdom = pyfftw.export_wisdom()
        return known


def _set_wisdom(wisdom: Wisdom) -> None:
    pyfftw.forget_wisdom()
    if wisdom != NO_WISDOM:
        pyfftw.import_wisdom(wisdom)


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Any:
    """Uninitialised array that starts on a cache line."""
    return pyfftw.empty_aligned(shape, dtype, n=ALIGNMENT)


def aligned(values: Values, dtype: np.dtype[Any]) -> Values:
    """The values as a contiguous array that plans accept, copied only where they are not one."""
    values = np.ascontiguousarray(values, dtype)
    if is_aligned(values):
        return values
    copied: Values = empty(values.shape, dtype)
    copied[...] = values
    return copied


@contextmanager
def place_for(values: Values) -> Iterator[Values]:
    """An array of this shape that plans write into: the one given, or where it is not aligned one that it then gets."""
    place = values if is_aligned(values) else empty(values.shape, values.dtype)
    yield place
    if place is not values:
        values[...] = place


def is_aligned(values: Values) -> bool:
    """Whether plans, which use the vector instructions, accept the array's address."""
    return bool(pyfftw.is_byte_aligned(values, n=16))


class RealFourier(ABC):
    """Unnormalised FFTs between a real array (ny, nx) and its half spectrum.

    Attributes
    ----------
    spectrum : a place for a half spectrum, as of `empty_spectrum`, that only its owner writes to
    """

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self._shape, self._dtype = shape, dtype
        self._n_columns = shape[1] // 2 + 1
        self.spectrum = self.empty_spectrum()
        self._has_aligned_rows = shape[1] * dtype.itemsize % 16 == 0

    def empty_spectrum(self) -> ComplexValues:
        """Uninitialised array for a half spectrum: columns 0 to nx // 2, and a few unused ones to fill cache lines."""
        shape, dtype = padded_spectrum(self._shape), np.result_type(self._dtype, np.complex64)
        spectrum: ComplexValues = empty(shape, dtype)
        return spectrum

    @abstractmethod
    def to_spectrum(self, image: Values, spectrum: ComplexValues) -> None:
        """Half spectrum of an image."""

    @abstractmethod
    def to_image(self, spectrum: ComplexValues, image: Values, weigh: Weigh | None = None) -> None:
        """Image of a half spectrum, which is overwritten; ``weigh`` changes its columns in place before."""


Weigh = Callable[[slice], None]
"""Changes a slice of columns of a spectrum in place, just before they are transformed."""


def real_fourier(shape: tuple[int, int], dtype: np.dtype[Any], planner: Planner) -> RealFourier:
    """FFTs of real float64 or float32 arrays of one shape: at once where they fit into the cache, else in blocks."""
    kind = SmallRealFourier if shape[0] * (shape[1] // 2 + 1) <= BLOCK else LargeRealFourier
    return kind(shape, dtype, planner)


class SmallRealFourier(RealFourier):
    """Of arrays that fit into the cache: one plan each way."""

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any], planner: Planner) -> None:
        super().__init__(shape, dtype)
        image, spectrum = empty(shape, dtype), self.spectrum[:, : self._n_columns]
        self._to_spectrum = planner.plan(image, spectrum, (0, 1), "FORWARD", self._has_aligned_rows)
        self._to_image = planner.plan(spectrum, image, (0, 1), "BACKWARD", self._has_aligned_rows)

    def to_spectrum(self, image: Values, spectrum: ComplexValues) -> None:
        """Half spectrum of an image."""
        _execute(self._to_spectrum, image, spectrum[:, : self._n_columns])

    def to_image(self, spectrum: ComplexValues, image: Values, weigh: Weigh | None = None) -> None:
        """Image of a half spectrum."""
        if weigh is not None:
            weigh(slice(0, self._n_columns))
        _execute(self._to_image, spectrum[:, : self._n_columns], image)


class LargeRealFourier(RealFourier):
    """Of large arrays: blocks of rows and then of columns go through the cache.

    One plan serves the columns both ways, because the FFT of rows in the order 0, ny - 1, ..., 1 is the inverse FFT.
    """

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any], planner: Planner) -> None:
        super().__init__(shape, dtype)
        spectrum = self.spectrum[:, : self._n_columns]
        ny, n_columns = spectrum.shape
        self._row_blocks = [slice(0, 1), *blocks(1, ny, max(2, BLOCK // n_columns // 2 * 2))]
        self._column_blocks = blocks(0, n_columns, max(8, BLOCK // ny // 8 * 8))
        self._from_rows, self._to_rows, self._columns = {}, {}, {}
        lengths = {length_of(block) for block in self._row_blocks}
        image = empty((1 + max(lengths), shape[1]), dtype)  # as much of one as plans of rows see
        for n in lengths:
            turned = _turned(image, slice(1, 1 + n))
            self._from_rows[n] = planner.plan(turned, spectrum[:n], (1,), "FORWARD", self._has_aligned_rows)
            self._to_rows[n] = planner.plan(spectrum[:n], image[:n], (1,), "BACKWARD", self._has_aligned_rows)
        for n in {length_of(block) for block in self._column_blocks}:
            self._columns[n] = planner.plan(spectrum[:, :n], spectrum[:, :n], (0,), "BACKWARD")

    def to_spectrum(self, image: Values, spectrum: ComplexValues) -> None:
        """Half spectrum of an image."""
        for block in self._row_blocks:
            _execute(self._from_rows[length_of(block)], _turned(image, block), spectrum[block, : self._n_columns])
        for block in self._column_blocks:
            _execute(self._columns[length_of(block)], spectrum[:, block], spectrum[:, block])

    def to_image(self, spectrum: ComplexValues, image: Values, weigh: Weigh | None = None) -> None:
        """Image of a half spectrum."""
        for block in self._column_blocks:
            if weigh is not None:
                weigh(block)
            _execute(self._columns[length_of(block)], spectrum[:, block], spectrum[:, block])
        for block in self._row_blocks:
            _execute(self._to_rows[length_of(block)], spectrum[block, : self._n_columns], image[block])


class BlockPasses:
    """Unnormalised FFTs between blocks of rows or columns of an image and of its half spectrum.

    For arrays that lie on several ranks: what a call gives is overwritten by the next one of its kind and size. Plans,
    for an image (ny, nx) of float64 or float32 and the sizes of its blocks, are estimated, so that they depend on these
    alone.
    """

    def __init__(
        self, shape: tuple[int, int], n_rows: Collection[int], n_columns: Collection[int], dtype: np.dtype[Any]
    ) -> None:
        (ny, nx), half, of_spectra = shape, shape[1] // 2 + 1, np.result_type(dtype, np.complex64)
        self._from_rows, self._to_rows = {}, {}
        self._columns: dict[int, Any] = {}
        self._columns_back: dict[int, Any] = {}
        with Planner(None) as planner:
            for n in n_rows:
                rows, spectra = empty((n, nx), dtype), empty((n, half), of_spectra)
                self._from_rows[n] = planner.plan(rows, spectra, (1,), "FORWARD")
                rows, spectra = empty((n, nx), dtype), empty((n, half), of_spectra)
                self._to_rows[n] = planner.plan(spectra, rows, (1,), "BACKWARD")
            for n in n_columns:
                for plans, direction in ((self._columns, "FORWARD"), (self._columns_back, "BACKWARD")):
                    plans[n] = planner.plan(empty((ny, n), of_spectra), empty((ny, n), of_spectra), (0,), direction)

    def from_rows(self, rows: Values) -> Any:
        """Half spectra (n, nx // 2 + 1) of rows (n, nx)."""
        return _in_place_of(self._from_rows[rows.shape[0]], rows)

    def to_rows(self, spectra: ComplexValues) -> Any:
        """Rows (n, nx) of half spectra (n, nx // 2 + 1)."""
        return _in_place_of(self._to_rows[spectra.shape[0]], spectra)

    def columns(self, columns: ComplexValues) -> Any:
        """Spectra (ny, n) of columns (ny, n)."""
        return _in_place_of(self._columns[columns.shape[1]], columns)

    def columns_back(self, spectra: ComplexValues) -> Any:
        """Columns (ny, n) of spectra (ny, n)."""
        return _in_place_of(self._columns_back[spectra.shape[1]], spectra)


class BoxFourier:
    """Unnormalised FFTs between complex boxes that follow each other, (n, n1, n2) together, and boxes of padded rows.

    Columns go from one padded array into another, and rows from there to their place. Estimated plans take up to three
    times as long in place, where FFTW goes through buffers that are too large, or where numbers of a column are a power
    of two apart and share few places in the cache.

    Parameters
    ----------
    shape : (n, n1, n2)
    padded : flat array
        Begins with the boxes of padded rows, see `padded_boxes`.
    work : two flat arrays
        As large or larger: overwritten by each call, and what stands for the boxes until there are some.
    planner : Planner
    """

    def __init__(
        self, shape: tuple[int, int, int], padded: ComplexValues, work: Sequence[ComplexValues], planner: Planner
    ) -> None:
        self._shape = shape
        boxes, n2 = work[1][: math.prod(shape)].reshape(shape), shape[2]
        ours, between = (
            array[: padded_size(shape)].reshape(padded_boxes(shape))[..., :n2] for array in (padded, work[0])
        )
        # Boxes of one size may follow others of another.
        is_aligned = shape[1] * shape[2] % 2 == 0
        self._columns = planner.plan(ours, between, (1,), "BACKWARD")
        self._rows = planner.plan(between, boxes, (2,), "BACKWARD", is_aligned)
        self._rows_back = planner.plan(boxes, between, (2,), "FORWARD", is_aligned)
        self._columns_back = planner.plan(between, ours, (1,), "FORWARD")

    def from_padded(self, boxes: ComplexValues) -> None:
        """Inverse FFTs of the padded boxes, which are overwritten, into flat boxes."""
        self._columns.execute()
        _execute(self._rows, self._rows.input_array, boxes.reshape(self._shape))

    def to_padded(self, boxes: ComplexValues) -> None:
        """FFTs of flat boxes into the padded ones."""
        _execute(self._rows_back, boxes.reshape(self._shape), self._rows_back.output_array)
        self._columns_back.execute()


def padded_boxes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of an array for boxes (..., n2): a row is an odd multiple of four numbers long.

    So rows start where vectors may, and those that follow each other at different places in the cache.

    >>> padded_boxes((192, 128)), padded_boxes((48, 60))
    ((192, 132), (48, 60))
    """
    return *shape[:-1], shape[-1] + (4 - shape[-1]) % 8


def padded_size(shape: tuple[int, ...]) -> int:
    """Numbers in an array for boxes, padding included."""
    return math.prod(padded_boxes(shape))


def padded_spectrum(shape: tuple[int, int]) -> tuple[int, int]:
    """Shape of the array for the half spectrum of an image: rows are whole cache lines in either precision.

    >>> padded_spectrum((128, 256))
    (128, 136)
    """
    n_columns = shape[1] // 2 + 1
    return shape[0], n_columns + -n_columns % 8


def _execute(plan: Any, source: Values | ComplexValues, target: Values | ComplexValues) -> None:
    own = plan.input_array, plan.output_array
    plan.update_arrays(source, target)
    plan.execute()
    plan.update_arrays(*own)  # it would keep the others in memory


def _in_place_of(plan: Any, values: Values | ComplexValues) -> Any:
    """The values through the plan's own arrays."""
    plan.input_array[...] = values
    plan.execute()
    return plan.output_array


def _turned(image: Values, block: slice) -> Values:
    """The rows that stand in the place of a block when rows are in the order 0, ny - 1, ..., 1."""
    ny = image.shape[0]
    first = -block.start % ny
    # A single row has the stride of the array, whichever way it is turned: plans insist on equal strides.
    return image[first : first + 1] if length_of(block) == 1 else image[first : ny - block.stop : -1]


def blocks(first: int, last: int, length: int) -> list[slice]:
    """The rows or columns ``first:last`` in blocks of a length, of which the last may be shorter."""
    return [slice(start, min(start + length, last)) for start in range(first, last, length)]


def length_of(block: slice) -> int:
    """Rows or columns in a block."""
    return int(block.stop - block.start)
