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
def interpolated(coarse: Image, above: Image, below: Image, given: Image, rest: Image, out: Image) -> None:
    """G + (1 - c) P u of a coarse image u (m, n), with P linear from centre to centre; all others are (2 m, 2 n)."""
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
            out[i, 2 * j] = given[i, 2 * j] + rest[i, 2 * j] * left
            out[i, 2 * j + 1] = given[i, 2 * j + 1] + rest[i, 2 * j + 1] * right
        if n_columns % 2:
            left = NEAR * line[n] + FAR * line[n - 1]
            out[i, n_columns - 1] = given[i, n_columns - 1] + rest[i, n_columns - 1] * left


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
def _smooth_row(image: Image, above: Image, below: Image, i: int, line: Image, out: Image) -> None:
    """Row i, (n,), of an image (m, n) that is smoothed; ``line`` (n + 2,) is overwritten."""
    m, n = image.shape
    before, middle = above if i == 0 else image[i - 1], image[i]
    after = below if i + 1 == m else image[i + 1]
    for j in range(n):
        line[j + 1] = MIDDLE * middle[j] + SIDE * (before[j] + after[j])
    line[0], line[n + 1] = line[n], line[1]
    for j in range(n):
        out[j] = MIDDLE * line[j + 1] + SIDE * (line[j] + line[j + 2])


@compiled
def smoothed(image: Image, above: Image, below: Image, out: Image) -> None:
    """K of an image (m, n): smoothed in both directions. Its own adjoint on a closed image."""
    m, n = image.shape
    line = np.empty(n + 2, np.float32)
    for i in range(m):
        _smooth_row(image, above, below, i, line, out[i])


@compiled
def relax(image: Image, smooth: Image, above: Image, below: Image, given: Image, rest: Image, step: float) -> None:
    """A step of an image u towards g + (1 - c) (2 K - K^2) u, in place: u + step (g + (1 - c) (2 K - K^2) u - u).

    Parameters
    ----------
    image : u, (m, n)
    smooth, above, below : K u, and its rows above and below
    given, rest : g and 1 - c, (m, n)
    step : of which 1 goes all the way
    """
    m, n = image.shape
    line, again, whole = np.empty(n + 2, np.float32), np.empty(n, np.float32), np.float32(step)
    for i in range(m):
        _smooth_row(smooth, above, below, i, line, again)
        for j in range(n):
            flat = smooth[i, j] + (smooth[i, j] - again[j])
            image[i, j] += whole * (given[i, j] + rest[i, j] * flat - image[i, j])


@compiled
def relax_back(
    image: Image, told: Image, smooth: Image, above: Image, below: Image, rest: Image, step: float, is_last: bool
) -> None:
    """The adjoint of `relax`, in place.

    Parameters
    ----------
    image : (m, n)
    told : what of it comes from g, to which this step's is added, (m, n)
    smooth, above, below : K (1 - c) image, and its rows above and below
    rest, step : of `relax`
    is_last : whether no other step comes: the image is then of what the steps start from, g + (1 - c) P u
    """
    m, n = image.shape
    line, again = np.empty(n + 2, np.float32), np.empty(n, np.float32)
    whole, kept = np.float32(step), np.float32(1 - step)
    for i in range(m):
        _smooth_row(smooth, above, below, i, line, again)
        for j in range(n):
            earlier = kept * image[i, j] + whole * (smooth[i, j] + (smooth[i, j] - again[j]))
            told[i, j] += whole * image[i, j]
            if is_last:
                told[i, j] += earlier
                earlier *= rest[i, j]
            image[i, j] = earlier


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
