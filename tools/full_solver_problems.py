"""Problems to measure the full solver on: red signals under white noise, seen through masks of usual kinds; seeded."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.grid import global_grid
from imgda_mpi.numerics.features import class_members, hat_functions
from imgda_mpi.numerics.problem import Observations, Problem

Shape = tuple[int, int]

SEED = 20220602
TIME = datetime(2022, 6, 2, tzinfo=UTC)

SIGNAL, NOISE = 0.1, 0.04  # standard deviations, m3 m-3
SLOPE = 3.0  # the signal's power falls as k^-3 from waves of about a hemisphere on
LONGEST = 1.5  # waves round a parallel or from pole to pole and back

SEEN = 0.35  # of the cells, by blocks and within coasts
RANDOM = 0.3
SWATHS, OF_SWATH = 14, 0.4  # round the globe, and what each sees of its part
CLASSES, KNOTS = 12, 5  # of soil, and of height: features


def red_field(rng: np.random.Generator, shape: Shape, longest: float = LONGEST) -> FloatArray:
    """A random field (ny, nx) of standard deviation 1 whose power falls as (longest^2 + k^2)^(-SLOPE / 2)."""
    ny, nx = shape
    waves = np.hypot(np.fft.fftfreq(ny)[:, None] * ny, np.fft.rfftfreq(nx) * nx / 2)
    amplitude = (longest**2 + waves**2) ** (-SLOPE / 4)
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * amplitude, s=shape)
    return np.asarray(field / field.std())


def mask_of(name: str, rng: np.random.Generator, shape: Shape) -> BoolArray:
    """Which cells are seen, (ny, nx): see `MASKS`."""
    (ny, nx), (row, column) = shape, np.indices(shape)
    if name == "blocks":
        return np.asarray((rng.random((16, 32)) < SEEN)[row * 16 // ny, column * 32 // nx])
    if name == "swaths":
        return np.asarray((column * SWATHS / nx + row * 0.3 * SWATHS / nx) % 1 < OF_SWATH)
    if name == "random":
        return rng.random(shape) < RANDOM
    if name == "coasts":
        height = red_field(rng, shape, longest=4.0)
        return np.asarray(height > np.quantile(height, 1 - SEEN))
    return np.ones(shape, bool)


MASKS = ("blocks", "swaths", "random", "coasts", "full")


def make_problem(shape: Shape, mask: str, *, features: bool) -> Problem:
    """A problem on all cells of a globe, observed within a mask; with features of soil and height if asked for."""
    rng = np.random.default_rng(SEED)
    observed = mask_of(mask, rng, shape)
    errors = SIGNAL * red_field(rng, shape) + NOISE * rng.standard_normal(shape)
    height, soil, background = (red_field(rng, shape) for _ in range(3))
    background = 0.25 + 0.05 * background
    ranks = np.searchsorted(np.quantile(soil, np.linspace(0, 1, CLASSES + 1)[1:-1]), soil)
    groups = {}
    if features:  # which take more memory than an update without
        groups = {"soil": class_members(ranks.ravel()), "height": hat_functions(height.ravel(), KNOTS)}
    seen = Observations(np.where(observed, background + errors, 0.0), observed, NOISE)
    land = np.ones(shape, bool)
    return Problem(global_grid(shape), background, land, seen, None, TIME, SEED, groups)
