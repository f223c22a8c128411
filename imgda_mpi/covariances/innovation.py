"""Error model ``innovation``: one background error variance for each wedge, from the innovation itself."""

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
from imgda_mpi.numerics.perturbations import random_signs
from imgda_mpi.numerics.problem import Observations, Problem
from imgda_mpi.numerics.wedge_variances import innovation_variances, likelier_variances

N_STEPS = 3  # towards the most likely variances: more of them fit the noise in wedges of few modes
STEP_TOLERANCE = 0.1  # of the systems solved in a step


class InnovationErrors(CovarianceErrors):
    """Background errors with a variance for each scale and direction, such that the innovation is as expected."""

    name = "innovation"
    estimated = ("the background errors",)

    def variances(self, own: OwnWedges, problem: Problem) -> tuple[Values, Values]:
        """B = b_w S and R of the own coefficients. Collective over the rectangle of ranks.

        S is the variance of a coefficient for white errors of variance 1 on the observed pixels.
        """
        observed = masked_variance(own, 1.0, problem.observations)
        of_wedges = wedge_variances(own.powers(), problem.innovation)
        return own.spread_out(of_wedges) * observed, observation_variances(own, observed, problem.observations)

    def covariance(self, image_rows: ImageRows, powers: WedgePowers, problem: Problem) -> WedgeCovariance:
        """B = C^T diag(b_w) C. Collective.

        The variances start from the closed form, which counts what coasts and gaps spread from one wedge to others
        twice, and take a few steps towards the most likely ones.
        """
        innovation = problem.innovation
        variances = wedge_variances(powers, innovation)
        signs = innovation.apply(random_signs(image_rows.shape, seed=problem.seed, time=problem.time, member=0))
        for _ in range(N_STEPS):
            system = ObservedSystem(image_rows, WedgeCovariance(image_rows, powers, variances), innovation)
            weighted, probed = (
                image_rows.whole(system.solve(image[image_rows.own], STEP_TOLERANCE).values)
                for image in (innovation.values, signs)
            )
            # Random signs have the traces of the expectation for their mean; one image has many pixels.
            expected = powers.of(signs, probed)
            variances = likelier_variances(variances, powers.of(weighted), expected, powers.scale)
        return WedgeCovariance(image_rows, powers, variances)


def wedge_variances(powers: WedgePowers, innovation: Observations) -> FloatArray:
    """b_w in closed form, (n_wedges,) (m3 m-3)2. Collective over the ranks of ``powers``."""
    observed = powers.norms * np.count_nonzero(innovation.observed)
    noise = powers.norms * innovation.noise_power
    return innovation_variances(powers.of(innovation.values), observed, noise, powers.scale)
