"""Hydraulic properties of soil from its texture: the pedotransfer functions of HYPRES."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray

RESIDUAL = 0.01
"""Residual water, m3 m-3, which the source takes for all soils."""

# Inputs are kept within these, about those of the source's soils: some terms are reciprocals.
CLAY, SILT, ORGANIC = (2.0, 75.0), (2.0, 90.0), (0.3, 15.0)  # %
DENSITY = (0.9, 1.8)  # g cm-3


class Retention(NamedTuple):
    """Parameters of van Genuchten and Mualem, arrays of one shape.

    Parameters
    ----------
    porosity : saturated water, m3 m-3
    alpha : mm-1
    n : above 1
    conductivity : of saturated soil, mm s-1
    """

    porosity: FloatArray
    alpha: FloatArray
    n: FloatArray
    conductivity: FloatArray


def hypres(
    clay: FloatArray, silt: FloatArray, organic: FloatArray, density: FloatArray, is_topsoil: BoolArray
) -> Retention:
    """Continuous pedotransfer functions of Woesten et al. (1999), Geoderma 90, 169, table 5.

    Parameters
    ----------
    clay, silt, organic : clay, silt and organic matter, % of the mass; arrays that broadcast
    density : of the dry soil, g cm-3
    is_topsoil : of the upper soil
    """
    c, s, o = np.clip(clay, *CLAY), np.clip(silt, *SILT), np.clip(organic, *ORGANIC)
    d, t = np.clip(density, *DENSITY), np.asarray(is_topsoil, np.float64)
    ln_s, ln_o = np.log(s), np.log(o)
    porosity = (
        0.7919
        + 0.001691 * c
        - 0.29619 * d
        - 0.000001491 * s**2
        + 0.0000821 * o**2
        + 0.02427 / c
        + 0.01113 / s
        + 0.01472 * ln_s
        - 0.0000733 * o * c
        - 0.000619 * d * c
        - 0.001183 * d * o
        - 0.0001664 * t * s
    )
    ln_alpha = (
        -14.96
        + 0.03135 * c
        + 0.0351 * s
        + 0.646 * o
        + 15.29 * d
        - 0.192 * t
        - 4.671 * d**2
        - 0.000781 * c**2
        - 0.00687 * o**2
        + 0.0449 / o
        + 0.0663 * ln_s
        + 0.1482 * ln_o
        - 0.04546 * d * s
        - 0.4852 * d * o
        + 0.00673 * t * c
    )
    ln_n = (
        -25.23
        - 0.02195 * c
        + 0.0074 * s
        - 0.1940 * o
        + 45.5 * d
        - 7.24 * d**2
        + 0.0003658 * c**2
        + 0.002885 * o**2
        - 12.81 / d
        - 0.1524 / s
        - 0.01958 / o
        - 0.2876 * ln_s
        - 0.0709 * ln_o
        - 44.6 * np.log(d)
        - 0.02264 * d * c
        + 0.0896 * d * o
        + 0.00718 * t * c
    )
    ln_conductivity = (
        7.755
        + 0.0352 * s
        + 0.93 * t
        - 0.967 * d**2
        - 0.000484 * c**2
        - 0.000322 * s**2
        + 0.001 / s
        - 0.0748 / o
        - 0.643 * ln_s
        - 0.01398 * d * c
        - 0.1673 * d * o
        + 0.02986 * t * c
        - 0.03305 * t * s
    )
    return Retention(
        porosity=porosity,
        alpha=0.1 * np.exp(ln_alpha),  # of cm-1
        n=1.0 + np.exp(ln_n),
        conductivity=np.exp(ln_conductivity) * 10.0 / 86400.0,  # of cm d-1
    )
