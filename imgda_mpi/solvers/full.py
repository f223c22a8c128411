"""The full solver: the Kalman update on the observed pixels, exact for gaps and for the frame's redundancy.

With H that picks the observed pixels, the innovation d, the background error covariance B of images and R = diag(s_o^2)
of the observation, the increment is B H^T z with (H B H^T + R) z = H d.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from mpi4py import MPI

from imgda_mpi.analysis import Innovation, gain
from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.conjugate_gradients import Solution, conjugate_gradients
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.errors import ImgdaError
from imgda_mpi.parallel.image_rows import ImageRows
from imgda_mpi.solvers.wedge_powers import WedgePowers, scale_filter, wedge_filter
from imgda_mpi.solvers.wedge_statistics import WedgeStatistics

TOLERANCE = 1e-3  # of the residual; ten times less changes an increment by less than 1e-4 m3 m-3
MAX_ITERATIONS = 1000


class Covariance(Protocol):
    """Background error covariance B of images, of which each rank has its rows (n_own, nx)."""

    @property
    def variance(self) -> FloatArray:
        """Its diagonal, (n_own, nx) (m3 m-3)2."""

    @property
    def wedge_variances(self) -> FloatArray | None:
        """Of a coefficient whose curvelet has norm 1, (n_wedges,) (m3 m-3)2; None where B is not made of them."""

    def apply(self, rows: FloatArray) -> FloatArray:
        """B times an image, (n_own, nx). Collective."""

    def preconditioner(self, noise: FloatArray) -> Callable[[FloatArray], FloatArray]:
        """An approximation of (B + diag(noise))^-1, positive definite, with noise (n_own, nx). Collective."""


class CovarianceErrors(Protocol):
    """An error model as the full solver knows it."""

    def covariance(self, rows: ImageRows, powers: WedgePowers, innovation: Innovation) -> Covariance:
        """Background error covariance B. Collective."""


class WedgeCovariance:
    """B = C^T diag(b_w) C with one variance for each wedge: a filter, the same everywhere.

    Parameters
    ----------
    rows : ImageRows
    powers : WedgePowers
    wedge_variances : (n_wedges,) array
        b_w, (m3 m-3)2.
    """

    def __init__(self, rows: ImageRows, powers: WedgePowers, wedge_variances: FloatArray) -> None:
        self._rows = rows
        self.wedge_variances = wedge_variances
        self._factors = wedge_filter(powers.transform, wedge_variances)[:, rows.own_columns]
        self._variance = float(np.sum(wedge_variances * powers.norms))

    @property
    def variance(self) -> FloatArray:
        """Its diagonal, (n_own, nx) (m3 m-3)2."""
        return np.full((self._rows.own.stop - self._rows.own.start, self._rows.shape[1]), self._variance)

    def apply(self, rows: FloatArray) -> FloatArray:
        """B times an image, (n_own, nx). Collective."""
        return self._rows.filter(rows, self._factors)

    def preconditioner(self, noise: FloatArray) -> Callable[[FloatArray], FloatArray]:
        """The exact inverse for the mean of the noise where there is any: again a filter. Collective."""
        total = self._rows.inner(noise, np.ones_like(noise))
        mean = self._rows.inner(noise, noise) / total if total > 0 else 1.0
        factors = 1.0 / (self._factors + mean)
        return lambda rows: self._rows.filter(rows, factors)


class WhiteCovariance:
    """Errors without correlation between pixels: B = diag(s_b^2).

    Parameters
    ----------
    rows : ImageRows
    sd : float or (ny, nx) array
        Their standard deviation s_b, m3 m-3.
    """

    def __init__(self, rows: ImageRows, sd: float | FloatArray) -> None:
        self.variance = np.broadcast_to(np.square(np.asarray(sd, np.float64)), rows.shape)[rows.own]
        self.wedge_variances = None

    def apply(self, rows: FloatArray) -> FloatArray:
        """B times an image, (n_own, nx)."""
        return self.variance * rows

    def preconditioner(self, noise: FloatArray) -> Callable[[FloatArray], FloatArray]:
        """The exact inverse."""
        return diagonal_preconditioner(self.variance, noise)


class SumCovariance:
    """Sum of covariances."""

    def __init__(self, parts: Sequence[tuple[float, Covariance]]) -> None:
        self._parts = parts
        self.wedge_variances = None

    @property
    def variance(self) -> FloatArray:
        """Its diagonal, (n_own, nx) (m3 m-3)2."""
        return np.asarray(sum(weight * part.variance for weight, part in self._parts))

    def apply(self, rows: FloatArray) -> FloatArray:
        """B times an image, (n_own, nx). Collective."""
        return np.asarray(sum(weight * part.apply(rows) for weight, part in self._parts))

    def preconditioner(self, noise: FloatArray) -> Callable[[FloatArray], FloatArray]:
        """The inverse of the diagonal."""
        return diagonal_preconditioner(self.variance, noise)


def diagonal_preconditioner(variance: FloatArray, noise: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Division by variance + noise; 1 where both are 0."""
    total = variance + noise
    inverse = np.divide(1.0, total, out=np.ones_like(total), where=total > 0)
    return lambda rows: inverse * rows


