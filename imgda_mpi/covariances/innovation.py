"""Error model ``innovation``: what is coherent in the innovation, shared out to background and observation."""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import Values
from imgda_mpi.covariances.covariance import CovarianceErrors
from imgda_mpi.covariances.features import FeaturedCovariance
from imgda_mpi.covariances.held_back import tried_signal
from imgda_mpi.covariances.likelihood import Signal, likely_signal, wedge_variances
from imgda_mpi.covariances.noise import masked_variance, observation_variances
from imgda_mpi.covariances.wedge import WedgeCovariance
from imgda_mpi.distributed.cell_features import CellFeatures
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.own_coefficients import OwnWedges
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.grid import LONGEST_WAVE
from imgda_mpi.numerics.features import Groups, hat_functions
from imgda_mpi.numerics.problem import Fact, Observations, Problem

ENOUGH_FOR_FEATURES = 3000  # observed cells

MOISTURE_KNOTS = 8  # of the hat functions of the background's moisture

USUAL_BACKGROUND_ERROR = 0.15
"""Standard deviation of background errors that the default share is made with, m3 m-3: that of Bai et al. (2026)."""


class InnovationErrors(CovarianceErrors):
    """A signal with a variance for each scale and direction, such that the innovation is as expected.

    Parameters
    ----------
    coherent_share : float, optional
        Part a of the signal that is of the observation errors, 0 to 1; 1 - a is of the background errors. Unless given
        s_o^2 / (s_b^2 + s_o^2) with the prescribed s_o and s_b = `USUAL_BACKGROUND_ERROR`.
    features : optional
        Whether the signal of images has a part on features of the cells too, see `FeaturedCovariance`. Unless given it
        has one from `ENOUGH_FOR_FEATURES` observed cells on; below, where cells that are held back are likelier with it
        (`tried_signal`).

    Notes
    -----
    The innovation has the covariance H S H^T + R with the signal S and white observation errors R. One image cannot
    tell whose the signal is: both errors are coherent. With the share a of the observation, B is (1 - a) S and the
    increment (1 - a) S H^T (H S H^T + R)^-1 d.
    """

    name = "innovation"
    estimated = ("the background errors",)

    def __init__(self, coherent_share: float | None = None, features: bool | None = None) -> None:
        self._share, self._features = coherent_share, features
        self.uses_features = features is not False

    def coherent_share(self, observations: Observations) -> float:
        """The share a, from the prescribed errors of the observed pixels unless it was given."""
        if self._share is not None:
            return self._share
        variance = observations.noise_power / max(int(np.count_nonzero(observations.observed)), 1)
        return variance / (USUAL_BACKGROUND_ERROR**2 + variance)

    def variances(self, own: OwnWedges, problem: Problem) -> tuple[Values, Values]:
        """B and R of the own coefficients, the signal being s_w S. Collective over the rectangle of ranks.

        S is the variance of a coefficient for white errors of variance 1 on the observed pixels.
        """
        share, observed = problem.observations.coherent_share, masked_variance(own, 1.0, problem.observations)
        signal = own.spread_out(wedge_variances(own.powers(), problem.innovation)) * observed
        return (1 - share) * signal, observation_variances(own, observed, problem.observations) + share * signal

    def covariance(
        self, image_rows: ImageRows, powers: WedgePowers, problem: Problem
    ) -> WedgeCovariance | FeaturedCovariance:
        """B = (1 - a) S with S = C^T diag(s_w) C, and with features Z diag(b_g) Z^T more. Collective.

        In a region that is smaller than the longest waves the innovation's mean is an error of its own, which reaches
        all of it.
        """
        innovation, share, mean = problem.innovation, problem.observations.coherent_share, 0.0
        if problem.grid.extent < LONGEST_WAVE and innovation.observed.any():
            mean = float(innovation.values[innovation.observed].mean())
            innovation = innovation.minus(mean)
        signal, facts, words = self._signal(image_rows, powers, innovation, problem)
        covariance = signal.covariance(share, mean**2)
        covariance.facts, covariance.summary = {**covariance.facts, **facts}, covariance.summary + words
        return covariance

    def _signal(
        self, image_rows: ImageRows, powers: WedgePowers, innovation: Observations, problem: Problem
    ) -> tuple[Signal, dict[str, Fact], str]:
        """The most likely signal, with features or without; facts and words of how that was decided. Collective."""
        seed, time, n_observed = problem.seed, problem.time, np.count_nonzero(innovation.observed)
        features, near, facts, words = None, None, {}, ""
        if self.uses_features and n_observed > 0:
            features = CellFeatures(image_rows, groups_of(problem), problem.land)
            if self._features is None and n_observed < ENOUGH_FOR_FEATURES:
                near, gain = tried_signal(image_rows, powers, innovation, features, seed=seed, time=time)
                features = near.features
                meaning = "log likelihood of a held-back cell with features, less that without"
                facts = {"gain_by_features": Fact(gain, "1", meaning)}
                words = f"{'' if features else ', no features'} ({gain:+.3f} in the log likelihood of a held-back cell)"
        signal = likely_signal(image_rows, powers, innovation, features, near=near, seed=seed, time=time)
        return signal, facts, words


def groups_of(problem: Problem) -> Groups:
    """Groups of features of the cells: the background's own moisture, and those of the problem. Not collective."""
    moisture = np.where(problem.land, problem.background, np.nan)
    return {"moisture": hat_functions(moisture.ravel(), MOISTURE_KNOTS), **problem.features}
