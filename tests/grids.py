"""Grids that tests share."""

from __future__ import annotations

import numpy as np

from imgda_mpi.grid import Grid

MODEL = Grid(89.296875 - 1.40625 * np.arange(128), -179.296875 + 1.40625 * np.arange(256))


def columns(n: int, start: float = 0.0) -> np.ndarray:
    """Longitudes of equal steps around the globe."""
    return start + 360.0 / n * np.arange(n)


def gaussian_latitude(n: int) -> np.ndarray:
    """From south to north."""
    return np.degrees(np.arcsin(np.polynomial.legendre.leggauss(n)[0]))


def gaussian(ny: int, nx: int) -> Grid:
    """Global Gaussian grid."""
    return Grid(gaussian_latitude(ny), columns(nx))
