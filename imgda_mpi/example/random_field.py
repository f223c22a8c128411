"""Random patterns of a given scale, by spectral synthesis."""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import FloatArray


def correlated_field(rng: np.random.Generator, shape: tuple[int, int], length: float) -> FloatArray:
    """Random field (ny, nx) with a Gaussian correlation exp(-d^2 / (2 length^2)), d and length in degrees on the map.

    Its rows span 180 degrees, its columns 360; it is periodic in both directions, and has mean 0 and standard deviation
    1 over the map. Takes ny * nx normal numbers.
    """
    ny, nx = shape
    rows = np.fft.fftfreq(ny, d=180.0 / ny)[:, None]
    columns = np.fft.rfftfreq(nx, d=360.0 / nx)[None, :]
    # The square root of the spectrum of a Gaussian correlation.
    amplitude = np.exp(-((np.pi * length) ** 2) * (rows**2 + columns**2))
    amplitude[0, 0] = 0.0
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * amplitude, s=shape)
    return np.asarray(field / field.std())
