"""Whether features help to tell cells that were held back: to be tried where there are few to find variances from."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

import numpy as np

from imgda_mpi.covariances.likelihood import Signal, likely_signal
from imgda_mpi.covariances.system import ObservedSystem
from imgda_mpi.distributed.cell_features import CellFeatures
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.numerics.perturbations import perturbation
from imgda_mpi.numerics.problem import Observations

PART = 10  # one cell of so many is held back
TOLERANCES = (0.01, 0.01)
"""Of the second and the third step towards the most likely signals; the first solves nothing. With looser ones it is at
times the other signal that tells the cells better."""


def tried_signal(
    image_rows: ImageRows,
    powers: WedgePowers,
    innovation: Observations,
    features: CellFeatures,
    *,
    seed: int,
    time: datetime,
) -> tuple[Signal, float]:
    """The signal, with features or without, that tells held-back cells better. Collective.

    A tenth of the observed cells is held back, chosen at random. Both signals are found from the others, and tell the
    held-back ones.

    Returns
    -------
    Signal
        The better one, found from the cells that were not held back.
    float
        By how much features raise the log likelihood of a held-back cell, taken for Gaussian about what is told of it,
        with the variance that it has there: ln(e_without / e_with) of the root mean square errors e.
    """
    order = np.argsort(perturbation(image_rows.shape, seed=seed, time=time, kind="held back", member=0), axis=None)
    cells = order[innovation.observed.ravel()[order]]
    held = np.zeros(image_rows.shape, bool)
    held.ravel()[cells[: max(cells.size // PART, 1)]] = True
    observed = innovation.observed & ~held
    others = replace(innovation, observed=observed, values=np.where(observed, innovation.values, 0.0))
    signals = [
        likely_signal(image_rows, powers, others, of, tolerances=TOLERANCES, seed=seed, time=time)
        for of in (features, None)
    ]
    own = image_rows.own
    powers_of_errors = []
    for signal in signals:
        system = ObservedSystem(image_rows, signal.covariance(), others)
        told = system.increment(system.solve(others.values[own], TOLERANCES[-1]).values)
        errors = held[own] * (innovation.values[own] - told)
        powers_of_errors.append(image_rows.inner(errors, errors))
    with_features, without = powers_of_errors
    gain = math.log(without / with_features) / 2 if min(powers_of_errors) > 0 else 0.0
    return signals[0 if gain > 0 else 1], gain
