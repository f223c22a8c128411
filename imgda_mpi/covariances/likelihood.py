"""The most likely variances of the signal in an innovation: of wedges, and of groups of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.covariances.features import FeaturedCovariance, Woodbury
from imgda_mpi.covariances.system import ObservedSystem
from imgda_mpi.covariances.wedge import WedgeCovariance
from imgda_mpi.distributed.cell_features import CellFeatures
from imgda_mpi.distributed.continuation import Continuation
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.numerics.features import likelier_group_variances
from imgda_mpi.numerics.perturbations import Sample
from imgda_mpi.numerics.problem import Observations
from imgda_mpi.numerics.wedge_variances import innovation_variances, likelier_variances

STEP_TOLERANCE = 0.03
"""Of the systems solved in the last of two steps towards the most likely variances: more steps fit the noise in wedges
of few modes. The first step solves nothing, and is one of wedges alone."""
N_DRAWN = 2  # innovations that expected powers are estimated with
LEAST_TRACE = 0.1  # of what the preconditioner has
NOISE_IMAGE = 2  # of a sample, that makes noise: those before make the draw of a signal


@dataclass(frozen=True, eq=False)
class Signal:
    """Variances of what an innovation holds beside white noise, for images on the rows of ranks.

    Parameters
    ----------
    image_rows, powers : of the images and the transform
    features : of the cells, None for a signal of wedges alone
    wedges : s_w, (n_wedges,) (m3 m-3)2
    groups : b_g, (n_groups,) (m3 m-3)2
    near : see `FeaturedCovariance`
    """

    image_rows: ImageRows
    powers: WedgePowers
    features: CellFeatures | None
    wedges: FloatArray
    groups: FloatArray
    near: Woodbury | None = None

    def covariance(self, share: float = 0.0, mean_variance: float = 0.0) -> WedgeCovariance | FeaturedCovariance:
        """B = (1 - a) S with the share a; see `WedgeCovariance` for the variance of the mean. Collective."""
        of_wedges = WedgeCovariance(self.image_rows, self.powers, self.wedges, share, mean_variance)
        if self.features is None:
            return of_wedges
        return FeaturedCovariance(of_wedges, self.features, self.groups, share, self.near)

    def likelier(self, innovation: Observations, samples: list[Sample], tolerance: float | None) -> Signal:
        """One step towards the most likely variances, given an innovation. Collective.

        Its systems are solved to a ``tolerance``; with None nothing is solved: the preconditioner P stands for M^-1, of
        the innovation and of what it is compared with alike. What they are preconditioned with is used again.

        The ``samples`` make innovations u of this signal and noise, E[u u^T] = M: what is expected are the powers of
        M^-1 u, which vary in a wedge of n modes by the square root of 2 / n. The traces of features, of which there are
        few, are those of the preconditioner P, and what u say of M^-1 - P = E[(M^-1 u - P u) (M^-1 u)^T].
        """
        powers, features, covariance, own = self.powers, self.features, self.covariance(), self.image_rows.own
        system = ObservedSystem(self.image_rows, covariance, innovation)
        woodbury = system.precondition if isinstance(system.precondition, Woodbury) else None

        def solve(values: FloatArray) -> FloatArray:
            return system.preconditioned(values) if tolerance is None else system.solve(values, tolerance).values

        weighted = solve(innovation.values[own])
        of_drawn, corrections = list[FloatArray](), list[FloatArray]()
        for sample in samples:
            white = sample.white(self.image_rows.shape, NOISE_IMAGE, own)
            drawn = system.apply(covariance.draw(sample)) + np.sqrt(innovation.rows(own).noise) * white
            del white  # for memory
            solved = solve(drawn)
            of_drawn.append(powers.of(solved))
            if features is not None and woodbury is not None:
                left = solved - system.apply(woodbury(drawn))
                corrections.append(features.group_products(solved, left))
                del left
            del drawn, solved  # for memory
        observed, noise = powers.norms * np.count_nonzero(innovation.observed), powers.norms * innovation.noise_power
        expected = np.mean(of_drawn, axis=0)
        wedges = likelier_variances(self.wedges, powers.of(weighted), expected, observed, noise, powers.scale)
        groups = self.groups
        if features is not None and woodbury is not None:
            # Two draws may say that a trace is below 0: that is not to end a group of features.
            expected = np.maximum(woodbury.traces + np.mean(corrections, axis=0), LEAST_TRACE * woodbury.traces)
            of_innovation = features.group_products(weighted, weighted)
            groups = likelier_group_variances(groups, of_innovation, expected, features.counts)
        return Signal(self.image_rows, powers, features, wedges, groups, woodbury)


def likely_signal(
    image_rows: ImageRows,
    powers: WedgePowers,
    innovation: Observations,
    features: CellFeatures | None,
    *,
    tolerances: Sequence[float] = (STEP_TOLERANCE,),
    near: Signal | None = None,
    seed: int,
    time: datetime,
) -> Signal:
    """The signal of an innovation, a few steps towards the most likely one. Collective.

    The variances of wedges start from those of `first_variances`; the first step is for them alone, on what features
    leave of the innovation, and takes the preconditioner for M^-1. Each of the others has its tolerance; from a signal
    that is ``near`` it takes the last alone.
    """
    samples = [Sample(seed, time, number, of_signs=True) for number in range(1, 1 + N_DRAWN)]
    if near is not None:
        signal, tolerances = replace(near, near=None), tolerances[-1:]
    elif features is None:
        signal = signal_of_wedges(image_rows, powers, innovation).likelier(innovation, samples, None)
    else:
        weights = fitted_weights(features, innovation)
        left = innovation.minus(image_rows.whole(features.spread(weights)))
        signal = signal_of_wedges(image_rows, powers, left).likelier(left, samples, None)
        signal = with_features(signal, features, weights, innovation.rows(image_rows.own))
        del left  # for memory
    for tolerance in tolerances:
        signal = signal.likelier(innovation, samples, tolerance)
    return signal


def signal_of_wedges(image_rows: ImageRows, powers: WedgePowers, innovation: Observations) -> Signal:
    """What the steps start from. Collective."""
    return Signal(image_rows, powers, None, first_variances(powers, innovation), np.empty(0))


def with_features(signal: Signal, features: CellFeatures, weights: FloatArray, innovation: Observations) -> Signal:
    """A signal of wedges with one of features too. Collective.

    The variances of features start from the mean squares of their ``weights`` as they were fitted, and take a step with
    the preconditioner in the place of M^-1, which needs no system to be solved. The innovation is own rows.
    """
    counts = features.counts
    groups = np.bincount(features.group, weights**2, len(counts)) / np.maximum(counts, 1)
    of_wedges = WedgeCovariance(signal.image_rows, signal.powers, signal.wedges)
    woodbury = FeaturedCovariance(of_wedges, features, groups).preconditioner(innovation)
    weighted = innovation.apply(woodbury(innovation.values))
    of_innovation = features.group_products(weighted, weighted)
    groups = likelier_group_variances(groups, of_innovation, woodbury.traces, counts)
    return replace(signal, features=features, groups=groups, near=woodbury)


def fitted_weights(features: CellFeatures, innovation: Observations) -> FloatArray:
    """Of the features that follow an innovation best, as if the rest was white noise, (n_features,). Collective.

    w = (b Z^T Z + s^2)^-1 b Z^T d, b the variance of the signal and s^2 of the noise.
    """
    own, variance = features.image_rows.own, signal_variance(innovation)
    if variance == 0:
        return np.zeros(features.group.size)
    seen = features.within(innovation.observed[own])
    noise = innovation.noise_power / max(int(np.count_nonzero(innovation.observed)), 1)
    products = variance * seen.products() + noise * np.eye(features.group.size)
    return np.asarray(np.linalg.solve(products, variance * seen.of(innovation.values[own])), np.float64)


def signal_variance(innovation: Observations) -> float:
    """Mean square of an innovation less that of its white noise, not below 0, (m3 m-3)2. Not collective."""
    n_observed = max(int(np.count_nonzero(innovation.observed)), 1)
    return max(float(np.square(innovation.values).sum()) - innovation.noise_power, 0.0) / n_observed


def first_variances(powers: WedgePowers, innovation: Observations) -> FloatArray:
    """s_w to begin with, (n_wedges,) (m3 m-3)2. Collective over the ranks of ``powers``.

    The closed form counts what coasts and gaps spread over the wedges. A smooth continuation into the gaps spreads
    little, but has waves where nothing is observed: the smaller of both is taken.
    """
    image_rows, variances = powers.image_rows, wedge_variances(powers, innovation)
    n_observed = np.count_nonzero(innovation.observed)
    if n_observed == 0:
        return variances
    own, spectrum = innovation.rows(image_rows.own), powers.transform.filter_of(variances)
    extend = Continuation(image_rows, own.observed, spectrum, innovation.noise_power / n_observed)
    return np.minimum(variances, wedge_variances(powers, innovation, extend(own.values).astype(np.float64)))


def wedge_variances(powers: WedgePowers, innovation: Observations, continued: FloatArray | None = None) -> FloatArray:
    """s_w in closed form, (n_wedges,) (m3 m-3)2. Collective over the ranks of ``powers``.

    From the own rows of the innovation, 0 where nothing is observed, or as it was ``continued`` there.
    """
    observed = powers.norms * np.count_nonzero(innovation.observed)
    noise = powers.norms * innovation.noise_power
    image = innovation.values[powers.image_rows.own] if continued is None else continued
    return innovation_variances(powers.of(image), observed, noise, powers.scale)
