"""Error model ``innovation``: what is coherent in the innovation, shared out to background and observation."""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.covariances.covariance import CovarianceErrors
from imgda_mpi.covariances.noise import masked_variance, observation_variances
from imgda_mpi.covariances.system import ObservedSystem
from imgda_mpi.covariances.wedge import WedgeCovariance
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.own_coefficients import OwnWedges
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.grid import LONGEST_WAVE
from imgda_mpi.numerics.perturbations import random_signs
from imgda_mpi.numerics.problem import Observations, Problem
from imgda_mpi.numerics.wedge_variances import innovation_variances, likelier_variances

N_STEPS = 3  # towards the most likely variances: more of them fit the noise in wedges of few modes
STEP_TOLERANCE = 0.03  # of the systems solved in a step
N_PROBES = 2  # images of random signs that traces are estimated with
FIRST_PROBE = 1000  # number of the first: lower ones are those of the expected errors

USUAL_BACKGROUND_ERROR = 0.15
"""Standard deviation of background errors that the default share is made with, m3 m-3: that of Bai et al. (2026)."""


class InnovationErrors(CovarianceErrors):
    """A signal with a variance for each scale and direction, such that the innovation is as expected.

    Parameters
    ----------
    coherent_share : float, optional
        Part a of the signal that is of the observation errors, 0 to 1; 1 - a is of the background errors. Unless given
        s_o^2 / (s_b^2 + s_o^2) with the prescribed s_o and s_b = `USUAL_BACKGROUND_ERROR`.

    Notes
    -----
    The innovation has the covariance H S H^T + R with the signal S and white observation errors R. One image cannot
    tell whose the signal is: both errors are coherent. With the share a of the observation, B is (1 - a) S and the
    increment (1 - a) S H^T (H S H^T + R)^-1 d.
    """

    name = "innovation"
    estimated = ("the background errors",)

    def __init__(self, coherent_share: float | None = None) -> None:
        self._share = coherent_share

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

    def covariance(self, image_rows: ImageRows, powers: WedgePowers, problem: Problem) -> WedgeCovariance:
        """B = (1 - a) C^T diag(s_w) C. Collective.

        The variances start from the closed form, which counts what coasts and gaps spread from one wedge to others
        twice, and take a few steps towards the most likely ones. In a region that is smaller than the longest waves
        the innovation's mean is an error of its own, which reaches all of it.
        """
        innovation, share, mean = problem.innovation, problem.observations.coherent_share, 0.0
        if problem.grid.extent < LONGEST_WAVE and innovation.observed.any():
            mean = float(innovation.values[innovation.observed].mean())
            innovation = innovation.minus(np.full(image_rows.shape, mean))
        observed = powers.norms * np.count_nonzero(innovation.observed)
        variances = wedge_variances(powers, innovation)
        probes = [
            innovation.apply(random_signs(image_rows.shape, seed=problem.seed, time=problem.time, member=number))
            for number in range(FIRST_PROBE, FIRST_PROBE + N_PROBES)
        ]
        for _ in range(N_STEPS):
            system = ObservedSystem(image_rows, WedgeCovariance(image_rows, powers, variances), innovation)
            weighted, *probed = (
                image_rows.whole(system.solve(image[image_rows.own], STEP_TOLERANCE).values)
                for image in (innovation.values, *probes)
            )
            # Random signs have the traces of the expectation for their mean; an image has many pixels.
            products = [powers.of(signs, solved) for signs, solved in zip(probes, probed, strict=True)]
            expected = np.mean(products, axis=0)
            variances = likelier_variances(variances, powers.of(weighted), expected, observed, powers.scale)
        return WedgeCovariance(image_rows, powers, variances, share, mean**2)


def wedge_variances(powers: WedgePowers, innovation: Observations) -> FloatArray:
    """s_w in closed form, (n_wedges,) (m3 m-3)2. Collective over the ranks of ``powers``."""
    observed = powers.norms * np.count_nonzero(innovation.observed)
    noise = powers.norms * innovation.noise_power
    return innovation_variances(powers.of(innovation.values), observed, noise, powers.scale)
