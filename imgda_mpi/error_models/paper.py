"""Error model ``paper``: white perturbations of the background and of the observation, N members of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy.typing as npt

from imgda_mpi.analysis import Innovation
from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.parallel.image_rows import ImageRows
from imgda_mpi.perturbations import ENSEMBLES, perturbation
from imgda_mpi.solvers.full import WhiteCovariance
from imgda_mpi.solvers.own_coefficients import OwnCoefficients
from imgda_mpi.solvers.wedge_powers import WedgePowers


@dataclass(frozen=True)
class PaperErrors:
    """Errors of Bai et al. (2026), section 3.3: variances are those over perturbed members.

    Parameters
    ----------
    background, observation : float or (ny, nx) array
        Standard deviations in physical space, m3 m-3.
    n_members : int
        Members for the background and as many for the observation.
    seed : int
    time : datetime
        Analysis time; the perturbations are keyed by it.
    """

    background: float | FloatArray
    observation: float | FloatArray
    n_members: int
    seed: int
    time: datetime

    def deviation(self, kind: str, member: int, shape: tuple[int, int], dtype: npt.DTypeLike) -> Values:
        """What perturbs a member, (ny, nx) m3 m-3."""
        noise = perturbation(shape, seed=self.seed, time=self.time, kind=kind, member=member, dtype=dtype)
        noise *= self.background if kind == "background" else self.observation
        return noise

    def variances(self, own: OwnCoefficients, innovation: Innovation) -> tuple[Values, Values]:
        """B and R of the own coefficients (eq. 8). Collective over the rectangle of ranks."""
        background, observation = own.sample_variances(self, ENSEMBLES)
        return background, observation

    def covariance(self, rows: ImageRows, powers: WedgePowers, innovation: Innovation) -> WhiteCovariance:
        """B of images: what the members' covariance tends to."""
        return WhiteCovariance(rows, self.background)
