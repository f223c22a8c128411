"""Linear systems with a symmetric positive definite matrix that is known by what it does to a vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class Solution:
    """Approximate solution of a linear system.

    Parameters
    ----------
    values : array of the shape of the right-hand side
    iterations : steps that were taken
    residual : norm of right-hand side minus matrix times values, over that of the right-hand side
    """

    values: FloatArray
    iterations: int
    residual: float


def conjugate_gradients(
    apply: Callable[[FloatArray], FloatArray],
    right: FloatArray,
    precondition: Callable[[FloatArray], FloatArray],
    inner: Callable[[FloatArray, FloatArray], float],
    *,
    tolerance: float,
    max_iterations: int,
) -> Solution:
    """Solve ``apply(z) = right`` by preconditioned conjugate gradients.

    Parameters
    ----------
    apply : callable
        The matrix, symmetric and positive definite; returns a new array, which is overwritten.
    right : array of any shape
        Right-hand side; where it is spread over ranks, ``apply`` and ``inner`` know.
    precondition : callable
        An approximate inverse of the matrix, symmetric and positive definite too; returns a new array.
    inner : callable
        Inner product of two arrays, the same number on every rank.
    tolerance : float
        The iteration ends when the residual, relative to the right-hand side, is this small.
    max_iterations : int
        Or after so many iterations: see ``residual`` of the result.

    Notes
    -----
    Hestenes and Stiefel (1952), J. Res. Natl. Bur. Stand. 49, 409.

    Examples
    --------
    >>> matrix = np.array([[4.0, 1.0], [1.0, 3.0]])
    >>> solution = conjugate_gradients(
    ...     matrix.__matmul__, np.array([1.0, 2.0]), np.copy, np.vdot, tolerance=1e-12, max_iterations=10
    ... )
    >>> solution.values.round(6).tolist(), solution.iterations
    ([0.090909, 0.636364], 2)
    """
    values, residual, direction = np.zeros_like(right), right.copy(), np.zeros_like(right)
    norm = size = math.sqrt(inner(right, right))
    if norm == 0:
        return Solution(values, 0, 0.0)
    slope, iterations = 1.0, 0
    while size > tolerance * norm and iterations < max_iterations:
        conditioned = precondition(residual)
        slope, before = inner(residual, conditioned), slope
        direction *= slope / before
        direction += conditioned
        del conditioned  # for memory
        applied = apply(direction)
        step = slope / inner(direction, applied)
        applied *= step
        residual -= applied
        values += np.multiply(step, direction, out=applied)
        size = math.sqrt(inner(residual, residual))
        iterations += 1
    return Solution(values, iterations, size / norm)
