"""Smooth random fields on the sphere, point by point: sums of random plane waves."""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.compiled import compiled
from imgda_mpi.grid import EARTH_RADIUS

WAVES = 200


def smooth_field(
    latitude: FloatArray, longitude: FloatArray, length: float, generator: np.random.Generator
) -> FloatArray:
    """A random field at points of the sphere, of mean 0 and variance 1, correlated over a length.

    Over all draws the correlation is exp(-d^2 / (2 length^2)), d the distance through the Earth: the field is a sum of
    plane waves cos(k.x + phase) with normal k of standard deviation 1 / length along each of three axes (random
    Fourier features, Rahimi and Recht 2007). Values are nearly normal: there are 200 waves.

    The value at a point has the same bits whatever the other points are. Takes 600 normal and 200 uniform numbers.

    Parameters
    ----------
    latitude, longitude : of the points, (n,) degrees
    length : km
    generator : of the random numbers

    Returns
    -------
    (n,) array

    Raises
    ------
    ValueError
        Where the length is not a positive number, or the coordinates differ in shape.
    """
    if not 0.0 < length < np.inf:
        raise ValueError(f"length={length}: needs a positive number")
    if latitude.ndim != 1 or latitude.shape != longitude.shape:
        raise ValueError(f"latitude and longitude have shapes {latitude.shape} and {longitude.shape}, not one (n,)")
    waves = generator.standard_normal((WAVES, 3)) * (EARTH_RADIUS / 1000.0 / length)
    phases = generator.uniform(0.0, 2.0 * np.pi, WAVES)
    field: FloatArray = _sum_of_waves(np.radians(latitude), np.radians(longitude), waves, phases)
    return field


@compiled
def _sum_of_waves(latitude: FloatArray, longitude: FloatArray, waves: FloatArray, phases: FloatArray) -> FloatArray:
    """Scalar sums in the order of the waves; waves (n, 3) in radians per radius of the Earth."""
    field = np.empty(latitude.size)
    scale = np.sqrt(2.0 / phases.size)
    for i in range(latitude.size):
        x = np.cos(latitude[i]) * np.cos(longitude[i])
        y = np.cos(latitude[i]) * np.sin(longitude[i])
        z = np.sin(latitude[i])
        total = 0.0
        for k in range(phases.size):
            total += np.cos(waves[k, 0] * x + waves[k, 1] * y + waves[k, 2] * z + phases[k])
        field[i] = scale * total
    return field
