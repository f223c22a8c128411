from __future__ import annotations

import numpy as np

from imgda_mpi.numerics.conjugate_gradients import conjugate_gradients


def test_conjugate_gradients_solve_in_as_many_steps_as_there_are_eigenvalues(rng: np.random.Generator) -> None:
    vectors = np.linalg.qr(rng.standard_normal((30, 30)))[0]
    matrix = vectors @ np.diag(np.repeat([1.0, 5.0, 20.0], 10)) @ vectors.T
    right = rng.standard_normal(30)
    solution = conjugate_gradients(
        matrix.__matmul__, right, np.copy, lambda a, b: float(a @ b), tolerance=1e-10, max_iterations=50
    )
    assert solution.iterations == 3
    np.testing.assert_allclose(matrix @ solution.values, right, rtol=0, atol=1e-9)
