"""An image that is known on some pixels, continued smoothly over all of them."""

from __future__ import annotations

import math

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.distributed.image_rows import ALIGNED, ImageRows
from imgda_mpi.distributed.long_waves import LongWaves
from imgda_mpi.numerics.pyramid import (
    Image,
    gathered,
    interpolated,
    pooled,
    relax,
    relax_back,
    smoothed,
    spread,
    variances_of_levels,
)
from imgda_mpi.numerics.wave_kriging import SHARE, WaveKriging, limits_of

FEWEST = 1200  # pixels of an image that is left as it is: what is longer is in the long waves
N_STEPS = (2, 4, 8)
"""Of the relaxation of each level, from the finest on; the last number is that of all coarser ones, on which steps cost
little."""
PULLED = 0.5
"""Part of what is not confidence in the mean of a seen pixel's values that goes to what coarser pixels say, the rest to
its neighbours. If they had all of it, the pixel's own values would come back through them and count for more than they
are worth; if coarser pixels had more, values of neighbours would be averaged less."""
SHARED_LEVELS = ALIGNED.bit_length() - 1
"""That ranks have their own rows of, two of each at least; coarser ones are on rank 0."""


class Level:
    """Own rows of one resolution of the pyramid.

    Parameters
    ----------
    number : of the level, 0 being the finest
    offsets : (size + 1,) rows of each rank, made even in number by one more at the end
    counts : w, how many values a pixel has, (n_own, n)
    confidence : c in their mean, (n_own, n)

    Attributes
    ----------
    steps : lengths of the steps of its relaxation: the longer the smoother what they are for, those last
    neighbours : ranks with the rows above and below, of those that have some; the first row follows the last
    gain, pulled, free : c / w, p and f, (n_own, n)
    image, told : what calls write to, (n_own, n)
    """

    def __init__(self, number: int, offsets: IntArray, counts: Image, confidence: Image, rank: int) -> None:
        self.offsets = offsets
        self.steps = steps_of(n_steps_of(number))
        holders = np.flatnonzero(np.diff(offsets)).tolist()
        place = holders.index(rank) if rank in holders else 0
        self.neighbours = holders[place - 1], holders[(place + 1) % len(holders)]
        self.gain = np.divide(confidence, counts, out=np.zeros_like(counts), where=counts > 0)
        self.pulled = np.where(counts > 0, np.float32(PULLED) * (1 - confidence), np.float32(0))
        self.free = 1 - confidence - self.pulled
        self.image, self.told = np.zeros_like(counts), np.zeros_like(counts)


