"""Error model ``paper``: white perturbations of the background and of the observation, N members of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy.typing as npt

from imgda_mpi.arrays import Values
from imgda_mpi.covariances.covariance import ErrorModel
from imgda_mpi.curvelet import Layout
from imgda_mpi.distributed.own_coefficients import OwnCoefficients
from imgda_mpi.distributed.rectangle import Rectangle, choose_rectangle
from imgda_mpi.numerics.perturbations import ENSEMBLES, perturbation
from imgda_mpi.numerics.problem import ErrorSd, Problem, embedded_sd


class PaperErrors(ErrorModel[OwnCoefficients]):
    """Errors of Bai et al. (2026), section 3.3: variances are those over perturbed members.

    Parameters
    ----------
    background_error : float or (ny, nx) array
        Standard deviation of the background errors on the grid, m3 m-3.
    n_members : int
        Members for the background and as many for the observation.
    """

    name = "paper"
    scales_by_size = False  # four on 256 x 128, as in the paper
    coefficients = OwnCoefficients

    def __init__(self, background_error: ErrorSd, n_members: int) -> None:
        self._background_error, self._n_members = background_error, n_members

    def rectangle(self, layout: Layout, n_ranks: int, wedge_groups: int | None) -> Rectangle:
        """Member groups and wedge groups: see `choose_rectangle`."""
        return choose_rectangle(layout, self._n_members, n_ranks, wedge_groups)

    def variances(self, own: OwnCoefficients, problem: Problem) -> tuple[Values, Values]:
        """B and R of the own coefficients (eq. 8). Collective over the rectangle of ranks."""
        sd = embedded_sd(self._background_error, problem.land, problem.land.shape)
        members = PerturbedMembers(sd, problem.observations.sd, self._n_members, problem.seed, problem.time)
        background, observation = own.sample_variances(members, ENSEMBLES)
        return background, observation


@dataclass(frozen=True, eq=False)
class PerturbedMembers:
    """Perturbations x_i - x_b = s_b e_i and y_i - y = s_o e'_i with white noise e.

    Parameters
    ----------
    background, observation : standard deviations s_b and s_o, numbers or (ny, nx), m3 m-3
    n_members : of each kind
    seed, time : key of the noise
    """

    background: ErrorSd
    observation: ErrorSd
    n_members: int
    seed: int
    time: datetime

    def deviation(self, kind: str, member: int, shape: tuple[int, int], dtype: npt.DTypeLike) -> Values:
        """What perturbs a member, (ny, nx) m3 m-3."""
        noise = perturbation(shape, seed=self.seed, time=self.time, kind=kind, member=member, dtype=dtype)
        noise *= self.background if kind == "background" else self.observation
        return noise
