"""Images at half the resolution and back: sums of 2 x 2 pixels, linear interpolation, smoothing; with their adjoints.

Images are float32, rows are those of a rank, columns are closed end to end. Where a function asks for a *framed* image
it has one row more above and below, of the neighbours. Rows and columns of the finer image are even in number.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray

Image = npt.NDArray[np.float32]

NEAR, FAR = np.float32(0.75), np.float32(0.25)
"""Weights of the nearer and the farther coarse pixel: linear interpolation between centres of pixels."""

MIDDLE, SIDE = np.float32(0.5), np.float32(0.25)
"""Weights of a pixel and its neighbours in a smoothed image."""


@numba.njit(cache=True)
def pooled(fine: Image) -> Image:
    """Sums over 2 x 2 pixels, (m, n), of an image (2 m, 2 n)."""
    m, n = fine.shape[0] // 2, fine.shape[1] // 2
    coarse = np.empty((m, n), np.float32)
    for i in range(m):
        upper, lower = fine[2 * i], fine[2 * i + 1]
        for j in range(n):
            coarse[i, j] = (upper[2 * j] + upper[2 * j + 1]) + (lower[2 * j] + lower[2 * j + 1])
    return coarse


@numba.njit(cache=True)
def spread(coarse: Image) -> Image:
    """The adjoint of `pooled`: each value (m, n) in all of its 2 x 2 pixels, (2 m, 2 n)."""
    m, n = coarse.shape
    fine = np.empty((2 * m, 2 * n), np.float32)
    for i in range(2 * m):
        row = coarse[i // 2]
        for j in range(n):
            fine[i, 2 * j] = fine[i, 2 * j + 1] = row[j]
    return fine


@numba.njit(cache=True)
def interpolated(coarse: Image) -> Image:
    """The image (2 m, 2 n) that goes linearly from centre to centre of a framed coarse one, (m + 2, n)."""
    m, n = coarse.shape[0] - 2, coarse.shape[1]
    fine = np.empty((2 * m, 2 * n), np.float32)
    line = np.empty(n + 2, np.float32)
    for i in range(2 * m):
        near, far = coarse[i // 2 + 1], coarse[i // 2 + 2 * (i % 2)]
        for j in range(n):
            line[j + 1] = NEAR * near[j] + FAR * far[j]
        line[0], line[n + 1] = line[n], line[1]
        for j in range(n):
            fine[i, 2 * j] = NEAR * line[j + 1] + FAR * line[j]
            fine[i, 2 * j + 1] = NEAR * line[j + 1] + FAR * line[j + 2]
    return fine


@numba.njit(cache=True)
def gathered(fine: Image) -> Image:
    """The adjoint of `interpolated`: from a framed fine image (2 m + 2, 2 n) to a coarse one, (m, n)."""
    m, n = fine.shape[0] // 2 - 1, fine.shape[1] // 2
    coarse = np.empty((m, n), np.float32)
    line = np.empty(2 * n + 2, np.float32)
    for i in range(m):
        above, upper, lower, below = fine[2 * i], fine[2 * i + 1], fine[2 * i + 2], fine[2 * i + 3]
        for j in range(2 * n):
            line[j + 1] = NEAR * (upper[j] + lower[j]) + FAR * (above[j] + below[j])
        line[0], line[2 * n + 1] = line[2 * n], line[1]
        for j in range(n):
            coarse[i, j] = NEAR * (line[2 * j + 1] + line[2 * j + 2]) + FAR * (line[2 * j] + line[2 * j + 3])
    return coarse


@numba.njit(cache=True)
def smoothed(image: Image) -> Image:
    """A framed image (m + 2, n) smoothed in both directions, (m, n). Its own adjoint on a closed image."""
    m, n = image.shape[0] - 2, image.shape[1]
    smooth = np.empty((m, n), np.float32)
    line = np.empty(n + 2, np.float32)
    for i in range(m):
        above, middle, below = image[i], image[i + 1], image[i + 2]
        for j in range(n):
            line[j + 1] = MIDDLE * middle[j] + SIDE * (above[j] + below[j])
        line[0], line[n + 1] = line[n], line[1]
        for j in range(n):
            smooth[i, j] = MIDDLE * line[j + 1] + SIDE * (line[j] + line[j + 2])
    return smooth


def variances_of_level(spectrum: FloatArray, shape: tuple[int, int], number: int) -> tuple[float, float]:
    """What the pixels of one level can tell of a signal, and what they cannot.

    Parameters
    ----------
    spectrum : variance of the signal at each frequency of a half spectrum, times the number of pixels,
        (ny, nx // 2 + 1)
    shape : (ny, nx)
    number : of the level; its pixels are as large as 2^number of the image's

    Returns
    -------
    told, finer : float
        Variance of the waves that pixels of this size can show, in so far as the next coarser pixels, interpolated, do
        not show them; and of all finer waves.
    """
    (ny, nx), size, limit = shape, 2**number, 0.5 / 2**number
    weights = np.full(spectrum.shape[1], 2.0 / (ny * nx))
    weights[0] /= 2
    if nx % 2 == 0:
        weights[-1] /= 2
    along, across = np.abs(np.fft.fftfreq(ny)), np.fft.rfftfreq(nx)
    rows, columns = np.flatnonzero(along <= limit), np.flatnonzero(across <= limit)
    inside = spectrum[rows][:, columns] * weights[columns]
    finer = float((spectrum @ weights).sum() - inside.sum())
    # Means over two pixels, and linear interpolation between them, show this of a wave.
    shown = [
        (0.75 * np.cos(angle) + 0.25 * np.cos(3 * angle)) * np.cos(angle)
        for angle in (np.pi * size * along[rows], np.pi * size * across[columns])
    ]
    return float((inside * np.square(1 - np.outer(*shown))).sum()), max(finer, 0.0)