class Continuation:
    """The linear map E from values on observed pixels to a smooth image that has them there.

    The most likely long waves (`WaveKriging`) come first; what they leave of the values goes through a pyramid. Pull:
    sums of values, and their numbers w, over ever larger pixels. Push, from nothing on the largest to the finest
    pixels: a pixel has the mean of its own values as far as that is to be trusted, else what the coarser pixels and its
    neighbours say, so that the image is smooth::

        u_j = g_j + p_j P u_(j+1) + f_j (2 K - K^2) u_j,    g_j = c_j / w_j times the sum of its values,

    with linear interpolation P and c_j + p_j + f_j = 1; p_j is a part of 1 - c_j where something is seen, else 0.
    (I - K)^2 is a difference of fourth order: unlike one of second order it lets slopes go on beyond what is known.
    From g_j + (p_j + f_j) P u_(j+1) a few steps go towards that u_j, of lengths after Chebyshev (Young 1954, J. Math.
    Phys. 32, 243). c_j is the confidence in a mean that is to tell what the next coarser pixels do not, of variance
    t_j: it has the noise s^2 of its values, and finer waves, of variance h_j, where not all of the pixel is seen::

        c_j = t_j / (t_j + (s^2 + h_j (1 - w_j / 4^j)) / w_j),    t_j = v_j + q_j v_(j+1).

    v_j is the variance that they do not show where all is seen, q_j the part of them that is seen. The mean of one that
    is seen tells nothing of the slope across it, which at the edge of what is seen no neighbour tells either: that is
    left to the finer pixels.

    What of the signal is white goes on nowhere, and is noise here. At the end observed pixels get their own values.

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
        self._blocks = list(image_rows.own_blocks.values())  # which stay in the cache
        self._observed = observed.astype(np.float32)
        self._long = np.empty_like(self._observed)
        white = float(spectrum.min())
        spectrum, noise = spectrum - white, noise + white
        along, across, beyond = limits_of(spectrum, image_rows.shape)
        self._waves = LongWaves(image_rows, (along, across))
        sums = LongWaves(image_rows, (2 * along, 2 * across)).of(self._observed)
        waves = np.arange(-along, along + 1), slice(across + 1)
        self._kriging = (
            WaveKriging(spectrum[waves], sums, math.prod(image_rows.shape), noise + SHARE * beyond)
            if image_rows.comm.rank == 0
            else None
        )
        spectrum[waves] = 0.0
        offsets, n_rows, counts = image_rows.offsets, image_rows.shape[0], self._observed
        n_levels = n_levels_of(image_rows.shape)
        self._n_shared = min(n_levels, SHARED_LEVELS)
        told, finer = variances_of_levels(spectrum, image_rows.shape, n_levels)
        for number in range(n_levels):
            seen, coarser, around = counts > 0, sums_of_fours(counts), np.zeros_like(counts)
            spread(coarser, around)
            error = (noise + finer[number] * np.maximum(1 - counts[seen] / 4**number, 0)) / counts[seen]
            variance = told[number] + told[number + 1] * around[seen] / 4 ** (number + 1)
            confidence = np.zeros_like(counts)
            confidence[seen] = variance / (variance + error)
            # One row more of the last rank that has some.
            offsets = np.where(offsets == n_rows, n_rows + n_rows % 2, offsets)
            self._levels.append(Level(number, offsets, counts, confidence, self._comm.rank))
            counts, n_rows, offsets = self._to_root(coarser, number), (n_rows + 1) // 2, offsets // 2
            if number + 1 == self._n_shared:
                offsets = np.minimum(np.arange(self._comm.size + 1), 1) * n_rows

    def __call__(self, rows: FloatArray) -> Image:
        """E r, (n_own, nx), of values r (n_own, nx) that are 0 where nothing is observed. Collective."""
        known, first, long = rows.astype(np.float32), self._levels[0], self._long
        self._long_waves(known)
        values = first.image  # what they leave of them
        for block in self._blocks:
            np.multiply(long[block], self._observed[block], out=values[block])
            np.subtract(known[block], values[block], out=values[block])
            np.multiply(first.gain[block], values[block], out=first.told[block])
        values = self._pooled(values, 0)
        for number, level in enumerate(self._levels[1:], start=1):
            np.multiply(level.gain, values, out=level.told)
            values = self._pooled(values, number)
        image = np.zeros_like(values)
        for number, level in reversed(list(enumerate(self._levels))):
            coarse = self._from_root(image, number)
            interpolated(coarse, *self._next_to(coarse, level), level.told, level.pulled, level.free, level.image)
            for step in level.steps:
                beside, beyond = self._around(level.image[:2], level.image[-2:], level)
                relax(level.image, *beside, beyond, level.told, level.free, step)
            image = level.image
        for block in self._blocks:
            image[block] += long[block]
            image[block] *= 1 - self._observed[block]
            known[block] += image[block]
        return known

    def adjoint(self, rows: Image) -> Image:
        """E^T x, (n_own, nx), of an image x (n_own, nx). Collective."""
        image = self._levels[0].image
        for block in self._blocks:
            np.multiply(rows[block], 1 - self._observed[block], out=image[block])
        for number, level in enumerate(self._levels):
            if number > 0:
                level.image[...] = image
            level.told[...] = 0
            for left, step in reversed(list(enumerate(level.steps))):
                first, last = (level.free[ends] * level.image[ends] for ends in (slice(2), slice(-2, None)))
                beside, beyond = self._around(first, last, level)
                relax_back(level.image, level.told, *beside, beyond, level.pulled, level.free, step, left == 0)
            image = self._gathered(level.image, number)
        values = np.zeros_like(image)
        for number, level in reversed(list(enumerate(self._levels))):
            level.told *= level.gain
            spread(self._from_root(values, number), level.told)
            values = level.told
        result, remaining = np.empty_like(rows), self._levels[0].image
        for block in self._blocks:
            values[block] *= self._observed[block]
            np.add(rows[block], values[block], out=result[block])
            np.multiply(rows[block], 1 - self._observed[block], out=remaining[block])
            remaining[block] -= values[block]
        self._long_waves(remaining)
        for block in self._blocks:
            result[block] += self._long[block]
            result[block] *= self._observed[block]
        return result

    def _long_waves(self, rows: Image) -> None:
        """The most likely ones of values (n_own, nx) that are 0 where nothing is observed; its own adjoint."""
        amplitudes = self._waves.of(rows)
        if self._kriging is not None:
            amplitudes = self._kriging(amplitudes)
        self._comm.Bcast(amplitudes)
        self._waves.spread(amplitudes, self._long)

    def _pooled(self, fine: Image, number: int) -> Image:
        """Sums over the pixels of the level below a number."""
        return self._to_root(sums_of_fours(fine), number)

    def _gathered(self, fine: Image, number: int) -> Image:
        """The adjoint of an interpolation to a level."""
        fine = even(fine)
        coarse = half_of(fine)
        gathered(fine, *self._next_to(fine, self._levels[number]), coarse)
        return self._to_root(coarse, number)

    def _around(self, first: Image, last: Image, level: Level) -> tuple[tuple[Image, Image], Image]:
        """Of an image of which the first and the last two own rows are given, or the only one, on a level.

        The rows above and below the own ones, and the same of the image smoothed, (2, n).
        """
        above, below = self._beside(first, last, level)
        smooth = np.empty((2, first.shape[1]), np.float32)
        if first.size > 0:
            smoothed(above[0], above[-1], first[0], smooth[0])
            smoothed(last[-1], below[0], below[-1], smooth[1])
        return (above[-1], below[0]), smooth

    def _next_to(self, rows: Image, level: Level) -> tuple[Image, Image]:
        """The row above and the row below the own ones, of a level or of half its resolution."""
        above, below = self._beside(rows[:1], rows[-1:], level)
        return above[0], below[0]

    def _beside(self, first: Image, last: Image, level: Level) -> tuple[Image, Image]:
        """As many rows above and below the own ones as are given of these, at their beginning and their end."""
        before, after = level.neighbours
        if before == self._comm.rank and first.size > 0:
            return last, first.copy()  # the first row changes before it is read
        above, below = (np.empty(first.shape if first.size else (2, first.shape[1]), np.float32) for _ in range(2))
        if first.size > 0:
            self._comm.Sendrecv(last, after, 0, above, before, 0)
            self._comm.Sendrecv(first, before, 1, below, after, 1)
            self._sent.add(np.full(2, above.nbytes))
        return above, below

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
        n_columns = (self._levels[number].gain.shape[1] + 1) // 2
        counts = np.diff(self._levels[number].offsets // 2) * n_columns
        rows = np.empty((counts[self._comm.rank] // n_columns, n_columns), np.float32)
        sent = [np.ascontiguousarray(whole), counts, MPI.FLOAT] if self._comm.rank == 0 else None
        self._comm.Scatterv(sent, [rows, MPI.FLOAT])
        if self._comm.rank == 0:
            self._sent.add(counts[1:] * rows.itemsize)
        return rows


def n_levels_of(shape: tuple[int, int]) -> int:
    """Levels of an image (ny, nx) that are finer than the one that is left as it is, 1 at least."""
    n_levels = 1
    while math.prod(-(-length // 2**n_levels) for length in shape) > FEWEST:
        n_levels += 1
    return n_levels


def n_steps_of(number: int) -> int:
    """Steps of a level, 0 being the finest."""
    return N_STEPS[min(number, len(N_STEPS) - 1)]


def even(rows: Image) -> Image:
    """Rows with zeros at the end to an even number of rows and columns: of the last rank that has rows."""
    missing = [(0, length % 2) for length in rows.shape]
    return np.pad(rows, missing) if any(more for _, more in missing) else rows


def sums_of_fours(fine: Image) -> Image:
    """Sums over 2 x 2 pixels, of an image of any shape."""
    fine = even(fine)
    coarse = half_of(fine)
    pooled(fine, coarse)
    return coarse


def half_of(fine: Image) -> Image:
    """A place for an image of half the resolution."""
    return np.empty((fine.shape[0] // 2, fine.shape[1] // 2), np.float32)


def steps_of(n_steps: int) -> list[float]:
    """Lengths of so many steps: reciprocal roots of a Chebyshev polynomial on the part of (0, 1) that they reach."""
    least = 1 / n_steps**2
    waves = np.cos(np.pi * (2 * np.arange(n_steps) + 1) / (2 * n_steps))
    return [float(step) for step in np.sort(2 / (1 + least - (1 - least) * waves))]
