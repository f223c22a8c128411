"""Error model ``analytic``: the prescribed white errors without any member, and only where something is observed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgda_mpi.analysis import Innovation
from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.parallel.image_rows import ImageRows
from imgda_mpi.solvers.full import WhiteCovariance
from imgda_mpi.solvers.own_coefficients import OwnCoefficients
from imgda_mpi.solvers.wedge_powers import WedgePowers

NOTHING = 1e-30  # (m3 m-3)2: keeps B + R above 0 where no observation reaches a coefficient


def masked_variance(own: OwnCoefficients, sd: float | FloatArray, innovation: Innovation) -> Values:
    """Variance of the own coefficients for white errors on the observed pixels: sum_x m sd^2 |phi|^2, (m3 m-3)2."""
    return own.expected_variance(np.where(innovation.observed, sd, 0.0))


def observation_variances(own: OwnCoefficients, observed: Values, innovation: Innovation) -> Values:
    """R of the own coefficients, above 0; ``observed`` is the `masked_variance` of errors of variance 1."""
    sd = np.asarray(innovation.observation_sd)
    variance = masked_variance(own, sd, innovation) if sd.ndim else observed * float(sd) ** 2
    return np.maximum(variance, NOTHING)


@dataclass(frozen=True)
class AnalyticErrors:
    """What `paper` tends to for ever more members, in closed form, for gaps and for fields of standard deviations too.

    Parameters
    ----------
    background : float or (ny, nx) array
        Standard deviation of the background errors, m3 m-3. That of the observation is part of the innovation.
    """

    background: float | FloatArray

    def variances(self, own: OwnCoefficients, innovation: Innovation) -> tuple[Values, Values]:
        """B and R of the own coefficients. Collective over the rectangle of ranks."""
        observed = masked_variance(own, 1.0, innovation)
        sd = np.asarray(self.background)
        background = masked_variance(own, sd, innovation) if sd.ndim else observed * float(sd) ** 2
        return background, observation_variances(own, observed, innovation)

    def covariance(self, rows: ImageRows, powers: WedgePowers, innovation: Innovation) -> WhiteCovariance:
        """B of images: with it the full solver is the pointwise update."""
        return WhiteCovariance(rows, self.background)