class ObservedSystem:
    """The matrix S = H B H^T + R, as one of images that are 0 where nothing is observed.

    Parameters
    ----------
    rows : ImageRows
    covariance : Covariance
    innovation : Innovation
    """

    def __init__(self, rows: ImageRows, covariance: Covariance, innovation: Innovation) -> None:
        self._rows, self._covariance = rows, covariance
        self._observed = innovation.observed[rows.own].astype(np.float64)
        self._noise = innovation.observation_variance[rows.own] * self._observed
        self._invert = covariance.preconditioner(self._noise)

    def solve(self, right: FloatArray, tolerance: float = TOLERANCE) -> Solution:
        """S^-1 times an image, (n_own, nx). Collective.

        Raises
        ------
        ImgdaError
            Where the iteration does not come to an end.
        """
        solution = conjugate_gradients(
            self._apply,
            right * self._observed,
            lambda residual: self._observed * self._invert(residual),
            self._rows.inner,
            tolerance=tolerance,
            max_iterations=MAX_ITERATIONS,
        )
        if not solution.residual <= tolerance:
            error = ImgdaError(
                f"the full solver: found a residual of {solution.residual:.2g} after {solution.iterations} iterations, "
                f"expected {tolerance:g}; observation errors far below the background's make it slow: set "
                'errors.observation higher, or solver = "diagonal"'
            )
            error.everywhere = True  # the residual is the same on every rank
            raise error
        return solution

    def _apply(self, rows: FloatArray) -> FloatArray:
        return self._observed * self._covariance.apply(rows) + self._noise * rows


@dataclass(frozen=True)
class ExpectedErrors:
    """Root mean square error to be expected of background and analysis, m3 m-3, NaN where there is no such pixel.

    Parameters
    ----------
    background_observed, analysis_observed : over the observed pixels
    background_unseen, analysis_unseen : over the land that was not observed
    """

    background_observed: float
    analysis_observed: float
    background_unseen: float
    analysis_unseen: float


class FullUpdate:
    """One Kalman update on the observed pixels. Making one is collective over ``comm``.

    Parameters
    ----------
    innovation : Innovation
    errors : CovarianceErrors
    transform : CurveletTransform
        Of images of this shape.
    comm : MPI.Intracomm
    scales : sequence of int, optional
        Scales to be updated: of the most likely increment the part that they carry; all of them unless given.

    Attributes
    ----------
    increment : (ny, nx) array
        On every rank, m3 m-3; where nothing was observed it is what B carries there.
    iterations, residual
        Of the conjugate gradients.
    """

    def __init__(
        self,
        innovation: Innovation,
        errors: CovarianceErrors,
        transform: CurveletTransform,
        comm: MPI.Intracomm,
        scales: Sequence[int] | None = None,
    ) -> None:
        self._innovation = innovation
        self._powers = WedgePowers(transform, comm)
        self._rows = ImageRows(comm, transform.layout.image_shape)
        self._covariance = errors.covariance(self._rows, self._powers, innovation)
        self._system = ObservedSystem(self._rows, self._covariance, innovation)
        solution = self._system.solve(innovation.values[self._rows.own])
        self.iterations, self.residual = solution.iterations, solution.residual
        increment = self._covariance.apply(solution.values)
        if scales is not None:
            increment = self._rows.filter(increment, scale_filter(transform, scales)[:, self._rows.own_columns])
        self.increment = self._rows.whole(increment)

    @cached_property
    def statistics(self) -> WedgeStatistics:
        """Powers of each wedge, and what is known of its variances, as if all was observed. Collective at first use."""
        layout = self._powers.transform.layout
        n_values = np.array([wedge.stop - wedge.start for wedge in layout.wedges])
        norms = self._powers.norms * self._innovation.values.size / n_values
        values = {
            "innovation_power_mean": self._powers.of(self._innovation.values) / n_values,
            "increment_power_mean": self._powers.of(self.increment) / n_values,
            "observation_variance_mean": norms * float(self._innovation.observation_variance.mean()),
        }
        if self._covariance.wedge_variances is not None:
            values["background_variance_mean"] = norms * self._covariance.wedge_variances
            values["gain_mean"] = gain(values["background_variance_mean"], values["observation_variance_mean"])
        number = np.array([wedge.number for wedge in layout.wedges])
        return WedgeStatistics(self._powers.scale, number, values)

    def expected_errors(self, land: BoolArray, signs: Sequence[FloatArray]) -> ExpectedErrors:
        """What errors are to be expected if B and R are right. Collective.

        The variance of the analysis is the diagonal of A = B - B H^T S^-1 H B, of which random signs v give an
        estimate v (A v) in every pixel; its means over many pixels have a relative error of about the square root of 2
        over the number of signs and of independent patches.

        Parameters
        ----------
        land : (ny, nx) array of bool
            Pixels that have a background.
        signs : sequence of (ny, nx) arrays
            See `random_signs`.
        """
        rows = self._rows
        sums = np.zeros(4)
        masks = [self._innovation.observed & land, land & ~self._innovation.observed]
        for place, mask in enumerate(masks):
            sums[2 * place] = len(signs) * rows.inner(self._covariance.variance, mask[rows.own].astype(np.float64))
        for image in signs:
            own = image[rows.own] * land[rows.own]
            before = self._covariance.apply(own)
            solved = self._system.solve(before, tolerance=0.01).values
            after = before - self._covariance.apply(solved)
            for place, mask in enumerate(masks):
                sums[2 * place + 1] += rows.inner(own * mask[rows.own], after)
        counts = len(signs) * np.repeat([np.count_nonzero(mask) for mask in masks], 2)
        means = np.divide(sums, counts, out=np.full(4, np.nan), where=counts > 0)
        return ExpectedErrors(*np.sqrt(np.maximum(means, 0.0)).tolist())
