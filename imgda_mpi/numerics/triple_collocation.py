"""Triple collocation: how large the errors of three products are, from what they have in common.

Three images of one truth whose errors have nothing to do with one another nor with the truth: what two of them have in
common is the truth's, and what one has beside that is its error's. Each may see the truth with an amplitude of its own
(Stoffelen 1998; McColl et al. 2014, Geophys. Res. Lett., 41, 6229). That holds for the images as a whole and for what
each scale of them carries, as Su and Ryu (2015, Hydrol. Earth Syst. Sci., 19, 17) do it with wavelets in time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.grid import Grid

BLOCK = 20.0  # degrees: errors of soil moisture are alike over less
PARTS = 4  # of the side of a smaller grid
FEWEST_BLOCKS = 8  # for an interval
N_DRAWS = 400
LEVELS = (0.025, 0.975)


def amplitudes(covariances: FloatArray) -> FloatArray | None:
    """Root of the power that each of three products has of the truth, (3,): of x that is (xy xw / yw)^(1/2).

    ``covariances`` (3, 3) are sums of products of the anomalies of each two. None where one is not positive: there is
    no common truth to take amplitudes from.

    >>> amplitudes(np.array([[5.0, 2.0, 4.0], [2.0, 3.0, 2.0], [4.0, 2.0, 7.0]])).tolist()
    [2.0, 1.0, 2.0]
    """
    (xy, xw), yw = covariances[0, 1:], covariances[1, 2]
    if not min(xy, xw, yw) > 0:
        return None
    return np.sqrt([xy * xw / yw, xy * yw / xw, xw * yw / xy])


def error_powers(covariances: FloatArray, amplitudes: FloatArray | None) -> FloatArray:
    """Powers of the errors of three products, (..., 3), not below 0.

    That of x is <(x - y) (x - w)> of anomalies that are brought to the amplitude of x first; summed up over scales it
    is xx - xy xw / yw. One amplitude for all scales: where a scale has little of the truth, its own is any number.

    Parameters
    ----------
    covariances : (..., 3, 3) array
        Of scales, or of all together.
    amplitudes : (3,) array, optional
        Of all scales together; alike unless given.

    Examples
    --------
    Errors of power 1, 2 and 3, and a truth of power 4 that the second product sees half:

    >>> covariances = np.array([[5.0, 2.0, 4.0], [2.0, 3.0, 2.0], [4.0, 2.0, 7.0]])
    >>> error_powers(covariances, amplitudes(covariances)).tolist()
    [1.0, 2.0, 3.0]
    """
    by = np.ones(3) if amplitudes is None else amplitudes
    alike = covariances / np.outer(by, by)
    xy, xw, yw = alike[..., 0, 1], alike[..., 0, 2], alike[..., 1, 2]
    common = np.stack([xy + xw - yw, xy + yw - xw, xw + yw - xy], axis=-1)
    powers = (np.diagonal(alike, axis1=-2, axis2=-1) - common) * np.square(by)
    return np.maximum(powers, 0.0)


def coherent_share(powers: FloatArray, white: FloatArray) -> FloatArray:
    """Part of the coherent errors of background and observation that is the observation's, (...), 0 to 1.

    ``powers`` (..., 3) are of the errors of background, observation and third product, ``white`` (...) that of the
    observation's white errors. NaN where neither has a coherent error.

    >>> float(coherent_share(np.array([3.0, 2.0, 9.0]), np.array(1.0)))
    0.25
    """
    background, observation = powers[..., 0], np.maximum(powers[..., 1] - white, 0.0)
    total = background + observation
    share: FloatArray = np.divide(observation, total, out=np.full(total.shape, np.nan), where=total > 0)
    return share


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over the cells of blocks of the globe, at some times.

    Parameters
    ----------
    time : number of the time of each block, (n_blocks,)
    counts : cells, (n_blocks,)
    sums : of three products, (n_blocks, 3)
    products : of each two, (n_blocks, 3, 3)
    """

    time: IntArray
    counts: FloatArray
    sums: FloatArray
    products: FloatArray

    def covariances(self, weights: FloatArray) -> tuple[FloatArray, float]:
        """Sums of products of anomalies (3, 3) about the mean of each time, and cells, of blocks so often taken."""
        n_times = int(self.time.max()) + 1
        counts = np.bincount(self.time, weights * self.counts, n_times)
        sums = np.stack([np.bincount(self.time, weights * column, n_times) for column in self.sums.T])
        means = sums / np.where(counts > 0, counts, 1.0)
        # No matrix product: its bits may depend on the number of threads.
        common = (weights[:, None, None] * self.products).sum(axis=0)
        return common - (means[:, None] * sums[None, :]).sum(axis=-1), float(counts.sum())


def moments(images: FloatArray, cells: BoolArray, blocks: IntArray, time: int) -> Moments:
    """Those of three images (3, ny, nx) of the time with a number, by the blocks (ny, nx) of their common cells."""
    found, block = np.unique(blocks[cells], return_inverse=True)
    values = images[:, cells]

    def summed(weights: FloatArray) -> FloatArray:
        return np.bincount(block, weights, found.size).astype(np.float64)

    products = np.array([[summed(a * b) for b in values] for a in values])
    return Moments(
        np.full(found.size, time),
        summed(np.ones(block.size)),
        np.array([summed(of_product) for of_product in values]).T,
        np.moveaxis(products, -1, 0),
    )


def joined(parts: list[Moments]) -> Moments:
    """The blocks of several times."""
    return Moments(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("time", "counts", "sums", "products"))
    )


def block_size(grid: Grid) -> tuple[float, float]:
    """Latitude and longitude of a block, degrees: `BLOCK`, or of a smaller grid a quarter of its side."""
    height, width = (float(np.ptp(axis)) * axis.size / (axis.size - 1) for axis in (grid.latitude, grid.longitude))
    return min(BLOCK, height / PARTS), min(BLOCK, width / PARTS)


def blocks_of(grid: Grid) -> IntArray:
    """Number of the block that each cell of a grid is in, (ny, nx): see `block_size`."""
    rows, columns = (
        # From the edge of the grid: centres are half a cell inside.
        ((np.abs(axis - axis[0]) + 0.5 * np.ptp(axis) / (axis.size - 1)) / size).astype(np.int64)
        for axis, size in zip((grid.latitude, grid.longitude), block_size(grid), strict=True)
    )
    numbers: IntArray = rows[:, None] * (columns[-1] + 1) + columns
    return numbers


def resampled(blocks: Moments, white: float, seed: int) -> FloatArray | None:
    """Intervals of 95 % by drawing blocks with replacement, (4, 2); None with fewer than `FEWEST_BLOCKS`.

    Of the standard deviations of the errors of the three products, and of the share of the second one in the coherent
    errors of the first two, whose white errors have the variance ``white``, (m3 m-3)2. A block at another time counts
    as another one.
    """
    n_blocks = blocks.counts.size
    if n_blocks < FEWEST_BLOCKS:
        return None
    rng = np.random.Generator(np.random.PCG64(seed))
    found = np.empty((N_DRAWS, 4))
    for draw in found:
        weights = np.bincount(rng.integers(0, n_blocks, n_blocks), minlength=n_blocks).astype(np.float64)
        covariances, n_cells = blocks.covariances(weights)
        powers = error_powers(covariances, amplitudes(covariances))
        draw[:3] = np.sqrt(powers / n_cells)
        draw[3] = coherent_share(powers, np.asarray(white * n_cells))
    return np.nanquantile(found, LEVELS, axis=0).T
