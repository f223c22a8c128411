"""The linear system of a Kalman update on the observed pixels."""

from __future__ import annotations

from imgda_mpi.arrays import FloatArray
from imgda_mpi.covariances.covariance import Covariance
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.faults import ImgdaError
from imgda_mpi.numerics.conjugate_gradients import Solution, conjugate_gradients
from imgda_mpi.numerics.problem import Observations
from imgda_mpi.parallel.failure import same_fate

TOLERANCE = 1e-3  # of the residual; ten times less changes an increment by less than 1e-4 m3 m-3
MAX_ITERATIONS = 1000


class ObservedSystem:
    """The matrix M = H S H^T + R, to be solved for any number of innovations. Making one is collective.

    R is the white part of the observation errors; what is coherent in them is in the covariance's signal S. The
    observations, H and R, are given on the whole image.

    Attributes
    ----------
    precondition : approximately M^-1 of own rows (n_own, nx), see `Covariance.preconditioner`
    """

    def __init__(self, image_rows: ImageRows, covariance: Covariance, observations: Observations) -> None:
        self._image_rows, self._covariance = image_rows, covariance
        self._observations = observations.rows(image_rows.own)
        # R of solutions, which are 0 where nothing is observed.
        self._noise, self._signal = self._observations.variance, covariance.observed_signal(self._observations)
        self.precondition = covariance.preconditioner(self._observations)

    def solve(self, innovation: FloatArray, tolerance: float = TOLERANCE) -> Solution:
        """M^-1 d for the own rows (n_own, nx) of d, 0 where nothing is observed. Collective.

        Raises
        ------
        ImgdaError
            On every rank: where the iteration does not come to an end.
        """
        solution = conjugate_gradients(
            self._apply,
            innovation,
            self.preconditioned,
            self._image_rows.inner,
            tolerance=tolerance,
            max_iterations=MAX_ITERATIONS,
        )
        with same_fate(self._image_rows.comm):
            if not solution.residual <= tolerance:
                raise ImgdaError(
                    f"the full solver: found a residual of {solution.residual:.2g} after {solution.iterations} "
                    f"iterations, expected {tolerance:g}; observation errors far below the background's make it slow: "
                    "give larger ones, or take the diagonal solver"
                )
        return solution

    def preconditioned(self, innovation: FloatArray) -> FloatArray:
        """P d with the preconditioner P, near to M^-1 d, for the own rows (n_own, nx) of d. Collective."""
        return self._observations.apply(self.precondition(innovation))

    def increment(self, solution: FloatArray) -> FloatArray:
        """B H^T z of a solution z: the most likely increment, own rows (n_own, nx). Collective."""
        return self._covariance.apply(self.adjoint(solution))

    def apply(self, image: FloatArray) -> FloatArray:
        """H x of an image's own rows (n_own, nx)."""
        return self._observations.apply(image)

    def adjoint(self, solution: FloatArray) -> FloatArray:
        """H^T z of a solution's own rows (n_own, nx)."""
        return self._observations.adjoint(solution)

    def _apply(self, rows: FloatArray) -> FloatArray:
        result = self._signal(rows)
        for block in self._image_rows.own_blocks.values():  # which stay in the cache
            result[block] += self._noise[block] * rows[block]
        return result
