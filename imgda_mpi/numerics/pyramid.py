"""Images at half the resolution and back: sums of 2 x 2 pixels, linear interpolation, smoothing; with their adjoints.

Images are float32, rows are those of a rank, columns are closed end to end. ``above`` and ``below`` are the rows (n,)
next to the first and the last one. Of a finer image the last row and column may be missing where it is written, and are
there where it is read. Results go to ``out``: new arrays would have to be cleared by the system each time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray
from imgda_mpi.compiled import compiled

Image = npt.NDArray[np.float32]

NEAR, FAR = np.float32(0.75), np.float32(0.25)
"""Weights of the nearer and the farther coarse pixel: linear interpolation between centres of pixels."""

MIDDLE, SIDE = np.float32(0.5), np.float32(0.25)
"""Weights of a pixel and its neighbours in a smoothed image."""


@compiled
def pooled(fine: Image, out: Image) -> None:
    """Sums over 2 x 2 pixels, (m, n), of an image (2 m, 2 n)."""
    m, n = fine.shape[0] // 2, fine.shape[1] // 2
    for i in range(m):
        upper, lower = fine[2 * i], fine[2 * i + 1]
        for j in range(n):
            out[i, j] = (upper[2 * j] + upper[2 * j + 1]) + (lower[2 * j] + lower[2 * j + 1])


@compiled
def spread(coarse: Image, out: Image) -> None:
    """The adjoint of `pooled`: each value (m, n) is added to all of its 2 x 2 pixels, (2 m, 2 n)."""
    n_rows, n_columns = out.shape
    for i in range(n_rows):
        row = coarse[i // 2]
        for j in range(n_columns // 2):
            out[i, 2 * j] += row[j]
            out[i, 2 * j + 1] += row[j]
        if n_columns % 2:
            out[i, n_columns - 1] += row[n_columns // 2]


@compiled
def interpolated(
    coarse: Image, above: Image, below: Image, given: Image, pulled: Image, free: Image, out: Image
) -> None:
    """The sum g + (p + f) P u for a coarse image u (m, n), with P linear from centre to centre; others are (2 m, 2 n).

    What is ``given``, g, becomes g + p P u.
    """
    m, n = coarse.shape
    line = np.empty(n + 2, np.float32)
    n_rows, n_columns = out.shape
    for i in range(n_rows):
        near, other = coarse[i // 2], i // 2 + 2 * (i % 2) - 1
        far = above if other < 0 else below if other == m else coarse[other]
        for j in range(n):
            line[j + 1] = NEAR * near[j] + FAR * far[j]
        line[0], line[n + 1] = line[n], line[1]
        for j in range(n_columns // 2):
            left, right = NEAR * line[j + 1] + FAR * line[j], NEAR * line[j + 1] + FAR * line[j + 2]
            given[i, 2 * j] += pulled[i, 2 * j] * left
            given[i, 2 * j + 1] += pulled[i, 2 * j + 1] * right
            out[i, 2 * j] = given[i, 2 * j] + free[i, 2 * j] * left
            out[i, 2 * j + 1] = given[i, 2 * j + 1] + free[i, 2 * j + 1] * right
        if n_columns % 2:
            left = NEAR * line[n] + FAR * line[n - 1]
            given[i, n_columns - 1] += pulled[i, n_columns - 1] * left
            out[i, n_columns - 1] = given[i, n_columns - 1] + free[i, n_columns - 1] * left


@compiled
def gathered(fine: Image, above: Image, below: Image, out: Image) -> None:
    """P^T, the adjoint of linear interpolation: from a fine image (2 m, 2 n) to a coarse one, (m, n)."""
    m, n = fine.shape[0] // 2, fine.shape[1] // 2
    line = np.empty(2 * n + 2, np.float32)
    for i in range(m):
        before = above if i == 0 else fine[2 * i - 1]
        after = below if i + 1 == m else fine[2 * i + 2]
        upper, lower = fine[2 * i], fine[2 * i + 1]
        for j in range(2 * n):
            line[j + 1] = NEAR * (upper[j] + lower[j]) + FAR * (before[j] + after[j])
        line[0], line[2 * n + 1] = line[2 * n], line[1]
        for j in range(n):
            out[i, j] = NEAR * (line[2 * j + 1] + line[2 * j + 2]) + FAR * (line[2 * j] + line[2 * j + 3])


@compiled
def _smooth(before: Image, middle: Image, after: Image, line: Image, out: Image) -> None:
    """A row (n,) of a smoothed image, from the rows around it; ``line`` (n + 2,) is overwritten."""
    n = middle.size
    for j in range(n):
        line[j + 1] = MIDDLE * middle[j] + SIDE * (before[j] + after[j])
    line[0], line[n + 1] = line[n], line[1]
    for j in range(n):
        out[j] = MIDDLE * line[j + 1] + SIDE * (line[j] + line[j + 2])


@compiled
def smoothed(before: Image, middle: Image, after: Image, out: Image) -> None:
    """A row of K u, (n,), of an image u smoothed in both directions, from its row there and those around it.

    K is its own adjoint on a closed image.
    """
    _smooth(before, middle, after, np.empty(middle.size + 2, np.float32), out)


@compiled
def relax(image: Image, above: Image, below: Image, beyond: Image, given: Image, free: Image, step: float) -> None:
    """A step of an image u towards g + f (2 K - K^2) u, in place: u + step (g + f (2 K - K^2) u - u).

    Parameters
    ----------
    image : u, (m, n)
    beyond : K u in the rows above and below, (2, n)
    given, free : g, as `interpolated` leaves it, and f, (m, n)
    step : of which 1 goes all the way
    """
    m, n = image.shape
    if m == 0:
        return
    line, again, whole = np.empty(n + 2, np.float32), np.empty(n, np.float32), np.float32(step)
    # K u in a row and in those next to it, row i at i modulo 3: what is written no other row needs any more.
    around = np.empty((3, n), np.float32)
    around[2] = beyond[0]
    _smooth(above, image[0], image[1] if m > 1 else below, line, around[0])
    for i in range(m):
        after = around[(i + 1) % 3]
        if i + 1 < m:
            _smooth(image[i], image[i + 1], image[i + 2] if i + 2 < m else below, line, after)
        else:
            after[:] = beyond[1]
        smooth = around[i % 3]
        _smooth(around[(i + 2) % 3], smooth, after, line, again)
        for j in range(n):
            flat = smooth[j] + (smooth[j] - again[j])
            image[i, j] += whole * (given[i, j] + free[i, j] * flat - image[i, j])


@compiled
def _weigh(free: Image, image: Image, i: int, below: Image, out: Image) -> None:
    """Row i of f image, (n,), or the row below the last one."""
    if i == image.shape[0]:
        out[:] = below
    else:
        for j in range(out.size):
            out[j] = free[i, j] * image[i, j]


@compiled
def relax_back(
    image: Image,
    told: Image,
    above: Image,
    below: Image,
    beyond: Image,
    pulled: Image,
    free: Image,
    step: float,
    is_last: bool,
) -> None:
    """The adjoint of `relax`, in place.

    Parameters
    ----------
    image : (m, n)
    told : what of it comes from what is given, to which this step's is added, (m, n)
    above, below : of f image
    beyond : K f image in the rows above and below, (2, n)
    pulled, free, step : of `interpolated` and `relax`
    is_last : whether it is the adjoint of the first step: the image is then what comes from P u, for `gathered`
    """
    m, n = image.shape
    if m == 0:
        return
    line, again = np.empty(n + 2, np.float32), np.empty(n, np.float32)
    whole, kept = np.float32(step), np.float32(1 - step)
    # As in `relax`, and f image in such rows.
    around, weighted = np.empty((3, n), np.float32), np.empty((3, n), np.float32)
    around[2], weighted[2] = beyond[0], above
    for i in range(2):
        _weigh(free, image, i, below, weighted[i])
    _smooth(weighted[2], weighted[0], weighted[1], line, around[0])
    for i in range(m):
        after = around[(i + 1) % 3]
        if i + 1 < m:
            _weigh(free, image, i + 2, below, weighted[(i + 2) % 3])
            _smooth(weighted[i % 3], weighted[(i + 1) % 3], weighted[(i + 2) % 3], line, after)
        else:
            after[:] = beyond[1]
        smooth = around[i % 3]
        _smooth(around[(i + 2) % 3], smooth, after, line, again)
        for j in range(n):
            again[j] = kept * image[i, j] + whole * (smooth[j] + (smooth[j] - again[j]))
            told[i, j] += whole * image[i, j]
            image[i, j] = again[j]
        if is_last:
            for j in range(n):
                told[i, j] += again[j]
                image[i, j] = pulled[i, j] * told[i, j] + free[i, j] * again[j]


def variances_of_levels(spectrum: FloatArray, shape: tuple[int, int], n_levels: int) -> tuple[list[float], list[float]]:
    """What the pixels of each level can tell of a signal, and what they cannot.

    Parameters
    ----------
    spectrum : variance of the signal at each frequency of a half spectrum, times the number of pixels,
        (ny, nx // 2 + 1)
    shape : (ny, nx)
    n_levels : of so many levels, and of one more; pixels of number j are as large as 2^j of the image's

    Returns
    -------
    told, finer : (n_levels + 1,) each
        Variance of the waves that pixels of this size can show, in so far as the next coarser pixels, interpolated, do
        not show them; and of all finer waves.
    """
    (ny, nx), told, finer = shape, list[float](), list[float]()
    weights = np.full(spectrum.shape[1], 2.0 / (ny * nx))
    weights[0] /= 2
    if nx % 2 == 0:
        weights[-1] /= 2
    along, across, inside = np.abs(np.fft.fftfreq(ny)), np.fft.rfftfreq(nx), spectrum
    total = float((spectrum @ weights).sum())
    for number in range(n_levels + 1):
        limit = 0.5 / 2**number
        rows, columns = np.flatnonzero(along <= limit), np.flatnonzero(across <= limit)
        if rows.size < along.size or columns.size < across.size:
            inside = inside[rows][:, columns]
            along, across, weights = along[rows], across[columns], weights[columns]
        # Means over two pixels, and linear interpolation between them, show this of a wave.
        of_rows, of_columns = (
            (0.75 * np.cos(angle) + 0.25 * np.cos(3 * angle)) * np.cos(angle)
            for angle in (np.pi * 2**number * along, np.pi * 2**number * across)
        )
        shown = of_rows @ inside @ (of_columns * weights)
        shown_twice = np.square(of_rows) @ inside @ (np.square(of_columns) * weights)
        all_of = float((inside @ weights).sum())
        told.append(max(float(all_of - 2 * shown + shown_twice), 0.0))
        finer.append(max(total - all_of, 0.0))
    return told, finer
