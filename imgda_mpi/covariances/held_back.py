"""Whether features make cells that were held back likelier: to be asked where there are few to find variances from."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.covariances.likelihood import Signal, likely_signal
from imgda_mpi.distributed.cell_features import CellFeatures
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.wedge_powers import WedgePowers, wedge_filter
from imgda_mpi.numerics.perturbations import perturbation
from imgda_mpi.numerics.problem import Observations
from imgda_mpi.parallel.failure import from_rank_0

PART = 10  # one cell of so many is held back


def gain_by_features(
    image_rows: ImageRows,
    powers: WedgePowers,
    innovation: Observations,
    features: CellFeatures,
    *,
    seed: int,
    time: datetime,
) -> float:
    """By how much features raise the log likelihood of a held-back cell, on the mean over those. Collective.

    A tenth of the observed cells is held back, chosen at random. The variances of the signal with features, and of that
    without, are found from the others, and so is the density of the held-back ones, all of them together. It takes a
    matrix of all observed cells: there should be some thousands at most.
    """
    order = np.argsort(perturbation(image_rows.shape, seed=seed, time=time, kind="held back", member=0), axis=None)
    cells = order[innovation.observed.ravel()[order]]
    held = cells[: cells.size // PART]
    observed = innovation.observed.copy()
    observed.ravel()[held] = False
    others = replace(innovation, observed=observed, values=np.where(observed, innovation.values, 0.0))
    cells = np.concatenate([cells[held.size :], held])
    found = []
    for of_signal in (features, None):
        signal = likely_signal(image_rows, powers, others, of_signal, seed=seed, time=time)
        of_cells = None if of_signal is None else of_signal.at(cells)

        def density(signal: Signal = signal, of_cells: FloatArray | None = of_cells) -> float:
            return log_density(signal, of_cells, innovation, cells, held.size)

        found.append(from_rank_0(image_rows.comm, density))
    return float((found[0] - found[1]) / held.size)


def log_density(
    signal: Signal, features: FloatArray | None, innovation: Observations, cells: IntArray, n_last: int
) -> float:
    """Log density of an innovation's last ``n_last`` cells, given the others. Not collective.

    ``cells`` (n,) are all observed cells by their numbers, row by row, ``features`` theirs, (n, n_features).
    """
    (ny, nx), (row, column) = innovation.observed.shape, np.divmod(cells, innovation.observed.shape[1])
    kernel = np.fft.irfft2(wedge_filter(signal.powers.transform, signal.wedges), (ny, nx))
    matrix = kernel[(row[:, None] - row) % ny, (column[:, None] - column) % nx]
    if features is not None and signal.features is not None:
        matrix += (features * signal.groups[signal.features.group]) @ features.T
    matrix[np.diag_indices(cells.size)] += innovation.variance.ravel()[cells]
    # The last rows of the factor are the Kalman filter's: each cell given all before it.
    factor = cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
    surprise = solve_triangular(factor, innovation.values.ravel()[cells], lower=True, check_finite=False)[-n_last:]
    return float(-0.5 * np.sum(surprise**2) - np.sum(np.log(np.diag(factor)[-n_last:])))
