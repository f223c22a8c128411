"""Methods of one formula, to compare with: each cell alone, or the large scales alone."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from imgda_mpi.analysis import gain
from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.wedge_powers import scale_filter
from imgda_mpi.grid import Grid
from imgda_mpi.methods.method import Increment, Method, check_scales, made, nothing
from imgda_mpi.problem import ErrorSd, Observations, Problem, embedded_sd


class Nothing(Method):
    """The background as it is."""

    name = "none"

    def _increment(self, problem: Problem, comm: MPI.Intracomm) -> Increment:
        return nothing(problem, self.name)


class Insert(Method):
    """The observation in the place of the background."""

    name = "insert"

    def _increment(self, problem: Problem, comm: MPI.Intracomm) -> Increment:
        return made(problem, problem.innovation.values, f"method {self.name}")


class Pointwise(Method):
    """A prescribed gain for each cell.

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
        image = pointwise_increment(innovation.values, self._background_error, innovation.sd)
        return made(problem, np.asarray(image, np.float64), f"method {self.name}")


class PointwiseFitted(Method):
    """The constant gain that the innovation itself speaks for: the share of its power that is not the noise's."""

    name = "pointwise_fitted"

    def _increment(self, problem: Problem, comm: MPI.Intracomm) -> Increment:
        innovation = problem.innovation
        power = float(np.square(innovation.values).sum())
        share = max(0.0, 1 - innovation.noise_power / power) if power > 0 else 1.0
        return made(problem, share * innovation.values, f"method {self.name}, gain {share:.3f}")


class LargeScale(Method):
    """The large scales of the image as a weak constraint (Shen et al. 2024).

    Parameters
    ----------
    transform : CurveletTransform
    background_error : float or (ny, nx) array
        Standard deviation of the background errors s_b, m3 m-3.
    scales : collection of int, optional
        Scales of the constraint, 1 being the coarsest; the coarser half unless given.
    """

    name = "large_scale"
    needs_transform = True

    def __init__(
        self, transform: CurveletTransform, background_error: ErrorSd, scales: Collection[int] | None = None
    ) -> None:
        self._transform, self._background_error = transform, background_error
        self._scales = scales or range(1, transform.geometry.n_scales // 2 + 1)

    def check(self, grid: Grid, observations: Observations) -> None:
        """Refuse scales that the transform has not.

        Raises
        ------
        ConfigError
        """
        check_scales(self._scales, self._transform)

    def _increment(self, problem: Problem, comm: MPI.Intracomm) -> Increment:
        shape, (ny, nx) = self._transform.layout.image_shape, problem.grid.shape
        innovation = problem.embedded(shape).innovation
        background_sd = embedded_sd(self._background_error, problem.land, shape)
        # The constraint knows one standard deviation of each kind: of fields the root mean square.
        s_b, s_o = (float(np.sqrt(np.mean(np.square(sd)))) for sd in (background_sd, innovation.sd))
        low_pass = scale_filter(self._transform, self._scales)
        image = large_scale_increment(innovation.values, s_b, s_o, low_pass)[:ny, :nx]
        return made(problem, np.asarray(image, np.float64), f"method {self.name}")


def pointwise_increment(innovation: Values, background_sd: npt.ArrayLike, observation_sd: npt.ArrayLike) -> Values:
    """Increment of an image without any transform, s_b^2 / (s_b^2 + s_o^2) (y - x_b): the baseline.

    Parameters
    ----------
    innovation : (ny, nx) array
        y - x_b, m3 m-3.
    background_sd, observation_sd : scalars or (ny, nx) arrays
        Error standard deviations s_b and s_o, m3 m-3.

    Returns
    -------
    (ny, nx) array
        m3 m-3.

    Raises
    ------
    ValueError
        See `gain`.
    """
    return gain(np.square(background_sd), np.square(observation_sd)) * innovation


def large_scale_increment(
    innovation: Values, background_sd: float, observation_sd: float, low_pass: FloatArray
) -> Values:
    """Increment of an image by the variational weak constraint on its large scales.

    Parameters
    ----------
    innovation : (ny, nx) array
        y - x_b, m3 m-3, 0 where nothing is observed.
    background_sd, observation_sd : float
        Error standard deviations s_b and s_o, m3 m-3.
    low_pass : (ny, nx // 2 + 1) array
        Factors of the half spectrum by which C_L^T C_L multiplies an image, C_L being the large scales of the
        transform.

    Returns
    -------
    (ny, nx) array
        m3 m-3.

    Notes
    -----
    Shen et al. (2024), Geosci. Model Dev. 17, 3447, take only large-scale structure from the image, as a weak
    constraint. With white errors the cost |x - x_b|^2 / s_b^2 + |C_L (y - x)|^2 / s_o^2 has its minimum, frequency by
    frequency, at x - x_b = s_b^2 w (y - x_b) / (s_b^2 w + s_o^2) with w the low pass.
    """
    weighted = background_sd**2 * low_pass
    spectrum = np.fft.rfft2(innovation) * (weighted / (weighted + observation_sd**2))
    increment: Values = np.fft.irfft2(spectrum, s=innovation.shape)
    return increment
