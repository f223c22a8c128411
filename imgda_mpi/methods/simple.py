"""Methods of one formula, to compare with: each cell alone, or the large scales alone."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from mpi4py import MPI

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.wedge_powers import scale_filter
from imgda_mpi.grid import Grid
from imgda_mpi.methods.method import Increment, Method, check_scales, made
from imgda_mpi.numerics.kalman import gain
from imgda_mpi.numerics.problem import ErrorSd, Fact, Observations, Problem, embedded_sd


class Nothing(Method):
    """The background as it is."""

    name = "none"

    def _increment(self, problem: Problem, comm: MPI.Intracomm) -> Increment:
        return made(problem, np.zeros_like(problem.background), f"method {self.name}, no increment")


class Insert(Method):
    """The observation in the place of the background."""

    name = "insert"

    def _increment(self, problem: Problem, comm: MPI.Intracomm) -> Increment:
        return made(problem, problem.innovation.values, f"method {self.name}")


class Pointwise(Method):
    """A prescribed gain for each cell, s_b^2 / (s_b^2 + s_o^2): the baseline.

    Parameters
    ----------
    background_error : float or (ny, nx) array
        Standard deviation of the background errors s_b, m3 m-3.
    """

    name = "pointwise"

    def __init__(self, background_error: ErrorSd) -> None:
        self._background_error = background_error

    def _increment(self, problem: Problem, comm: MPI.Intracomm) -> Increment:
        innovation = problem.innovation
        image = gain(np.square(self._background_error), np.square(innovation.sd)) * innovation.values
        return made(problem, np.asarray(image, np.float64), f"method {self.name}")


class PointwiseFitted(Method):
    """The constant gain that the innovation itself speaks for: the share of its power that is not the noise's."""

    name = "pointwise_fitted"

    def estimated(self, observations: Observations) -> list[str]:
        """The gain: see `Method.estimated`."""
        return ["the gain"]

    def _increment(self, problem: Problem, comm: MPI.Intracomm) -> Increment:
        innovation = problem.innovation
        power = float(np.square(innovation.values).sum())
        share = max(0.0, 1 - innovation.noise_power / power) if power > 0 else 1.0
        facts = {"gain": Fact(share, "1", "of every observed cell")}
        return made(problem, share * innovation.values, f"method {self.name}, gain {share:.3f}", facts)


class LargeScale(Method):
    """The large scales of the image as a weak constraint.

    Parameters
    ----------
    transform : CurveletTransform
    background_error : float or (ny, nx) array
        Standard deviation of the background errors s_b, m3 m-3.
    scales : collection of int, optional
        Scales of the constraint, 1 being the coarsest; the coarser half unless given.

    Notes
    -----
    Shen et al. (2024), Geosci. Model Dev. 17, 3447, take only large-scale structure from the image. With white errors
    the cost |x - x_b|^2 / s_b^2 + |C_L (y - x)|^2 / s_o^2, C_L being these scales of the transform, has its minimum,
    frequency by frequency, at x - x_b = s_b^2 w (y - x_b) / (s_b^2 w + s_o^2) with w the factors of C_L^T C_L.
    """

    name = "large_scale"
    needs_transform = True

    def __init__(
        self, transform: CurveletTransform, background_error: ErrorSd, scales: Collection[int] | None = None
    ) -> None:
        self._transform, self._background_error = transform, background_error
        self._scales = scales or range(1, transform.geometry.n_scales // 2 + 1)

    def check(self, grid: Grid, observations: Observations) -> None:
        """Refuse scales that the transform has not: see `Method.check`."""
        check_scales(self._scales, self._transform)

    def _increment(self, problem: Problem, comm: MPI.Intracomm) -> Increment:
        shape, (ny, nx) = self._transform.layout.image_shape, problem.grid.shape
        innovation = problem.embedded(shape).innovation
        background_sd = embedded_sd(self._background_error, problem.land, shape)
        # The constraint knows one standard deviation of each kind: of fields the root mean square.
        s_b, s_o = (float(np.sqrt(np.mean(np.square(sd)))) for sd in (background_sd, innovation.sd))
        weighted = s_b**2 * scale_filter(self._transform, self._scales)
        spectrum = np.fft.rfft2(innovation.values) * (weighted / (weighted + s_o**2))
        return made(problem, np.fft.irfft2(spectrum, s=shape)[:ny, :nx], f"method {self.name}")
