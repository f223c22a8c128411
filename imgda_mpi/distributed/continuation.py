"""An image that is known on some pixels, continued smoothly over all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.distributed.image_rows import ALIGNED, ImageRows
from imgda_mpi.numerics.coarse_kriging import CoarseKriging
from imgda_mpi.numerics.pyramid import Image, gathered, interpolated, pooled, smoothed, spread, variances_of_level

MOST_KRIGED = 2000  # pixels of the last level
SHARED_LEVELS = ALIGNED.bit_length() - 1  # that ranks have their own rows of, at most: coarser ones are on rank 0


@dataclass(frozen=True, eq=False)
class Level:
    """Own rows of one resolution of the pyramid, framed by zeros to an even number of rows and columns.

    Parameters
    ----------
    offsets : (size + 1,) rows of each rank
    gain : c / w, with the confidence c in the values of a pixel and their number w; (n_own, n)
    rest : 1 - c, (n_own, n)
    within : (n_rows, n_columns) without the zeros at the end
    """

    offsets: IntArray
    gain: Image
    rest: Image
    within: tuple[int, int]

    def even(self, rows: Image) -> Image:
        """Rows with zeros at the end."""
        missing = [(0, all_of - given) for all_of, given in zip(self.gain.shape, rows.shape, strict=True)]
        return np.pad(rows, missing) if any(more for _, more in missing) else rows

    def cut(self, rows: Image) -> Image:
        """Rows without what `even` has added."""
        n_rows, n_columns = self.within
        return rows[:n_rows, :n_columns]


class Continuation:
    """The linear map E from values on observed pixels to a smooth image that has them there.

    A smooth image is made that is near to the values, and one that has exactly what it leaves of them is added: the
    known pixels of a coarser one may all lie to one side of it, and what its mean is mistaken by becomes small.

    Pull: sums of values, and their numbers w, over ever larger pixels, until there are few enough of them to find the
    most likely means of all from those that are known (`CoarseKriging`). Push, from there to the finest pixels: a pixel
    has the mean of its own values as far as that is to be trusted, else what the coarser pixels say::

        u_j = g_j + (1 - c_j) K (g_j + (1 - c_j) P u_(j+1)),    g_j = c_j / w_j times the sum of its values,

    with linear interpolation P and a smoothing K. On observed pixels c_0 is 1, and the smooth image is K K P u_1. On
    coarser levels c_j is the confidence in a mean that is to tell what the next coarser pixels do not, of variance v_j:
    it has the noise s^2 of its values, and finer waves, of variance h_j, where not all of the pixel is seen::

        c_j = v_j / (v_j + (s^2 + h_j (1 - w_j / 4^j)) / w_j).

    No pixel depends on how many ranks there are. In single precision. Making one and calling it is collective.

    Parameters
    ----------
    image_rows : ImageRows
    observed : (n_own, nx)
    spectrum : variance of a signal at each frequency of a half spectrum, times the number of pixels: a filter
        (ny, nx // 2 + 1), the same on every rank
    noise : s^2, above 0
    """

    def __init__(self, image_rows: ImageRows, observed: BoolArray, spectrum: FloatArray, noise: float) -> None:
        self._comm, self._sent, self._levels = image_rows.comm, image_rows.sent, list[Level]()
        offsets, shape, counts = image_rows.offsets, image_rows.shape, observed.astype(np.float32)
        n_levels = n_levels_of(shape)
        self._n_shared = min(n_levels, SHARED_LEVELS)
        for number in range(n_levels):
            told, finer = variances_of_level(spectrum, image_rows.shape, number)
            within = counts.shape
            offsets, shape, counts = self._even(offsets, shape, counts)
            seen = counts > 0
            error = (noise + finer * np.maximum(1 - counts[seen] / 4**number, 0)) / counts[seen]
            confidence = np.zeros_like(counts)
            confidence[seen] = told / (told + error) if number > 0 else 1.0
            gain = np.divide(confidence, counts, out=np.zeros_like(counts), where=seen)
            self._levels.append(Level(offsets, gain, 1 - confidence, within))
            counts, shape, offsets = self._to_root(pooled(counts), number), (shape[0] // 2, shape[1] // 2), offsets // 2
            if number + 1 == self._n_shared:
                offsets = np.minimum(np.arange(self._comm.size + 1), 1) * shape[0]
        _, finer = variances_of_level(spectrum, image_rows.shape, n_levels)
        has_coarsest = image_rows.comm.rank == 0
        self._kriging = (
            CoarseKriging(counts, spectrum, image_rows.shape, n_levels, noise, finer) if has_coarsest else None
        )

    def __call__(self, rows: FloatArray) -> Image:
        """E r, (n_own, nx), of values r (n_own, nx) that are 0 where nothing is observed. Collective."""
        finest, values = self._levels[0], self._levels[0].even(rows.astype(np.float32))
        smooth = self._smooth(self._smooth(self._told(values)))
        left = finest.gain * (values - smooth)
        filled = left + finest.rest * self._told(left)
        return finest.cut(smooth + left + finest.rest * self._smooth(filled))

    def adjoint(self, rows: Image) -> Image:
        """E^T x, (n_own, nx), of an image x (n_own, nx). Collective."""
        finest, image = self._levels[0], self._levels[0].even(rows)
        filled = self._smooth(finest.rest * image)
        left = finest.gain * (image + filled + self._told_adjoint(finest.rest * filled))
        return finest.cut(left + self._told_adjoint(self._smooth(self._smooth(image - left))))

    def _told(self, values: Image) -> Image:
        """What coarser pixels say of the finest ones, from the values of these, even in number."""
        own, coarser = list[Image](), self._levels[1:]
        values = self._to_root(pooled(values), 0)
        for number, level in enumerate(coarser, 1):
            values = level.even(values)
            own.append(level.gain * values)
            values = self._to_root(pooled(values), number)
        image = values if self._kriging is None else self._kriging(values)
        for number, level in reversed(list(enumerate(coarser, 1))):
            given = own.pop()
            image = given + level.rest * self._interpolated(image, number)
            image = level.cut(given + level.rest * self._smooth(image, number))
        return self._interpolated(image, 0)

    def _told_adjoint(self, image: Image) -> Image:
        own, coarser = list[Image](), self._levels[1:]
        image = self._gathered(image, 0)
        for number, level in enumerate(coarser, 1):
            image = level.even(image)
            smooth = self._smooth(level.rest * image, number)
            own.append(image + smooth)
            image = self._gathered(level.rest * smooth, number)
        values = image if self._kriging is None else self._kriging.adjoint(image)
        for number, level in reversed(list(enumerate(coarser, 1))):
            values = level.cut(level.gain * own.pop() + spread(self._from_root(values, number)))
        return spread(self._from_root(values, 0))

    def _smooth(self, image: Image, number: int = 0) -> Image:
        """K of an image of a level, which is its own adjoint."""
        return smoothed(self._framed(image, self._levels[number].offsets))

    def _interpolated(self, coarse: Image, number: int) -> Image:
        """P of an image: from the level below a number to this one."""
        return interpolated(self._framed(self._from_root(coarse, number), self._levels[number].offsets // 2))

    def _gathered(self, fine: Image, number: int) -> Image:
        """The adjoint of `_interpolated`."""
        return self._to_root(gathered(self._framed(fine, self._levels[number].offsets)), number)

    def _even(self, offsets: IntArray, shape: tuple[int, int], rows: Image) -> tuple[IntArray, tuple[int, int], Image]:
        """A level with an even number of rows, by one more of the last rank that has some, and of columns."""
        ny, nx = shape
        more, wider = ny % 2, nx % 2
        has_last = offsets[self._comm.rank] < ny == offsets[self._comm.rank + 1]
        rows = np.pad(rows, [(0, more if has_last else 0), (0, wider)])
        return np.where(offsets == ny, ny + more, offsets), (ny + more, nx + wider), rows

    def _framed(self, rows: Image, offsets: IntArray) -> Image:
        """Own rows and one more above and below, of the ranks that have them; the first row follows the last."""
        framed = np.empty((rows.shape[0] + 2, rows.shape[1]), np.float32)
        framed[1:-1] = rows
        holders = np.flatnonzero(np.diff(offsets)).tolist()
        if self._comm.rank not in holders:
            return framed
        place = holders.index(self._comm.rank)
        above, below = holders[place - 1], holders[(place + 1) % len(holders)]
        if above == self._comm.rank:
            framed[0], framed[-1] = rows[-1], rows[0]
            return framed
        self._comm.Sendrecv(framed[-2], below, 0, framed[0], above, 0)
        self._comm.Sendrecv(framed[1], above, 1, framed[-1], below, 1)
        self._sent.add(np.full(2, framed[0].nbytes))
        return framed

    def _to_root(self, rows: Image, number: int) -> Image:
        """From the rows of the level below a number: where ranks share it no more, all of them on rank 0."""
        if number + 1 != self._n_shared or self._comm.size == 1:
            return rows
        counts = np.diff(self._levels[number].offsets // 2) * rows.shape[1]
        whole = np.empty((int(counts.sum()) // rows.shape[1] if self._comm.rank == 0 else 0, rows.shape[1]), np.float32)
        self._comm.Gatherv([rows, MPI.FLOAT], [whole, counts, MPI.FLOAT] if self._comm.rank == 0 else None)
        if self._comm.rank > 0:
            self._sent.add(np.array([rows.nbytes]))
        return whole

    def _from_root(self, whole: Image, number: int) -> Image:
        """The way back."""
        if number + 1 != self._n_shared or self._comm.size == 1:
            return whole
        n_columns = self._levels[number].gain.shape[1] // 2
        counts = np.diff(self._levels[number].offsets // 2) * n_columns
        rows = np.empty((counts[self._comm.rank] // n_columns, n_columns), np.float32)
        sent = [np.ascontiguousarray(whole), counts, MPI.FLOAT] if self._comm.rank == 0 else None
        self._comm.Scatterv(sent, [rows, MPI.FLOAT])
        if self._comm.rank == 0:
            self._sent.add(counts[1:] * rows.itemsize)
        return rows


def n_levels_of(shape: tuple[int, int]) -> int:
    """Levels of an image (ny, nx) below the one that is kriged, 1 at least."""
    n_levels = 1
    while math.prod(-(-length // 2**n_levels) for length in shape) > MOST_KRIGED:
        n_levels += 1
    return n_levels
